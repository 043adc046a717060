"""From a stored asset body to the answer, as this sandbox's Behaviour has it.

A stored body holds what was sent and what the server added, without nulls. With the default
behaviour that is the answer already; otherwise it is parsed, completed and written again, once per
version of the asset.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from reconciler.sandbox.answers import dump
from reconciler.sandbox.behaviour import Behaviour
from reconciler.sandbox.contract import ASSET_META, SPECS

_REMEMBERED = 20_000  # versions of assets, about 1 kB each, twice


def make_renderer(behaviour: Behaviour, kind: str) -> Callable[[str], str]:
    """Make the function from stored to answered JSON text for one kind of asset."""
    if not behaviour.fill_defaults and behaviour.absent == "absent":
        return str

    @lru_cache(maxsize=_REMEMBERED)
    def render(body: str) -> str:
        asset = json.loads(body)
        if behaviour.fill_defaults and kind == "environment":
            _fill_defaults(asset["spec"])
        asset["meta"] = ASSET_META.render(asset["meta"], behaviour.absent)
        asset["spec"] = SPECS[kind].render(asset["spec"], behaviour.absent)
        return dump(asset)

    return render


def _fill_defaults(spec: dict[str, Any]) -> None:
    """Add the defaults that the contract states for an environment's spec."""
    if "image" in spec:
        spec.setdefault("imagePullPolicy", _pull_policy(spec["image"]))
    spec.setdefault("overrideUidGidInWorkspace", False)
    spec.setdefault("supplementalGroups", "")
    for connection in spec.setdefault("connections", []):
        connection.setdefault("isExternal", False)
        tool = connection.get("internalToolInfo", {})
        if "nodePortInfo" in tool:
            tool["nodePortInfo"].setdefault("isCustomPort", False)
        if "externalUrlInfo" in tool:
            tool["externalUrlInfo"].setdefault("isCustomUrl", False)


def _pull_policy(image: str) -> str:
    """`Always` for the tag latest, else `IfNotPresent`; no tag and no digest means latest."""
    if "@" in image:
        return "IfNotPresent"
    _, _, tag = image.rpartition("/")[2].partition(":")
    return "Always" if tag in ("", "latest") else "IfNotPresent"
