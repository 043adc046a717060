"""A manifest and a patch -> the merged data, and where each part of it was written. Pure.

Mappings merge key by key, null removes a key, everything else replaces. A list replaces, too,
except where both sides are lists of mappings with a `name`: those merge by name, in the manifest's
order, new ones at the end, and `$patch: delete` removes one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reconciler.field_errors import Fault
from reconciler.support.suggest import DataPath, did_you_mean, label, shorten

_DELETE = "$patch"
_UNKNOWN = "this `$patch` is not understood"
_USE_NULL = "a mapping is always merged: to remove a key of it, write `KEY: null`"
_USE_DELETE = "to remove it, write `{name: ..., $patch: delete}`; there is no other `$patch`"


class Origin(NamedTuple):
    """Where a part of the merged data stands: in the overlay or in the manifest, and its path."""

    overlay: bool
    path: DataPath


class Merge:
    """One merge. `faults` have paths of the overlay; `origins` tells where merged paths come from.

    Paths name the entries of lists that merge. A path that is not in `origins` comes from where the
    nearest path around it does; without any, from the manifest.
    """

    def __init__(self) -> None:
        self.origins: dict[DataPath, Origin] = {}
        self.faults: list[Fault] = []

    def mappings(
        self,
        base: Mapping[str, Any],
        patch: Mapping[str, Any],
        at: DataPath,
        origin: Origin,
    ) -> dict[str, Any]:
        """The merged mapping that stands at `at`; `origin` is the patch's place."""
        result = dict(base)
        for name, value in patch.items():
            path, here = (*at, name), Origin(True, (*origin.path, name))
            if name == _DELETE:
                fault = Fault(here.path, _UNKNOWN, _USE_NULL, at_key=True)
                self.faults.append(fault)
            elif value is None:
                self.origins[path] = here
                if result.pop(name, None) is None:
                    fix = did_you_mean(name, list(base), "it has") or "delete the line"
                    what = f"the manifest has no `{shorten(name)}` to remove"
                    self.faults.append(Fault(here.path, what, fix, at_key=True))
            elif name in base:
                result[name] = self._values(base[name], value, path, here)
            else:
                self.origins[path] = here
                result[name] = self._added(value, path, here)
        return result

    def _added(self, value: Any, at: DataPath, here: Origin) -> Any:
        """A value that the manifest does not have, so that null in it has nothing to remove."""
        if isinstance(value, list):
            pairs = enumerate(value)
            return [self._added(item, (*at, n), Origin(True, (*here.path, n))) for n, item in pairs]
        return self.mappings({}, value, at, here) if isinstance(value, dict) else value

    def _values(self, base: Any, patch: Any, at: DataPath, here: Origin) -> Any:
        if isinstance(base, dict) and isinstance(patch, dict):
            return self.mappings(base, patch, at, here)
        if _is_named(base) and _is_named(patch):
            return self._named(base, patch, at, here)
        if (_is_named(base) and isinstance(patch, dict)) or (
            isinstance(base, dict) and _is_named(patch)
        ):
            written = "a list" if isinstance(base, list) else "a mapping"
            what = f"the manifest writes {label(here.path)} as {written}, which this cannot patch"
            self.faults.append(Fault(here.path, what, f"write it as {written} here, too"))
            return base
        self.origins[at] = here
        return patch

    def _named(
        self, base: Sequence[Any], patch: Sequence[Any], at: DataPath, here: Origin
    ) -> list[Any]:
        wanted = {item["name"]: index for index, item in enumerate(patch)}
        result: list[Any] = []
        for item in base:
            path = (*at, item["name"])
            number = wanted.pop(item["name"], None)
            if number is None:
                result.append(item)
                continue
            origin = Origin(True, (*here.path, number))
            if self._deletes(patch[number], origin):
                continue
            result.append(self.mappings(item, patch[number], path, origin))
        for name, number in wanted.items():
            origin = Origin(True, (*here.path, number))
            if _DELETE in patch[number]:
                names = [str(item["name"]) for item in base]
                what = f"the manifest has no `{shorten(str(name))}` to remove"
                fix = did_you_mean(str(name), names, "it has") or "delete this item"
                self.faults.append(Fault((*origin.path, "name"), what, fix))
                continue
            self.origins[*at, name] = origin
            result.append(self._added(patch[number], (*at, name), origin))
        return result

    def _deletes(self, item: Mapping[str, Any], origin: Origin) -> bool:
        if _DELETE not in item:
            return False
        if item[_DELETE] != "delete" or len(item) > 2:
            fault = Fault((*origin.path, _DELETE), _UNKNOWN, _USE_DELETE)
            self.faults.append(fault)
        return True


def _is_named(value: Any) -> bool:
    """Whether it is a list of mappings with names of their own."""
    if not isinstance(value, list) or not value:
        return False
    if not all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in value):
        return False
    return len({item["name"] for item in value}) == len(value)
