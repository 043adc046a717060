"""Serve one env.py: `python -m PACKAGE SETTINGS.json`.

Settings: `token`, `port`, `engine` (`process`, `ray` or `ray-head`), `file`, `lease`,
`max_concurrency`, and for Ray what `ray_engine` reads.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import traceback

from .agent_server import Server, allow_connections
from .engines import Engine
from .process_engine import ProcessEngine


def main() -> None:
    with open(sys.argv[1]) as file:
        settings = json.load(file)
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    allow_connections()
    engine: Engine
    if settings["engine"] == "ray":
        from .ray_engine import RayEngine  # noqa: PLC0415

        engine = RayEngine(root, settings)
    elif settings["engine"] == "ray-head":
        from .ray_engine import RayHead  # noqa: PLC0415

        engine = RayHead(settings)
    else:
        engine = ProcessEngine(root, settings["max_concurrency"])
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((settings.get("host", "0.0.0.0"), settings["port"]))  # noqa: S104 (the container's own)
    Server(engine, settings).serve(listener)
    _start(engine)  # here: what Ray starts ends with the thread that started it
    threading.Event().wait()


def _start(engine: Engine) -> None:
    try:
        engine.start()
    except BaseException as error:  # noqa: BLE001
        traceback.print_exc()
        engine.fault = "%s: %s" % (type(error).__name__, str(error)[:2000])
        engine.state = "failed"


if __name__ == "__main__":
    main()
