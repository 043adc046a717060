"""What can go wrong with a rayfine environment: kinds of `RayfineError`, and which an answer is."""

import builtins
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.errors import RayfineError, shown
from reconciler.rayfine.in_container import faults
from reconciler.rayfine.in_container.faults import LONGEST_MESSAGE, LONGEST_TRACEBACK


class LoadError(RayfineError):
    """An environment could not be started."""


class SetupError(RayfineError):
    """env.py could not be loaded, or was not."""


class MethodNotFoundError(RayfineError, AttributeError):
    """env.py has no such method."""


class TransferError(RayfineError):
    """A value cannot travel between the caller and env.py."""


class CallTimeoutError(RayfineError, TimeoutError):
    """A call was ended at its time limit."""


class CallCancelledError(RayfineError):
    """A call was cancelled."""


class CallLostError(RayfineError, ConnectionError):
    """The connection broke within a call, which may have run or not. The environment goes on."""


class EnvironmentEndedError(RayfineError):
    """What ran env.py is gone: what setup did is lost."""


class EnvironmentNotFoundError(RayfineError, KeyError):
    """There is no active environment with this id."""

    __str__ = RayfineError.__str__


class RemoteError(RayfineError):
    """env.py raised an exception. `type_name` is its type there, `traceback` its traceback there.

    Where it is of a built-in type such as `ValueError`, this is one, too. It never holds an object
    from there, only text.
    """

    type_name = ""
    traceback = ""

    def __str__(self) -> str:
        text = _indented(super().__str__())
        more = _indented(f"\n{shown(self.traceback.rstrip())}")
        return f"{text}\n{more}" if self.traceback else text


def _indented(text: str) -> str:
    """The text with all lines but the first indented, so that none of env.py's passes for ours."""
    first, *others = text.split("\n")
    return "\n".join([first, *(f"  {line}" if line.strip() else "" for line in others)])


def remote_error(found: dict[str, Any]) -> RemoteError:
    """The error for an exception that was described there, by whoever runs there: in bounds."""
    name = _text(found, "type")[:_LONGEST_NAME] or "Exception"
    base = getattr(builtins, _text(found, "builtin"), None)
    kind = _typed(base) if isinstance(base, type) and issubclass(base, Exception) else RemoteError
    module = _text(found, "module")[:_LONGEST_NAME] or "builtins"
    full = name if module in ("builtins", "env") else f"{module}.{name}"
    line = found.get("line")
    where = f"{_text(found, 'file')[:LONGEST_MESSAGE]}:{line}" if type(line) is int and line else ""
    message = _text(found, "message")[:LONGEST_MESSAGE]
    error = kind(f"{full}: {message}".rstrip(": "), where=where)
    error.type_name = full
    error.traceback = _text(found, "traceback")[-LONGEST_TRACEBACK:]
    if isinstance(error, SyntaxError):
        error.msg = str(error)  # what Python prints of one, and nothing else
    return error


def _text(found: dict[str, Any], name: str) -> str:
    text = found.get(name)
    return text if isinstance(text, str) else ""


_LONGEST_NAME = 200
_ENDS_LOOPS = (StopIteration, StopAsyncIteration)
"""In a generator or a coroutine these mean something else than an error."""


_KINDS: dict[type, type[RemoteError]] = {}


def _typed(base: type[Exception]) -> type[RemoteError]:
    """RemoteError that is also of a built-in type, as far as their layouts agree."""
    if issubclass(base, _ENDS_LOOPS):
        return RemoteError
    if base not in _KINDS:
        members = {"__str__": RemoteError.__str__, "__doc__": f"{base.__name__} in env.py."}
        try:
            made = type(f"Remote{base.__name__}", (RemoteError, base), members)
            made("probe", where="", fix="")
            _KINDS[base] = made
        except TypeError:
            _KINDS[base] = RemoteError
    return _KINDS[base]


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and decoded value of an answer."""

    status: int
    value: Any


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
            _indented(f"env.py could not be loaded: {inner.what}"),
            where=inner.where,
            fix=_indented(f"correct the file\n\n{inner.traceback}".rstrip()),
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
