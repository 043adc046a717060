"""A list of entries that name themselves, as the API has it -> the mapping by name we work with."""

from collections.abc import Callable
from typing import Any

from reconciler.kinds.base import field_fault


def by_name(key: str) -> Callable[[Any], Any]:
    """A validator: `[{KEY: NAME, ...}]` becomes `{NAME: {...}}`, anything else stays."""

    def convert(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        named: dict[str, Any] = {}
        for index, entry in enumerate(value):
            name = entry.get(key) if isinstance(entry, dict) else None
            if not isinstance(name, str) or not name:
                fix = f"write a mapping by {key}, or give each entry its `{key}`"
                raise field_fault(f"this entry has no {key}", fix, (index,))
            if name in named:
                raise field_fault(f"{name} is there twice", "remove one of them", (index,))
            named[name] = {field: item for field, item in entry.items() if field != key}
        return named

    return convert
