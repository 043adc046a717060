"""The provider of images: their content in a Docker engine, or in a registry if they are pushed.

The canonical spec has `tag`, `platform`, `base`, `dockerfile`, `build_args`, `context`, `labels`
and `push`. Live, it is rebuilt from the labels of the image (see `reconciler.rayfine.docker`), and
`push` says that the registry has it. Nothing is built, and no registry but that of a pushed image
is asked, to find out what has changed.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.core.diff import diff_specs
from reconciler.core.mark import hash_id
from reconciler.core.ownership import desired_mark
from reconciler.core.plan import Action, Change
from reconciler.core.resource import (
    LiveResource,
    Resource,
    ResourceKey,
)
from reconciler.errors import (
    BuildError,
    ConflictError,
    NotConvergedError,
    ProviderError,
    UnreachableError,
)
from reconciler.git.head import Provenance
from reconciler.kinds.image import IMAGE
from reconciler.providers.base import Progress, Provider
from reconciler.providers.docker.desired import Desired, resolve_images
from reconciler.providers.docker.local import LocalImage, LocalImages, Wanted
from reconciler.providers.docker.published import Published, PublishedImage
from reconciler.providers.docker.registry import Registries
from reconciler.rayfine.docker.builder import Making, make_image
from reconciler.rayfine.docker.engine import SYSTEM, Engine, ImageSummary
from reconciler.rayfine.docker.labels import (
    DIGEST,
    OCI,
    content_labels,
    owner_labels,
    parse_labels,
)
from reconciler.rayfine.image.build_input import Surroundings


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """Whose images, and where. `origin` tells, when one is made, what it is made from."""

    root: Path
    stack: str
    around: Surroundings = field(default_factory=Surroundings)
    origin: Callable[[], Provenance] = Provenance
    parallelism: int = 10


class ImageProvider(Provider):
    """Reads, builds, tags, pushes and removes images."""

    traits = IMAGE
    system = SYSTEM

    def __init__(self, settings: ImageSettings, engine: Engine, registries: Registries) -> None:
        """Nothing is connected yet."""
        self._settings = settings
        self._engine = engine
        self._published = Published(registries)
        self._desired: Mapping[ResourceKey, Desired] = {}
        self._resolved = threading.Event()

    def resolve(self, resources: Sequence[Resource]) -> Sequence[Resource]:
        """Compute digests and specs from the disk. Raises `ManifestError`."""
        try:
            self._desired = resolve_images(resources, self._settings.root, self._settings.around)
        finally:
            self._resolved.set()
        return [item.resource for item in self._desired.values()]

    def read(self) -> Sequence[LiveResource]:
        """Two list calls of the engine, and one look at the registry per pushed image.

        Waits for `resolve`, which says what to look for, where both run side by side.
        """
        self._resolved.wait()
        return self._read(self._pushed())

    def usage(self, live: Sequence[LiveResource]) -> Mapping[str, tuple[str, ...]]:
        """The containers, stopped ones as well, that were made of these images."""
        local = [item for item in live if isinstance(item.raw, LocalImage)]
        containers = self._engine.containers() if local else []
        found = {}
        for item in local:
            users = tuple(sorted(name for image, name in containers if image in _ids(item)))
            if users:
                found[item.uid] = users
        return found

    def write(self, change: Change, progress: Progress) -> str:
        """Build or retag, or remove our tags. Returns the image's id, or its manifest's digest."""
        if change.action is Action.DELETE:
            assert change.live is not None
            self._delete(change.live)
            return change.live.uid
        assert change.desired is not None
        desired = self._desired[change.key]
        if change.desired.spec.get("push"):
            return self._publish(desired, change, progress)
        self._check_unmoved(desired.build.tag, change.live)
        image_id = make_image(self._engine, desired.build, self._making(desired, progress))
        self._engine.tag(image_id, desired.build.tag)
        self._drop_old_tags(desired, change.live, progress)
        return image_id

    def settle(
        self, changes: Sequence[Change], uids: Mapping[str, str]
    ) -> Mapping[str, ProviderError]:
        """List once, and look up each pushed image of these changes."""
        pushed = [
            change.desired
            for change in changes
            if change.desired is not None and change.desired.spec.get("push")
        ]
        live = self._read(pushed)
        problems = {change.address: self._fault(change, live, uids) for change in changes}
        return {
            address: NotConvergedError(problem) for address, problem in problems.items() if problem
        }

    def _fault(
        self, change: Change, live: Sequence[LiveResource], uids: Mapping[str, str]
    ) -> str | None:
        marked = [
            item
            for item in live
            if item.mark is not None
            and item.mark.stack == self._settings.stack
            and item.mark.id_hash == hash_id(*change.key)
        ]
        if change.action is Action.DELETE:
            assert change.live is not None
            here = [item for item in marked if item.uid == change.live.uid]
            still = bool(here) and change.live.mark == here[0].mark
            return "not converged: its tags are still there" if still else None
        assert change.desired is not None
        found = next((item for item in marked if item.mark and not item.mark.deposed), None)
        if found is None or found.uid != uids.get(change.address, found.uid):
            return f"not converged: {change.desired.spec['tag']} is not the image that was made"
        names = [item.name for item in diff_specs(found.spec, change.desired.spec, frozenset())]
        if found.mark != desired_mark(change.desired, self._settings.stack):
            names.append("metadata")
        return f"not converged: {', '.join(names)}" if names else None

    def _pushed(self) -> list[Resource]:
        return [item.resource for item in self._desired.values() if item.resource.spec.get("push")]

    def _read(self, pushed: Sequence[Resource]) -> list[LiveResource]:
        with ThreadPoolExecutor(self._settings.parallelism) as pool:
            looks = pool.map(self._published.read, pushed)
            live = self._read_engine(only_extra=len(self._pushed()) == len(self._desired))
            for resource, found in zip(pushed, looks, strict=True):
                if found is not None:
                    live = [item for item in live if not _is_copy(item, resource)]
                    live.append(found)
        return live

    def _read_engine(self, *, only_extra: bool) -> list[LiveResource]:
        """What the engine has. It may be out of reach where the registry has all that is wanted."""
        try:
            images = self._list()
        except UnreachableError:
            if only_extra and self._desired:
                return []
            raise
        wanted = {
            key: Wanted(item.build.tag, item.build.digest) for key, item in self._desired.items()
        }
        return list(LocalImages(images, self._settings.stack, wanted).live())

    def _list(self) -> list[ImageSummary]:
        found = self._engine.list_images({"label": [DIGEST]})
        tags = [
            item.build.tag for item in self._desired.values() if not item.resource.spec.get("push")
        ]
        if tags:
            found += self._engine.list_images({"reference": tags})
        merged: dict[str, ImageSummary] = {}
        for image in found:
            known = merged.get(image.id, image)
            tags_of_both = tuple(sorted({*known.tags, *image.tags}))
            merged[image.id] = replace(image, tags=tags_of_both)
        return list(merged.values())

    def _making(self, desired: Desired, progress: Progress) -> Making:
        origin = self._settings.origin()
        labels = {f"{OCI}source": origin.source, f"{OCI}revision": origin.commit}
        known = {name: text for name, text in labels.items() if text}
        mark = owner_labels(desired.resource, self._settings.stack, origin.written)
        return Making(progress, {**known, **mark})

    def _publish(self, desired: Desired, change: Change, progress: Progress) -> str:
        resource, build = desired.resource, desired.build
        making = self._making(desired, progress)
        labels = {**content_labels(build), **making.labels}
        raw = change.live.raw if change.live is not None else None
        expected = raw.tag_digest if isinstance(raw, PublishedImage) else ""
        digest = self._published.publish(resource, labels, expected)
        if digest is None:
            copy = self._copy(desired)
            image_id = make_image(self._engine, build, making)
            self._engine.push(build.source_tag, progress)
            if copy is not None and copy == self._id_of(build.tag):
                self._engine.tag(image_id, build.tag)
            digest = self._published.publish(resource, labels, expected)
        if digest is None:
            raise BuildError(
                f"{build.source_tag} was pushed, but its registry does not have it",
                where=resource.key.address,
                fix="check that the engine and this machine reach the same registry",
            )
        return digest

    def _copy(self, desired: Desired) -> str | None:
        """The id of the engine's copy of a pushed image, "" for none, None if TAG is another's.

        Asked before a build, which may move the `:src-` tag that proves the copy to be ours.
        """
        there = self._engine.inspect(desired.build.tag)
        if there is None:
            return ""
        labels = parse_labels(_labels_of(there))
        if labels is None or labels.key != desired.resource.key:
            return None
        image_id = str(there["Id"])
        return image_id if self._id_of(labels.source_tag) == image_id else None

    def _id_of(self, tag: str) -> str:
        there = self._engine.inspect(tag)
        return str(there["Id"]) if there else ""

    def _check_unmoved(self, tag: str, live: LiveResource | None) -> None:
        planned = live.raw.tags.get(tag, "") if live and isinstance(live.raw, LocalImage) else ""
        if self._id_of(tag) != planned:
            raise ConflictError(
                f"{tag} is no longer the image that was planned with",
                where=self._engine.name,
                fix="plan again",
            )

    def _drop_old_tags(
        self, desired: Desired, live: LiveResource | None, progress: Progress
    ) -> None:
        """After a change of the tag: remove the old one and its contents' tags."""
        raw = live.raw if live else None
        if not isinstance(raw, LocalImage) or raw.tag in ("", desired.build.tag):
            return
        for tag, image_id in raw.tags.items():
            try:
                self._untag(tag, image_id)
            except ConflictError as error:
                progress(f"{tag} stays for now: {error.what}")

    def _delete(self, live: LiveResource) -> None:
        users = self.usage([live]).get(live.uid, ())
        if users:
            raise ConflictError(
                f"in use by {', '.join(users)}",
                where=live.name,
                fix="remove these containers, then run again",
            )
        assert isinstance(live.raw, LocalImage)
        for tag, image_id in live.raw.tags.items():
            self._untag(tag, image_id)

    def _untag(self, tag: str, image_id: str) -> None:
        """Remove a tag that still means this image; one that is gone already is fine."""
        there = self._engine.inspect(tag)
        if there is None:
            return
        if there["Id"] != image_id:
            raise ConflictError(
                f"{tag} is no longer the image that was planned with",
                where=self._engine.name,
                fix="plan again",
            )
        self._engine.untag(tag)


def _ids(live: LiveResource) -> set[str]:
    return {live.uid, *live.raw.tags.values()}


def _labels_of(found: Mapping[str, object]) -> Mapping[str, str]:
    config = found.get("Config")
    labels = config.get("Labels") if isinstance(config, Mapping) else None
    return labels if isinstance(labels, Mapping) else {}


def _is_copy(item: LiveResource, pushed: Resource) -> bool:
    """Whether a local image stands for what the registry was asked about."""
    if item.mark is not None and not item.mark.deposed:
        return item.mark.id_hash == hash_id(*pushed.key)
    return item.mark is None and item.spec.get("tag") == pushed.spec["tag"]
