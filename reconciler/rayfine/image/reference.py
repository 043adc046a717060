"""Image references such as `127.0.0.1:5000/team/affine:v1`, taken apart and put in one form. Pure.

The familiar form is the one that the engine lists: `docker.io/library/` is left out and a missing
tag is `latest` (https://github.com/distribution/reference).
"""

import re
from typing import NamedTuple

from reconciler.errors import BuildError

DOCKER_HUB = "docker.io"

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    r"(?:(?P<host>localhost(?::\d+)?|\[[0-9a-fA-F:]+\](?::\d+)?|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
    rf"(?::\d+)?|[A-Za-z0-9-]+:\d+)/)?(?P<path>{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


class ImageReference(NamedTuple):
    """A parsed reference. `tag` is empty only where a digest is there instead."""

    host: str
    path: str
    tag: str
    digest: str

    @property
    def repository(self) -> str:
        """Familiar name without tag and digest: `affine`, `127.0.0.1:5000/team/affine`."""
        if self.host != DOCKER_HUB:
            return f"{self.host}/{self.path}"
        return self.path.removeprefix("library/")

    @property
    def text(self) -> str:
        """The whole reference in its familiar form."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")

    def pinned(self, digest: str) -> str:
        """`REPOSITORY@DIGEST`: what an engine pulls."""
        return f"{self.repository}@{digest}"


def parse_reference(text: str) -> ImageReference:
    """Take a reference apart. Raises `BuildError` where it is none."""
    found = _REFERENCE.fullmatch(text)
    if found is None or len(text) > 512:
        raise BuildError(
            f"not an image reference: {text[:200]!r}",
            fix="write it as [HOST[:PORT]/]NAME[:TAG], the name in lower case",
        )
    host, path = found["host"] or DOCKER_HUB, found["path"]
    if host == "index.docker.io":
        host = DOCKER_HUB
    if host == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    tag = found["tag"] or ("" if found["digest"] else "latest")
    return ImageReference(host, path, tag, found["digest"] or "")


def normalise_tag(text: str) -> str:
    """The familiar form of a tag for an image of ours. Raises `BuildError`, also for a digest."""
    reference = parse_reference(text)
    if reference.digest:
        raise BuildError(
            f"a tag cannot have a digest: {text!r}", fix="leave out the part from @ on"
        )
    if reference.tag.startswith("src-"):
        raise BuildError(
            f"tags that start with src- name contents and are set by the reconciler: {text!r}",
            fix="choose another tag",
        )
    return reference.text
