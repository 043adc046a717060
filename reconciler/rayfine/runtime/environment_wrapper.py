"""An environment as its user sees it: setup, any method by name, cleanup."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NoReturn, Self

from reconciler.errors import RayfineError
from reconciler.rayfine.forks import anew_after_fork
from reconciler.rayfine.in_container.faults import OK
from reconciler.rayfine.runtime.active_environments import Registry
from reconciler.rayfine.runtime.agent_client import (
    MOST_CALLS,
    GivenUpError,
    WaitedTooLongError,
    checked_methods,
)
from reconciler.rayfine.runtime.agent_connections import AnswerTimeoutError, ConnectionLostError
from reconciler.rayfine.runtime.crew import all_errors
from reconciler.rayfine.runtime.errors import (
    CallCancelledError,
    CallTimeoutError,
    EnvironmentEndedError,
    SetupError,
    TransferError,
    no_method,
    not_set_up,
    setup_error,
    value_of,
)
from reconciler.rayfine.runtime.parallel_calls import AsyncMethods, Handle, MapResult, map_calls
from reconciler.rayfine.runtime.replica import Dispatcher, Replica, Seat

HEARTBEAT_SECONDS = 5.0
_SETUPS = 32
"""Replicas that are set up side by side."""


class EnvironmentWrapper:
    """A loaded environment. May be used from many threads, event loops, and forks.

    A fork calls it over connections of its own. Only the process that loaded it ends it: elsewhere
    `cleanup` and the end of a `with` block let go of it, no more.

    Every public method of env.py can be called by its name. For names that mean something here
    (`setup`, `call`, `map`, ...) there is `call("setup", ...)`.
    """

    def __init__(
        self,
        identity: str,
        replicas: Sequence[Replica],
        registry: Registry,
        *,
        call_timeout: float,
        side_by_side: int = 8,
    ) -> None:
        """Take over started replicas. `call_timeout` is in seconds, 0 for none.

        `side_by_side`: how many calls of `map` keep one replica busy.
        """
        self._id = identity
        self._seats = Dispatcher([Seat(replica) for replica in replicas])
        self._call_timeout = call_timeout
        self._side_by_side = side_by_side * len(replicas)
        self._registry = registry
        self._methods: Mapping[str, Mapping[str, str]] | None = None
        self._is_set_up = False
        self._owner = os.getpid()
        self._closed = threading.Event()
        self._cleanup_lock = threading.Lock()
        self._aio = AsyncMethods(self._invoke, self._known, identity, MOST_CALLS * len(replicas))
        anew_after_fork(self)
        for replica in replicas:
            name = f"heartbeat-{replica.name}"
            threading.Thread(target=self._beat, args=(replica,), name=name, daemon=True).start()
        registry.add(self)

    def after_fork(self) -> None:
        """The parent's threads go on with heartbeats; what they may hold is made anew."""
        is_closed = self._closed.is_set()
        self._closed = threading.Event()
        self._cleanup_lock = threading.Lock()
        if is_closed:
            self._closed.set()

    @property
    def id(self) -> str:
        """The id under which `get_environment` finds it: the name of its container."""
        return self._id

    @property
    def aio(self) -> AsyncMethods:
        """The same methods as coroutines: `await env.aio.evaluate(...)`."""
        return self._aio

    def setup(self, /, **env_vars: Any) -> None:
        """Load env.py with these environment variables, in every replica, in a fresh interpreter.

        Raises `SetupError` with file and line where env.py cannot be loaded.
        """
        variables = _variables(env_vars)
        self._check_open()
        self._is_set_up = False
        with ThreadPoolExecutor(min(len(self._seats.all), _SETUPS)) as pool:
            work = [pool.submit(self._setup_one, seat, variables) for seat in self._seats.all]
        found = [item.result() for item in work]
        self._methods = found[0]
        self._is_set_up = True

    def cleanup(self) -> None:
        """End it: containers are removed, calls under way end with an error. Idempotent.

        In a fork of the process that loaded it, this ends the fork's own connections alone.
        """
        self._closed.set()
        if self._owner != os.getpid():
            for seat in self._seats.all:
                seat.replica.client.close()
            return
        self._registry.discard(self)
        with self._cleanup_lock:
            errors = all_errors([seat.replica.remove for seat in self._seats.all])
        if errors:
            raise errors[0]

    def list_methods(self) -> list[str]:
        """The names of the methods that env.py defines, sorted."""
        return sorted(self._known())

    def describe_methods(self) -> dict[str, str]:
        """Signatures by name, such as `async (task_type='sat', **kwargs)`."""
        return {name: found.get("signature", "") for name, found in sorted(self._known().items())}

    def is_ready(self) -> bool:
        """Whether every replica is set up and would take a call now."""
        if self._closed.is_set():
            return False
        try:
            found = [seat.replica.client.health() for seat in self._seats.all]
        except (ConnectionLostError, RayfineError):
            return False
        return all(item.get("state") == "ready" and item.get("setup") is True for item in found)

    def call(self, name: str, /, *args: Any, _timeout: float | None = None, **kwargs: Any) -> Any:
        """Call a method by its name. `_timeout` in seconds; 0 is none, None the environment's own.

        Raises `RemoteError` for what env.py raised, `CallTimeoutError` at the time limit.
        """
        return self._invoke(name, args, kwargs, Handle(_timeout))

    def map(
        self,
        name: str,
        inputs: Iterable[Any],
        /,
        *,
        _timeout: float | None = None,
        _side_by_side: int = 0,
    ) -> Iterator[MapResult]:
        """Call a method once per input, spread over the replicas; results as they come.

        An input is a mapping of keyword arguments, or the only argument. An error ends no other
        call: it is in its result. Inputs are taken only as they are needed.
        """
        count = _side_by_side or self._side_by_side
        return map_calls(partial(self._invoke, name), inputs, count, _timeout, self._id)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        try:
            known = self._known()
        except RayfineError as error:
            raise AttributeError(f"{name!r}: {error}") from error
        if name not in known:
            raise no_method(name, known, self._id, loaded=self._is_set_up)

        method = partial(self._plain, name)
        doc = known[name].get("doc", "")
        vars(method).update(__name__=name, __qualname__=name, __doc__=doc)
        return method

    def _plain(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        return self._invoke(name, args, kwargs, Handle(None))

    def __reduce__(self) -> NoReturn:
        raise TransferError(
            "an environment cannot be pickled: it is the process's that loaded it",
            where=self._id,
            fix="let a fork inherit it, in a global variable; or serve it with `reconcile serve`, "
            "and let every process load it with mode='remote'",
        )

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(self._methods or {})})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cleanup()

    def __repr__(self) -> str:
        state = "cleaned up" if self._closed.is_set() else f"{len(self._seats.all)} running"
        return f"<environment {self._id}: {state}>"

    def _known(self) -> Mapping[str, Mapping[str, str]]:
        if self._methods is None:
            self._check_open()
            seat = self._seats.all[0]
            with self._diagnosed(seat, "list_methods"):
                self._methods = seat.replica.client.methods()
        return self._methods

    def _setup_one(
        self, seat: Seat, variables: Mapping[str, str]
    ) -> Mapping[str, Mapping[str, str]]:
        seat.replica.hide(variables)
        with self._diagnosed(seat, "setup"):
            reply = seat.replica.client.setup(variables, self._call_timeout)
        if reply.status != OK:
            raise setup_error(reply, seat.replica.name)
        seat.lost = False
        return checked_methods(reply.value)

    def _invoke(
        self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], handle: Handle
    ) -> Any:
        self._check_open()
        limit = self._call_timeout if handle.timeout is None else handle.timeout
        if not self._is_set_up:
            raise not_set_up(self._id)
        if name not in (self._methods or {}):
            raise no_method(name, self._methods or {}, self._id, loaded=True)
        with self._seats.taken() as seat:
            with self._diagnosed(seat, name):
                handle.started(seat.replica.client)
                given = [list(args), dict(kwargs)]
                reply = seat.replica.client.call(name, given, limit, handle.identity)
            try:
                return value_of(reply, name, seat.replica.name)
            except EnvironmentEndedError:
                seat.lost = True
                raise

    @contextlib.contextmanager
    def _diagnosed(self, seat: Seat, name: str) -> Iterator[None]:
        """Turn a lost connection into an error that says why."""
        try:
            yield
        except GivenUpError as error:
            raise CallCancelledError(f"{name} was cancelled", where=self._id) from error
        except WaitedTooLongError as error:
            raise CallTimeoutError(
                f"{name} still waited for its turn at its time limit: it was not called",
                where=self._id,
                fix="give it more: call(name, ..., _timeout=SECONDS), or load more replicas",
            ) from error
        except ConnectionLostError as error:
            self._check_open()
            found = seat.diagnose(error)
            if isinstance(error, AnswerTimeoutError):
                raise CallTimeoutError(
                    f"{name} went on after its limit, and {found.what}",
                    where=found.where,
                    fix=found.fix,
                ) from error
            raise found from error

    def _beat(self, replica: Replica) -> None:
        while not self._closed.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(ConnectionLostError, RayfineError):
                replica.client.heartbeat()

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise EnvironmentEndedError(
                "this environment was cleaned up", where=self._id, fix="load it again"
            )


def _variables(given: Mapping[str, Any]) -> dict[str, str]:
    """Environment variables as text. Raises `SetupError` for what is none."""
    found = {}
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise SetupError(
                f"{name} is {type(value).__name__}, and an environment variable is text",
                fix="pass a str, for example json.dumps(...)",
            )
        text = str(value)
        if "\0" in text or "\0" in name or "=" in name:
            raise SetupError(f"{name!r} is no environment variable", fix="leave out NUL and `=`")
        found[name] = text
    return found
