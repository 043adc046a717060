"""A Ray driver in a process of its own: calls of one environment through Ray Client.

`python -m reconciler.rayfine.driver`; settings as one line of JSON on standard input, which stays
open as long as its owner lives; one line of JSON on standard output: `port`, or `fault`. After that
it answers as an agent does (`in_container/agent_server.py`), on 127.0.0.1 and with a token, too.

Why a process: `ray.init("ray://...")` takes over SIGTERM and is one per interpreter, many
connections in one process deadlock, a connection whose head died blocks for half a minute, and
what Ray returns is unpickled, which runs code of whoever made it. Here all of that ends with this
process; it has the rights of its user all the same.
"""

import json
import os
import socket
import sys
import threading
from typing import Any

from reconciler.rayfine.in_container.agent_server import Server
from reconciler.rayfine.in_container.engines import Answer, Request
from reconciler.rayfine.in_container.ray_engine import RayEngine, know_token, quieten

LOST = 3
"""Exit code when the connection to Ray is gone: nothing can be asked of it any more."""


class ClientEngine(RayEngine):
    """env.py in an actor of a Ray that is reached through Ray Client."""

    def start(self) -> None:
        os.environ["RAY_CLIENT_RECONNECT_GRACE_PERIOD"] = "0"
        know_token(self._settings["ray_token"])  # whatever this side's own Ray has
        quieten(self._settings["ray_token"])
        import ray  # noqa: PLC0415 (only where Ray is wanted)

        self._ray = ray
        ray.init(self._settings["address"], log_to_driver=False, logging_level="error")
        self._class = self._make_class()
        self.current = self._new_actor()
        ray.get(self.current.ping.remote())
        self.state = "ready"

    async def ask(self, request: Request) -> Answer:
        try:
            return await super().ask(request)
        except Exception as error:  # noqa: BLE001 (whatever Ray Client raises, it is lost)
            sys.stderr.write(f"Ray Client: {type(error).__name__}: {error}\n")
            sys.stderr.flush()
            os._exit(LOST)


def main() -> None:
    """Connect, tell the port, and serve until standard input ends."""
    settings: dict[str, Any] = json.loads(sys.stdin.readline())
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what Ray prints is no answer of ours
    engine = ClientEngine(settings["root"], settings)
    engine.package = settings["package"]
    try:
        engine.start()
    except Exception as error:  # noqa: BLE001 (its owner tells it in its own words)
        told.write(json.dumps({"fault": f"{type(error).__name__}: {error}"[:2000]}) + "\n")
        told.close()
        os._exit(1)
    listener = socket.create_server(("127.0.0.1", 0))
    Server(engine, settings).serve(listener)
    told.write(json.dumps({"port": listener.getsockname()[1]}) + "\n")
    told.close()
    threading.Thread(target=_end_with_owner, daemon=True).start()
    threading.Event().wait()


def _end_with_owner() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
