"""Single values of the API's asset specs, read into canonical form. Pure.

Reading is tolerant of what servers may answer for an absent value (null, an empty value): None
means "as if absent". A type that a field cannot have is a `ValueError`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reconciler.kinds.quantity import canonical_memory


def same(value: Any) -> Any:
    return value


def read_text(value: Any) -> str | None:
    text = str(value).strip()
    return text or None


def read_true(value: Any) -> bool | None:
    """A flag whose documented default is false."""
    return None if value is False else bool(value)


def read_number(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def read_count(value: Any) -> Any:
    """A number whose zero equals absent."""
    return read_number(value) or None


def read_memory(value: Any) -> str | None:
    text = str(value).strip()
    return canonical_memory(text) if text else None


def read_set(value: Any) -> list[str] | None:
    return sorted({str(item) for item in as_list(value)}) or None


def read_unless(default: str) -> Callable[[Any], str | None]:
    return lambda value: None if value == default else read_text(value)


def as_list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise ValueError(f"a list was expected, not {type(value).__name__}")  # noqa: TRY004
    return value


def as_mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"an object was expected, not {type(value).__name__}")  # noqa: TRY004
    return value


def by_name(entries: list[tuple[str, Any]]) -> dict[str, Any] | None:
    """Entries by name; a name that occurs again is kept apart as `NAME#2`, and so differs."""
    named: dict[str, Any] = {}
    counts: dict[str, int] = {}
    for name, value in entries:
        key, count = name, counts.get(name, 1)
        while key in named:
            count += 1
            key = f"{name}#{count}"
        counts[name] = count
        named[key] = value
    return named or None


def present(mapping: Mapping[str, Any], *names: tuple[str, str]) -> dict[str, Any]:
    """The values of API names that are there, under their canonical names: no lists or trees."""
    found = {name: mapping.get(api_name) for api_name, name in names}
    for name, value in found.items():
        if isinstance(value, dict | list):
            raise ValueError(f"{name} is a {type(value).__name__}")  # noqa: TRY004
    return {name: value for name, value in found.items() if value not in (None, "", False)}
