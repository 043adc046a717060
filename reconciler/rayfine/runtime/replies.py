"""The answer to a setup or a call -> its value, or the error that says what happened. Pure."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.errors import RayfineError
from reconciler.rayfine.in_container import faults
from reconciler.rayfine.runtime.agent_client import Reply
from reconciler.rayfine.runtime.errors import (
    CallCancelledError,
    CallLostError,
    CallTimeoutError,
    EnvironmentEndedError,
    MethodNotFoundError,
    SetupError,
    TransferError,
    remote_error,
)


def value_of(reply: Reply, name: str, where: str) -> Any:
    """The value of a call of method `name`. Raises what went wrong."""
    if reply.status == faults.OK:
        return reply.value
    raise call_error(reply, name, where)


def call_error(reply: Reply, name: str, where: str) -> RayfineError:
    found = reply.value if isinstance(reply.value, dict) else {}
    message = _message(found) or f"status {reply.status}"
    if reply.status == faults.LATE:
        lost = bool(found.get("ended"))
        return CallTimeoutError(
            message if lost else f"{name} was ended at its time limit",
            where=where,
            fix="call setup again" if lost else "give it more: call(name, ..., _timeout=SECONDS)",
        )
    kind = found.get("kind")
    if kind in _PLAIN:
        error, fix = _PLAIN[kind]
        return error(message, where=where, fix=fix)
    match kind:
        case "exception":
            return remote_error(found)
        case "codec":
            return TransferError(f"the result of {name}: {message}", where=where)
        case "cancelled":
            return CallCancelledError(f"{name} was cancelled", where=where)
        case "setup":
            return not_set_up(where)
    return EnvironmentEndedError(f"the agent answered: {message}", where=where, fix="load it again")


_MOST_COMPARED = 1000


def _message(found: Mapping[str, Any]) -> str:
    return str(found.get("message", ""))[: faults.LONGEST_MESSAGE]


_PLAIN: Mapping[object, tuple[type[RayfineError], str]] = {
    "method": (MethodNotFoundError, "see list_methods()"),
    "ended": (EnvironmentEndedError, "call setup again"),
    "request": (TransferError, "pass fewer or plainer values"),
    "busy": (CallTimeoutError, "call fewer at once"),
    "lost": (CallLostError, "see whether it may run twice, then call it again"),
}


def setup_error(reply: Reply, where: str) -> RayfineError:
    found = reply.value if isinstance(reply.value, dict) else {}
    if found.get("kind") == "missing":
        return SetupError(
            f"there is no {_message(found)} in the image",
            where=where,
            fix="build it with build_image_from_env, or copy env.py to /app in its Dockerfile",
        )
    if found.get("kind") == "fixed":
        return SetupError(_message(found), where=where, fix="call setup() without any")
    if found.get("kind") == "exception":
        inner = remote_error(found)
        error = SetupError(
            f"env.py could not be loaded: {inner.what}",
            where=inner.where,
            fix=f"correct the file\n\n{inner.traceback}".rstrip(),
        )
        error.__cause__ = inner
        return error
    return call_error(reply, "setup", where)


def not_set_up(where: str) -> SetupError:
    return SetupError(
        "env.py is not loaded yet", where=where, fix="call env.setup(NAME='value', ...) first"
    )


def no_method(name: str, known: Iterable[str], where: str, *, loaded: bool) -> MethodNotFoundError:
    """There is no such method; names that are close."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names[:_MOST_COMPARED], 3)
    listed = ", ".join(item[:_MOST_COMPARED] for item in names[:20])
    fix = f"did you mean {' or '.join(close)}?" if close else f"there are: {listed}"
    if not names:
        fix = "env.py has no public function and no class Actor with public methods"
    if not loaded:
        fix += " (before setup, only what can be read off the file is known)"
    return MethodNotFoundError(f"env.py has no method {name!r}", where=where, fix=fix)
