"""The environments of this process: listed, found by id, and cleaned up when it exits."""

import atexit
import difflib
import threading
from typing import Protocol

from reconciler.rayfine.forks import anew_after_fork
from reconciler.rayfine.runtime.crew import all_errors
from reconciler.rayfine.runtime.errors import EnvironmentNotFoundError


class Active(Protocol):
    """What the registry needs of an environment."""

    @property
    def id(self) -> str: ...

    def cleanup(self) -> None: ...


class Registry:
    """Active environments by id. Its lock is never held while one of them is called."""

    def __init__(self) -> None:
        self.after_fork()
        anew_after_fork(self)

    def after_fork(self) -> None:
        """A fork owns none of its parent's."""
        self._lock = threading.Lock()
        self._found: dict[str, Active] = {}

    def add(self, environment: Active) -> None:
        """Register one; all are cleaned up at exit from now on."""
        with self._lock:
            atexit.unregister(self._at_exit)  # again: a fork may have lost it
            atexit.register(self._at_exit)
            self._found[environment.id] = environment

    def discard(self, environment: Active) -> None:
        """Forget one, if it is the one that is registered."""
        with self._lock:
            if self._found.get(environment.id) is environment:
                del self._found[environment.id]

    def ids(self) -> list[str]:
        """The ids in the order in which they were loaded."""
        with self._lock:
            return list(self._found)

    def get(self, identity: str) -> Active:
        """One by id. Raises `EnvironmentNotFoundError`."""
        with self._lock:
            if identity in self._found:
                return self._found[identity]
            known = list(self._found)
        close = difflib.get_close_matches(identity, known, 3)
        hint = f"did you mean {' or '.join(close)}?" if close else "see list_active_environments()"
        raise EnvironmentNotFoundError(f"no active environment has the id {identity!r}", fix=hint)

    def cleanup_all(self) -> None:
        """Clean all of them up, side by side. Raises the errors together, after all were tried."""
        with self._lock:
            found = list(self._found.values())
        if not found:
            return
        errors = all_errors([item.cleanup for item in found])
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise BaseExceptionGroup("environments could not be cleaned up", errors)

    def _at_exit(self) -> None:
        with self._lock:
            found = list(self._found.values())
        all_errors([item.cleanup for item in found])  # what is left, the watcher removes


ACTIVE = Registry()
"""The one registry of the process: the README's functions have no other place to look."""
