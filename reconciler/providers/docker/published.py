"""The registry as live state of an image with `push: true`: read, and write what is there already.

An image is unchanged if TAG and `:src-<digest>` are one manifest with our labels. That takes a
constant number of requests per image and no engine. Nothing is ever deleted from a registry.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from reconciler.core.resource import LiveResource, Resource
from reconciler.core.secrecy import conceal
from reconciler.errors import ConflictError
from reconciler.kinds.image import IMAGE
from reconciler.providers.docker.local import LEFT_TO_RETENTION
from reconciler.providers.docker.registry import Manifest, Registries
from reconciler.rayfine.docker.labels import DIGEST, ImageLabels, mark_fits, parse_labels
from reconciler.rayfine.image.reference import ImageReference, parse_reference


@dataclass(frozen=True, slots=True)
class PublishedImage:
    """Where a live resource was found: the digest under TAG, empty if nothing is there."""

    tag_digest: str


class Published:
    """Images in registries, one look at a time."""

    def __init__(self, registries: Registries) -> None:
        """Nothing is asked yet."""
        self._registries = registries

    def read(self, desired: Resource) -> LiveResource | None:
        """What a registry has for a resolved image: its TAG, or its content without the tag."""
        tag, source = _places(desired)
        at_tag = self._registries.manifest(tag)
        if at_tag is None:
            return self._without_tag(desired, source)
        config = self._registries.config(tag, at_tag)
        labels, made = parse_labels(_labels(config)), _made_at(config)
        raw = PublishedImage(at_tag.digest)
        if labels is None or labels.tag != tag.text or not self._proven(labels, at_tag):
            reason = None
            if labels is not None:
                reason = (
                    f"it bears the labels of {labels.tag} without being the image of its digest"
                )
            return LiveResource(
                IMAGE.name,
                at_tag.digest,
                tag.text,
                {"tag": tag.text},
                detached=reason,
                updated_at=made,
                raw=raw,
            )
        return LiveResource(
            kind=IMAGE.name,
            uid=at_tag.digest,
            name=labels.key.id if labels.key else tag.text,
            spec=conceal({**labels.spec, "push": True}),
            mark=labels.mark,
            updated_at=made,
            notes=(LEFT_TO_RETENTION,),
            raw=raw,
        )

    def publish(self, desired: Resource, labels: Mapping[str, str], expected: str) -> str | None:
        """Let TAG stand for content that the registry has; None if it does not have it.

        `expected` is the digest that TAG had when it was planned. Returns the manifest's digest.
        """
        tag, source = _places(desired)
        if (self._registries.digest(tag) or "") != expected:
            raise ConflictError(
                f"{tag.text} in the registry is no longer what was planned with",
                where=desired.key.address,
                fix="plan again",
            )
        manifest = self._registries.manifest(source)
        if manifest is None:
            return None
        found = _labels(self._registries.config(source, manifest))
        if found.get(DIGEST) != labels.get(DIGEST):
            return None
        if not mark_fits(found, labels):
            manifest = self._relabel(source, manifest, labels)
        self._registries.put_manifest(tag, manifest)
        return manifest.digest

    def _without_tag(self, desired: Resource, source: ImageReference) -> LiveResource | None:
        manifest = self._registries.manifest(source)
        config = self._registries.config(source, manifest) if manifest else {}
        labels = parse_labels(_labels(config))
        if manifest is None or labels is None or labels.key is None:
            return None
        spec = {name: value for name, value in labels.spec.items() if name != "tag"}
        return LiveResource(
            kind=IMAGE.name,
            uid=manifest.digest,
            name=labels.key.id,
            spec=conceal({**spec, "push": True}),
            mark=labels.mark,
            updated_at=_made_at(config),
            notes=(f"its tag {desired.spec['tag']} is missing; the content is still there",),
            raw=PublishedImage(""),
        )

    def _proven(self, labels: ImageLabels, manifest: Manifest) -> bool:
        return self._registries.digest(parse_reference(labels.source_tag)) == manifest.digest

    def _relabel(
        self, source: ImageReference, manifest: Manifest, labels: Mapping[str, str]
    ) -> Manifest:
        """The same layers under a configuration with these labels, put under `:src-`."""
        config = self._registries.config(source, manifest)
        config["config"] = {
            **config["config"],
            "Labels": {**config["config"].get("Labels", {}), **labels},
        }
        data = json.dumps(config, separators=(",", ":")).encode()
        document = manifest.document
        document["config"] = {
            **document["config"],
            "digest": self._registries.put_blob(source, data),
            "size": len(data),
        }
        text = json.dumps(document, separators=(",", ":")).encode()
        changed = replace(manifest, data=text, digest="sha256:" + hashlib.sha256(text).hexdigest())
        self._registries.put_manifest(source, changed)
        return changed


def _labels(config: Mapping[str, Any]) -> dict[str, str]:
    found = config.get("config")
    labels = found.get("Labels") if isinstance(found, Mapping) else None
    if not isinstance(labels, Mapping):
        return {}
    return {str(name): str(value) for name, value in labels.items()}


def _made_at(config: Mapping[str, Any]) -> str | None:
    """When the image was made, as its configuration says; ISO 8601."""
    made = config.get("created")
    return made if isinstance(made, str) else None


def _places(desired: Resource) -> tuple[ImageReference, ImageReference]:
    return parse_reference(desired.spec["tag"]), parse_reference(desired.outputs["image"])
