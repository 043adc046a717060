"""An environment as its user sees it: setup, any method by name, cleanup."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from reconciler.errors import RayfineError
from reconciler.rayfine.agent.faults import OK, Redactor
from reconciler.rayfine.runtime.active import Registry
from reconciler.rayfine.runtime.client import (
    AnswerTimeoutError,
    ConnectionLostError,
    read_methods,
)
from reconciler.rayfine.runtime.dispatch import Dispatcher, Seat
from reconciler.rayfine.runtime.errors import (
    CallTimeoutError,
    EnvironmentEndedError,
    SetupError,
)
from reconciler.rayfine.runtime.fanout import AsyncMethods, MapResult, map_calls
from reconciler.rayfine.runtime.handle import Handle
from reconciler.rayfine.runtime.outcome import no_method, not_set_up, setup_error, value_of
from reconciler.rayfine.runtime.parallel import all_errors
from reconciler.rayfine.runtime.replica import Replica

HEARTBEAT_SECONDS = 5.0


class EnvironmentWrapper:
    """A loaded environment. May be used from many threads.

    Every public method of env.py can be called by its name. For names that mean something here
    (`setup`, `call`, `map`, ...) there is `call("setup", ...)`.
    """

    def __init__(
        self, identity: str, replicas: Sequence[Replica], call_timeout: float, registry: Registry
    ) -> None:
        """Take over started replicas. `call_timeout` is in seconds, 0 for none."""
        self._id = identity
        self._seats = Dispatcher([Seat(replica) for replica in replicas])
        self._call_timeout = call_timeout
        self._registry = registry
        self._methods: Mapping[str, Mapping[str, str]] | None = None
        self._is_set_up = False
        self._closed = threading.Event()
        self._cleanup_lock = threading.Lock()
        for replica in replicas:
            name = f"heartbeat-{replica.name}"
            threading.Thread(target=self._beat, args=(replica,), name=name, daemon=True).start()
        registry.add(self)

    @property
    def id(self) -> str:
        """The id under which `get_environment` finds it: the name of its container."""
        return self._id

    @property
    def aio(self) -> AsyncMethods:
        """The same methods as coroutines: `await env.aio.evaluate(...)`."""
        return AsyncMethods(self, self._names)

    def setup(self, /, **env_vars: Any) -> None:
        """Load env.py with these environment variables, in every replica, in a fresh interpreter.

        Raises `SetupError` with file and line where env.py cannot be loaded.
        """
        variables = _variables(env_vars)
        self._check_open()
        redact = Redactor(variables)
        self._is_set_up = False
        with ThreadPoolExecutor(len(self._seats.all)) as pool:
            work = [
                pool.submit(self._setup_one, seat, variables, redact) for seat in self._seats.all
            ]
        found = [item.result() for item in work]
        self._methods = found[0]
        self._is_set_up = True

    def cleanup(self) -> None:
        """End it: containers are removed, calls under way end with an error. Idempotent."""
        self._closed.set()
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
        count = _side_by_side or 8 * len(self._seats.all)
        return map_calls(self, name, inputs, count, _timeout)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        try:
            known = self._known()
        except RayfineError as error:
            raise AttributeError(f"{name!r}: {error}") from error
        if name not in known:
            raise no_method(name, known, self._id, loaded=self._is_set_up)

        def method(*args: Any, **kwargs: Any) -> Any:
            return self._invoke(name, args, kwargs, Handle(None))

        method.__name__ = method.__qualname__ = name
        method.__doc__ = known[name].get("doc", "")
        return method

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(self._methods or {})})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cleanup()

    def __repr__(self) -> str:
        state = "cleaned up" if self._closed.is_set() else f"{len(self._seats.all)} running"
        return f"<environment {self._id}: {state}>"

    def _names(self) -> Mapping[str, Any]:
        return self._known()

    def _known(self) -> Mapping[str, Mapping[str, str]]:
        if self._methods is None:
            self._check_open()
            seat = self._seats.all[0]
            with self._diagnosed(seat, "list_methods"):
                self._methods = seat.replica.client.methods()
        return self._methods

    def _setup_one(
        self, seat: Seat, variables: Mapping[str, str], redact: Redactor
    ) -> Mapping[str, Mapping[str, str]]:
        seat.replica.hide(redact)
        with self._diagnosed(seat, "setup"):
            reply = seat.replica.client.setup(variables, self._call_timeout)
        if reply.status != OK:
            raise setup_error(reply, seat.replica.name)
        seat.lost = False
        return read_methods(reply.value)

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
            handle.started(seat.replica.client)
            with self._diagnosed(seat, name):
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
        except AnswerTimeoutError as error:
            seat.lost = True
            seat.replica.remove()
            raise CallTimeoutError(
                f"{name} went on after its limit, and its agent does not answer: it was removed",
                where=seat.replica.name,
                fix="load the environment again",
            ) from error
        except ConnectionLostError as error:
            seat.lost = True
            self._check_open()
            raise seat.replica.explain(error) from error

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
