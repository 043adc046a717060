"""Errors without the secrets that a server quoted in its answer. Pure.

A server, or a gateway before it, may repeat what it was sent: whole, escaped, on one line, cut
short. Whole values are replaced; if a part of one is still there, all of the server's words go.
"""

import re
from collections.abc import Iterable
from typing import TypeVar

from reconciler.core.resource import SENSITIVE
from reconciler.errors import ProviderError

_PART = 8
"""Characters of a secret in a row that are taken for a quotation of it."""
_SHORTEST_PART = 4
_NOISE = re.compile(r"\\+(?:[bfnrt/]|u[0-9a-fA-F]{4})|\\|[^\x21-\x7e]")

_Error = TypeVar("_Error", bound=ProviderError)


def without_secrets(error: _Error, secrets: Iterable[str]) -> _Error:
    """The same error, in words that hold none of these secrets. Raise it `from None`."""
    what = hide(error.what, secrets)
    if what != error.what:
        error.what = what
        error.args = (what,)
    return error


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text without these secrets; of one or no character they would spoil every word."""
    known = sorted({secret for secret in secrets if len(secret) > 1}, key=len, reverse=True)
    for secret in known:
        text = text.replace(secret, SENSITIVE)
    if any(_quotes(text, secret) for secret in known):
        ours = text.partition(": ")[0]
        return f"{ours}: (the answer quotes a sensitive value and is left out)"
    return text


def _quotes(text: str, secret: str) -> bool:
    """Whether a part of the secret is in the text, however it is escaped or wrapped."""
    plain, wanted = _NOISE.sub("", text), _NOISE.sub("", secret)
    size = min(_PART, len(wanted))
    if size < _SHORTEST_PART:
        return False
    return any(wanted[at : at + size] in plain for at in range(len(wanted) - size + 1))
