"""Which names of the API we know, at any depth of an asset's spec; the others are kept. Pure.

An update of an asset replaces its whole spec, so a body made only of what we know would wipe what
a newer server has besides. Entries of lists are matched by their name.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reconciler.providers.runai.fields import Field
from reconciler.providers.runai.nested import HTTP_NAMES, PROBE_NAMES


class Shape(NamedTuple):
    """Which names of the API are known in an object.

    `inside` lists those that hold more: (name, shape, "") for an object, and for a list of
    objects (name, shape of each, the field that names each).
    """

    names: frozenset[str]
    inside: tuple[tuple[str, Any, str], ...] = ()


def _shape(*names: str, **objects: Shape) -> Shape:
    inside = tuple((name, shape, "") for name, shape in objects.items())
    return Shape(frozenset({*names, *objects}), inside)


_VARIABLE = _shape(
    "name",
    "value",
    "exclude",
    "description",
    credential=_shape("assetId", "key"),
    secret=_shape("name", "key"),
    configMap=_shape("name", "key"),
    podFieldRef=_shape("path"),
)
_CONNECTION = _shape(
    "name",
    "isExternal",
    internalToolInfo=_shape(
        "toolType",
        "connectionType",
        "containerPort",
        nodePortInfo=_shape("isCustomPort"),
        externalUrlInfo=_shape("isCustomUrl", "externalUrl"),
        servingPortInfo=_shape("protocol"),
    ),
    externalToolInfo=_shape("toolType", "externalUrl"),
)
_PROBE = _shape(
    *(api_name for api_name, _ in PROBE_NAMES), handler=_shape(httpGet=_shape(*HTTP_NAMES))
)
_INSIDE: tuple[tuple[str, Shape, str], ...] = (
    ("environmentVariables", _VARIABLE, "name"),
    ("connections", _CONNECTION, "name"),
    ("probes", _shape(readiness=_PROBE), ""),
    ("extendedResources", _shape("resource", "quantity", "exclude"), "resource"),
)


def shape_of(fields: Sequence[Field]) -> Shape:
    """Every name of the API that these fields know, at any depth."""
    names = frozenset(field.api_name for field in fields)
    return Shape(names, tuple(item for item in _INSIDE if item[0] in names))


def unknown_fields(raw: Mapping[str, Any], shape: Shape) -> tuple[str, ...]:
    """Dotted names of what has a value in `raw` but no place in `shape`."""
    found: list[str] = []
    _search(raw, shape, "", found)
    return tuple(found)


def _search(raw: Mapping[str, Any], shape: Shape, above: str, found: list[str]) -> None:
    if not raw.keys() <= shape.names:
        found += [
            above + name
            for name, value in raw.items()
            if name not in shape.names and value not in (None, "", [], {})
        ]
    for name, inner, key in shape.inside:
        value = raw.get(name)
        if not value:
            continue
        if key and isinstance(value, list):
            for entry in value:
                if isinstance(entry, dict):
                    _search(entry, inner, f"{above}{name}.{entry.get(key)}.", found)
        elif isinstance(value, dict):
            _search(value, inner, f"{above}{name}.", found)


def keep_unknown(raw: Mapping[str, Any], body: dict[str, Any], shape: Shape) -> None:
    """Copy into `body` what `raw` holds beyond `shape`, wherever `body` has a place for it."""
    for name, value in raw.items():
        if name not in shape.names:
            body.setdefault(name, value)
    for name, inner, key in shape.inside:
        value, target = raw.get(name), body.get(name)
        if key and isinstance(value, list) and isinstance(target, list):
            before = {item.get(key): item for item in reversed(value) if isinstance(item, dict)}
            for entry in target:
                keep_unknown(before.get(entry[key], {}), entry, inner)
        elif isinstance(value, dict) and isinstance(target, dict):
            keep_unknown(value, target, inner)
