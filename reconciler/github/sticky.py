"""What there is one of per site: the comments of a pull request, and the issue of the drift.

Both are found again by a marker in their first line and by their author, who is the job or whoever
has the token. So nobody else's text is ever changed, and targets and directories are kept apart.

A comment also names the addresses that its pull request changes, by digests in a line that is not
shown. So two lists are enough to find other open pull requests that change the same objects; what
lies further back in them is not looked at.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from reconciler.github.rest import GitHub
from reconciler.github.site import Site, code
from reconciler.support.printable import slug

AUTHOR = "github-actions[bot]"
"""Who writes with the token of a job; an App's token is another author's."""

COMMENT_LIMIT = 65_536
"""Characters of a comment or issue."""

_TOO_LONG = "\n\nThis plan is too long to be shown in full here: see the artifact of the run.\n"


def marker(name: str, kind: str = "") -> str:
    """The first line of a page: an HTML comment, the same as `-o markdown` writes for a target."""
    return f"<!-- reconcile:{kind}{slug(name)} -->"


def under(mark: str, text: str) -> str:
    """The text with this marker in place of its own.

    A note beside its own marker (`N of M destroys shown`) becomes the first line below.
    """
    first, _, rest = text.partition("\n")
    if not first.startswith("<!-- reconcile:"):
        return fit(f"{mark}\n{text}")
    note = first.partition("-->")[2].strip()
    return fit(f"{mark}\n{note}\n\n{rest}" if note else f"{mark}\n{rest}")


def write_comment(
    github: GitHub, pull_request: int, mark: str, text: str, *, first: bool = True
) -> str:
    """Update our comment with this marker, or write the first one, if there may be a first one.

    Returns `updated`, `created` or `did not need`.
    """
    body = under(mark, text)
    for comment in ours(github, github.each(f"issues/{pull_request}/comments?per_page=100"), mark):
        github.send("PATCH", f"issues/comments/{comment['id']}", {"body": body})
        return "updated"
    if not first:
        return "did not need"
    github.send("POST", f"issues/{pull_request}/comments", {"body": body})
    return "created"


def report_drift(github: GitHub, site: Site, text: str) -> str:
    """Open our issue of this site, or update the open one. Returns `opened` or `updated`."""
    mark = marker(site.name, "drift:")
    body = under(mark, text)
    title = f"Drift: {site} is not what the manifests say"
    for issue in _open_issues(github, mark):
        github.send("PATCH", f"issues/{issue['number']}", {"title": title, "body": body})
        return "updated"
    github.send("POST", "issues", {"title": title, "body": body})
    return "opened"


def close_drift(github: GitHub, site: Site, text: str) -> str:
    """Close every open issue of ours for this site. Returns `closed` or `nothing to close`."""
    done = "nothing to close"
    for issue in list(_open_issues(github, marker(site.name, "drift:"))):
        github.send("POST", f"issues/{issue['number']}/comments", {"body": text})
        github.send(
            "PATCH", f"issues/{issue['number']}", {"state": "closed", "state_reason": "completed"}
        )
        done = "closed"
    return done


def fit(text: str) -> str:
    """The text within what a comment holds; what is left out is said at the top, too."""
    if len(text) <= COMMENT_LIMIT:
        return text
    first, _, rest = text.partition("\n")
    note = "**Cut off: the plan is longer than a comment can be. Review the artifact.**\n\n"
    room = COMMENT_LIMIT - len(first) - len(note) - len(_TOO_LONG) - len("\n") - 200
    kept = rest[:room]
    fences = [line for line in kept.splitlines() if line.startswith("```")]
    if len(fences) % 2:
        kept += f"\n{fences[-1].partition(' ')[0]}"
    return f"{first}\n{note}{kept}{_TOO_LONG}"


def _open_issues(github: GitHub, mark: str) -> Iterator[Any]:
    """Ours, which every night with drift updates, so that it is among the first."""
    found = github.each("issues?state=open&sort=updated&direction=desc&per_page=100")
    return (issue for issue in ours(github, found, mark) if "pull_request" not in issue)


def ours(github: GitHub, items: Iterable[Any], mark: str) -> Iterator[Any]:
    """Those with our marker that this job, or the token that it was given, has written."""
    authors = {AUTHOR}
    for item in items:
        if str(item.get("body") or "").partition("\n")[0].strip() != mark:
            continue
        if _author(item) not in authors and len(authors) == 1:
            own = str(github.query("query{viewer{login}}")["viewer"]["login"])
            authors |= {own, f"{own.removesuffix('[bot]')}[bot]"}
        if _author(item) in authors:
            yield item


def _author(item: Any) -> str:
    return str((item.get("user") or {}).get("login"))


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
