"""Desired spec against live spec -> field changes. Pure; the only importer of deepdiff.

Equal specs are told by equality, which costs nothing; only specs that differ are taken apart.
A list counts as one value: what has a meaning item by item is a mapping in a canonical spec.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.resource import Path, Secret, Spec, dotted, leaves


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
        return isinstance(self.before, Secret) or isinstance(self.after, Secret)


def diff_specs(live: Spec, desired: Spec, immutable: frozenset[str]) -> tuple[FieldChange, ...]:
    """The fields in which two canonical specs differ, sorted by path.

    A top-level field named in `immutable` forces a replacement; where the desired spec leaves such
    a field out, the live value stands and nothing is reported.
    """
    if live == desired:
        return ()
    changes = [
        FieldChange(path, before, after, forces_replacement=path[0] in immutable)
        for path, before, after in _differences(live, desired)
        if not (path[0] in immutable and path[0] not in desired)
    ]
    return tuple(sorted(changes, key=lambda change: change.path))


def _differences(live: Spec, desired: Spec) -> list[tuple[Path, Any, Any]]:
    from deepdiff.diff import DeepDiff  # noqa: PLC0415  (0.1 s that an empty plan need not pay)

    tree = DeepDiff(
        _comparable(live),
        _comparable(desired),
        view="tree",
        ignore_numeric_type_changes=True,
        threshold_to_diff_deeper=0,
    )
    paths = {
        _field_path(item.path(output_format="list")) for items in tree.values() for item in items
    }
    found: dict[Path, tuple[Any, Any]] = {}
    for path in paths:
        before, after = _value_at(live, path), _value_at(desired, path)
        if isinstance(before, Mapping) != isinstance(after, Mapping) and None not in (
            before,
            after,
        ):
            found[path] = (before, after)  # a plain value became a mapping, or the reverse
            continue
        old, new = _leaves_below(before, path), _leaves_below(after, path)
        for leaf in old.keys() | new.keys():
            found[leaf] = (old.get(leaf), new.get(leaf))
    return [(path, before, after) for path, (before, after) in found.items() if before != after]


def _comparable(value: Any) -> Any:
    """The tree with secrets as their text, which deepdiff would look into otherwise."""
    if isinstance(value, Mapping):
        return {name: _comparable(item) for name, item in value.items()}
    if isinstance(value, Secret):
        return value.reveal()
    return value


def _field_path(path: list[Any]) -> Path:
    """Cut a deepdiff path off at the first list index: a list is one field."""
    names: list[str] = []
    for part in path:
        if not isinstance(part, str):
            break
        names.append(part)
    return tuple(names)


def _value_at(spec: Spec, path: Path) -> Any:
    value: Any = spec
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def _leaves_below(value: Any, path: Path) -> dict[Path, Any]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return dict(leaves(value, path))
    return {path: value}
