"""A plan and its apply -> a stream of JSON objects, one a line, in the shape of `terraform -json`.

Every object has `@level`, `@message`, `@timestamp` and `type`. What Terraform has no name for
stands under the key `reconciler`. No secret enters: no field of a spec is part of an event.
"""

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Action, Change, Plan
from reconciler.errors import ConfigError, ManifestError, Problem, ReconcileError
from reconciler.kinds.registry import KIND_TRAITS
from reconciler.render.escape import log_safe_json
from reconciler.render.progress import Running
from reconciler.render.summary import (
    WORDS,
    Counts,
    apply_line,
    count,
    count_ends,
    is_complete,
    is_made,
    plan_line,
    restriction,
)
from reconciler.render.terraform import PROVIDER
from reconciler.support.printable import printable

UI_VERSION = "1.0"
_ACTIONS = {
    Action.CREATE: "create",
    Action.UPDATE: "update",
    Action.REPLACE: "replace",
    Action.DELETE: "delete",
    Action.ADOPT: "import",
    Action.UNCHANGED: "noop",
}
_REASONS = {
    Action.REPLACE: "cannot_update",
    Action.DELETE: "delete_because_no_resource_config",
}


class EventStream:
    """Writes events as they happen; may be called from several threads.

    It is an `Observer` of an apply; call `tick` about once a second.
    """

    def __init__(
        self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._running = Running(clock)

    def version(self, version: str) -> None:
        """The first event: who speaks."""
        self._event("version", f"reconcile {version}", {"reconcile": version, "ui": UI_VERSION})

    def plan(self, plan: Plan) -> None:
        """Every change, what is refused or could not be read, and the sum."""
        for warning in plan.warnings:
            self._diagnostic("warning", warning, "")
        for change in plan.pending:
            body: dict[str, Any] = {
                "resource": _resource(change),
                "action": _ACTIONS[change.action],
            }
            if change.action is Action.ADOPT and change.fields:
                body["action"] = "update"
            absent = change.action is Action.DELETE and change.desired is not None
            if change.action in _REASONS and not change.deposed and not absent:
                body["reason"] = _REASONS[change.action]
            if change.action is Action.ADOPT and change.live is not None:
                body["importing"] = {"id": change.live.uid}
            if change.hint:
                body["reconciler"] = {"hint": printable(change.hint)}
            message = f"{change.address}: Plan to {body['action']}"
            self._event("planned_change", message, {"change": body | _deposed(change)})
        for change in plan.refused:
            refusal = change.refusal
            assert refusal is not None
            summary = f"{refusal.kind.value}: {refusal.reason}"
            self._diagnostic("error", summary, refusal.fix, _place(change))
        for failure in plan.failures:
            summary = f"cannot read the {failure.system}: {failure.reason}"
            self._diagnostic("error", summary, failure.fix)
        if not is_made(plan):  # the diagnostics above say why: there is nothing to count
            return
        own = {
            "target": plan.target,
            "digest": plan.digest(),
            "complete": is_complete(plan),
            "refused": len(plan.refused),
            "restricted": restriction(plan) or None,
        }
        self._summary("plan", plan_line(plan), count(plan.changes), own)

    def outcomes(self, outcomes: tuple[Outcome, ...], refused: int) -> None:
        """The sum of an apply."""
        applied = [item.change for item in outcomes if item.status is Status.APPLIED]
        own = {**count_ends(outcomes), "refused": refused}
        self._summary("apply", apply_line(outcomes, refused), count(applied), own)

    def error(self, error: ReconcileError) -> None:
        """Why the command ends."""
        problems = error.problems if isinstance(error, ManifestError | ConfigError) else ()
        for problem in problems:
            self._diagnostic("error", problem.message, problem.fix, {"range": _range(problem)})
        if problems:
            return
        if error.where.partition(".")[0] in KIND_TRAITS:
            self._diagnostic("error", error.what, error.fix, {"address": error.where})
        else:
            what = f"{error.where}: {error.what}" if error.where else error.what
            self._diagnostic("error", what, error.fix)

    def started(self, change: Change) -> None:
        with self._lock:
            self._running.begin(change)
        hook = _hook(change) | _identity(change.live.uid if change.live else "")
        message = f"{change.address}: {WORDS[change.action].doing}..."
        self._event("apply_start", message, {"hook": hook})

    def progressed(self, change: Change, line: str) -> None:
        with self._lock:
            elapsed = self._running.elapsed(change)
        hook = _hook(change) | {"elapsed_seconds": elapsed, "output": printable(line)}
        self._event("apply_progress", f"{change.address}: {line}", {"hook": hook})

    def finished(self, outcome: Outcome) -> None:
        change = outcome.change
        with self._lock:
            self._running.end(change)
        hook = _hook(change) | {"elapsed_seconds": int(outcome.seconds)}
        if outcome.status is Status.APPLIED:
            done = WORDS[change.action].done
            done = f"{change.address}: {done} complete after {outcome.seconds:.0f}s"
            self._event("apply_complete", done, {"hook": hook | _identity(outcome.uid)})
            return
        body = {"hook": hook, "reconciler": {"status": outcome.status.value}}
        message = f"{change.address}: {outcome.status.value}"
        self._event("apply_errored", message, body, "error")
        self._diagnostic("error", outcome.message, outcome.fix, _place(change))

    def tick(self) -> None:
        """Tell of changes that have been running for another ten seconds."""
        with self._lock:
            overdue = self._running.overdue()
        for change, elapsed in overdue:
            doing = WORDS[change.action].doing.lower()
            message = f"{change.address}: Still {doing}... [{elapsed}s elapsed]"
            hook = _hook(change) | {"elapsed_seconds": elapsed}
            self._event("apply_progress", message, {"hook": hook})

    def _summary(self, operation: str, message: str, counts: Counts, own: dict[str, Any]) -> None:
        changes = {
            "add": counts.adds,
            "change": counts.changes,
            "import": counts.imports,
            "remove": counts.destroys,
            "operation": operation,
        }
        self._event("change_summary", message, {"changes": changes, "reconciler": own})

    def _diagnostic(
        self, severity: str, summary: str, detail: str, more: dict[str, Any] | None = None
    ) -> None:
        body = {
            "severity": severity,
            "summary": printable(summary),
            "detail": printable(detail),
            **(more or {}),
        }
        level = "warn" if severity == "warning" else "error"
        message = f"{severity.capitalize()}: {summary}"
        self._event("diagnostic", message, {"diagnostic": body}, level)

    def _event(self, kind: str, message: str, body: dict[str, Any], level: str = "info") -> None:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        event = {
            "@level": level,
            "@message": printable(message),
            "@module": "reconcile",
            "@timestamp": now,
            "type": kind,
            **body,
        }
        with self._lock:
            self._write(log_safe_json(json.dumps(event, separators=(",", ":"))) + "\n")


def _resource(change: Change) -> dict[str, Any]:
    return {
        "addr": change.key.address,
        "module": "",
        "resource": change.key.address,
        "implied_provider": PROVIDER,
        "resource_type": change.key.kind,
        "resource_name": change.key.id,
        "resource_key": None,
    }


def _hook(change: Change) -> dict[str, Any]:
    return {"resource": _resource(change), "action": _ACTIONS[change.action]} | _deposed(change)


def _place(change: Change) -> dict[str, str]:
    """The address as in the JSON plan, by which both are joined."""
    return {"address": change.key.address} | _deposed(change)


def _deposed(change: Change) -> dict[str, str]:
    return {"deposed": change.deposed} if change.deposed else {}


def _identity(uid: str) -> dict[str, str]:
    return {"id_key": "id", "id_value": uid} if uid else {}


def _range(problem: Problem) -> dict[str, Any]:
    """Where a problem is. No byte offset is said: only lines and columns are known here."""
    if not problem.line:
        return {"filename": problem.file}
    start = {"line": problem.line, "column": max(problem.column, 1)}
    return {"filename": problem.file, "start": start, "end": start}
