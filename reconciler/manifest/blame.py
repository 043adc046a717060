"""Faults of a patched document -> the same faults, said of the overlay where it brought them about.

A manifest and an overlay that are sound by themselves can add up to fields that do not go together.
Which these are is found by trial, so that it holds for every kind: what the overlay sets is taken
back, and what the manifest has beside it is removed, until the fault is gone.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from reconciler.field_errors import Fault, missing_field
from reconciler.manifest.report import Patch
from reconciler.support.suggest import DataPath, below, label

_COST = 20_000
"""Trials, times what the overlay sets: what is found later than that stays where it is."""

Check = Callable[[Any], Sequence[Fault]]


def blame(
    faults: Sequence[Fault], patch: Patch, base: Any, merged: Any, check: Check
) -> list[Fault]:
    """The faults that `check` found in `merged`, which is `base` with the patch."""
    removed = {missing_field(path, "")[:2]: path for path in patch.origins}
    own = {fault[:2] for fault in check(base)}
    trials = _Trials(patch, base, merged, check)
    found = []
    for fault in faults:
        if fault[:2] in removed:
            found.append(fault._replace(path=removed[fault[:2]], at_key=True))
        elif fault[:2] in own or trials.is_in_overlay(fault.path):
            found.append(fault)
        else:
            found.append(trials.said_of_overlay(fault))
    return found


class _Trials:
    """Changes of one merged document, to see which of them make a fault go away."""

    def __init__(self, patch: Patch, base: Any, merged: Any, check: Check) -> None:
        self._set = [path for path, origin in patch.origins.items() if origin.overlay]
        self._base = base
        self._merged = merged
        self._check = check
        self._known = {fault[:2] for fault in check(merged)}
        self._left = _COST // (len(self._set) + 1)

    def is_in_overlay(self, path: DataPath) -> bool:
        """Whether a value is written in the overlay."""
        return any(path[: len(known)] == known for known in self._set)

    def said_of_overlay(self, fault: Fault) -> Fault:
        """The fault at what the overlay sets, and what it has to remove, if it is to blame."""
        near: dict[int, list[DataPath]] = {}
        for path in sorted(self._set, key=len):
            near.setdefault(_common(path, fault.path), []).append(path)
        for _, paths in sorted(near.items(), reverse=True):
            for others_allowed in (False, True):
                for path in paths:
                    before = _at(self._base, path)
                    if self._ends(fault, path, before, others_allowed=others_allowed):
                        fix = "; ".join(filter(None, (fault.fix, self._removal(fault, path))))
                        return fault._replace(path=path, at_key=True, fix=fix)
        return fault

    def _removal(self, fault: Fault, path: DataPath) -> str:
        """What of the manifest, beside what the overlay sets, null has to remove."""
        around = path[:-1]
        for name in reduce(below, around, self._merged):
            other = (*around, name)
            if not self.is_in_overlay(other) and self._ends(fault, other, None):
                return f"`{label((name,))}: null` here removes the manifest's"
        return ""

    def _ends(
        self, fault: Fault, path: DataPath, value: Any, *, others_allowed: bool = False
    ) -> bool:
        """Whether the fault is gone with this value at a path (None: without any).

        Other faults may replace it only if that is allowed.
        """
        self._left -= 1
        if self._left < 0:
            return False
        found = {one[:2] for one in self._check(_changed(self._merged, path, value))}
        return fault[:2] not in found and (others_allowed or found <= self._known)


def _at(data: Any, path: DataPath) -> Any:
    try:
        return reduce(below, path, data)
    except KeyError:
        return None


def _common(one: DataPath, other: DataPath) -> int:
    return sum(a == b for a, b in zip(one, other, strict=False))


def _changed(data: Any, path: DataPath, value: Any) -> Any:
    """A copy with another value at a path; None takes it out."""
    first, *rest = path
    try:
        new = _changed(below(data, first), tuple(rest), value) if rest else value
    except KeyError:
        return data
    if isinstance(data, list):
        old = below(data, first)
        return [new if item is old else item for item in data if item is not old or new is not None]
    items = {**data, first: new}
    return {name: item for name, item in items.items() if name != first or item is not None}
