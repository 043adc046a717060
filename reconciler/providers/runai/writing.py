"""Carrying out one change on one asset, so that a run killed at any request can be gone on from.

One rule for every write to what is there: read it, compare it with what the plan saw (or with what
this apply left of it), then write. What differs is a conflict, and nothing is written, unless it is
as wanted already. Between that read and the write others may still write: one request. A create is
preceded by a list that must show no object with its mark, and followed by another: see `confirm`.

A POST is never sent twice. Where an answer is lost, the object is looked for (it bears our mark)
for a bounded time; only if that does not settle the matter is the outcome unknown. A replacement
renames the old asset to `NAME-replaced-<6 hex>`, marks it deposed and creates the new one: there is
always an asset, and a rerun goes on with whatever is there. The six digits follow from the old
asset's id, so that they are the same on a rerun.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, assert_never

from reconciler.core.diff import diff_specs
from reconciler.core.mark import Mark, deposed_digits
from reconciler.core.ownership import desired_mark, room
from reconciler.core.plan import Action, Change
from reconciler.core.resource import (
    LiveResource,
    Resource,
    Spec,
    has_secrets,
)
from reconciler.errors import AmbiguousWriteError, ConflictError, ProviderError, ReconcileError
from reconciler.providers.base import Progress
from reconciler.providers.runai.api_errors import NotFoundError, withholding
from reconciler.providers.runai.asset_api import AssetApi
from reconciler.providers.runai.confirm import Rules
from reconciler.providers.runai.conflicts import change_since, gone, made_already
from reconciler.providers.runai.mapping import AssetMapping
from reconciler.providers.runai.reading import AssetReader

_LOOK = "run plan again to see what is there"
_LOOK_FOR = 10.0
"""Seconds for which a write whose answer was lost is looked for at most."""
_Shows = Callable[[LiveResource], bool]


class AssetWriter:
    """Writes assets of one kind for one stack."""

    def __init__(
        self, api: AssetApi, mapping: AssetMapping, reader: AssetReader, rules: Rules
    ) -> None:
        self._api = api
        self._mapping = mapping
        self._reader = reader
        self._rules = rules
        self._wait = rules.patience.at_most(_LOOK_FOR)
        self._left: dict[str, tuple[LiveResource | None, _Shows]] = {}
        """By id: an asset as it was planned, and what this apply has made of it."""

    def write(self, change: Change, progress: Progress) -> str:
        """Carry out the change and return the id of the asset (the old one's for a delete)."""
        with withholding(_has_secrets(change)):
            return self._dispatch(change, progress)

    def _dispatch(self, change: Change, progress: Progress) -> str:
        match change.action:
            case Action.CREATE:
                return self._find_made(_desired(change)) or self._create(_desired(change))
            case Action.UPDATE | Action.ADOPT:
                return self._update(_desired(change), _live(change))
            case Action.REPLACE:
                return self._replace(_desired(change), _live(change), progress)
            case Action.DELETE:
                return self._delete(_live(change).uid, _live(change))
            case Action.UNCHANGED:
                raise ReconcileError(f"{change.address} is unchanged: there is nothing to write")
        assert_never(change.action)

    def take_back(self, change: Change, uid: str, fault: ProviderError) -> ProviderError:
        """Undo a write beside which another object bears the mark; what is to be said of it.

        An object that was found after a lost answer or a 409 may be what somebody else has made.
        """
        if uid not in self._left:
            text = f"{fault.what}; somebody else may have made {uid}, so that it was left"
            return ConflictError(text, fix=_LOOK)
        with withholding(_has_secrets(change)):
            try:
                if change.action in (Action.CREATE, Action.REPLACE):
                    self._delete(uid)
                else:
                    self._put_back(_live(change))
            except ProviderError as error:
                return type(error)(
                    f"{fault.what}; taking back what was written here failed: {error.what}",
                    fix=_LOOK,
                )
        return ConflictError(
            f"{fault.what}: somebody applied at the same time, and what was written here was "
            "taken back",
            fix="run plan again",
        )

    def _find_made(self, desired: Resource, uid: str = "") -> str | None:
        """The id of what was made since the plan and is exactly as wanted, if there is one.

        Raises `ConflictError` if anything else bears this mark beside the asset `uid`.
        """
        mark = desired_mark(desired, self._rules.stack)
        found = self._rules.others(mark, uid, self._reader.marked(mark.id_hash))
        if found and (len(found) > 1 or not self._as_stated(desired)(found[0])):
            raise made_already(found[0])
        return found[0].uid if found else None

    def _require_alone(self, live: LiveResource) -> None:
        """Raise `ConflictError` if another asset bears the mark that this one has had."""
        if live.mark is not None:
            for other in self._rules.others(live.mark, live.uid, self._reader.read()):
                raise made_already(other)

    def _create(self, desired: Resource, raw: Mapping[str, Any] | None = None) -> str:
        """Create an asset; `raw` is the spec of the one that it replaces, if any."""
        mark = desired_mark(desired, self._rules.stack)
        try:
            uid = self._api.create(self._mapping.create_body(desired.spec, mark, raw))
        except AmbiguousWriteError as error:
            return self._find_created(desired, mark, error)
        except ConflictError as error:
            return self._find_in_the_way(desired, error)
        if uid is None:
            unseen = f"{desired.name} was accepted, but no such asset is to be seen"
            return self._find_created(desired, mark, AmbiguousWriteError(unseen, fix=_LOOK))
        self._left[uid] = None, self._as_stated(desired)
        return uid

    def _find_created(self, desired: Resource, mark: Mark, unseen: AmbiguousWriteError) -> str:
        """The id of the asset that a create with a lost answer has made, if it shows up."""
        for _ in self._wait.rounds():
            with _looking(unseen):
                found = self._reader.find(desired.name)
            for live in found:
                if live.mark == mark and _same_place(live, desired):
                    return live.uid
        raise unseen

    def _find_in_the_way(self, desired: Resource, error: ConflictError) -> str:
        """After a 409: the asset that is in the way, if it is exactly the one we wanted to make."""
        for _ in self._wait.at_most(2).rounds():
            with _looking(error):
                found = self._reader.find(desired.name)
            for live in found:
                if _same_place(live, desired):
                    if self._as_stated(desired)(live):
                        return live.uid
                    raise ConflictError(
                        f"an asset named {desired.name} exists there already ({live.uid})",
                        fix="it was made since the plan: run plan again",
                    ) from error
        raise error

    def _update(self, desired: Resource, live: LiveResource) -> str:
        mark = desired_mark(desired, self._rules.stack)
        if diff_specs(live.spec, desired.spec, frozenset()):
            body = self._mapping.update_body(desired.spec, mark, live.raw.get("spec") or {})
        else:  # only the mark changes, and nothing is written in another way than it stands there
            body = self._mapping.rename_body(live, live.name, self._mapping.written(mark))
        self._put(live, body, self._as_stated(desired))
        return live.uid

    def _as_stated(self, desired: Resource) -> _Shows:
        """Whether an asset bears the mark, and has all that can be read, of a resource."""
        mark = desired_mark(desired, self._rules.stack)
        readable = self._rules.traits.readable
        wanted = readable(desired.spec)
        return lambda found: (found.mark, readable(found.spec)) == (mark, wanted)

    def _put(self, live: LiveResource, body: dict[str, Any], shows: _Shows) -> None:
        """Send an update, unless others have made it so since the plan.

        If its answer is lost, see whether it took place.
        """
        now = self._look(live.uid, live, shows)
        if now is None:
            raise gone(live.uid)
        if not shows(now) or now.updated_at in (None, live.updated_at):  # or a read that lags
            try:
                self._api.update(live.uid, body)
            except NotFoundError as error:
                raise gone(live.uid) from error
            except AmbiguousWriteError as error:
                if not self._comes_to(live.uid, error, shows):
                    raise gone(live.uid) from error
        self._left[live.uid] = live, shows

    def _comes_to(self, uid: str, lost: AmbiguousWriteError, shows: _Shows) -> bool:
        """Wait until the asset is what was asked for; False if it is gone. Raises `lost`."""
        for _ in self._wait.rounds():
            with _looking(lost):
                found = self._get(uid)
            if found is None:
                return False
            if shows(found):
                return True
        raise lost

    def _look(
        self, uid: str, planned: LiveResource | None, wanted: _Shows | None = None
    ) -> LiveResource | None:
        """The asset right before a write; None if it is gone.

        Raises `ConflictError` unless it is as it was planned, as we left it, or as it is `wanted`.
        """
        now = self._get(uid)
        written, left = self._left.get(uid, (None, None))
        if now is None or (left and written == planned and left(now)) or (wanted and wanted(now)):
            return now
        why = change_since(planned, now) if planned else "it was changed since it was made"
        if why:
            raise ConflictError(
                f"{now.name} ({uid}): {why}; nothing was written to it",
                fix="run plan again: somebody changed it since",
            )
        return now

    def _get(self, uid: str) -> LiveResource | None:
        try:
            return self._reader.get(uid)
        except NotFoundError:
            return None

    def _replace(self, desired: Resource, live: LiveResource, progress: Progress) -> str:
        made = self._find_made(desired, live.uid)
        digits = deposed_digits(live.uid)
        renamed = f"{live.name}-replaced-{digits}"
        # What may be replaced may go: a protected leftover would block the rerun that removes it.
        assert live.mark is not None
        mark = self._mapping.written(replace(live.mark, deposed=digits, protect=False))
        progress(f"renaming the old one to {renamed}")
        if len(str(live.spec.get("description", ""))) > room(mark):
            progress("cutting its description, which leaves its mark no room")
        spec = _without_text({**live.spec, "name": renamed})

        def depose() -> None:
            self._put(
                live,
                self._mapping.rename_body(live, renamed, mark),
                lambda found: (found.mark, _without_text(found.spec)) == (mark, spec),
            )

        depose()
        try:
            return made or self._create(desired, live.raw.get("spec"))
        except AmbiguousWriteError:
            raise  # it may be there: both stay, and the next run goes on from what it finds
        except ProviderError as error:
            progress("creating the new one failed: renaming the old one back")
            try:
                self._restore(live, depose)
            except ProviderError as second:
                raise AmbiguousWriteError(
                    f"{error.what}; and the old asset {live.uid} could not be renamed back: "
                    f"{second.what}",
                    fix="run apply again: it creates the new one and deletes the old one",
                ) from error
            raise

    def _restore(self, live: LiveResource, depose: Callable[[], None]) -> None:
        """Give the old asset its name and mark back, unless another process has made a new one."""
        self._put_back(live)
        try:
            self._require_alone(live)
        except ConflictError:
            depose()
            raise

    def _put_back(self, live: LiveResource) -> None:
        """Make an asset what it was before our write."""
        self._require_alone(live)
        body = self._mapping.former_body(live)
        self._put(live, body, lambda found: (found.mark, found.spec) == (live.mark, live.spec))

    def _delete(self, uid: str, planned: LiveResource | None = None) -> str:
        """Delete what is still exactly the object that was planned; gone already is done, too."""
        if self._look(uid, planned) is None:
            return uid
        try:
            self._api.delete(uid)
        except NotFoundError:
            return uid
        except AmbiguousWriteError as error:
            self._comes_to(uid, error, lambda _: False)
        return uid


@contextmanager
def _looking(lost: ProviderError) -> Iterator[None]:
    """A read after a write whose end is not known: if that fails, too, the outcome is unknown.

    The read's own error would say that nothing was written.
    """
    try:
        yield
    except ProviderError as error:
        raise AmbiguousWriteError(
            f"{lost.what}; looking for it failed: {error.what}",
            where=lost.where,
            fix=_LOOK,
        ) from error


def _without_text(spec: Spec) -> Spec:
    """A spec without its description, which may have been cut to make room for a mark."""
    return {name: value for name, value in spec.items() if name != "description"}


def _same_place(live: LiveResource, desired: Resource) -> bool:
    return all(
        live.spec.get(name) == desired.spec.get(name) for name in ("name", "scope", "scope_id")
    )


def _desired(change: Change) -> Resource:
    assert change.desired is not None
    return change.desired


def _live(change: Change) -> LiveResource:
    assert change.live is not None
    return change.live


def _has_secrets(change: Change) -> bool:
    """Whether a request of this change may carry, or its object hold, what must not be shown."""
    live = change.live
    if live is not None and ((live.mark and live.mark.secrets) or has_secrets(live.spec)):
        return True
    return change.desired is not None and has_secrets(change.desired.spec)
