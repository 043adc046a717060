"""One list of the assets of several kinds: each has its spec under a name for its kind."""

from __future__ import annotations

import json
from collections.abc import Mapping

from reconciler.sandbox.answers import dump
from reconciler.sandbox.assets import Assets
from reconciler.sandbox.queries import Query
from reconciler.sandbox.switches import Absent


def combine(
    assets: Mapping[str, Assets], names: Mapping[str, str], absent: Absent, query: Query
) -> str:
    """The assets that the filters leave; `names` has, by kind, what its spec is under.

    Under the other names there is nothing, in the way that absent fields come back.
    """
    others: dict[str, object] = {}
    if absent != "absent":
        others = dict.fromkeys(names.values(), None if absent == "null" else {})
    entries = []
    for kind, name in names.items():
        for text in assets[kind].entries(query):
            entry = json.loads(text)
            entries.append({**entry, "spec": {**others, name: entry["spec"]}})
    return dump({"entries": entries})
