"""Which other open pull requests change the same objects, as our comments in them tell.

Each of our comments names its addresses by digests in a line that is not shown. So two lists are
enough for all pull requests; what lies further back in them is not looked at.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence

from reconciler.github.api import GitHub
from reconciler.github.page import code
from reconciler.github.sticky import ours

_TOUCHES = re.compile(r"^<!-- reconcile:touches ([0-9a-f ]+) -->$", re.MULTILINE)
_MOST = 200
"""Addresses that a comment names."""
_SHOWN = 10
"""Addresses that are told of one pull request."""


def touches(addresses: Sequence[str]) -> str:
    """The line that names what a pull request changes; empty if it is nothing."""
    names = " ".join(map(_digest, addresses[:_MOST]))
    return f"<!-- reconcile:touches {names} -->\n" if names else ""


def neighbours(github: GitHub, number: int, mark: str, addresses: Sequence[str]) -> str:
    """A line for each open pull request whose comment with our marker names one of these."""
    if not addresses:
        return ""
    by_digest = {_digest(address): address for address in addresses}
    opened = {
        pull["number"]
        for pull in github.get("pulls?state=open&sort=updated&direction=desc&per_page=100")
    }
    latest = github.get("issues/comments?sort=updated&direction=desc&per_page=100")
    said = ""
    for comment in ours(github, latest, mark):
        other = int(comment["issue_url"].rpartition("/")[2])
        shared = [by_digest[name] for name in _named(comment["body"]) if name in by_digest]
        if shared and other != number and other in opened:
            said += f"> Pull request #{other} changes {_list(shared)}, too.\n"
    return f"{said}\n" if said else ""


def _named(body: str) -> Iterator[str]:
    for found in _TOUCHES.finditer(body):
        yield from found[1].split()


def _list(addresses: Sequence[str]) -> str:
    shown = ", ".join(code(address) for address in addresses[:_SHOWN])
    more = len(addresses) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _digest(address: str) -> str:
    return hashlib.sha256(address.encode("utf-8", "surrogatepass")).hexdigest()[:16]
