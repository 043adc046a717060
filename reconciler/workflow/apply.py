"""A plan -> ordered waves of writes -> one outcome per change.

Creates, updates, adoptions and replacements come first, in waves by dependency; then, only if
every one of them succeeded, the deletes in the reverse order of kinds. After each wave the written
objects are compared with what was asked. Every pending change ends with exactly one outcome, on an
interrupt as well.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Action, Change, Plan
from reconciler.core.resource import ResourceKey
from reconciler.errors import AmbiguousWriteError, ReconcileError
from reconciler.providers.base import Providers
from reconciler.support.threads import Executor
from reconciler.workflow.observer import Muffled, Observer
from reconciler.workflow.outputs import Outputs
from reconciler.workflow.waves import delete_waves, write_waves

log = logging.getLogger(__name__)
_LOOK = "run plan to see what is there"
_AGAIN = "see what became of that, and apply again"


@dataclass(frozen=True, slots=True)
class LogObserver:
    """Tells the log alone: for whoever answers with one message at the end."""

    level: int = logging.DEBUG

    def started(self, change: Change) -> None:
        """See `Observer`."""
        log.log(self.level, "%s: %s", change.address, change.action.value)

    def progressed(self, change: Change, line: str) -> None:
        """See `Observer`."""
        log.debug("%s: %s", change.address, line)

    def finished(self, outcome: Outcome) -> None:
        """See `Observer`."""
        log.log(self.level, "%s: %s", outcome.change.address, outcome.status.value)


@dataclass(frozen=True, slots=True)
class ApplyContext:
    """Who carries a plan out. Once `stop` is set no further write begins.

    `breakable` makes the block in which a `KeyboardInterrupt` may come without loss.
    """

    providers: Providers
    executor: Executor
    observer: Observer
    stop: threading.Event = field(default_factory=threading.Event)
    breakable: Callable[[], AbstractContextManager[None]] = nullcontext


def apply_plan(plan: Plan, context: ApplyContext) -> tuple[Outcome, ...]:
    """Carry out every pending change of the plan. The outcomes come in the plan's order.

    A `KeyboardInterrupt` ends it at once: what had begun is then `unknown`, or `written` if the
    live system had taken it, and no thread that still runs is waited for.
    """
    run = _Run(context)
    try:
        with context.breakable():
            _carry_out(plan, run)
    except KeyboardInterrupt:
        context.stop.set()
        run.abandon(plan.pending)
    return tuple(run.outcomes[(change.key, change.deposed)] for change in plan.pending)


def _carry_out(plan: Plan, run: "_Run") -> None:
    pending = plan.pending
    for wave in write_waves([change for change in pending if change.action is not Action.DELETE]):
        run.write_wave(wave)
    run.end_replacements()
    deletes = [change for change in pending if change.action is Action.DELETE]
    for wave in delete_waves(deletes, run.context.providers):
        if run.all_applied:
            run.write_wave(wave)
            continue
        for change in wave:
            run.record(_not_attempted(change, "an earlier write failed, so nothing is deleted"))


class _Run:
    """The outcomes of one apply so far."""

    def __init__(self, context: ApplyContext) -> None:
        self.context = replace(context, observer=Muffled(context.observer))
        self.begun: dict[tuple[ResourceKey, str | None], float] = {}
        self.ended: dict[tuple[ResourceKey, str | None], Outcome] = {}
        self.outcomes: dict[tuple[ResourceKey, str | None], Outcome] = {}
        self._outputs = Outputs()
        self._held: list[Outcome] = []
        """Confirmed replacements whose old objects are still held."""

    @property
    def all_applied(self) -> bool:
        return all(item.status is Status.APPLIED for item in self.outcomes.values())

    def record(self, outcome: Outcome) -> None:
        key = (outcome.change.key, outcome.change.deposed)
        if key in self.begun:
            outcome = replace(outcome, seconds=time.monotonic() - self.begun[key])
        self.outcomes[key] = outcome
        self.context.observer.finished(outcome)

    def abandon(self, pending: Sequence[Change]) -> None:
        """Give every change without an outcome the one that is true of it now."""
        held = {item.change.key for item in self._held}
        for change in pending:
            key = (change.key, change.deposed)
            if key in self.outcomes:
                continue
            if change.key in held and not change.deposed:
                why = "interrupted before the old object was deleted"
                self.record(_unconfirmed(self.ended[key], why))
            elif key in self.ended:
                self.record(_unconfirmed(self.ended[key], "interrupted before it was read back"))
            elif key in self.begun:
                text = "interrupted while it ran: it may be done or not"
                self.record(Outcome(change, Status.UNKNOWN, text, _LOOK, sent=True))
            else:
                self.record(_not_attempted(change, "interrupted before it began"))

    def write_wave(self, wave: Sequence[Change]) -> None:
        """Write these changes side by side, confirm them, and record an outcome for each."""
        ready = []
        for change in wave:
            missing = self._failed_dependency(change)
            if missing is None:
                ready.append(change)
            else:
                text = f"{missing.address} was not applied"
                self.record(Outcome(change, Status.SKIPPED_DEPENDENCY, text))
        tasks = [self._task(change) for change in ready]
        running = Counter(change.key.kind for change in ready)
        written: dict[str, list[Outcome]] = {kind: [] for kind in running}
        for _, outcome in self.context.executor.run(tasks) if tasks else ():
            kind = outcome.change.key.kind
            if outcome.status is Status.APPLIED:
                written[kind].append(outcome)
            else:
                self.record(outcome)
            running[kind] -= 1
            if not running[kind]:  # slow builds of another kind may go on meanwhile
                for confirmed in self._confirm(kind, written[kind]):
                    self.record(confirmed)

    def _failed_dependency(self, change: Change) -> ResourceKey | None:
        for key in change.waits_for:
            outcome = self.outcomes.get((key, None))
            if outcome is not None and outcome.status is not Status.APPLIED:
                return key
        return None

    def _task(self, change: Change) -> Callable[[], Outcome]:
        def write() -> Outcome:
            if self.context.stop.is_set():
                return _not_attempted(change, "interrupted before it began")
            self.begun[change.key, change.deposed] = time.monotonic()
            self.context.observer.started(change)
            outcome = self._guarded(change, lambda: self._write(change))
            self.ended[(change.key, change.deposed)] = outcome
            return outcome

        return write

    def _write(self, change: Change) -> Outcome:
        if change.deletes_first:
            return self._delete_and_create(change)
        return Outcome(change, Status.APPLIED, uid=self._send(change), sent=True)

    def _send(self, change: Change) -> str:
        provider = self.context.providers[change.key.kind]
        bound = self._outputs.bind(change)
        uid = provider.write(bound, lambda line: self.context.observer.progressed(change, line))
        self._outputs.add(change, uid)
        return uid

    def _delete_and_create(self, change: Change) -> Outcome:
        """Replace in that order. A run that is killed in between creates when it runs again."""
        provider, removal = self.context.providers[change.key.kind], _removal(change)
        sent = Outcome(change, Status.APPLIED, uid=self._send(removal), sent=True)
        if fault := provider.settle([removal], {change.address: sent.uid}).get(change.address):
            return _failed(sent, fault)
        try:
            uid = self._send(replace(change, action=Action.CREATE, live=None, fields=()))
        except ReconcileError as error:
            failed = _failed(sent, error)
            text = f"the old object is deleted, and the new one is not created: {failed.message}"
            return replace(failed, message=text)
        return replace(sent, uid=uid)

    def _guarded(self, change: Change, action: Callable[[], Outcome]) -> Outcome:
        try:
            return action()
        except ReconcileError as error:
            return _failed(Outcome(change, Status.FAILED), error)
        except Exception as error:  # law 10: a defect of ours must not swallow an outcome either
            log.exception("writing %s failed unexpectedly", change.address)
            what = f"unexpected {type(error).__name__}: {error}"
            fix = f"{_LOOK}; please report this with --debug output"
        return Outcome(change, Status.UNKNOWN, what, fix, sent=True)

    def _confirm(self, kind: str, written: Sequence[Outcome]) -> Iterable[Outcome]:
        """Compare all writes of a kind with what was asked; then finish the replacements."""
        settled = self._settle(kind, written)
        yield from (item for item in settled if item.status is not Status.APPLIED)
        yield from self._finish(kind, [item for item in settled if item.status is Status.APPLIED])

    def _settle(self, kind: str, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The same outcomes, with what reading back tells of them."""
        if not outcomes:
            return []
        uids = {outcome.change.address: outcome.uid for outcome in outcomes}
        try:
            changes = [self._outputs.bind(outcome.change) for outcome in outcomes]
            wrong = self.context.providers[kind].settle(changes, uids)
        except Exception as error:  # law 10, as in `_guarded`
            if isinstance(error, ReconcileError):
                why = error.what
            else:
                log.exception("comparing %s with what was asked failed unexpectedly", kind)
                why = f"unexpected {type(error).__name__}"
            return [_unconfirmed(item, f"reading it back failed: {why}") for item in outcomes]
        return [
            _failed(item, wrong[item.change.address]) if item.change.address in wrong else item
            for item in outcomes
        ]

    def _finish(self, kind: str, confirmed: Sequence[Outcome]) -> Iterable[Outcome]:
        """Delete what a confirmed replacement has replaced: the last step of the same change."""
        leaving = [item for item in confirmed if _leaves_old(item.change)]
        yield from (item for item in confirmed if not _leaves_old(item.change))
        self._held += [item for item in leaving if item.change.holders]
        yield from self._delete_old(kind, [item for item in leaving if not item.change.holders])

    def end_replacements(self) -> None:
        """Delete the old objects that others held, the last ones first, if these hold new ones."""
        while self._held:
            outcome = self._held.pop()
            holders = (self.outcomes[(key, None)] for key in outcome.change.holders)
            left = [item.change.address for item in holders if item.status is not Status.APPLIED]
            if left:
                text = f"the old object stays, because {', '.join(left)} may still refer to it"
                self.record(replace(outcome, status=Status.FAILED, message=text, fix=_AGAIN))
                continue
            for ended in self._delete_old(outcome.change.key.kind, [outcome]):
                self.record(ended)

    def _delete_old(self, kind: str, replaced: Sequence[Outcome]) -> Iterable[Outcome]:
        """The outcomes of replacements, once what they replaced is deleted."""
        tasks = [self._remove(item.change) for item in replaced]
        removals = dict(self.context.executor.run(tasks)) if tasks else {}
        sent = [removals[n] for n in sorted(removals) if removals[n].status is Status.APPLIED]
        settled = {item.change.address: item for item in self._settle(kind, sent)}
        ends = [settled.get(item.change.address, removals[n]) for n, item in enumerate(replaced)]
        left = [
            item
            for item, end in zip(replaced, ends, strict=True)
            if end.status is not Status.APPLIED
        ]
        # What could not be deleted may be back in its place: then the new one is one too many.
        beside = {item.change.address: item for item in self._settle(kind, left)}
        for outcome, removal in zip(replaced, ends, strict=True):
            again = beside.get(outcome.change.address)
            if again is None:
                yield outcome
            elif again.status is Status.FAILED:
                yield again
            else:
                yield self._left_behind(outcome, removal)

    def _remove(self, change: Change) -> Callable[[], Outcome]:
        removal = _removal(change)
        return lambda: self._guarded(removal, lambda: self._write(removal))

    @staticmethod
    def _left_behind(outcome: Outcome, removal: Outcome) -> Outcome:
        failed = removal.status is Status.FAILED
        old = "the old object could not be deleted" if failed else "the old object may be, too"
        text = f"the replacement is there, but {old}: {removal.message}"
        return replace(outcome, status=removal.status, message=text, fix=removal.fix)


def _leaves_old(change: Change) -> bool:
    """Whether writing it leaves an old object, which is to be deleted once the new is confirmed."""
    return change.action is Action.REPLACE and not change.deletes_first


def _removal(change: Change) -> Change:
    """The end of the old object of a replacement."""
    return replace(change, action=Action.DELETE, desired=None, fields=())


def _unconfirmed(outcome: Outcome, why: str) -> Outcome:
    """Of a write that the live system took, that nobody looked at it; others are as they are."""
    if outcome.status is not Status.APPLIED:
        return outcome
    return replace(outcome, status=Status.WRITTEN, message=why, fix=_LOOK)


def _failed(outcome: Outcome, error: ReconcileError) -> Outcome:
    """The same with what an error says of it: unknown where nobody can tell what was done."""
    what = f"{error.where}: {error.what}" if error.where else error.what
    unknown = isinstance(error, AmbiguousWriteError)
    status = Status.UNKNOWN if unknown else Status.FAILED
    sent = outcome.sent or unknown
    return replace(outcome, status=status, message=what, fix=error.fix, sent=sent)


def _not_attempted(change: Change, why: str) -> Outcome:
    return Outcome(change, Status.NOT_ATTEMPTED, why)
