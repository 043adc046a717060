"""A list of entries that name themselves, as the API has it -> the mapping by name we work with."""

from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from reconciler.kinds.base import field_fault


@dataclass(frozen=True, slots=True)
class ByName:
    """An annotation: `[{KEY: NAME, ...}]` becomes `{NAME: {...}}`, anything else stays."""

    key: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Convert before the mapping is checked."""
        return core_schema.no_info_before_validator_function(self._convert, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Either form; an entry's fields are checked when the file is loaded."""
        name = {"type": "string", "minLength": 1}
        entry = {"type": "object", "required": [self.key], "properties": {self.key: name}}
        return {"anyOf": [handler(schema), {"type": "array", "items": entry}]}

    def _convert(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        named: dict[str, Any] = {}
        for index, entry in enumerate(value):
            name = entry.get(self.key) if isinstance(entry, dict) else None
            if not isinstance(name, str) or not name:
                fix = f"write a mapping by {self.key}, or give each entry its `{self.key}`"
                raise field_fault(f"this entry has no {self.key}", fix, (index,))
            if name in named:
                raise field_fault(f"{name} is there twice", "remove one of them", (index,))
            named[name] = {field: item for field, item in entry.items() if field != self.key}
        return named
