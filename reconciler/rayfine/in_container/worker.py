"""The process in which env.py runs with `engine: process`: requests over a Unix socket.

One request after the other per connection, each a line of JSON and its body. The main thread runs
the synchronous methods, so that a signal can end even one that sleeps; requests are read on an
event loop of their own, so that neither they nor user code keep a cancel from being heard. Its
standard output is the container's: nothing of the protocol goes there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import signal
import socket
import threading

from .env_runner import Job, MainLane, Runner
from .streams import Stream, listen

INTERRUPT = signal.SIGUSR1


def main(path: str, max_concurrency: int) -> None:
    """Serve until the process is ended."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("800")  # before the agent, if memory runs out
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    lane = MainLane(jobs, lambda: signal.pthread_kill(main_thread, INTERRUPT))
    signal.signal(INTERRUPT, lambda _number, _frame: lane.check())
    runner = Runner(lane, jobs, max_concurrency)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path + ".new")
    listener.listen()
    os.rename(path + ".new", path)
    threading.Thread(target=_serve, args=(listener, runner), name="requests", daemon=True).start()
    lane.run()


def _serve(listener: socket.socket, runner: Runner) -> None:
    async def converse(stream: Stream) -> None:
        while True:
            head = await stream.read_head()
            body = await stream.read(head["length"])
            status, pieces = await runner.handle(head["operation"], head["name"], head["id"], body)
            del body
            await stream.send_head({"status": status}, pieces)
            del pieces

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(listen(listener, converse))
    loop.run_forever()
