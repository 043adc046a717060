"""Containers whose process is gone -> removed. Never anyone else's.

Only containers with the labels of `owner` are looked at; stopped, paused and merely created ones
as well. One whose process lives, or of which nothing is known, stays; so does one that has the
labels from its image, which somebody made of a container of ours. With a container go the
anonymous volumes that the engine made for it, and no others.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.runtime.container import remove_container
from reconciler.rayfine.runtime.owner import LAUNCH, SESSION, Owner, judge

_STOPPED = ("created", "exited", "dead")


@dataclass(frozen=True, slots=True)
class Found:
    """A container of some process. `state` is the engine's word: created, running, paused, ..."""

    name: str
    state: str
    labels: Mapping[str, str]
    image: str

    @property
    def is_orphan(self) -> bool:
        """Whether nobody can need it any more."""
        owner = judge(self.labels)
        return owner is Owner.GONE or (owner is Owner.REBOOTED and self.state in _STOPPED)


def find_containers(docker: Engine) -> list[Found]:
    """Every container with an environment on this engine, whoever started it."""
    with docker.session() as client:
        found: list[dict[str, Any]] = client.containers(
            all=True, filters={"label": [SESSION, LAUNCH]}
        )
    return [
        Found(
            str(item["Names"][0]).removeprefix("/"), item["State"], item["Labels"], item["ImageID"]
        )
        for item in found
        if item.get("Names")
    ]


def sweep(docker: Engine) -> tuple[str, ...]:
    """Remove every orphan; their names."""
    return tuple(_remove(docker, [item for item in find_containers(docker) if item.is_orphan]))


def sweep_session(docker: Engine, session: str) -> tuple[str, ...]:
    """Remove every container of one session, of which the caller knows that it has ended."""
    found = find_containers(docker)
    return tuple(_remove(docker, [item for item in found if item.labels[SESSION] == session]))


def _remove(docker: Engine, found: list[Found]) -> Iterator[str]:
    for item in found:
        if _is_created_by_its_launch(docker, item):
            remove_container(docker, item.name, item.labels[LAUNCH])
            yield item.name


def _is_created_by_its_launch(docker: Engine, item: Found) -> bool:
    """Whether it was given the labels itself. Without its image nothing is known of that."""
    image = docker.inspect(item.image)
    if image is None:
        return False
    inherited = (image.get("Config") or {}).get("Labels") or {}
    return bool(inherited.get(LAUNCH) != item.labels[LAUNCH])
