"""Lists of the API: an answer that may hold only a part is refused, never taken for all. Pure.

The API has no pages for assets; a newer server, or something in between, may. A part that is taken
for all would make us create what is there already.
"""

import re
from collections.abc import Mapping
from typing import Any

from reconciler.providers.runai.api_errors import unexpected

_MORE = re.compile(r"next|has_?(more|next)|more|continue|cursor|truncated", re.IGNORECASE)
_TOTAL = re.compile(r"total(_?(count|items|entries|results|size))?", re.IGNORECASE)
_ABOUT_PAGES = re.compile(r"_?(links|meta(data)?|page|paging|pagination|pageInfo)", re.IGNORECASE)


def whole_list(data: Any, path: str) -> list[Any]:
    """The entries of an answer that has to hold all of them."""
    entries = data.get("entries") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        raise unexpected(path, "a list of entries")
    if data.get("offset"):
        raise unexpected(path, f"the whole list: it begins at {data['offset']!r}")
    check_whole(data, len(entries), path)
    return entries


def check_whole(data: Mapping[str, Any], count: int, path: str) -> None:
    """Refuse an answer that speaks of more than the `count` entries that we have in the end."""
    for name, value in data.items():
        if _MORE.match(name) and value:
            raise unexpected(path, f"the whole list: it names more ({name})")
        if _TOTAL.fullmatch(name) and isinstance(value, int) and value > count:
            raise unexpected(path, f"the whole list: {count} of {value} entries")
        if _ABOUT_PAGES.fullmatch(name) and isinstance(value, dict):
            check_whole(value, count, path)


def is_deleted(entry: Any) -> bool:
    """Whether an entry only says that something was there (`deletedAt`, since 2.21)."""
    if not isinstance(entry, Mapping):
        return False
    meta = entry.get("meta")
    return bool((meta if isinstance(meta, Mapping) else entry).get("deletedAt"))
