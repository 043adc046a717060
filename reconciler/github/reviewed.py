"""The plans that merged pull requests showed, fetched to be compared with. Never applied.

An artifact of a pull request is data from whoever could push to its branch: it is read with limits
and shown as what was reviewed, and decides nothing.
"""

import io
import json
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.errors import ReconcileError
from reconciler.github.rest import GitHub
from reconciler.github.runner import Runner, annotate, pushed_commits, temporary
from reconciler.github.site import Site

PLAN_FILE = "plan.json"
MESSAGES_FILE = "messages.json"
_UNREADABLE = (
    KeyError,
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    RuntimeError,
    EOFError,
    ValueError,
)
"""What zipfile raises for what is missing, broken, encrypted or compressed in another way."""
_SORTS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LARGEST = 64 * 1024 * 1024


def reviewed(runner: Runner) -> int:
    """Fetch the plans that the merged pull requests showed, and the messages of their commits.

    Never fails the job: without a usable plan, nothing is compared.
    """
    site = Site.of(runner)
    place = plan_place(runner, site)
    showed = reviewed_place(runner, site)
    shutil.rmtree(showed, ignore_errors=True)
    github, messages = GitHub.of(runner), list(messages_pushed(runner.event))
    try:
        for number, pull in _merged(runner, github):
            messages += messages_of(github, number)
            if pull is None:
                continue
            try:
                fetch_reviewed(github, pull, site, showed)
            except ReconcileError as error:
                annotate("warning", f"no reviewed plan to compare with: {error}")
            else:
                annotate("notice", f"found the plan that pull request #{number} showed")
    except ReconcileError as error:
        annotate("warning", f"no reviewed plan to compare with: {error}")
    (place / MESSAGES_FILE).write_text(json.dumps(messages), encoding="utf-8")
    return 0


def _merged(runner: Runner, github: GitHub) -> Iterator[tuple[int, Any]]:
    """The pull requests of this run: their numbers and, of what is merged, all about them."""
    if runner.queued:
        yield runner.queued, None
        return
    pulls = list(merged_pull_requests(github, Push.of(runner)))
    if not pulls:
        annotate("warning", f"no pull request has brought {runner.sha[:7]}: nobody has reviewed it")
    yield from ((pull["number"], pull) for pull in pulls)


def plan_place(runner: Runner, site: Site) -> Path:
    """The directory of the artifact with a site's plan."""
    place = temporary(runner) / site.slug
    place.mkdir(parents=True, exist_ok=True)
    return place


def reviewed_place(runner: Runner, site: Site) -> Path:
    """The directory of the plans that were reviewed; no part of the artifact."""
    return temporary(runner).with_name("reconcile-reviewed") / site.slug


def artifact_name(site: Site, pull_request: int) -> str:
    """What the artifact with the plan of a pull request is called."""
    return f"reconcile-{site.slug}-{pull_request}"


@dataclass(frozen=True, slots=True)
class Push:
    """The commits that a branch got at once, the newest first; of merges, the merge alone."""

    branch: str
    commits: Sequence[str]

    @classmethod
    def of(cls, runner: Runner) -> "Push":
        """The one that a run is for."""
        return cls(runner.branch, pushed_commits(runner))


def merged_pull_requests(github: GitHub, push: Push) -> Iterator[Any]:
    """The pull requests that a push has merged, the newest first.

    A commit may belong to several, such as stacked ones. The one that was merged first into this
    branch brought it.
    """
    seen = set()
    for commit in push.commits:
        found = [
            pull
            for pull in github.each(f"commits/{commit}/pulls?per_page=100")
            if pull.get("merged_at") and pull["base"]["ref"] == push.branch
        ]
        if not found:
            continue
        first = min(found, key=lambda pull: str(pull["merged_at"]))
        if first["number"] not in seen:
            seen.add(first["number"])
            yield first


def messages_of(github: GitHub, number: int) -> Iterator[dict[str, str]]:
    """What the commits of a pull request say; after a squash its branch's are nowhere in Git."""
    for item in github.each(f"pulls/{number}/commits?per_page=100"):
        author = item["commit"].get("author") or {}
        yield _message(item["sha"], author, item["commit"]["message"])


def messages_pushed(event: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """What the commits of a push say: `--allow-from-commit` looks at the newest merge alone."""
    for item in event.get("commits") or []:
        yield _message(item["id"], item.get("author") or {}, item["message"])


def _message(commit: str, author: Mapping[str, Any], text: str) -> dict[str, str]:
    return {"commit": commit, "author": str(author.get("name") or ""), "message": text}


def fetch_reviewed(github: GitHub, pull: Any, site: Site, place: Path) -> Path:
    """Save the last plan that a merged pull request showed. Raises `ReconcileError`."""
    number, head = pull["number"], pull["head"]["sha"]
    name = artifact_name(site, number)
    found = [
        item
        for item in github.each(f"actions/artifacts?name={name}&per_page=100", ".artifacts[]")
        if _is_of(item, name, head)
    ]
    if not found:
        raise ReconcileError(
            f"pull request #{number} has no artifact {name} of its last commit {head[:7]}",
            fix="it was merged before its plan was made, or the artifact has expired",
        )
    newest = max(found, key=lambda item: str(item.get("created_at")))
    data = _plan_in(github.download(f"actions/artifacts/{newest['id']}/zip"), name)
    place.mkdir(parents=True, exist_ok=True)
    saved = place / f"{number}.json"
    saved.write_bytes(data)
    return saved


def _is_of(item: Any, name: str, head: str) -> bool:
    """Whether an artifact was made by a run of this repository for this very commit."""
    run = item.get("workflow_run") or {}
    return bool(
        item.get("name") == name
        and not item.get("expired")
        and run.get("head_sha") == head
        and run.get("head_repository_id") == run.get("repository_id")
    )


def _plan_in(data: bytes, name: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            packed = archive.getinfo(PLAN_FILE)
            if packed.compress_type not in _SORTS:  # the others are unpacked without any limit
                raise zipfile.BadZipFile("it is packed in a way that is not known")
            with archive.open(packed) as stream:  # whose size may be more than is stated
                data = stream.read(_LARGEST + 1)
    except _UNREADABLE as error:
        raise ReconcileError(f"the artifact {name} holds no {PLAN_FILE}: {error}") from error
    if len(data) > _LARGEST:
        raise ReconcileError(f"the plan in {name} is larger than 64 MiB")
    return data
