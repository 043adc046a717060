"""The process in which env.py runs with `engine: process`: requests over a Unix socket.

One request after the other per connection, each a line of JSON and its body; the main thread runs
the synchronous methods, so that a signal can end even one that sleeps. Its standard output is the
container's: nothing of the protocol goes there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading

from .runner import Lane, Runner
from .wire import Wire

INTERRUPT = signal.SIGUSR1


def main(path: str) -> None:
    """Serve until the process is ended."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("800")  # before the agent, if memory runs out
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    lane = Lane(lambda: signal.pthread_kill(main_thread, INTERRUPT))
    signal.signal(INTERRUPT, lambda _number, _frame: lane.check())
    runner = Runner(lane)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path + ".new")
    listener.listen(128)
    os.rename(path + ".new", path)
    threading.Thread(target=_accept, args=(listener, runner), daemon=True).start()
    lane.run()


def _accept(listener: socket.socket, runner: Runner) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve, args=(connection, runner), daemon=True).start()


def _serve(connection: socket.socket, runner: Runner) -> None:
    wire = Wire(connection)
    with contextlib.suppress(OSError, EOFError, ValueError), connection:
        while (head := wire.read_head()) is not None:
            body = wire.read(head["length"])
            status, pieces = runner.handle(head["operation"], head["name"], head["id"], body)
            del body
            wire.send_head({"status": status}, pieces)
            del pieces


if __name__ == "__main__":
    main(sys.argv[1])
