"""Errors of a union's members -> those of the member that was meant. Pure.

pydantic reports what is wrong with a value for every member of a union, with the member's name in
the location. Which member was meant shows from the shape of the value, then from the number of
errors.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from reconciler.support.suggest import DataPath, below

SHAPES = {
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
"""What a value must be, by the type of pydantic's error that says so."""


class Detail(NamedTuple):
    """One pydantic error: its path in the data, the union members it went through, and itself."""

    path: DataPath
    members: tuple[tuple[int, str | int], ...]
    is_key: bool
    item: Any


def locate(
    loc: tuple[str | int, ...], kind: str, data: Any
) -> tuple[DataPath, tuple[tuple[int, str | int], ...], bool]:
    """Split pydantic's location into a path that exists in the data, and names of union members."""
    path: list[str | int] = []
    members: list[tuple[int, str | int]] = []
    value, is_key = data, False
    for index, part in enumerate(loc):
        try:
            value = below(value, part)
        except KeyError:
            pass
        else:
            path.append(part)
            continue
        if part == "[key]":
            is_key = True
        elif kind == "missing" and index == len(loc) - 1:
            path.append(part)
        else:
            members.append((len(path), part))
    return tuple(path), tuple(members), is_key


def collapse(details: list[Detail]) -> Iterator[Detail]:
    """Keep, of every union, the errors of the member that was meant."""
    unions: dict[DataPath, list[Detail]] = {}
    for detail in details:
        if detail.members:
            unions.setdefault(detail.path[: detail.members[0][0]], []).append(detail)
        else:
            yield detail
    for site, errors in unions.items():
        by_member: dict[str | int, list[Detail]] = {}
        for detail in errors:
            inner = detail._replace(members=detail.members[1:])
            by_member.setdefault(detail.members[0][1], []).append(inner)
        fitting = {
            name: inner
            for name, inner in by_member.items()
            if not any(item.path == site and item.item["type"] in SHAPES for item in inner)
        }
        if fitting:
            fewest = min(fitting.values(), key=len)
            ambiguous = sum(len(inner) == len(fewest) for inner in fitting.values()) > 1
            yield from collapse(_without_missing(fewest) if ambiguous else fewest)
        else:
            shapes = (
                SHAPES[item.item["type"]]
                for inner in by_member.values()
                for item in inner
                if item.item["type"] in SHAPES
            )
            yield errors[0]._replace(
                path=site, members=(), item={"type": "shapes", "ctx": {"shapes": [*shapes]}}
            )


def _without_missing(details: list[Detail]) -> list[Detail]:
    """Leave out what only one of several equally good union members asks for."""
    return [detail for detail in details if detail.item["type"] != "missing"] or details
