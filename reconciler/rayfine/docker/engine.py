"""One Docker engine: the calls we need, and its errors in our words. Enters the Docker SDK.

The SDK is imported when the first call is made. Every thread has its own connection; a build or a
push has one of its own, whose end, however it comes about, makes the engine stop the work.
"""

import math
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.errors import (
    AccessError,
    ConflictError,
    ProviderError,
    UnreachableError,
)
from reconciler.rayfine.docker.build_progress import BuildLog, Progress, push_error
from reconciler.rayfine.docker.connect import SYSTEM, DockerTls, connection, shown_address
from reconciler.rayfine.docker.ssh import Tunnel
from reconciler.rayfine.forks import anew_after_fork
from reconciler.rayfine.image.reference import parse_reference

if TYPE_CHECKING:
    from docker import APIClient

__all__ = ["SYSTEM", "BuildRequest", "Engine", "ImageSummary"]


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """One line of the engine's image list. `created` is in seconds since 1970."""

    id: str
    tags: tuple[str, ...]
    labels: Mapping[str, str]
    created: int = 0


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """A build: the archive as it is streamed, and what the engine is told beside it."""

    archive: Iterator[bytes]
    dockerfile: str
    labels: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    platform: str = ""
    nocache: bool = False


class Engine:
    """A Docker engine. `host` None is the ordinary one: DOCKER_HOST, or the Docker context."""

    def __init__(
        self, host: str | None = None, timeout: float = 30.0, tls: DockerTls | None = None
    ) -> None:
        """Nothing is connected yet. `timeout` is in seconds, for each answer."""
        self._tls = tls
        self._host = host
        self._timeout = timeout
        self._inherited: list[APIClient] = []
        self._begin()
        self._version: str | None = None
        self._platform: str | None = None
        anew_after_fork(self)

    def _begin(self) -> None:
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open: list[APIClient] = []
        self._tunnel: Tunnel | None = None

    def after_fork(self) -> None:
        """Leave connections to the parent: this process makes its own.

        They stay as they are, since closing them takes locks which a thread of the parent may hold.
        """
        self._inherited += self._open
        self._begin()

    def close(self) -> None:
        with self._lock:
            clients, self._open = self._open, []
        for client in clients:
            client.close()

    @property
    def name(self) -> str:
        """Where the engine is, in words."""
        stated = self._host or os.environ.get("DOCKER_HOST")
        return shown_address(stated) if stated else "the ordinary Docker context"

    def check(self) -> tuple[str, ...]:
        """Ask the engine for its version; lines about what was found, for `reconcile doctor`."""
        with self._understood("its version"), self._translated():
            found = dict(self._client().version())
        self._platform = f"{found.get('Os')}/{found.get('Arch')}"
        return f"version {found.get('Version')}, API {found.get('ApiVersion')}", self._platform

    def list_images(self, filters: Mapping[str, Sequence[str]]) -> list[ImageSummary]:
        """Tagged images that fit all filters, in one call."""
        with self._understood("images"), self._translated():
            found = self._client().images(filters={name: list(v) for name, v in filters.items()})
            return [
                ImageSummary(
                    id=_text(item["Id"]),
                    tags=tuple(tag for tag in _texts(item.get("RepoTags")) if tag != _NO_TAG),
                    labels=_labels(item.get("Labels")),
                    created=_moment(item.get("Created")),
                )
                for item in found
            ]

    def inspect(self, name: str) -> dict[str, Any] | None:
        """An image by tag or id, None if there is none. Its `Id` and its labels are there."""
        from docker.errors import ImageNotFound, NotFound  # noqa: PLC0415

        with self._understood("an image"), self._translated():
            try:
                client: Any = self._client()
                found: dict[str, Any] = client.inspect_image(name)
            except (ImageNotFound, NotFound):
                return None
            _text(found["Id"])
            _labels((found.get("Config") or {}).get("Labels"))
            return found

    def containers(self) -> list[tuple[str, str]]:
        """Image id and `NAME (state)` of every container, stopped ones as well, in one call."""
        with self._understood("containers"), self._translated():
            found = self._client().containers(all=True)
            return [
                (
                    _text(item["ImageID"]),
                    f"{_container_name(item)} ({item.get('State', 'unknown')})",
                )
                for item in found
            ]

    def tag(self, image_id: str, tag: str) -> None:
        """Give an image this tag, whoever had it before."""
        reference = parse_reference(tag)
        with self._translated():
            self._client().tag(image_id, reference.repository, reference.tag)

    def untag(self, tag: str) -> None:
        """Remove a tag, and the image if it was the last one; never by force."""
        with self._translated():
            self._client().remove_image(tag, force=False, noprune=False)

    def platform(self) -> str:
        """`OS/ARCHITECTURE` of the engine."""
        return self._platform or self.check()[-1]

    def build(self, request: BuildRequest, progress: Progress) -> str:
        """Build an image and return its id; it has no tag yet.

        Raises `BuildError` with the failing step and the last lines of its output.
        """
        platform = request.platform if request.platform != self.platform() else None
        log = BuildLog(progress)
        archive: Any = request.archive  # any iterator of bytes is sent in chunks
        with self._translated(), closing(self._connect()) as client:
            events = client.build(
                fileobj=archive,
                custom_context=True,
                dockerfile=request.dockerfile,
                buildargs=dict(request.arguments),
                labels=dict(request.labels),
                platform=platform or None,
                nocache=request.nocache,
                use_config_proxy=True,
                rm=True,
                forcerm=True,
                decode=True,
                timeout=_NO_LIMIT,
            )
            for event in events:
                log.add(event)
        return log.image_id()

    def push(self, tag: str, progress: Progress) -> None:
        """Push one tag to its registry, with the login that Docker has for it."""
        reference = parse_reference(tag)
        with self._translated(), closing(self._connect()) as client:
            events = client.push(reference.repository, reference.tag, stream=True, decode=True)
            for event in events:
                if event.get("error"):
                    raise push_error(tag, str(event["error"]))
                if event.get("status") and not event.get("progressDetail"):
                    progress(f"push: {event.get('id', '')} {event['status']}".replace("  ", " "))

    @contextmanager
    def session(self) -> Iterator["APIClient"]:
        """This thread's connection, for calls that have no method here; errors in our words."""
        with self._translated():
            yield self._client()

    def tunnel(self) -> Tunnel | None:
        """The ssh connection to the engine's machine; None if ports there are reached directly."""
        with self._translated():
            self._client()
        return self._tunnel

    def address(self) -> str:
        """`http://HOST:PORT` (or `https://`) of an engine that is asked over TCP, wherever that was
        said; empty for a socket of this machine, and behind ssh."""
        with self._translated():
            found = str(self._client().base_url)
        return found if found.startswith(("http://", "https://")) else ""

    def _client(self) -> "APIClient":
        if self._tunnel is not None and not self._tunnel.alive:
            self._tunnel = None
            self.close()
        client: APIClient | None = getattr(self._local, "client", None)
        if client is None or client not in self._open:
            client = self._local.client = self._connect()
            with self._lock:
                self._open.append(client)
        return client

    def _connect(self) -> "APIClient":
        from reconciler.rayfine.docker.sdk_client import CarefulClient  # noqa: PLC0415

        settings, self._tunnel = connection(self._host, self._tls)
        client = CarefulClient(
            **settings, version=self._version or "auto", timeout=math.ceil(self._timeout)
        )
        self._version = client.api_version
        return client

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from docker.errors import APIError, DockerException  # noqa: PLC0415
        from requests.exceptions import InvalidJSONError, RequestException  # noqa: PLC0415
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        try:
            yield
        except APIError as error:
            raise self._refused(error.status_code, error.explanation or str(error)) from error
        except InvalidJSONError as error:
            raise self._odd("what is no JSON") from error
        except (DockerException, RequestException, HTTPError, OSError) as error:
            raise self._unreachable(error) from error

    @contextmanager
    def _understood(self, what: str) -> Iterator[None]:
        """Turn what an answer of another form leads to into one error."""
        try:
            yield
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise self._odd(f"{what} in a form that is not documented: {error!r}") from error

    def _odd(self, what: str) -> ProviderError:
        return ProviderError(
            f"the engine answered {what}",
            where=self.name,
            fix="check that a Docker engine, and no other server, answers at this address",
        )

    def _refused(self, status: int | None, text: str) -> ProviderError:
        if status in (401, 403):
            return AccessError(text, where=self.name, fix="ask for the right to use this engine")
        if status == 409:
            return ConflictError(text, where=self.name, fix="remove what uses it, then run again")
        return ProviderError(text, where=self.name, fix="see the engine's own log for more")

    def _unreachable(self, error: Exception) -> UnreachableError:
        reason = str(error)
        fix = "start Docker, or set `docker.host` of the target or DOCKER_HOST"
        if "Permission denied" in reason or "PermissionError" in reason:
            fix = "join the group `docker`, or use a rootless engine"
        elif "timed out" in reason.lower():
            fix = "check that the engine is well, or raise `timeout` of the target"
        elif self._tunnel is not None:
            reason = self._tunnel.trouble() or reason
            fix = f"see whether `docker ps` works there; ssh said: {reason}"
        return UnreachableError(f"no answer: {_innermost(error)}", where=self.name, fix=fix)


_NO_TAG = "<none>:<none>"
_LATEST = 253_402_300_799
"""The last second of the year 9999."""

_NO_LIMIT: Any = None
"""A build step may be silent for as long as it takes."""


def _typed(value: Any, kind: type[Any], empty: Any) -> Any:
    """The value, or what stands for null. Raises `TypeError` for one of another type."""
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"{value!r:.50} is no {kind.__name__}")
    return empty if value is None else value


def _text(value: Any) -> str:
    return str(_typed(value, str, None))


def _texts(value: Any) -> list[str]:
    return [_text(item) for item in _typed(value, list, [])]


def _labels(value: Any) -> dict[str, str]:
    return {name: _text(item) for name, item in _typed(value, dict, {}).items()}


def _moment(value: Any) -> int:
    """Seconds since 1970; 0 for what no calendar has."""
    seconds = _typed(value, int, 0)
    return seconds if 0 < seconds <= _LATEST else 0


def _container_name(item: Mapping[str, Any]) -> str:
    names = item.get("Names") or [item["Id"][:12]]
    return f"container {str(names[0]).removeprefix('/')}"


def _innermost(error: BaseException) -> str:
    """The first cause, whose words name the reason instead of the library."""
    while error.__cause__ or error.__context__:
        inner = error.__cause__ or error.__context__
        assert inner is not None
        error = inner
    return str(error) or type(error).__name__
