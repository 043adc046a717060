"""pydantic's errors -> faults in plain words: where, what is wrong, how to put it right.

Used for manifests and for `reconciler.yaml`. The words never repeat a value, which may be secret;
names of fields and the values that a field may have are no secret.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

DataPath = tuple[str | int, ...]
"""Keys and list indices from the root of a document to a value."""

_LONGEST_NAME = 64


class Fault(NamedTuple):
    """One thing that is wrong with the value at `path`; `at_key` if it is the key itself."""

    path: DataPath
    message: str
    fix: str = ""
    at_key: bool = False


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant: letter case aside, then by similarity."""
    if len(name) > _LONGEST_NAME:
        return None
    by_lower = {candidate.lower().replace("-", "_"): candidate for candidate in known}
    close = get_close_matches(name.lower().replace("-", "_"), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def did_you_mean(name: str, known: Sequence[str], what: str) -> str:
    """The fix for a name that is not known: the nearest one, or all there are."""
    meant = nearest(name, known)
    if meant is not None:
        return f"did you mean `{meant}`?"
    return f"{what}: {', '.join(known)}" if known else ""


def label(path: DataPath) -> str:
    """A path for people: `spec.tools[1]`, `spec.labels["a b"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[A-Za-z0-9_-]{1,64}", part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(shorten(part))}]"
    return text


def shorten(name: str) -> str:
    """A name that is fit for a message."""
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 3] + "..."


def explain(
    error: ValidationError, data: Any, model: type[BaseModel], above: DataPath = ()
) -> list[Fault]:
    """What pydantic found wrong with `data`; `above` is the path of `data` in its document."""
    details = error.errors(include_url=False, include_input=False)
    found = [_Detail(*_locate(item["loc"], item["type"], data), item) for item in details]
    kept = list(_collapse(found))
    below = {detail.path[:-1] for detail in kept}
    faults = [
        _fault(detail, data, model, above)
        for detail in kept
        if detail.item["type"] != "too_short" or detail.path not in below  # faulty items count not
    ]
    return without_misspelt(faults)


def without_misspelt(faults: list[Fault]) -> list[Fault]:
    """The same faults but for fields that are missing only because their name is misspelt."""
    meant = {
        (fault.path[:-1], _missing(label((*fault.path[:-1], name))))
        for fault in faults
        if fault.at_key
        for name in re.findall(r"^did you mean `(.*)`\?$", fault.fix)
    }
    return [fault for fault in faults if (fault.path, fault.message) not in meant]


def missing_field(path: DataPath, fix: str) -> Fault:
    """A field that has to be there and is not."""
    return Fault(path[:-1], _missing(label(path)), fix)


def _missing(name: str) -> str:
    return f"`{name}` is missing"


class _Detail(NamedTuple):
    """One pydantic error: its path in the data, the union members it went through, and itself."""

    path: DataPath
    members: tuple[tuple[int, str | int], ...]
    is_key: bool
    item: Any


def _locate(
    loc: tuple[str | int, ...], kind: str, data: Any
) -> tuple[DataPath, tuple[tuple[int, str | int], ...], bool]:
    """Split pydantic's location into a path that exists in the data, and names of union members."""
    path: list[str | int] = []
    members: list[tuple[int, str | int]] = []
    value, is_key = data, False
    for index, part in enumerate(loc):
        if _has(value, part):
            value = value[part]
            path.append(part)
        elif part == "[key]":
            is_key = True
        elif kind == "missing" and index == len(loc) - 1:
            path.append(part)
        else:
            members.append((len(path), part))
    return tuple(path), tuple(members), is_key


def _has(value: Any, part: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, Mapping) and part in value


def _collapse(details: list[_Detail]) -> Iterator[_Detail]:
    """Keep, of every union, the errors of the member that was meant."""
    unions: dict[DataPath, list[_Detail]] = {}
    for detail in details:
        if detail.members:
            unions.setdefault(detail.path[: detail.members[0][0]], []).append(detail)
        else:
            yield detail
    for site, errors in unions.items():
        by_member: dict[str | int, list[_Detail]] = {}
        for detail in errors:
            inner = detail._replace(members=detail.members[1:])
            by_member.setdefault(detail.members[0][1], []).append(inner)
        fitting = {
            name: inner
            for name, inner in by_member.items()
            if not any(item.path == site and item.item["type"] in _SHAPES for item in inner)
        }
        if fitting:
            fewest = min(fitting.values(), key=len)
            ambiguous = sum(len(inner) == len(fewest) for inner in fitting.values()) > 1
            yield from _collapse(_without_missing(fewest) if ambiguous else fewest)
        else:
            shapes = (
                _SHAPES[item.item["type"]]
                for inner in by_member.values()
                for item in inner
                if item.item["type"] in _SHAPES
            )
            yield errors[0]._replace(
                path=site, members=(), item={"type": "shapes", "ctx": {"shapes": [*shapes]}}
            )


def _without_missing(details: list[_Detail]) -> list[_Detail]:
    """Leave out what only one of several equally good union members asks for."""
    return [detail for detail in details if detail.item["type"] != "missing"] or details


_SHAPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "none_required": "empty",
    "path_type": "a path",
}


def _fault(detail: _Detail, data: Any, model: type[BaseModel], above: DataPath) -> Fault:
    kind, context = detail.item["type"], detail.item.get("ctx", {})
    path = (*above, *detail.path)
    if kind == "manifest":
        path = (*path, *context["at"])
        return Fault(path, _with_label(context["what"], path), context["fix"], detail.is_key)
    if kind == "missing":
        return missing_field(path, f"add `{detail.path[-1]}: ...`")
    if kind == "extra_forbidden":
        fix = _fix_unknown(detail.path, model)
        return Fault(path, f"unknown field `{label(path)}`", fix, at_key=True)
    if kind in _SHAPES or kind == "shapes":
        return _shape_fault(detail, data, path)
    name = f"`{label(path)}`"
    if kind in ("literal_error", "enum"):
        known = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        value = _value_at(data, detail.path)
        fix = did_you_mean(value, known, "it may be") if isinstance(value, str) else ""
        return Fault(path, f"{name} must be one of {', '.join(known)}", fix)
    say = _BOUNDS.get(kind)
    if say is not None:
        fix = _example(detail.path, model) if kind == "string_pattern_mismatch" else ""
        return Fault(path, f"{name} {say(context)}", fix, detail.is_key)
    message = str(context["error"]) if kind == "value_error" else str(detail.item["msg"])
    return Fault(path, f"{name}: {message}", "", detail.is_key)


def _with_label(what: str, path: DataPath) -> str:
    """Name the field, unless the words do so themselves."""
    names = [part for part in path if isinstance(part, str)]
    return what if not names or names[-1] in what else f"`{label(path)}`: {what}"


def _example(path: DataPath, model: type[BaseModel]) -> str:
    """What the field may look like."""
    for found in _models_at(model, path[:-1]):
        for name, info in found.model_fields.items():
            if (info.alias or name) == path[-1] and info.examples:
                return f"for example: {info.examples[0]}"
    return ""


def _shape_fault(detail: _Detail, data: Any, path: DataPath) -> Fault:
    context = detail.item.get("ctx", {})
    if detail.item["type"] == "shapes":
        shapes = [shape for shape in dict.fromkeys(context["shapes"]) if shape != "empty"]
    else:
        shapes = [_SHAPES[detail.item["type"]]]
    value = _value_at(data, detail.path)
    wanted = " or ".join(shapes)
    name = label(path) or "the document"
    message = f"`{name}` must be {wanted}, but it is {_shape_of(value)}"
    return Fault(path, message, _fix_shape(value, shapes), detail.is_key)


def _shape_of(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a mapping" if isinstance(value, Mapping) else "a list"


def _fix_shape(value: Any, shapes: Sequence[str]) -> str:
    if value is None:
        return "give it a value, or delete the line"
    if isinstance(value, bool) and "text" in shapes:
        return f'quote it: "{str(value).lower()}"'
    if "a list" in shapes and isinstance(value, str):
        return "put it in square brackets: [...]"
    if "true or false" in shapes and isinstance(value, str):
        return "write true or false, in lower case and without quotes"
    if isinstance(value, str) and any("number" in shape for shape in shapes):
        return "write a plain decimal number without quotes or a unit"
    if "a mapping" in shapes:
        return "write `key: value`, one on a line and indented below it"
    return ""


_BOUNDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "string_too_short": lambda context: (
        "must not be empty"
        if context["min_length"] == 1
        else f"must have at least {context['min_length']} characters"
    ),
    "string_too_long": lambda context: f"must have at most {context['max_length']} characters",
    "string_pattern_mismatch": lambda context: f"must match {context['pattern']}",
    "too_short": lambda context: (
        "must not be empty"
        if context["min_length"] == 1
        else f"must have at least {context['min_length']} entries"
    ),
    "too_long": lambda context: f"must have at most {context['max_length']} entries",
    "greater_than": lambda context: f"must be greater than {context['gt']:g}",
    "greater_than_equal": lambda context: f"must be at least {context['ge']:g}",
    "less_than": lambda context: f"must be less than {context['lt']:g}",
    "less_than_equal": lambda context: f"must be at most {context['le']:g}",
}


def _fix_unknown(path: DataPath, model: type[BaseModel]) -> str:
    models = list(_models_at(model, path[:-1]))
    known = list(dict.fromkeys(name for found in models for name in field_names(found)))
    name = str(path[-1])
    if name not in known:
        for found in models:
            for field, info in found.model_fields.items():
                inner = (one for one in _models_at(info.annotation, ()))
                if any(name in field_names(one) for one in inner):
                    return f"it belongs under `{field}`"
    return did_you_mean(name, known, "the fields here are")


def field_names(model: type[BaseModel]) -> list[str]:
    """The names of a model's fields as people write them."""
    return [info.alias or name for name, info in model.model_fields.items()]


def _models_at(annotation: Any, path: DataPath) -> Iterator[type[BaseModel]]:
    """The models that may stand at a path below an annotation."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _models_at(get_args(annotation)[0], path)
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _models_at(member, path)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not path:
            yield annotation
            return
        for name, info in annotation.model_fields.items():
            if (info.alias or name) == path[0]:
                yield from _models_at(info.annotation, path[1:])
    elif origin is not None and path:
        arguments = get_args(annotation)
        if arguments:
            inner = arguments[-1] if isinstance(path[0], str) else arguments[0]
            yield from _models_at(inner, path[1:])


def _value_at(data: Any, path: DataPath) -> Any:
    value = data
    for part in path:
        value = value[part]
    return value
