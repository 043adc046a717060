"""The agent as an archive that is put into a container: its own files and its settings."""

import io
import json
import tarfile
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

DIRECTORY = ".rayfine"
PACKAGE = "rayfine_agent"
START = "rayfine_start.py"
COMMAND = ("python3", f"/{DIRECTORY}/{START}", f"/{DIRECTORY}/settings.json")


def pack(settings: Mapping[str, Any]) -> bytes:
    """A tar archive for `/`. The settings hold the token: readable inside, and nowhere else."""
    files = {**_agent_files(), "settings.json": json.dumps(dict(settings)).encode()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in (DIRECTORY, f"{DIRECTORY}/{PACKAGE}"):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(directory)
        for name, data in files.items():
            file = tarfile.TarInfo(f"{DIRECTORY}/{name}")
            file.size, file.mode = len(data), 0o444
            archive.addfile(file, io.BytesIO(data))
    return buffer.getvalue()


@cache
def _agent_files() -> dict[str, bytes]:
    items = resources.files("reconciler.rayfine.in_container").iterdir()
    found = {f"{PACKAGE}/{i.name}": i.read_bytes() for i in items if i.name.endswith(".py")}
    return {**found, START: f"from {PACKAGE}.__main__ import main\n\nmain()\n".encode()}
