"""A branch -> the steps that make a pull request of it, as the remote tells. Never pushes."""

import re
from urllib.parse import quote

from reconciler.git.branch import is_signed, wants_signatures
from reconciler.git.head import origin_url
from reconciler.git.repository import Repository

_ADDRESS = re.compile(
    r"(?:https?://|ssh://)?(?:[^@/\s]+@)?(?P<host>[\w.-]+)(?::\d+)?[:/](?P<path>[\w./-]+?)(?:\.git)?/?"
)


def review_steps(repository: Repository, branch: str, base: str) -> list[str]:
    """Commands and an address to open, in order. `base` is what the branch started from."""
    steps = _push_and_open(repository, branch, base)
    if wants_signatures(repository) and not is_signed(repository, branch):
        sign = f"git switch {branch} && git commit --amend --no-edit -S"
        return [f"{sign}  (commit.gpgsign is set, and this commit is not signed)", *steps]
    return steps


def _push_and_open(repository: Repository, branch: str, base: str) -> list[str]:
    origin = origin_url(repository.top)
    if origin is None:
        return [
            f"git push REMOTE {branch}  (this repository has no remote named origin)",
            "open a pull request for that branch where the repository is hosted",
        ]
    push = f"git push -u origin {branch}"
    found = _ADDRESS.fullmatch(origin)
    if found is None or "." not in found["host"]:
        return [push, f"open a pull request for {branch} where the repository is hosted"]
    target = base.removeprefix("origin/") if base != "HEAD" else repository.current_branch()
    site = f"https://{found['host']}/{found['path']}"
    name, onto = quote(branch, safe=""), quote(target, safe="")
    if "gitlab" in found["host"]:
        return [
            push,
            f"open {site}/-/merge_requests/new?merge_request%5Bsource_branch%5D={name}",
        ]
    compare = f"{onto}...{name}" if onto else name
    return [push, f"open {site}/compare/{compare}?expand=1  (or: gh pr create --head {branch})"]
