"""Which names of the API we know, at any depth of an asset's spec."""

from collections.abc import Sequence
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
