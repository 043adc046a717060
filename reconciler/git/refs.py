"""Names of commits, as people and events write them: which can be read, and which mean one thing.

git takes the first of several refs that one name may mean, a tag before a branch, and says so on
standard error alone.
"""

import re
from collections.abc import Callable

from reconciler.errors import ConfigError

_PLACES = ("refs/", "refs/tags/", "refs/heads/", "refs/remotes/")
"""Where git looks for a name, in this order."""
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ABBREVIATED = re.compile(r"[0-9a-f]{4,63}")
_ODD = re.compile(r"[\s\x00-\x1f\x7f~^:?*\[\\]")
_SUFFIX = re.compile(r"[~^][0-9~^]*$")


def is_plain_ref(text: str) -> bool:
    """Whether a text can be a ref, a hash or one of their ancestors, and no option or range."""
    name = _SUFFIX.sub("", text)
    return bool(name) and not name.startswith("-") and ".." not in name and not _ODD.search(name)


def require_one(text: str, run: Callable[..., bytes]) -> None:
    """Refuse a name that may be several refs, or a ref and a hash. Raises `ConfigError`.

    `run` runs git with some words and returns what it prints.
    """
    name = _SUFFIX.sub("", text)
    if name.startswith("refs/") or _HASH.fullmatch(name):
        return
    places = [f"{place}{name}" for place in _PLACES] + [f"refs/remotes/{name}/HEAD"]
    listed = run("for-each-ref", "--format=%(refname)", *places).decode(errors="replace")
    found = [place for place in places if place in listed.splitlines()]
    if len(found) > 1 or (found and _ABBREVIATED.fullmatch(name)):
        others = found if len(found) > 1 else [*found, "a hash"]
        raise ConfigError(
            f"{text!r} may be {' or '.join(others)}",
            fix=f"write which one, such as {found[-1]}, or a full hash",
        )
