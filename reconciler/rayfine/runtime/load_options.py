"""What `load_env` was asked for: its arguments, checked once."""

import math
import re
from dataclasses import dataclass, field
from typing import Any

from reconciler.rayfine.docker.connect import DockerTls, read_tls
from reconciler.rayfine.runtime.errors import LoadError

ENGINES = ("ray", "process")
TRANSPORTS = ("agent", "ray-client")
DEFAULT_RAY_PORT = 10001
MOST_CONCURRENCY = 1000

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,200}")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one replica may use. Sizes in bytes; 0 means: what suits the engine and the machine."""

    memory: int = 0
    cpus: float = 0.0
    pids: int = 0
    shm: int = 0


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """One call of `load_env`. Times in seconds; a `call_timeout` of 0 is none."""

    image: str
    mode: str = "local"
    container_name: str = ""
    ray_port: int = DEFAULT_RAY_PORT
    engine: str = "ray"
    transport: str = "agent"
    replicas: int = 1
    limits: Limits = field(default_factory=Limits)
    timeout: float = 120.0
    call_timeout: float = 3600.0
    lease: float = 40.0
    max_concurrency: int = 0
    docker_host: str = ""
    warm: bool = True
    network: str = ""
    host: str = ""
    tls: DockerTls | None = None
    url: str = ""
    token: str = field(default="", repr=False)
    ca_file: str = ""
    ray_address: str = ""


def read_options(given: dict[str, Any]) -> LoadOptions:
    """Check the arguments of `load_env`. Raises `LoadError` that names the argument."""
    stated = dict(given)
    limits = Limits(
        memory=_size("memory", stated.pop("memory", 0)),
        cpus=_number("cpus", stated.pop("cpus", 0)),
        pids=int(_number("pids", stated.pop("pids", 0))),
        shm=_size("shm_size", stated.pop("shm_size", 0)),
    )
    known = set(LoadOptions.__dataclass_fields__) - {"limits"}
    unknown = sorted(set(stated) - known)
    if unknown:
        allowed = ", ".join(sorted(known | {"memory", "cpus", "pids", "shm_size"}))
        raise LoadError(f"load_env has no option {unknown[0]!r}", fix=f"its options are: {allowed}")
    if stated.get("max_concurrency", 1) == 0:
        raise LoadError(
            "max_concurrency cannot be 0", where="max_concurrency", fix="use a number from 1 on"
        )
    values = {name: value for name, value in stated.items() if value is not None}
    for name in ("timeout", "call_timeout", "lease"):
        if name in values:
            values[name] = _number(name, values[name])
    if stated.get("call_timeout", 1) is None:
        values["call_timeout"] = 0.0
    if "tls" in values:
        values["tls"] = read_tls(values["tls"])
    options = LoadOptions(limits=limits, **values)
    _check(options)
    return options


def _check(options: LoadOptions) -> None:
    name = options.container_name
    if name and not _NAME.fullmatch(name):
        raise LoadError(
            f"not a container name: {name!r}",
            where="container_name",
            fix="use letters, digits, `_`, `.` and `-`; the first one a letter or digit",
        )
    if options.engine not in ENGINES:
        raise LoadError(f"there is no engine {options.engine!r}", fix="use 'ray' or 'process'")
    _check_transport(options)
    if type(options.replicas) is not int or not 1 <= options.replicas <= 1000:
        raise LoadError(f"replicas cannot be {options.replicas!r}", fix="use a number from 1 on")
    _check_concurrency(options)
    if type(options.ray_port) is not int or not 1 <= options.ray_port <= 65535:
        raise LoadError(f"ray_port cannot be {options.ray_port!r}", fix="use 1 to 65535")


def _check_concurrency(options: LoadOptions) -> None:
    """0 is what stands there where nothing was said."""
    given = options.max_concurrency
    if type(given) is not int or not 0 <= given <= MOST_CONCURRENCY:
        raise LoadError(
            f"max_concurrency cannot be {given!r}",
            where="max_concurrency",
            fix=f"use a number from 1 to {MOST_CONCURRENCY}, or leave it out for Ray's own rule",
        )
    if given and options.url:
        raise LoadError(
            "how many calls run at once is the server's to say",
            where="max_concurrency",
            fix="start it with `reconcile serve ENV --max-concurrency N`, and leave it out here",
        )


def _check_transport(options: LoadOptions) -> None:
    if options.transport not in TRANSPORTS:
        raise LoadError(
            f"there is no transport {options.transport!r}", fix="use 'agent' or 'ray-client'"
        )
    if options.ray_address and (options.transport != "agent" or options.mode != "local"):
        raise LoadError(
            "replicas on a Ray cluster are called over HTTP, in mode 'local'",
            where="ray_address",
            fix="leave mode and transport out",
        )
    for name in ("docker_host", "host", "url", "tls"):
        if options.ray_address and getattr(options, name):
            raise LoadError(
                f"{name} and ray_address exclude each other",
                where=name,
                fix="leave it out: a node uses its own engine, the DOCKER_HOST of its `ray start`",
            )
    if options.transport == "agent":
        return
    if options.engine != "ray" or options.mode != "local":
        raise LoadError(
            "Ray Client reaches engine 'ray' in mode 'local' only",
            where="transport",
            fix="leave transport out: the agent serves every engine and mode",
        )
    if options.replicas != 1 and options.ray_port != DEFAULT_RAY_PORT:
        raise LoadError(
            "several replicas cannot share one port",
            where="ray_port",
            fix="leave ray_port out for any free ports",
        )


def _number(name: str, value: Any) -> float:
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LoadError(f"{name} is not a number: {value!r}", fix="give a number")
    if not math.isfinite(value) or value < 0:
        raise LoadError(f"{name} cannot be {value!r}", fix="give a number from 0 on")
    return float(value)


def _size(name: str, value: Any) -> int:
    """Bytes of a number, or of a text such as `512m` or `2g` (powers of 1024, as in Docker)."""
    if isinstance(value, str):
        found = _SIZE.fullmatch(value.strip())
        if found is None:
            raise LoadError(f"{name} is not a size: {value!r}", fix="write 512m or 2g")
        return int(float(found[1]) * _UNITS[found[2].lower()])
    return int(_number(name, value))
