"""Data from manifests and systems -> characters that are safe on a terminal."""

import hashlib
import re
import unicodedata

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
_INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
"""Letters and marks without a shape: Unicode's default ignorables outside of category Cf."""


def printable(text: str) -> str:
    """The text with every control, format, private, separator or shapeless character escaped."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(escaped(c) if is_unsafe(c) else c for c in text)


def is_unsafe(character: str) -> bool:
    """Whether `printable` escapes it."""
    if character == " ":
        return False
    return unicodedata.category(character) in _UNSAFE or character in _INVISIBLE


def escaped(character: str) -> str:
    """A character by its number."""
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def slug(name: str) -> str:
    """The name in letters, digits, `.`, `_` and `-`; a digest keeps apart what that changes."""
    plain = re.sub(r"[^A-Za-z0-9._]+", "-", name)[:60].strip("-")
    if plain == name:
        return name
    return f"{plain}.{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
