"""From the bytes of a request to a checked asset body, or a 400 that says what is wrong with it.

The contract states what each field may be, asset_rules.py what its descriptions say besides.
Whether ids refer to something that exists is checked where the units are known, in assets.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NoReturn

from reconciler.sandbox.answers import ApiError
from reconciler.sandbox.api_schema import Contract
from reconciler.sandbox.asset_rules import check_spec
from reconciler.sandbox.json_types import Schema, accept, refuse
from reconciler.sandbox.switches import UnknownFields


@dataclass(frozen=True)
class Body:
    """A checked request: `meta` and `spec` without nulls."""

    meta: dict[str, Any]
    spec: dict[str, Any]


@dataclass(frozen=True)
class BodyReader:
    """Reads the requests about assets of one kind."""

    kind: str
    contract: Contract
    unknown: UnknownFields

    def read_creation(self, raw: bytes) -> Body:
        """Check the body of a POST."""
        return self._read(raw, self.contract.creation)

    def read_update(self, raw: bytes) -> Body:
        """Check the body of a PUT; known fields of meta that cannot be updated are dropped."""
        return self._read(raw, self.contract.update)

    def _read(self, raw: bytes, settable: Schema) -> Body:
        body = read_json(raw)
        if not isinstance(body, dict):
            raise ApiError(400, "The body must be an object with meta and spec.")
        for name in ("meta", "spec"):
            if name not in body:
                raise refuse(name, "is required")
        if self.unknown == "reject" and (extra := body.keys() - {"meta", "spec"}):
            raise refuse(min(extra), "is not a known field")
        meta = body["meta"]
        if self.unknown != "reject" and isinstance(meta, dict):
            known = self.contract.meta["properties"].keys() - settable["properties"].keys()
            meta = {name: value for name, value in meta.items() if name not in known}
        accepted = accept(settable, meta, "meta", self.unknown)
        spec = accept(self.contract.specs[self.kind], body["spec"], "spec", self.unknown) or {}
        check_spec(self.kind, spec)
        return Body(accepted, spec)


def read_json(raw: bytes) -> Any:
    """Decode a body strictly: UTF-8, no NaN or infinity, no depth that exhausts the stack."""
    try:
        return json.loads(raw.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "The body is not valid JSON.") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
