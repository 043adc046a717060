"""One list of the assets of several kinds: each has its spec under the name of its kind."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from reconciler.sandbox.answers import dump
from reconciler.sandbox.assets import Assets
from reconciler.sandbox.queries import Query
from reconciler.sandbox.switches import Absent


def combine(
    assets: Mapping[str, Assets], names: Sequence[str], absent: Absent, query: Query
) -> str:
    """The assets that the filters leave, of those kinds that the sandbox keeps.

    Under the other names there is nothing, in the way that absent fields come back.
    """
    others: dict[str, object] = {}
    if absent != "absent":
        others = dict.fromkeys(names, None if absent == "null" else {})
    entries = []
    for kind in names:
        for text in assets[kind].entries(query) if kind in assets else ():
            entry = json.loads(text)
            entries.append({**entry, "spec": {**others, kind: entry["spec"]}})
    return dump({"entries": entries})
