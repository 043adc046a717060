"""The peer: what the README's own design does, with Ray Client. Runs in a Python with Ray.

`ray_client.py start IMAGE` starts a container and times it up to the first answer of an actor;
`ray_client.py join ADDRESS` connects to a running one. Every answer is a line of JSON: the id of
the container, the seconds to the first answer, and then for every line on standard input, `call N`
or `echo N`, the median of N calls in seconds.
"""

import json
import socket
import statistics
import subprocess
import sys
import time

import ray

PORT = 10001


class Actor:
    """As an environment's."""

    def echo(self, value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        """Give it back."""
        return value


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout


def start(image: str) -> tuple[str, str]:
    """The id of a new container, and where its Ray Client server will be."""
    identity = docker("run", "--detach", "--init", image).strip()
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return identity, docker("inspect", "--format", form, identity).strip()


def await_port(address: str) -> None:
    """Directly at the container's own address, where a port that accepts means something."""
    for _ in range(6000):
        try:
            socket.create_connection((address, PORT), 1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise SystemExit(f"no Ray Client server at {address}")


def median(actor: object, value: object, count: int) -> float:
    """Of so many calls, one after the other."""
    found = []
    for _ in range(count):
        begin = time.perf_counter()
        ray.get(actor.echo.remote(value))  # type: ignore[attr-defined]
        found.append(time.perf_counter() - begin)
    return statistics.median(found)


def main() -> None:
    """See above."""
    begin = time.perf_counter()
    identity, address = start(sys.argv[2]) if sys.argv[1] == "start" else ("", sys.argv[2])
    print(json.dumps(identity), flush=True)
    await_port(address)
    ray.init(f"ray://{address}:{PORT}", logging_level="error", log_to_driver=False)
    actor = ray.remote(num_cpus=0)(Actor).remote()
    ray.get(actor.echo.remote(1))
    print(json.dumps(time.perf_counter() - begin), flush=True)
    large = bytes(1 << 20)
    for line in sys.stdin:
        what, count = line.split()
        seconds = median(actor, large if what == "echo" else 1, int(count))
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()
