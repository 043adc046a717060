"""The images of an engine -> live resources: whose they are, and under which tag. Pure.

An image of ours is found under two tags: TAG, that its label names, and the `:src-` tag of its
digest. Only both together prove it, since an image built FROM it inherits every label, and a tag
can be moved by hand:

    TAG and its `:src-` tag on one image       owned, as its mark says
    TAG with our labels, without `:src-`       detached: built FROM ours, or tagged by hand
    TAG with no labels of ours                 somebody else's: a live resource without a mark
    `:src-` without TAG                        owned, its tag is missing: a retag brings it back

Nor is the spec in the labels believed without that proof: an image that others built FROM ours says
what ours was made from. One made by hand by our own builder bears both tags, without a mark.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple

from reconciler.core.resource import LiveResource, ResourceKey
from reconciler.core.secrecy import conceal
from reconciler.kinds.image import IMAGE
from reconciler.rayfine.docker.engine import ImageSummary
from reconciler.rayfine.docker.labels import ImageLabels, parse_labels

LEFT_TO_RETENTION = "what is in the registry is left to its own retention rules: never deleted here"


class Wanted(NamedTuple):
    """What a manifest wants under a key: the tag, and the digest of its content."""

    tag: str
    digest: str


@dataclass(frozen=True, slots=True)
class LocalImage:
    """Where a live resource was found: image id by tag of ours, and TAG as its labels name it."""

    tags: Mapping[str, str]
    tag: str


@dataclass(slots=True)
class _Holding:
    """All that one owner has for one tag; two repositories with one stack are two owners."""

    stack: str
    key: ResourceKey | None
    tag: str
    repository: str
    current: tuple[ImageSummary, ImageLabels] | None = None
    contents: list[tuple[ImageSummary, ImageLabels]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What tells it from all other holdings of its address."""
        return f"{self.tag} {self.repository}" if self.repository else self.tag

    @property
    def tags(self) -> dict[str, str]:
        """Every tag of ours, TAG first: image id by tag."""
        found = {self.tag: self.current[0].id} if self.current else {}
        found.update({labels.source_tag: image.id for image, labels in self.contents})
        return found


class LocalImages:
    """The images of one engine, sorted out for one stack."""

    def __init__(
        self, images: Sequence[ImageSummary], stack: str, wanted: Mapping[ResourceKey, Wanted]
    ) -> None:
        """`images` holds all that bear our labels and all that bear a wanted tag."""
        self._stack = stack
        self._wanted = wanted
        self._wanted_tags = {item.tag for item in wanted.values()}
        self._by_tag = {tag: image for image in images for tag in image.tags}
        self._holdings: dict[tuple[str, ResourceKey | None, str, str], _Holding] = {}
        for image in {image.id: image for image in images}.values():
            self._sort_in(image)

    def _sort_in(self, image: ImageSummary) -> None:
        labels = parse_labels(image.labels)
        if labels is None or labels.source_tag not in image.tags:
            return
        key = (labels.stack, labels.key, labels.tag, labels.written.repository)
        holding = self._holdings.setdefault(key, _Holding(*key))
        holding.contents.append((image, labels))
        if labels.tag in image.tags:
            holding.current = (image, labels)

    def live(self) -> Iterator[LiveResource]:
        """Every live resource that may concern the stack."""
        ours: dict[ResourceKey, list[_Holding]] = defaultdict(list)
        accounted = set()
        for holding in self._holdings.values():
            if holding.current:
                accounted.add(holding.tag)
            if holding.stack == self._stack and holding.key is not None:
                ours[holding.key].append(holding)
            elif holding.current:
                yield _current(holding)
        for key, holdings in ours.items():
            yield from self._of_one_address(key, holdings)
        yield from self._strangers(accounted)

    def _of_one_address(
        self, key: ResourceKey, holdings: Sequence[_Holding]
    ) -> Iterator[LiveResource]:
        """The live object of an address; whatever else bears its mark is left over from before."""
        usable = [item for item in holdings if item.current or not self._taken(item.tag)]
        usable.sort(key=lambda item: self._preference(key, item), reverse=True)
        for index, holding in enumerate(usable):
            item = _current(holding) if holding.current else self._without_tag(holding)
            if index and item.mark is not None:
                left_over = hashlib.sha256(holding.name.encode()).hexdigest()[:6]
                item = replace(item, mark=replace(item.mark, deposed=left_over))
            yield item

    def _taken(self, tag: str) -> bool:
        """Whether a wanted tag is held by an image that is not proven to be ours."""
        return tag in self._wanted_tags and tag in self._by_tag

    def _preference(self, key: ResourceKey, holding: _Holding) -> tuple[bool, bool, bool, int]:
        wanted = self._wanted.get(key)
        return (
            wanted is not None and holding.tag == wanted.tag,
            holding.tag in self._wanted_tags,
            holding.current is not None,
            max(image.created for image, _ in holding.contents),
        )

    def _without_tag(self, holding: _Holding) -> LiveResource:
        assert holding.key is not None
        wanted = self._wanted.get(holding.key)
        image, labels = max(
            holding.contents,
            key=lambda pair: (
                wanted is not None and pair[1].digest == wanted.digest,
                pair[0].created,
                pair[0].id,
            ),
        )
        spec = {name: value for name, value in labels.spec.items() if name != "tag"}
        return LiveResource(
            kind=IMAGE.name,
            uid=image.id,
            name=holding.key.id,
            spec=conceal(spec),
            mark=labels.mark,
            updated_at=made_at(image.created),
            notes=(f"its tag {holding.tag} is missing; the content is still there",),
            raw=LocalImage(holding.tags, holding.tag),
        )

    def _strangers(self, accounted: set[str]) -> Iterator[LiveResource]:
        """Wanted tags that others hold, and images that bear our labels without being ours.

        What labels say of the content is left aside: it may be inherited.
        """
        for tag, image in sorted(self._by_tag.items()):
            labels = parse_labels(image.labels)
            proven = labels is not None and labels.source_tag in image.tags
            if tag in accounted or (proven and tag not in self._wanted_tags):
                continue
            reason = _why_detached(tag, labels)
            if reason is None and tag not in self._wanted_tags:
                continue
            yield LiveResource(
                kind=IMAGE.name,
                uid=image.id,
                name=tag,
                spec={"tag": tag},
                detached=reason,
                updated_at=made_at(image.created),
                raw=LocalImage({tag: image.id}, tag),
            )


def _current(holding: _Holding) -> LiveResource:
    assert holding.current is not None
    image, labels = holding.current
    return LiveResource(
        kind=IMAGE.name,
        uid=image.id,
        name=holding.key.id if holding.key else holding.tag,
        spec=conceal(labels.spec),
        mark=labels.mark,
        updated_at=made_at(image.created),
        notes=(LEFT_TO_RETENTION,) if labels.pushed else (),
        raw=LocalImage(holding.tags, holding.tag),
    )


def made_at(seconds: int) -> str | None:
    """A time of the engine, in seconds since 1970, in ISO 8601; None where it is not known."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else None


def _why_detached(tag: str, labels: ImageLabels | None) -> str | None:
    if labels is None:
        return None
    if labels.tag != tag:
        return f"it bears the labels of {labels.tag}: it was built FROM it, or tagged by hand"
    return (
        f"there is no {labels.source_tag} beside it: it was built FROM an image of ours, "
        "or that tag was removed"
    )
