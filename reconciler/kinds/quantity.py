"""Amounts of memory: Kubernetes quantities <-> bytes, in one notation. Pure.

Two notations of one amount have to compare as equal, so every amount is brought to its shortest
whole-number notation (`65536Mi` -> `64Gi`, `1000G` -> `1T`), the binary suffix on a tie. The
pattern is that of the Run:ai API description; the suffixes are those of Kubernetes.
"""

import re
from fractions import Fraction
from functools import lru_cache

PATTERN = r"^([+]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
"""The API's pattern for amounts of memory and of extended resources."""

MEMORY_FORMAT = "64Gi (2^30 bytes each), 64G (10^9 bytes each), 512Mi, 1Ti"

LEAST_MEMORY = 2**20
"""Bytes. Nothing runs in less: an amount below it lacks its unit, or has the wrong one."""

_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_DECIMAL = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
_SMALL = {"n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1)}
_PARTS = {"m": "thousandths", "u": "millionths", "n": "billionths"}
_UNITS: dict[str, int | Fraction] = {**_BINARY, **_DECIMAL, **_SMALL}
_NUMBER = r"\+?(?P<number>[0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})"
_QUANTITY = re.compile(_NUMBER + r"(?P<suffix>[A-Za-z]{0,2})")
_EXPONENT = re.compile(_NUMBER + r"[eE](?P<power>[+-]?[0-9]{1,2})")
_SLOPPY = re.compile(
    r"\s*(?P<number>[0-9]{1,40}(\.[0-9]{1,40})?)\s*(?P<letter>[kKmMgGtTpPeE])(?P<i>[iI]?)[bB]?\s*"
)


@lru_cache(maxsize=4096)
def parse_bytes(text: str) -> Fraction | None:
    """The number of bytes a quantity stands for; None if it is no quantity."""
    match = _EXPONENT.fullmatch(text)
    if match:
        return Fraction(match["number"]) * Fraction(10) ** int(match["power"])
    match = _QUANTITY.fullmatch(text)
    if match is None or match["suffix"] not in _UNITS:
        return None
    return Fraction(match["number"]) * _UNITS[match["suffix"]]


@lru_cache(maxsize=4096)
def canonical_memory(text: str) -> str:
    """The shortest notation of the same number of bytes; text that is no quantity as it is."""
    amount = parse_bytes(text)
    if amount is None:
        return text
    if amount == 0 or amount.denominator != 1:
        return "0" if amount == 0 else text
    whole = int(amount)
    candidates = [
        f"{whole // unit}{suffix}"
        for suffix, unit in (*_BINARY.items(), *_DECIMAL.items(), ("", 1))
        if whole % unit == 0
    ]
    return min(candidates, key=len)


def suggest_memory(text: str) -> str:
    """What the writer of a bad amount probably meant, in words; the accepted forms otherwise."""
    match = _SLOPPY.fullmatch(text)
    letter = match["letter"].upper() if match else "K"
    if match is None or letter == "K":
        return f"write it like {MEMORY_FORMAT}"
    decimal, binary = f"{match['number']}{letter}", f"{match['number']}{letter}i"
    if match["i"]:
        return f"write {binary}"
    return f"write {decimal} (powers of 1000) or {binary} (powers of 1024)"


def too_little_memory(text: str) -> tuple[str, str]:
    """What is wrong with an amount that nothing runs in, and what was probably meant."""
    number, unit = text.rstrip("".join(_UNITS)), text[-1]
    if unit in _PARTS:
        fix = f"write {number}M (10^6 bytes each) or {number}Mi (2^20 bytes each)"
        return f"{text} means {number} {_PARTS[unit]} of a byte", fix
    if unit.isdigit() or unit == ".":
        such = f"such as {text}Gi" if text.isdigit() else f"as in {MEMORY_FORMAT}"
        return f"{text} without a unit means {text} bytes", f"add one, {such}"
    fix = f"use a larger unit, as in {number}M or {number}Mi"
    return f"{text} is less than 1Mi of memory", fix
