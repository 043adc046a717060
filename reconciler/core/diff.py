"""Desired spec against live spec -> field changes. Pure; the only importer of deepdiff.

A spec counts as its fields: each path with the JSON text of its value. So no key and no number is
special to DeepDiff, which leaves out keys that begin with `__` and rounds numbers otherwise. A list
is one value: what has a meaning item by item is a mapping in a canonical spec.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.core.resource import Path, Reference, Secret, Spec, dotted, has_secrets, leaves
from reconciler.errors import ReconcileError


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs. `before` or `after` is None where the field is absent."""

    path: Path
    before: Any
    after: Any
    forces_replacement: bool = False

    @property
    def name(self) -> str:
        """The path for people, such as `environment_variables.NCCL_DEBUG`."""
        return dotted(self.path)

    @property
    def sensitive(self) -> bool:
        """Whether either value must not be shown."""
        return has_secrets(self.before) or has_secrets(self.after)


def diff_specs(
    live: Spec, desired: Spec, immutable: frozenset[str], where: str = ""
) -> tuple[FieldChange, ...]:
    """The fields in which two canonical specs differ, sorted by path; `where` is their address.

    A top-level field named in `immutable` forces a replacement; where the desired spec leaves such
    a field out, the live value stands and nothing is reported. Raises `ReconcileError` if a
    difference was found that no field tells: a defect of ours, and no plan may hide it.
    """
    if _alike(live, desired):  # by far the most
        return ()
    old, new = _texts(live), _texts(desired)
    if old == new:
        return ()
    paths = {_outermost(path, old, new) for path in _differing(old, new)}
    require_all_told(old, new, paths, where)
    return tuple(
        FieldChange(
            path,
            _value_at(live, path),
            _value_at(desired, path),
            forces_replacement=path[0] in immutable,
        )
        for path in sorted(paths)
        if not (path[0] in immutable and path[0] not in desired)
    )


def require_all_told(
    old: Mapping[Path, str], new: Mapping[Path, str], told: Collection[Path], where: str
) -> None:
    """Raise `ReconcileError` if a field differs and neither it nor what it is part of is told."""
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) != new.get(path) and not any(
            path[:length] in told for length in range(1, len(path) + 1)
        ):
            raise ReconcileError(
                f"{dotted(path)} differs, and the plan does not show it: a defect of reconcile",
                where=where,
                fix="nothing was changed; please report this with the manifest of this address",
            )


def _alike(old: Any, new: Any) -> bool:
    """Whether two values have the same texts; False where only the texts can tell."""
    if type(old) is not type(new):
        return isinstance(old, str) and isinstance(new, str) and old == new
    if isinstance(old, dict):
        return old.keys() == new.keys() and all(map(_alike, old.values(), map(new.get, old)))
    if isinstance(old, list | tuple):
        return len(old) == len(new) and all(map(_alike, old, new))
    return bool(old == new)


def _texts(spec: Spec) -> dict[Path, str]:
    return {path: _text(value) for path, value in leaves(spec)}


def _text(value: Any) -> str:
    """JSON text that is the same for equal values only; `8` and `8.0` are equal, `1` and true not.

    A text is not quoted, and begins with a quote all the same, as no other value does.
    """
    if isinstance(value, str):
        return f'"{value}'
    if isinstance(value, Secret):
        return f'"{value.reveal()}'
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Reference):
        return {"reference": str(value)}
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _differing(old: Mapping[Path, str], new: Mapping[Path, str]) -> set[Path]:
    from deepdiff.diff import DeepDiff  # noqa: PLC0415  (0.1 s that an empty plan need not pay)

    tree = DeepDiff(
        old, new, view="tree", ignore_private_variables=False, threshold_to_diff_deeper=0
    )
    return {item.path(output_format="list")[0] for items in tree.values() for item in items}


def _outermost(path: Path, old: Mapping[Path, str], new: Mapping[Path, str]) -> Path:
    """The field that became a mapping, or was one, if this path leads into that mapping."""
    for length in range(1, len(path)):
        if path[:length] in old or path[:length] in new:
            return path[:length]
    return path


def _value_at(spec: Spec, path: Path) -> Any:
    value: Any = spec
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value
