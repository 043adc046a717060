"""The base_url of a control plane, as people copy it from a browser or an API's documentation."""

import re
from urllib.parse import urlsplit, urlunsplit

_PAGES = re.compile(
    r"analytics|applications|assets|auth|clusters|compute(-resources)?|credentials|dashboards?"
    r"|data-sources|departments|environments|home|login|models|node(-pool)?s|overview|policies|projects"
    r"|settings|templates|users|workload(-template)?s",
    re.IGNORECASE,
)
"""First parts of the addresses of the user interface's pages."""
_API_PART = re.compile(r"v\d+|docs|swagger.*", re.IGNORECASE)
"""What follows `/api` if that is no part of where the control plane is."""


def cut_base_url(url: str) -> tuple[str, str]:
    """The URL without a closing slash, a path of the API or of a page; and what was cut off."""
    parts = urlsplit(url)
    kept: list[str] = []
    names = [name for name in parts.path.split("/") if name]
    for index, name in enumerate(names):
        following = "".join(names[index + 1 : index + 2])
        if _PAGES.fullmatch(name) or (name.lower() == "api" and _API_PART.fullmatch(following)):
            break
        kept.append(name)
    while kept and kept[-1].lower() == "api":
        kept.pop()
    cut = "/".join(names[len(kept) :])
    path = "".join(f"/{name}" for name in kept)
    return urlunsplit((parts.scheme, parts.netloc, path, "", "")), f"/{cut}" if cut else ""
