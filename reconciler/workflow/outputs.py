"""What writes have made known: the ids of new objects, and what else others refer to."""

from dataclasses import replace
from typing import Any

from reconciler.core.plan import Action, Change
from reconciler.core.references import bind, references
from reconciler.core.resource import Made, Reference, ResourceKey, dotted
from reconciler.errors import ReconcileError


class Outputs:
    """The outputs of what one apply has written so far; used from several threads."""

    def __init__(self) -> None:
        self._made: dict[ResourceKey, str] = {}

    def add(self, change: Change, uid: str) -> None:
        """Remember what a write has answered."""
        if change.action is not Action.DELETE:
            self._made[change.key] = uid

    def bind(self, change: Change) -> Change:
        """The change with what was known only after other writes.

        Raises `ReconcileError` for what is still not known: nothing may be written then.
        """
        if change.desired is None or change.action is Action.DELETE:
            return change
        desired = bind(change.desired, self._output)
        for path, reference in references(desired.spec):
            raise ReconcileError(
                f"{dotted(path)} needs the {reference.output} of {reference.key.address}, which is "
                "not known yet",
                fix="run plan again",
            )
        return replace(change, desired=desired)

    def _output(self, reference: Reference) -> Any:
        uid = self._made.get(reference.key)
        if uid is None or reference.output == "id":
            return uid
        return uid.outputs.get(reference.output) if isinstance(uid, Made) else None
