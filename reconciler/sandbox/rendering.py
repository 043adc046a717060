"""From a stored asset body to the answer, as this sandbox's Behaviour has it.

A stored body holds what was sent and what the server added, without nulls. With the default
behaviour that is the answer already; otherwise it is parsed, completed and written again, once per
version of the asset.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache

from reconciler.sandbox.answers import dump
from reconciler.sandbox.api_schema import Contract
from reconciler.sandbox.asset_rules import fill_described
from reconciler.sandbox.json_types import fill, render
from reconciler.sandbox.switches import Behaviour

_REMEMBERED = 20_000  # versions of assets, about 1 kB each, twice


def make_renderer(behaviour: Behaviour, contract: Contract, kind: str) -> Callable[[str], str]:
    """Make the function from stored to answered JSON text for one kind of asset."""
    if not behaviour.fill_defaults and behaviour.absent == "absent":
        return str
    schemas = {"meta": contract.meta, "spec": contract.specs[kind]}

    @lru_cache(maxsize=_REMEMBERED)
    def answer(body: str) -> str:
        asset = json.loads(body)
        if behaviour.fill_defaults:
            fill_described(kind, asset["spec"])
        for name, schema in schemas.items():
            if behaviour.fill_defaults:
                fill(schema, asset[name])
            asset[name] = render(schema, asset[name], behaviour.absent)
        return dump(asset)

    return answer
