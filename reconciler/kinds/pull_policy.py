"""The pull policy that an image's tag implies. Pure.

By the API's description `imagePullPolicy` "defaults to `Always` if `:latest` tag is specified,
otherwise it is `IfNotPresent`"; an image without a tag means `:latest`.
"""

from reconciler.core.resource import Reference


def default_pull_policy(image: str | Reference) -> str:
    """`Always` for `:latest` or no tag; a digest counts as a tag, and a reference is pinned."""
    if isinstance(image, Reference) or "@" in image:
        return "IfNotPresent"
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return "Always" if not colon or tag == "latest" else "IfNotPresent"
