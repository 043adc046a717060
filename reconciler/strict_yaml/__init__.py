"""Untrusted YAML bytes -> plain data, in one pass over libyaml's events, within fixed limits.

YAML here is the part of it that says what it looks like: mappings, lists and scalars. Anchors,
aliases, tags, merge keys, directives, duplicate keys and control characters are refused, each with
its position and a way out. Only `true`, `false`, `null`, `~`, an empty value and plain decimal
numbers are anything but text: `no`, `1:30`, `012` and `0x1F` stay as they are written, and a
decimal fraction keeps its spelling where text is meant. Nothing here knows what a manifest is.
"""

from reconciler.strict_yaml.decoding import MAX_BYTES, MAX_DEPTH, MAX_EVENTS
from reconciler.strict_yaml.loader import WrittenFloat, YamlDocument, load
from reconciler.strict_yaml.positions import Positions

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_EVENTS",
    "Positions",
    "WrittenFloat",
    "YamlDocument",
    "load",
]
