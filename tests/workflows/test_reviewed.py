"""Which artifact counts as the plan that a pull request showed; asked for with the real gh."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import ReconcileError
from reconciler.github.api import GitHub
from reconciler.github.reviewed import fetch_reviewed
from reconciler.github.site import Site
from tests.workflows.fake_github import FakeGitHub

COMMIT, HEAD = "c" * 40, "d" * 40


def packed(name: str, text: str) -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w") as archive:
        archive.writestr(name, text)
    return found.getvalue()


def artifact(number: int, **differs: Any) -> dict[str, Any]:
    run = {"head_sha": HEAD, "repository_id": 1, "head_repository_id": 1, **differs.pop("run", {})}
    return {
        "id": number,
        "name": "reconcile-production-7",
        "expired": False,
        "created_at": f"2026-01-0{number}",
        "workflow_run": run,
        **differs,
    }


def fetch(github: FakeGitHub, monkeypatch: pytest.MonkeyPatch, place: Path) -> str:
    for name, value in (
        ("GH_HOST", "github.localhost"),
        ("GH_TOKEN", "canary"),
        ("HTTP_PROXY", github.url),
        ("NO_PROXY", "127.0.0.1"),
        ("GH_CONFIG_DIR", str(place)),
    ):
        monkeypatch.setenv(name, value)
    found = fetch_reviewed(GitHub("acme/platform"), COMMIT, Site("production"), place / "r.json")
    return found.read_text()


def merged(github: FakeGitHub) -> None:
    pull = {"number": 7, "merged_at": "x", "merge_commit_sha": COMMIT, "head": {"sha": HEAD}}
    others = [{**pull, "number": n, "merge_commit_sha": "e" * 40} for n in range(3)]
    github.repository.pulls[COMMIT] = [*others, pull]


def test_the_newest_artifact_of_the_last_commit_of_a_branch_of_ours(
    github: FakeGitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    merged(github)
    known = github.repository
    known.artifacts = [
        artifact(1),
        artifact(2),
        artifact(3, run={"head_repository_id": 2}),  # a fork's
        artifact(4, run={"head_sha": "e" * 40}),  # an earlier commit's
        artifact(5, expired=True),
    ]
    known.zips = {item["id"]: packed("plan.json", f"plan {item['id']}") for item in known.artifacts}
    assert fetch(github, monkeypatch, tmp_path) == "plan 2"


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda github: None, "is not the merge of a pull request"),
        (merged, "pull request #7 has no artifact reconcile-production-7"),
    ],
)
def test_what_is_said_where_there_is_none(
    prepare: Any,
    words: str,
    github: FakeGitHub,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    prepare(github)
    with pytest.raises(ReconcileError, match=words):
        fetch(github, monkeypatch, tmp_path)


def marked(flag: int, method: int) -> bytes:
    """An archive of a plan whose headers say that it is encrypted, or compressed otherwise."""
    data = bytearray(packed("plan.json", "{}"))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = data.index(signature) + offset
        data[place] |= flag
        data[place + 2] = method
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        b"no zip",
        packed("other.json", "{}"),
        pytest.param(marked(1, 0), id="encrypted"),
        pytest.param(marked(0, 99), id="compressed otherwise"),
        pytest.param(marked(0, 8), id="broken"),
    ],
)
def test_an_artifact_without_a_plan(
    data: bytes, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    merged(github)
    github.repository.artifacts = [artifact(1)]
    github.repository.zips = {1: data}
    with pytest.raises(ReconcileError, match=r"holds no plan\.json"):
        fetch(github, monkeypatch, tmp_path)


def test_what_github_refuses_is_told(
    github: FakeGitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    merged(github)
    github.repository.artifacts = [artifact(1)]
    with pytest.raises(ReconcileError, match="actions/artifacts/1/zip: GitHub refused"):
        fetch(github, monkeypatch, tmp_path)
