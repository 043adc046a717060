"""One pydantic error -> one fault in words, and what the model would accept there."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from reconciler.field_errors.unions import SHAPES, Detail, collapse, locate
from reconciler.support.suggest import DataPath, below, did_you_mean, label, nearest

_MOST_FAULTS = 50
"""What is worded of one model: looking for the nearest name is not cheap."""


class Fault(NamedTuple):
    """One thing that is wrong with the value at `path`; `at_key` if it is the key itself.

    `rule` is the sort of fault, as in `reconciler.errors.Problem`.
    """

    path: DataPath
    message: str
    fix: str = ""
    at_key: bool = False
    rule: str = "invalid-value"


def explain(
    error: ValidationError, data: Any, model: type[BaseModel], above: DataPath = ()
) -> list[Fault]:
    """What pydantic found wrong with `data`; `above` is the path of `data` in its document."""
    details = error.errors(include_url=False, include_input=False)
    more = len(details) - _MOST_FAULTS
    if more > 0:
        rest = Fault(above, f"{more} more problems in here", "correct the others first")
        return [*_explain(details[:_MOST_FAULTS], data, model, above), rest]
    return _explain(details, data, model, above)


def _explain(
    details: Sequence[Any], data: Any, model: type[BaseModel], above: DataPath
) -> list[Fault]:
    found = [Detail(*locate(item["loc"], item["type"], data), item) for item in details]
    kept = list(collapse(found))
    around = {detail.path[:-1] for detail in kept}
    faults = [
        _fault(detail, data, model, above)
        for detail in kept
        if detail.item["type"] != "too_short" or detail.path not in around  # faulty items count not
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
    return Fault(path[:-1], _missing(label(path)), fix, rule="missing-field")


def _missing(name: str) -> str:
    return f"`{name}` is missing"


def _fault(detail: Detail, data: Any, model: type[BaseModel], above: DataPath) -> Fault:
    kind, context = detail.item["type"], detail.item.get("ctx", {})
    path = (*above, *detail.path)
    if kind == "manifest":
        path = (*path, *context["at"])
        return Fault(path, labelled(context["what"], path), context["fix"], detail.is_key)
    if kind == "missing":
        return missing_field(path, f"add `{detail.path[-1]}: ...`")
    if kind == "extra_forbidden":
        fix = fix_unknown(detail.path, model)
        return Fault(path, f"unknown field `{label(path)}`", fix, at_key=True, rule="unknown-field")
    if kind in SHAPES or kind == "shapes":
        return _shape_fault(detail, data, path)
    name = f"`{label(path)}`"
    if kind in ("literal_error", "enum"):
        known = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        value = reduce(below, detail.path, data)
        meant = nearest(value, known) if isinstance(value, str) else None
        fix = f"did you mean `{meant}`?" if meant else "choose one of them"
        return Fault(path, f"{name} must be one of {', '.join(known)}", fix, rule="unknown-value")
    say = _BOUNDS.get(kind)
    if say is not None:
        fix = example_of(detail.path, model) if kind.startswith("string") else ""
        return Fault(path, f"{name} {say(context)}", fix, detail.is_key, "out-of-bounds")
    message = str(context["error"]) if kind == "value_error" else str(detail.item["msg"])
    return Fault(path, f"{name}: {message}", "", detail.is_key)


def labelled(what: str, path: DataPath) -> str:
    """Name the entry and the field, unless the words do so themselves."""
    names = [part for part in path if isinstance(part, str)]
    told = all(name in what for name in names[2:] or names[-1:])
    return what if told else f"`{label(path)}`: {what}"


def _shape_fault(detail: Detail, data: Any, path: DataPath) -> Fault:
    context = detail.item.get("ctx", {})
    if detail.item["type"] == "shapes":
        shapes = [shape for shape in dict.fromkeys(context["shapes"]) if shape != "empty"]
    else:
        shapes = [SHAPES[detail.item["type"]]]
    value = reduce(below, detail.path, data)
    wanted = " or ".join(shapes)
    name = label(path) or "the document"
    message = f"`{name}` must be {wanted}, but it is {_shape_of(value)}"
    return Fault(path, message, _fix_shape(value, shapes), detail.is_key, "wrong-type")


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
    if "true or false" in shapes and isinstance(value, str | int):
        return "write true or false, in lower case and without quotes"
    if isinstance(value, str) and any("number" in shape for shape in shapes):
        return "write a plain decimal number without quotes or a unit"
    if "a mapping" in shapes:
        return "write `key: value`, one on a line and indented below it"
    return f"write {shapes[0]}"


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


def field_names(model: type[BaseModel]) -> list[str]:
    """The names of a model's fields as people write them."""
    return [info.alias or name for name, info in model.model_fields.items()]


def models_at(annotation: Any, path: DataPath) -> Iterator[type[BaseModel]]:
    """The models that may stand at a path below an annotation."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from models_at(get_args(annotation)[0], path)
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from models_at(member, path)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not path:
            yield annotation
            return
        for name, info in annotation.model_fields.items():
            if (info.alias or name) == path[0]:
                yield from models_at(info.annotation, path[1:])
    elif origin is not None and path:
        arguments = get_args(annotation)
        if arguments:
            inner = arguments[-1] if isinstance(path[0], str) else arguments[0]
            yield from models_at(inner, path[1:])


def fix_unknown(path: DataPath, model: type[BaseModel]) -> str:
    """What to do about a field that the model does not have at this place."""
    models = list(models_at(model, path[:-1]))
    known = list(dict.fromkeys(name for found in models for name in field_names(found)))
    name = str(path[-1])
    if name in known:
        return "it does not go with the other fields here"
    for found in models:
        for field, info in found.model_fields.items():
            if any(name in field_names(inner) for inner in models_at(info.annotation, ())):
                return f"it belongs under `{field}`"
    return did_you_mean(name, known, "the fields here are")


def example_of(path: DataPath, model: type[BaseModel]) -> str:
    """What the field may look like."""
    for found in models_at(model, path[:-1]):
        for name, info in found.model_fields.items():
            if (info.alias or name) == path[-1] and info.examples:
                return f"for example: {info.examples[0]}"
    return ""
