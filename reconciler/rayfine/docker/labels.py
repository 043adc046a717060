"""What stands on an image: our labels, written and read. Pure.

All labels of our own begin with `io.reconciler.`:

    digest    content digest, `sha256:...`: what the image was made from
    spec      the canonical spec it was made from: JSON, deflated, base 64
    methods   names and signatures of the methods of env.py, JSON
    tag       the tag that it was built for
    stack, address, protect     the mark of ownership; absent on an image built by hand
    repository, commit          what wrote that mark (see `core.lineage`); empty: not known

An image built FROM one of ours inherits them all. They count only for an image that is found under
the tag that they name and, with it, under the `:src-` tag of their digest: see
`providers/docker/local.py`.
"""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.core.mark import UNWRITTEN, Mark, Written, hash_id
from reconciler.core.resource import (
    Resource,
    ResourceKey,
    Spec,
)
from reconciler.errors import BuildError
from reconciler.rayfine.image.digest import source_tag
from reconciler.rayfine.image.reference import normalise_tag, parse_reference
from reconciler.support.strict_json import parse_json

if TYPE_CHECKING:
    from reconciler.rayfine.image.build_input import (
        BuildInput,  # a node of a cluster has no pydantic
    )

PREFIX = "io.reconciler."
DIGEST = f"{PREFIX}digest"
SPEC = f"{PREFIX}spec"
METHODS = f"{PREFIX}methods"
TAG = f"{PREFIX}tag"
STACK = f"{PREFIX}stack"
ADDRESS = f"{PREFIX}address"
PROTECT = f"{PREFIX}protect"
PUSH = f"{PREFIX}push"
REPOSITORY = f"{PREFIX}repository"
COMMIT = f"{PREFIX}commit"
OCI = "org.opencontainers.image."

_LARGEST_SPEC = 8 << 20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REPOSITORY = re.compile(r"[a-z2-7]{8}")
_COMMIT = re.compile(r"[0-9a-f]{10}")


@dataclass(frozen=True, slots=True)
class ImageLabels:
    """Our labels on one image, as far as they are well-formed. Empty text: not there."""

    digest: str
    tag: str
    spec: Spec = field(default_factory=dict)
    stack: str = ""
    key: ResourceKey | None = None
    protect: bool = False
    pushed: bool = False
    written: Written = UNWRITTEN

    @property
    def source_tag(self) -> str:
        return source_tag(parse_reference(self.tag).repository, self.digest)

    @property
    def mark(self) -> Mark | None:
        """The mark of ownership, None on an image that was built by hand."""
        if self.key is None:
            return None
        return Mark(self.stack, hash_id(*self.key), self.protect, written=self.written)


def content_labels(build: "BuildInput") -> dict[str, str]:
    """The labels of any build of this content, whoever makes it."""
    labels = {
        f"{OCI}title": build.source.path.name,
        DIGEST: build.digest,
        SPEC: encode_spec(build.spec),
        METHODS: json.dumps(dict(build.methods), separators=(",", ":")),
        TAG: build.tag,
    }
    if build.bases:
        labels[f"{OCI}base.name"] = build.bases[-1].reference
        labels[f"{OCI}base.digest"] = build.bases[-1].digest
    return {**labels, **build.source.labels}


def owner_labels(resource: Resource, stack: str, written: Written = UNWRITTEN) -> dict[str, str]:
    """The mark of ownership, and whose image it is for people.

    All labels of a mark are always written: an image inherits those of what it is built FROM.
    """
    return {
        f"{OCI}title": resource.key.id,
        STACK: stack,
        ADDRESS: resource.key.address,
        PROTECT: "true" if resource.protect else "false",
        PUSH: "true" if resource.spec.get("push") else "false",
        REPOSITORY: written.repository,
        COMMIT: written.commit,
    }


def parse_labels(labels: Mapping[str, str] | None) -> ImageLabels | None:
    """What our labels say, None where there are none or they are malformed."""
    if not labels or not _DIGEST.fullmatch(labels.get(DIGEST, "")):
        return None
    try:
        tag = normalise_tag(labels.get(TAG, ""))
    except BuildError:
        return None
    kind, _, resource_id = labels.get(ADDRESS, "").partition(".")
    stack = labels.get(STACK, "")
    return ImageLabels(
        digest=labels[DIGEST],
        tag=tag,
        spec=decode_spec(labels.get(SPEC, "")),
        stack=stack,
        key=ResourceKey(kind, resource_id) if stack and resource_id else None,
        protect=labels.get(PROTECT) == "true",
        pushed=labels.get(PUSH) == "true",
        written=_written(labels.get(REPOSITORY, ""), labels.get(COMMIT, "")),
    )


def _written(repository: str, commit: str) -> Written:
    """What wrote the mark; anybody can write labels, so that only what has its form counts."""
    return Written(
        repository if _REPOSITORY.fullmatch(repository) else "",
        commit if _COMMIT.fullmatch(commit) else "",
    )


def mark_fits(found: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether an image bears exactly the wanted content digest, tag and mark.

    What wrote it counts, too. It is asked for what is to be written anyway: content that an older
    commit has built is labelled anew, or a checkout that is behind would take it for its own.
    """
    names = (DIGEST, TAG, STACK, ADDRESS, PROTECT, REPOSITORY, COMMIT)
    return all((found.get(name) or "") == (wanted.get(name) or "") for name in names)


def encode_spec(spec: Spec) -> str:
    """A canonical spec as the text of a label."""
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def decode_spec(text: str) -> dict[str, Any]:
    """The spec in a label; empty where it is none, so that everything reads as changed."""
    try:
        inflate = zlib.decompressobj()
        data = inflate.decompress(base64.b64decode(text, validate=True), _LARGEST_SPEC)
        spec = parse_json(data) if inflate.eof else {}
    except (binascii.Error, zlib.error, ValueError):
        return {}
    return spec if isinstance(spec, dict) and all(map(_is_field, spec.values())) else {}


def _is_field(value: Any) -> bool:
    """Whether it can be a field of an image's spec: a text, or texts by name."""
    if isinstance(value, dict):
        return all(isinstance(item, str) for item in value.values())
    return isinstance(value, str)
