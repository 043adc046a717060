"""Image registries through their HTTP API, version 2: look, read, copy a tag, replace a config.

Follows https://distribution.github.io/distribution/spec/api/ and its token authentication. Needs
no engine. TLS always, except on a loopback address that speaks plain HTTP. Only a definite
not-found counts as absent.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from reconciler.errors import ProviderError
from reconciler.providers.docker.addresses import joined, origin
from reconciler.providers.docker.registry_http import (
    Answer,
    Ask,
    Connection,
    RegistryHttp,
    refusal,
)
from reconciler.rayfine.image.reference import ImageReference

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEXES = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
_ACCEPT = ", ".join((DOCKER_MANIFEST, OCI_MANIFEST, *INDEXES))
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """The bytes of a manifest, as they are signed by its digest."""

    digest: str
    media_type: str
    data: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The manifest as JSON; empty where it is none."""
        try:
            found = json.loads(self.data)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def config_digest(self) -> str | None:
        """The digest of its configuration; None for an index of several platforms."""
        config = self.document.get("config")
        digest = config.get("digest") if isinstance(config, Mapping) else None
        return digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) else None


class Registries:
    """Every registry that a reference may name. Safe to use from several threads."""

    def __init__(self, connection: Connection | None = None) -> None:
        """Nothing is connected yet."""
        self._http = RegistryHttp(connection or Connection())

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def digest(self, reference: ImageReference) -> str | None:
        """The digest of what a tag stands for, None if there is no such tag."""
        answer = self._manifest("HEAD", reference)
        if answer is None:
            return None
        digest = answer.headers.get("docker-content-digest", "")
        if _DIGEST.fullmatch(digest):
            return digest
        manifest = self.manifest(reference)
        return manifest.digest if manifest else None

    def manifest(self, reference: ImageReference) -> Manifest | None:
        """The manifest under a tag or digest, None if there is none."""
        answer = self._manifest("GET", reference)
        if answer is None:
            return None
        digest = "sha256:" + hashlib.sha256(answer.data).hexdigest()
        if reference.digest not in ("", digest):
            raise _damaged(reference)
        return Manifest(digest, answer.headers.get("content-type", ""), answer.data)

    def config(self, reference: ImageReference, manifest: Manifest) -> dict[str, Any]:
        """The configuration of an image, verified; empty for an index of several platforms."""
        digest = manifest.config_digest
        if digest is None:
            return {}
        answer = self._http.ask(reference, Ask("GET", f"{reference.path}/blobs/{digest}"))
        _expect(reference, answer, 200)
        if "sha256:" + hashlib.sha256(answer.data).hexdigest() != digest:
            raise _damaged(reference)
        try:
            found = json.loads(answer.data)
        except (ValueError, RecursionError) as error:
            raise _damaged(reference) from error
        return found if isinstance(found, dict) else {}

    def put_manifest(self, reference: ImageReference, manifest: Manifest) -> None:
        """Let a tag stand for a manifest whose parts the repository has already."""
        path = f"{reference.path}/manifests/{reference.tag}"
        headers = {"Content-Type": manifest.media_type}
        answer = self._http.ask(reference, Ask("PUT", path, manifest.data, headers))
        _expect(reference, answer, 201)

    def put_blob(self, reference: ImageReference, data: bytes) -> str:
        """Upload a blob and return its digest."""
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        answer = self._http.ask(reference, Ask("POST", f"{reference.path}/blobs/uploads/", b""))
        _expect(reference, answer, 202)
        home = self._http.url(reference.host, "")
        place = joined(home, answer.headers.get("location", ""))
        if origin(place) != origin(home):
            raise ProviderError(
                f"it sends the upload to another host, or without TLS: {place[:200]!r}",
                where=reference.host,
                fix="let it answer with its own address: behind a proxy, the registry needs "
                "X-Forwarded-Proto, or relative URLs",
            )
        place += ("&" if "?" in place else "?") + urlencode({"digest": digest})
        kind = {"Content-Type": "application/octet-stream"}
        _expect(reference, self._http.ask(reference, Ask("PUT", place, data, kind)), 201)
        return digest

    def _manifest(self, method: str, reference: ImageReference) -> Answer | None:
        name = quote(reference.digest or reference.tag, safe=":")
        path = f"{reference.path}/manifests/{name}"
        answer = self._http.ask(reference, Ask(method, path, None, {"Accept": _ACCEPT}))
        if answer.status == 404:
            return None
        _expect(reference, answer, 200)
        return answer


def _expect(reference: ImageReference, answer: Answer, status: int) -> None:
    """Raise what an answer of another status means."""
    if answer.status != status:
        raise refusal(reference.host, answer, where=reference.repository)


def _damaged(reference: ImageReference) -> ProviderError:
    return ProviderError(
        "the registry's answer does not have the digest it should have",
        where=reference.repository,
        fix="look for a proxy that changes content, or for damage in the registry",
    )
