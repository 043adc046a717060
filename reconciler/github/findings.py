"""What a step tells of a plan: its outputs, and whose changes it holds."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_NOT_HERE = ("drift", "pending", "ahead")
"""Origins of changes that a pull request did not cause."""
_OUTPUT = re.compile(r"^([a-z-]+)<<(\S+)\n(.*)\n\2$", re.MULTILINE)


def read_plan(path: Path) -> dict[str, Any]:
    """The JSON plan; nothing if none was made."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return {}
    return found if isinstance(found, dict) else {}


def read_outputs(path: Path) -> dict[str, str]:
    """What `-o outputs=PATH` has written: one line each. Nothing if it was not."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return {}
    return {name: value for name, _, value in _OUTPUT.findall(text)}


def plan_outputs(found: Mapping[str, Any]) -> dict[str, str | bool]:
    """`changes`, counts and `digest`; a plan that could not be made has none of them."""
    own = found.get("reconciler", {})
    counts = own.get("summary") or {}
    wanted = ("import", "add", "change", "destroy", "blocked", "conflict")
    return {
        "complete": bool(found.get("complete")),
        "errored": bool(not found or found.get("errored")),
        "changes": any(counts.get(name) for name in wanted),
        "caused": bool(not found or found.get("errored") or caused_here(found)),
        "drift": has_drift(found),
        "adds": str(counts.get("add", 0)),
        "updates": str(counts.get("change", 0)),
        "deletes": str(counts.get("destroy", 0)),
        "refused": str(counts.get("blocked", 0) + counts.get("conflict", 0)),
        "applyable": bool(found.get("applyable")),
        "digest": str(own.get("digest", "")),
    }


def has_drift(found: Mapping[str, Any]) -> bool:
    """Whether anything differs but what was merged and is still to be applied."""
    causes = (own["cause"] for own in _own(found) if own["action"] != "unchanged")
    return any(cause is None or cause["origin"] != "pending" for cause in causes)


def caused_here(found: Mapping[str, Any]) -> list[str]:
    """The addresses of what this change has caused, or of which it cannot be told whose it is."""
    changes = found.get("resource_changes", ())
    differing = [item for item in changes if item["reconciler"]["action"] != "unchanged"]
    return sorted(item["address"] for item in differing if _may_be_ours(item["reconciler"]))


def is_refused_here(found: Mapping[str, Any]) -> bool:
    """Whether this change has caused a refusal, or it cannot be told whose it is."""
    return any(own["refusal"] and _may_be_ours(own) for own in _own(found))


def _own(found: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (change["reconciler"] for change in found.get("resource_changes", ()))


def _may_be_ours(own: Mapping[str, Any]) -> bool:
    return own["cause"] is None or own["cause"]["origin"] not in _NOT_HERE
