"""What a fork has to begin anew.

A child of `os.fork` (multiprocessing on Linux, prefork servers, data loaders) has copies of its
parent's connections, of locks that a thread held at that moment, and of none of its threads. Two
processes on one connection take each other's answers. So whatever has any of these states here how
it begins anew, and does so before the child runs a line of its own.
"""

import contextlib
import os
import subprocess
import weakref
from typing import Any, Protocol


class Forked(Protocol):
    """Something with connections, locks or threads."""

    def after_fork(self) -> None:
        """Begin anew, in the child. Nothing may be sent on what the parent has open."""
        ...


_KNOWN: "weakref.WeakSet[Forked]" = weakref.WeakSet()


def anew_after_fork(item: Forked) -> None:
    """Have this begin anew in every child, for as long as it exists."""
    _KNOWN.add(item)


def let_go(process: "subprocess.Popen[Any]") -> None:
    """Leave a child of the parent alone, which may wait for the end of a pipe from it.

    Our copy of the pipe becomes one to nowhere; whoever still closes it does no harm.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    for pipe in (process.stdin, process.stdout, process.stderr):
        with contextlib.suppress(ValueError):  # it is closed already
            if pipe is not None:
                os.dup2(nowhere, pipe.fileno(), inheritable=False)
    os.close(nowhere)
    process.returncode = 0  # not ours to wait for


def _begin_anew() -> None:
    for item in list(_KNOWN):
        item.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
