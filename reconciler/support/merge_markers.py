"""Text with the markers that a merge leaves behind -> where they begin. Pure."""

import re

CONFLICT = "these are conflict markers: a merge is not finished"
FINISH_MERGE = "keep what is right of both sides, and delete the lines of `<`, `=` and `>`"

_MARKER = re.compile(r"^(?:<{7}|\|{7}|>{7})(?: .*)?\r?$|^={7}\r?$", re.MULTILINE)


def conflict_line(text: str) -> int:
    """The 1-based line of the first marker, 0 without one.

    Ask only of text that cannot be read: a line of `=` may be a sound part of other text.
    """
    found = _MARKER.search(text)
    return text.count("\n", 0, found.start()) + 1 if found else 0
