"""Kinds of other packages: the entry-point group `reconciler.kinds`.

A package states `NAME = "module:Class"` for each of its kinds, where Class is made without
arguments. It is loaded with the registry, so that a package that is broken stops every command that
knows kinds, and says so: a plan without its kind would be a plan to delete what it owns.
"""

from collections.abc import Collection, Sequence
from importlib.metadata import EntryPoint, entry_points

from reconciler.errors import PluginError
from reconciler.kinds.base import SYSTEMS, Kind, Strict

GROUP = "reconciler.kinds"


def find_plugins() -> Sequence[EntryPoint]:
    """What installed packages offer, by name; nothing of it is loaded."""
    return sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))


def describe_plugin(point: EntryPoint) -> str:
    """The package that a kind comes from."""
    dist = point.dist
    return f"{dist.name} {dist.version}" if dist is not None else point.module


def load_plugins(taken: Collection[str]) -> Sequence[Kind]:
    """The kinds of other packages. Raises `PluginError`; `taken` names are those of our own."""
    loaded: dict[str, Kind] = {}
    owner = dict.fromkeys(taken, "reconciler itself")
    for point in find_plugins():
        if point.name in owner:
            raise _broken(point, f"the name is taken by {owner[point.name]}", "rename it")
        loaded[point.name] = _load(point)
        owner[point.name] = describe_plugin(point)
    return tuple(loaded.values())


def _load(point: EntryPoint) -> Kind:
    try:
        made = point.load()
    except Exception as error:  # whatever a package raises
        raise _broken(point, f"it could not be loaded: {_words(error)}") from error
    if not isinstance(made, type) or not issubclass(made, Kind):
        raise _broken(point, f"it is no subclass of {Kind.__module__}.Kind, but {made!r:.80}")
    try:
        kind = made()
    except Exception as error:
        raise _broken(point, f"it could not be made: {_words(error)}") from error
    if fault := _fault(kind, point.name):
        raise _broken(point, fault)
    return kind


def _fault(kind: Kind, name: str) -> str:
    """What is wrong with a kind, if anything."""
    stated = getattr(getattr(kind, "traits", None), "name", None)
    if stated != name:
        return f"its traits name it {stated!r}"
    model = getattr(kind, "model", None)
    if not isinstance(model, type) or not issubclass(model, Strict):
        return f"its model is no subclass of {Strict.__module__}.Strict, but {model!r:.80}"
    if getattr(kind, "system", None) not in SYSTEMS:
        return f"its system is none of {', '.join(SYSTEMS)}"
    missing = [field for field in kind.states if not getattr(kind, field, "")]
    return f"it does not state {', '.join(missing)}" if missing else ""


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _broken(point: EntryPoint, what: str, fix: str = "") -> PluginError:
    return PluginError(
        f"kind {point.name} of {describe_plugin(point)} ({point.value}): {what}",
        fix=f"{fix or 'repair it'}, or uninstall the package",
    )
