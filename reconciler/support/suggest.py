"""Names and paths, and the name that was probably meant. Pure."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

DataPath = tuple[str | int, ...]
"""Keys, list indices and names of entries from the root of a document to a value."""

ENTRY_NAMES = ("name", "resource")
"""Fields by which an entry of a list names itself; a path may hold that name for its index."""

_LONGEST_NAME = 64


def below(value: Any, part: str | int) -> Any:
    """What stands below a value of a document under a key, an index or an entry's name.

    Raises `KeyError` where nothing does.
    """
    if isinstance(value, list):
        for index, entry in enumerate(value):
            named = isinstance(entry, dict) and part in map(entry.get, ENTRY_NAMES)
            if part == index or (isinstance(part, str) and (named or part == entry)):
                return entry
    elif isinstance(value, Mapping) and part in value:
        return value[part]
    raise KeyError(part)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant: letter case aside, by similarity or as its start."""
    if len(name) > _LONGEST_NAME:
        return None
    by_lower = {candidate.lower().replace("-", "_"): candidate for candidate in known}
    close = get_close_matches(name.lower().replace("-", "_"), by_lower, n=1, cutoff=0.65)
    if close:
        return by_lower[close[0]]
    longer = [text for text in by_lower if text.startswith(f"{name.lower()}_")]
    return by_lower[longer[0]] if name and len(longer) == 1 else None


def did_you_mean(name: str, known: Sequence[str], what: str) -> str:
    """The fix for a name that is not known: the nearest one, or all there are."""
    meant = nearest(name, known)
    if meant is not None:
        return f"did you mean `{meant}`?"
    return f"{what}: {', '.join(known)}" if known else ""


def similar(
    name: str, known: Iterable[str], otherwise: str, show: Callable[[str], str] = str
) -> str:
    """The fix for a name of a long list that is not known: what looks like it, or other words."""
    close = get_close_matches(name, sorted(set(known)), n=3)
    return f"did you mean {' or '.join(map(show, close))}?" if close else otherwise


def label(path: DataPath) -> str:
    """A path for people: `spec.tools[1]`, `spec.labels["a b"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[A-Za-z0-9_-]{1,64}", part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(shorten(part))}]"
    return text


def shorten(name: str) -> str:
    """A name that is fit for a message."""
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 3] + "..."
