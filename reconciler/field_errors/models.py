"""What a model would accept at a place: names of fields, examples. Pure."""

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from reconciler.support.suggest import DataPath, did_you_mean


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
