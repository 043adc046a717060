"""Words that are one of a few: accepted as they are, or refused with the closest one. Pure."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

from reconciler.kinds.base import field_fault


def closest(word: str, known: Iterable[str]) -> str:
    """`Did you mean X?` for the known word closest to this one, else the list of them."""
    names = list(known)
    folded = {name.casefold(): name for name in names}
    matches = get_close_matches(word.casefold(), list(folded), n=1)
    if matches:
        return f"Did you mean {folded[matches[0]]}?"
    return f"Use one of {', '.join(names)}." if names else ""


def one_of(what: str, known: Iterable[str]) -> Callable[[Any], Any]:
    """A pydantic validator that refuses words outside `known` with a suggestion."""
    names = tuple(known)

    def check(value: Any) -> Any:
        if isinstance(value, str) and value not in names:
            raise field_fault(f"there is no {what} {value!r}", closest(value, names))
        return value

    return check
