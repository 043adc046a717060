"""A spec -> the same spec with what looks like a secret hidden. Pure.

A secret belongs into a credential or a variable of the environment; people write it into manifests
all the same. What stands under a name such as `AWS_SECRET_ACCESS_KEY`, or looks like a key, a token
or a password wherever it stands, is a `PlainSecret` from here on. The rule is the same for both
sides and needs no mark. It hides rather too much than too little, and changes nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

from reconciler.core.resource import Path, PlainSecret, Resource, Spec, dotted

_BY_NAME = frozenset({"environment_variables", "build_args", "labels"})
"""Fields that hold texts by names that people choose."""
_LOOKED_AT = (
    *("args", "build_args", "command", "connections", "environment_variables", "labels"),
    *("repository", "url"),
)

_ENDINGS = (
    *("SECRET", "SECRETS", "TOKEN", "PASSWORD", "PASSWORDS", "PASSWD", "PASSPHRASE", "APIKEY"),
    *("CREDENTIAL", "CREDENTIALS", "JWT", "AUTHORIZATION", "ACCESSKEY", "PRIVATEKEY", "SECRETKEY"),
)
"""A word of a name that ends so: `PGPASSWORD` and `HF_TOKEN`, but not `MAX_TOKENS`."""
_KEYS = frozenset({"ACCESS", "ACCOUNT", "API", "ENCRYPTION", "MASTER", "PRIVATE", "SIGNING"})
"""What makes a KEY behind it one that must not be shown."""
_RANDOM = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9+/_-]{16,}={0,2}")
"""What makes any other KEY at the end of a name one: `WANDB_KEY`, but not `SORT_KEY`."""
_LAST = frozenset({"AUTH", "PASS", "PW", "PWD"})
"""Words that mean a secret at the end of a longer name."""
_ABOUT = frozenset(
    {
        *("DIR", "DIRECTORY", "ENABLED", "ENDPOINT", "EXPIRY", "FILE", "FILENAME", "FORMAT"),
        *("HEADER", "HOST", "LENGTH", "LIMIT", "NAME", "PATH", "PORT", "PROVIDER", "SIZE"),
        *("TIMEOUT", "TTL", "TYPE", "URI", "URL"),
    }
)
"""Last words of a name that is about a secret, and holds none."""
_SWITCH = re.compile(r"(?i)|true|false|yes|no|on|off|none|null|0|1")
_REFERENCE = re.compile(r"\$(\w+|\(\w+\)|\{\w+\})|(?i:\*+|<[^<>]*>)")
"""A value that stands for one elsewhere: `$(NAME)`, `${NAME}`; or one that is hidden already."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SHAPES = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY"
    r"|(?<![A-Za-z0-9_-])(?:"
    r"gh[pousr]_[A-Za-z0-9]{10,}|github_pat_\w{10,}|glpat-[\w-]{10,}|hf_[A-Za-z0-9]{10,}"
    r"|npm_[A-Za-z0-9]{20,}|dckr_pat_[\w-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{8,}|AIza[\w-]{20,}"
    r"|nvapi-[\w-]{8,}|xox[abeoprs]-[\w-]{8,}|xapp-[\w-]{8,}|[sr]k_(?:live|test)_\w{8,}"
    r"|gsk_[A-Za-z0-9]{20,}|hvs\.[\w-]{8,}|pypi-[\w-]{16,}|ya29\.[\w-]{8,}|AGE-SECRET-KEY-\w+"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}|dop_v1_\w{16,}|gl(?:ptt|dt|rt)-[\w-]{10,}"
    r"|sk-(?=[\w-]*[0-9])[\w-]{16,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
    r"|(?i:\bbearer\s+(?!\$)[\w.~+/-]{8,}|\bbasic\s+(?=\S*[0-9=])[a-z0-9+/]{8,}={0,2}(?!\S))"
    r"|//hooks\.slack\.com/services/\w+/\w|//discord(?:app)?\.com/api/webhooks/\w+/\w|[?&]sig=\w"
)
_IN_URL = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#@:]*:([^\s/?#@]+)@")
_ASSIGNED = re.compile(
    r"""(?<![\w$.-])-{0,2}([A-Za-z][\w.-]*)["']?(?:\s*=\s*|(?<=["'])\s*:\s*)["']?([^\s"';&,]+)"""
    r"""|(?<![\w-])--([A-Za-z][\w-]*)\s+["']?([^\s"'-][^\s"']*)"""
)
"""`NAME=VALUE`, `"NAME": "VALUE"`, `--name VALUE`, wherever they stand in a text."""


def conceal(spec: Spec) -> Spec:
    """The spec with a `PlainSecret` for each text that looks like a secret."""
    if not any(True for _ in _plain_secrets(spec)):
        return spec
    return {
        name: _concealed((name,), value) if name in _LOOKED_AT else value
        for name, value in spec.items()
    }


def conceal_resource(resource: Resource) -> Resource:
    """The resource of a manifest, its secrets concealed, with a warning for each of them."""
    found = tuple(
        f"{dotted(path)} looks like a secret in plain text, which everyone has who can read the "
        "repository: take it from a credential, or from a variable with {env: NAME}"
        for path in _plain_secrets(resource.spec)
    )
    if not found:
        return resource
    warnings = (*resource.warnings, *found)
    return replace(resource, spec=conceal(resource.spec), warnings=warnings)


@lru_cache(maxsize=65536)
def is_secret(name: str, text: str) -> bool:
    """Whether a text under this name is a secret, by the name or by what it looks like."""
    if _REFERENCE.fullmatch(text) or _SWITCH.fullmatch(text):
        return False
    return _is_secret_name(name, text) or _looks_secret(text)


def _plain_secrets(spec: Spec) -> Iterator[Path]:
    for name in _LOOKED_AT:
        if name in spec:
            yield from _found((name,), spec[name])


def _found(path: Path, value: Any) -> Iterator[Path]:
    if isinstance(value, dict):
        for name in sorted(value):
            yield from _found((*path, name), value[name])
    elif isinstance(value, str) and is_secret(_called(path), value):
        yield path


def _concealed(path: Path, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _concealed((*path, name), item) for name, item in value.items()}
    if isinstance(value, str) and is_secret(_called(path), value):
        return PlainSecret(value)
    return value


def _called(path: Path) -> str:
    """The name that a text stands under: of a variable, not of a field that describes it."""
    if path[0] in _BY_NAME and (len(path) == 2 or path[2:] == ("value",)):
        return path[1]
    return ""


def _is_secret_name(name: str, text: str) -> bool:
    words = _secret_words(name)
    if not words and _is_some_key(name):
        return _RANDOM.fullmatch(text) is not None
    return bool(words) and not (text.isdecimal() and all(word.endswith("TOKEN") for word in words))


@lru_cache(maxsize=4096)
def _is_some_key(name: str) -> bool:
    *before, last = ["", *(word.upper() for word in _WORDS.findall(name))]
    return last == "KEY" and before[-1] != "PUBLIC"


@lru_cache(maxsize=4096)
def _secret_words(name: str) -> tuple[str, ...]:
    """The words of a name that make it one of a secret."""
    words = [word.upper() for word in _WORDS.findall(name)]
    if not words or words[-1] in _ABOUT:
        return ()
    found = [word for word in words if word.endswith(_ENDINGS)]
    found += [two for one, two in pairwise(words) if one in _KEYS and two in ("KEY", "KEYS")]
    if len(words) > 1 and words[-1] in _LAST:
        found.append(words[-1])
    return tuple(found)


def _looks_secret(text: str) -> bool:
    if _SHAPES.search(text):
        return True
    if any(not _REFERENCE.fullmatch(found) for found in _IN_URL.findall(text)):
        return True
    return any(mark in text for mark in ("=", "--", '"', "'")) and any(
        not _REFERENCE.fullmatch(value) and not _SWITCH.fullmatch(value)
        for name, given, flag, argument in _ASSIGNED.findall(text)
        if _is_secret_name(name or flag, value := given or argument)
    )
