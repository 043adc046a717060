"""Query strings: text to checked values, as one operation of one version knows them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from multidict import MultiMapping

from reconciler.sandbox.answers import ApiError
from reconciler.sandbox.json_types import Schema, accept, refuse
from reconciler.sandbox.switches import UnknownParameters

Query = Mapping[str, Any]
"""Values by parameter: text, flags, whole numbers, tuples of text; defaults are filled in."""


def read_query(
    parameters: Mapping[str, Schema], given: MultiMapping[str], unknown: UnknownParameters
) -> Query:
    """The parameters that an operation knows; of a repeated one the first. A 400 names a wrong one.

    What it does not know is ignored or refused.
    """
    values: dict[str, Any] = {
        name: schema["default"] for name, schema in parameters.items() if "default" in schema
    }
    for name in dict.fromkeys(given):
        if name in parameters:
            values[name] = _read(parameters[name], given[name], name)
        elif unknown == "refuse":
            raise ApiError(400, f"There is no query parameter {name} here.", details=name)
    return values


def _read(schema: Schema, text: str, name: str) -> object:
    value: object = text
    match schema["type"]:
        case "boolean":
            value = {"true": True, "false": False}.get(text, text)
        case "integer" if re.fullmatch(r"-?[0-9]{1,20}", text, re.ASCII):
            value = int(text)
        case "array":
            value = text.split(",")
    return accept(schema, value, name, "ignore")


def read_choice(query: Query, name: str, choices: tuple[str, ...]) -> str | None:
    """One of some words that only the descriptions list; None if it is not there."""
    text: str | None = query.get(name)
    if text is not None and text not in choices:
        raise refuse(name, f"must be one of {', '.join(choices)}")
    return text
