"""Both sides of a change -> the values of the JSON plan, in Terraform's form, and back.

A side is the spec, with two things beside it that manifests or live objects have: `id`, the live
system's own, and `metadata`. A secret is null there, and `true` at its place in a tree of its own;
the name that people know an id by stands at its place in another.
"""

from collections.abc import Callable, Mapping
from typing import Any

from reconciler.core.plan import Action, Change
from reconciler.core.resource import Named, Path, Reference, ResourceKey, Secret, Spec

_BESIDE = ("id", "metadata")


def before(change: Change) -> dict[str, Any] | None:
    """The live side; None if there is nothing live."""
    if change.live is None:
        return None
    metadata = {} if (protect := is_protected(change)) is None else {"protect": protect}
    if metadata and change.desired is not None:  # of the manifest alone, so never a difference
        metadata["adopt"] = change.desired.adopt
    metadata |= _of_mark(change, lambda field: field.before)
    return _side(change.live.spec, change.live.uid, metadata)


def planned(change: Change) -> Spec | None:
    """What the object is to be: what the manifest states, and what that leaves as it is."""
    live, desired = change.live, change.desired
    if desired is None or change.action is Action.DELETE:
        return None
    if live is None or change.action is Action.REPLACE:
        return desired.spec
    if change.action is Action.UPDATE and not change.fields:  # which of two objects is meant?
        return desired.spec
    changed = {field.path[0] for field in change.fields}
    kept = {name: live.spec[name] for name in live.spec.keys() - desired.spec.keys() - changed}
    return {**desired.spec, **kept}


def after(change: Change) -> dict[str, Any] | None:
    """The side that is asked for; None if nothing is. A new object has no id yet."""
    desired, spec = change.desired, planned(change)
    if desired is None or spec is None:
        return None
    metadata = {"protect": desired.protect, "adopt": desired.adopt}
    metadata |= _of_mark(change, lambda field: field.after)
    keeps_id = change.live is not None and change.action is not Action.REPLACE
    return _side(spec, change.live.uid if change.live and keeps_id else None, metadata)


def spec_of(values: Any, sensitive: Any, names: Any, references: Any = ()) -> Spec:
    """The spec of a side that was read, with a `Secret` (of no text) wherever one was."""
    own = {name: value for name, value in values.items() if name not in _BESIDE}
    spec: Spec = _refer(_read(own, sensitive or {}, names), references or {})
    return spec


def is_protected(change: Change) -> bool | None:
    """Whether the mark of a live object of ours says that it is protected; None for others."""
    mark = change.live.mark if change.live is not None else None
    return None if mark is None or change.action is Action.ADOPT else mark.protect


def secrets_in(spec: Spec) -> dict[str, Any]:
    """A tree of `true` at every secret, as in Terraform; branches without one are left out."""
    return _tree(spec, lambda value: True if isinstance(value, Secret) else None)


def references_in(change: Change) -> dict[str, Any]:
    """A tree of what is known after apply: `KIND.ID.OUTPUT` at its place in the planned side."""
    if change.desired is None or not change.desired.depends_on:
        return {}
    tree: dict[str, Any] = _references(planned(change)) or {}
    return tree


def unknown_in(tree: Any) -> Any:
    """The tree of `references_in` with `true` at each place, as in Terraform."""
    if isinstance(tree, Mapping):
        return {name: unknown_in(item) for name, item in tree.items()}
    if isinstance(tree, list):
        return [unknown_in(item) for item in tree]
    return tree is not None


def names_in(spec: Spec) -> dict[str, Any]:
    """A tree of the names of ids that have one, in the shape of the spec."""
    return _tree(spec, lambda value: value.name if isinstance(value, Named) else None)


def named_at(spec: Spec | None, path: Path, value: Any) -> Any:
    """The value, or the named id that stands for it at this place of its side."""
    found = value_at(spec, path)
    return found if isinstance(found, Named) else value


def value_at(spec: Spec | None, path: Path) -> Any:
    """What a side has at this place; None if nothing."""
    found: Any = spec
    for part in path:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def plain(value: Any) -> Any:
    """The value with null in place of every secret, and without what is known after apply."""
    if type(value) is str:  # by far the most
        return value
    if isinstance(value, Secret | Reference):
        return None
    if isinstance(value, Mapping):
        return {
            name: plain(value[name])
            for name in sorted(value)
            if not isinstance(value[name], Reference)
        }
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _side(spec: Spec, uid: str | None, metadata: Mapping[str, Any]) -> dict[str, Any]:
    beside = {"id": uid, "metadata": metadata}
    side: dict[str, Any] = plain({**spec, **{name: item for name, item in beside.items() if item}})
    return side


def _of_mark(change: Change, value: Callable[[Any], Any]) -> dict[str, Any]:
    """What the mark says, or is to say, as far as it changes."""
    return {item.path[1]: value(item) for item in change.fields if item.path[0] == "metadata"}


def _tree(spec: Spec, mark: Callable[[Any], Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in spec.items():
        if type(value) is str or value is True:
            continue
        here = _tree(value, mark) if type(value) is dict else mark(value)
        if here:
            found[name] = here
    return found


def _references(value: Any) -> Any:
    """The names of references in their places; None for a branch without one."""
    if isinstance(value, Reference):
        return str(value)
    if isinstance(value, Mapping):
        below = {name: _references(item) for name, item in value.items()}
        return {name: found for name, found in below.items() if found is not None} or None
    if isinstance(value, list | tuple):
        items = [_references(item) for item in value]
        return items if any(item is not None for item in items) else None
    return None


def _refer(values: Any, tree: Any) -> Any:
    """The values with a reference wherever the tree has the name of one."""
    if isinstance(tree, str):
        address, _, output = tree.rpartition(".")
        kind, _, resource_id = address.partition(".")
        return Reference(ResourceKey(kind, resource_id), output)
    if isinstance(tree, Mapping):
        known = values if isinstance(values, Mapping) else {}
        return {**known, **{name: _refer(known.get(name), below) for name, below in tree.items()}}
    if isinstance(tree, list) and isinstance(values, list):
        return [_refer(value, below) for value, below in zip(values, tree, strict=False)]
    return values


def _read(values: Any, secret: Any, named: Any) -> Any:
    if secret is True:
        return Secret("")
    if isinstance(values, Mapping):
        secrets = secret if isinstance(secret, Mapping) else {}
        known = named if isinstance(named, Mapping) else {}
        return {
            name: _read(value, secrets.get(name), known.get(name)) for name, value in values.items()
        }
    if isinstance(values, str) and isinstance(named, str):
        return Named(values, named)
    return values
