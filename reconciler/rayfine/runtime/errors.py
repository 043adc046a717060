"""What can go wrong with a rayfine environment: kinds of `RayfineError`."""

import builtins
from typing import Any

from reconciler.errors import RayfineError, shown
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
        text = super().__str__()
        return f"{text}\n\n{shown(self.traceback.rstrip())}" if self.traceback else text


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
