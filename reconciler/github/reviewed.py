"""The plan that the merged pull request showed, fetched to be compared with. Never applied.

An artifact of a pull request is data from whoever could push to its branch: it is read with limits
and shown as what was reviewed, and decides nothing.
"""

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

from reconciler.errors import ReconcileError
from reconciler.github.api import GitHub
from reconciler.github.site import Site

PLAN_FILE = "plan.json"
_UNREADABLE = (KeyError, zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError)
"""What zipfile raises for what is missing, broken, encrypted or compressed in another way."""
_LARGEST = 64 * 1024 * 1024


def artifact_name(site: Site, pull_request: int) -> str:
    """What the artifact with the plan of a pull request is called."""
    return f"reconcile-{site.slug}-{pull_request}"


def fetch_reviewed(github: GitHub, commit: str, site: Site, place: Path) -> Path:
    """Save the plan that the pull request of this merged commit showed last.

    Raises `ReconcileError` that says why there is none.
    """
    merged = _pull_request(github, commit)
    number, head = merged["number"], merged["head"]["sha"]
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
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return place


def _pull_request(github: GitHub, commit: str) -> Any:
    for found in github.each(f"commits/{commit}/pulls?per_page=100"):
        if found.get("merged_at") and found.get("merge_commit_sha") == commit:
            return found
    raise ReconcileError(
        f"commit {commit[:7]} is not the merge of a pull request",
        fix="nobody has reviewed a plan of it: read this one with care",
    )


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
            if archive.getinfo(PLAN_FILE).file_size > _LARGEST:
                raise ReconcileError(f"the plan in {name} is larger than 64 MiB")
            return archive.read(PLAN_FILE)
    except _UNREADABLE as error:
        raise ReconcileError(f"the artifact {name} holds no {PLAN_FILE}: {error}") from error
