"""The word that was probably meant. Pure."""

from collections.abc import Iterable
from difflib import get_close_matches


def closest(word: str, known: Iterable[str]) -> str:
    """Asks whether the known word closest to this one was meant, or lists them all."""
    names = list(known)
    folded = {name.casefold(): name for name in names}
    matches = get_close_matches(word.casefold(), list(folded), n=1)
    if matches:
        return f"did you mean `{folded[matches[0]]}`?"
    return f"it may be: {', '.join(names)}" if names else ""
