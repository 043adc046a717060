"""The fields of a kind in Run:ai's API, derived from its model: their names, and their values.

A name of the API is ours in camelCase. A `Codec`, an annotation of a model's field or of its type,
says how a value is read into canonical form and how it is written; without one it is the same on
both sides. Reading is tolerant of what servers may answer for an absent value (null, an empty
value): None means "as if absent". A type that a field cannot have is a `ValueError`. Pure.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel

from reconciler.kinds.quantity import canonical_memory


class Shape(NamedTuple):
    """Which names of the API are known in an object.

    `inside` lists those that hold more: (name, shape, "") for an object, and for a list of
    objects (name, shape of each, the field that names each).
    """

    names: frozenset[str]
    inside: tuple[tuple[str, Any, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Codec:
    """API -> canonical, canonical -> API, and for what holds objects their shape.

    `key` is the field that names each object of a list. `unsaid` is what is sent where a spec
    leaves the field out, if anything. `state` turns a canonical value into what a manifest says.
    """

    read: Callable[[Any], Any] = lambda value: value
    write: Callable[[Any], Any] = lambda value: value
    shape: Shape | None = None
    key: str = ""
    unsaid: Any = None
    state: Callable[[Any], Any] = lambda value: value


SHORTHAND = Codec()
"""Of a field that the API does not have: other fields are made of it."""


class ApiField(NamedTuple):
    """One field of a kind: canonical name, API name, and the conversion."""

    name: str
    api_name: str
    codec: Codec


def api_fields(model: type[BaseModel], base: type[BaseModel]) -> tuple[ApiField, ...]:
    """The fields that a model has beyond its base."""
    return tuple(
        ApiField(name, api_name(name), codec)
        for name, field in model.model_fields.items()
        if name not in base.model_fields
        and (codec := _codec((*field.metadata, field.annotation))) is not SHORTHAND
    )


def _codec(annotations: Sequence[Any]) -> Codec:
    """The first codec among annotations, and what these are made of."""
    return next(_search(annotations), Codec())


def _search(annotations: Sequence[Any]) -> Iterator[Codec]:
    for item in annotations:
        if isinstance(item, Codec):
            yield item
        yield from _search(get_args(item))


def canonical_values(fields: Sequence[ApiField], stated: BaseModel) -> dict[str, Any]:
    """What a manifest states for these fields, as it would be read; not what holds objects."""
    values = vars(stated)
    return {
        row.name: read
        for row in fields
        if row.codec.shape is None
        and (value := values[row.name]) is not None
        and (read := row.codec.read(value)) is not None
    }


def shape_of(fields: Sequence[ApiField]) -> Shape:
    """Every name of the API that these fields know, at any depth."""
    inside = [(row.api_name, row.codec.shape, row.codec.key) for row in fields if row.codec.shape]
    return Shape(frozenset(row.api_name for row in fields), tuple(inside))


def shape(*names: str, **objects: Shape) -> Shape:
    """The shape of an object with these fields of ours, and these with objects in them."""
    inside = tuple((api_name(name), inner, "") for name, inner in objects.items())
    return Shape(frozenset(map(api_name, (*names, *objects))), inside)


@cache
def api_name(name: str) -> str:
    """`gpu_devices_request` -> `gpuDevicesRequest`."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def named_list(
    key: str,
    read: Callable[[Mapping[str, Any]], tuple[str, Any]],
    write: Callable[[str, Any], dict[str, Any]],
    shape: Shape,
    state: Callable[[Any], Any] = lambda value: value,
) -> Codec:
    """A list of objects in the API, each of which has its name in `key`; a mapping here.

    `state` is for one of them.
    """
    return Codec(
        lambda value: _by_name(
            [read(as_mapping(entry)) for entry in _as_list(value) if entry is not None]
        ),
        lambda named: [write(name, item) for name, item in named.items()],
        shape,
        key,
        state=lambda named: {name: state(item) for name, item in named.items()},
    )


def _by_name(entries: list[tuple[str, Any]]) -> dict[str, Any] | None:
    """Entries by name; a name that occurs again is kept apart, as no manifest can state it."""
    named: dict[str, Any] = {}
    counts: dict[str, int] = {}
    for name, value in entries:
        key, count = name, counts.get(name, 1)
        while key in named:
            count += 1
            key = f"{name}#{count}"
        counts[name] = count
        named[key] = value if key == name else _again(value)
    return named or None


def _again(value: Any) -> dict[str, Any]:
    return {**(value if isinstance(value, dict) else {"value": value}), "duplicate": True}


def present(mapping: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The values of an object of the API that are there, by our names: no lists or trees."""
    found = {name: mapping.get(api_name(name)) for name in names}
    for name, value in found.items():
        if isinstance(value, dict | list):
            raise ValueError(f"{name} is a {type(value).__name__}")  # noqa: TRY004
    return {name: value for name, value in found.items() if value not in (None, "", False)}


def written(mapping: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The object of the API with those of our fields that are there."""
    return {api_name(name): mapping[name] for name in names if name in mapping}


def read_text(value: Any) -> str | None:
    text = str(value).strip()
    return text or None


def read_number(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def read_memory(value: Any) -> str | None:
    text = str(value).strip()
    return canonical_memory(text) if text else None


def read_unless(default: str) -> Callable[[Any], str | None]:
    return lambda value: None if value == default else read_text(value)


def _as_list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise ValueError(f"a list was expected, not {type(value).__name__}")  # noqa: TRY004
    return value


def as_mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"an object was expected, not {type(value).__name__}")  # noqa: TRY004
    return value


TEXT = Codec(read_text)
NUMBER = Codec(read_number)
COUNT = Codec(lambda value: read_number(value) or None)
"""A number whose zero equals absent."""
MEMORY = Codec(read_memory)
TRUE = Codec(lambda value: None if value is False else bool(value))
"""A flag whose documented default is false."""
FALSE = Codec(lambda value: None if value is True else bool(value), unsaid=True)
"""A flag whose documented default is true. It is sent: where it protects, nothing is assumed."""
TEXTS = Codec(lambda value: sorted({str(item) for item in _as_list(value)}) or None)
"""A list without an order."""
