"""A Docker engine of a test's own, which may be stopped, killed and started again."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reconciler.errors import UnreachableError
from reconciler.rayfine.docker.connect import DockerTls
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.runtime.network import LABEL


class SecondEngine:
    """A `dockerd` with everything in one directory; `address` is where it listens."""

    def __init__(self, place: Path, bridge: str, address: str, *words: str) -> None:
        self.address = address
        self._place = place
        self._words = (
            "dockerd", "--host", address, *words,
            "--data-root", f"{place}/data", "--exec-root", f"{place}/exec",
            "--pidfile", f"{place}/pid", f"--bridge={bridge}", "--iptables=false",
            "--ip6tables=false", "--log-level=error",
        )  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self._tls: DockerTls | None = None

    def start(self, tls: DockerTls | None = None) -> None:
        """Start it, and wait until it answers."""
        self._tls = tls
        # Of a crash: where nobody reaps it, its dead containerd would be taken for a live one.
        (self._place / "exec/containerd/containerd.pid").unlink(missing_ok=True)
        with (self._place / "log").open("ab") as log:
            process = self._process = subprocess.Popen(self._words, stdout=log, stderr=log)
        with contextlib.closing(Engine(self.address, timeout=120, tls=tls)) as engine:
            for _ in range(600):
                with contextlib.suppress(UnreachableError):
                    engine.check()
                    return
                assert process.poll() is None, (self._place / "log").read_text()
                time.sleep(0.1)
        raise AssertionError((self._place / "log").read_text())

    def load(self, image: str, tls: DockerTls | None = None) -> None:
        """Give it an image of the ordinary engine."""
        with (
            contextlib.closing(Engine(self.address, timeout=120, tls=tls)) as engine,
            Engine().session() as here,
            engine.session() as there,
        ):
            load: Any = there.load_image
            load(here.get_image(image))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it; what it leaves behind in the case of SIGKILL is as after a crash."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()

    def close(self) -> None:
        """End it, and undo what it has left: networks, and after a crash what is mounted."""
        if self._process is not None and self._process.poll() is None:
            self._remove_networks()
        self.stop()
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for found in sorted(mounts, reverse=True):
            if found.startswith(f"{self._place}/"):
                subprocess.run(["umount", "--lazy", found], check=True)

    def _remove_networks(self) -> None:
        """It would leave their interfaces behind."""
        with (
            contextlib.closing(Engine(self.address, timeout=120, tls=self._tls)) as engine,
            engine.session() as client,
        ):
            for container in client.containers(all=True):
                client.remove_container(container["Id"], force=True)
            for network in client.networks(filters={"label": [LABEL]}):
                client.remove_network(network["Id"])


@contextlib.contextmanager
def bridge(subnet: str) -> Iterator[str]:
    """A network bridge: with `--bridge=none` an engine would delete the docker0 of another."""
    name = f"rem{os.getpid()}{subnet.split('.')[2]}"[:15]
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "address", "add", subnet, "dev", name], check=True)
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "link", "delete", name], check=True)
