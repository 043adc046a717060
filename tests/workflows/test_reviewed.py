"""Which artifact counts as the plan that a pull request showed; asked for with the real gh."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import ReconcileError
from reconciler.github.rest import GitHub
from reconciler.github.reviewed import Push, fetch_reviewed, merged_pull_requests
from reconciler.github.site import Site
from tests.workflows.fake_github import FakeGitHub

COMMIT, HEAD = "c" * 40, "d" * 40


def packed(name: str, text: str, sort: int = zipfile.ZIP_STORED) -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", sort) as archive:
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


PULL = {"number": 7, "merged_at": "x", "base": {"ref": "main"}, "head": {"sha": HEAD}}


def fetch(gh: GitHub, place: Path) -> str:
    return fetch_reviewed(gh, PULL, Site("production"), place / "reviewed").read_text()


def pull(number: int, **differs: Any) -> dict[str, Any]:
    """A pull request as the list of a commit has it: a `merge_commit_sha` is not relied on."""
    return {**PULL, "number": number, "merged_at": f"2026-01-0{number}", **differs}


@pytest.mark.parametrize(
    ("pulls", "wanted"),
    [
        ({}, []),
        ({COMMIT: [pull(7)]}, [7]),
        ({COMMIT: [pull(7, merged_at=None)]}, []),
        ({COMMIT: [pull(6, base={"ref": "feature"}), pull(7)]}, [7]),  # stacked
        ({COMMIT: [pull(8), pull(7)]}, [7]),  # taken over by another one later
        ({COMMIT: [pull(7)], "b" * 40: [pull(5)]}, [7, 5]),  # a merge queue's push
        ({COMMIT: [pull(7)], "b" * 40: [pull(7)]}, [7]),  # rebased onto the branch
        ({"b" * 40: [pull(5)]}, [5]),  # somebody pushed on top of it
    ],
)
def test_which_pull_requests_a_push_has_merged(
    pulls: dict[str, Any], wanted: list[int], github: FakeGitHub, gh: GitHub
) -> None:
    github.repository.pulls = pulls
    push = Push("main", [COMMIT, "b" * 40])
    assert [item["number"] for item in merged_pull_requests(gh, push)] == wanted


def test_the_newest_artifact_of_the_last_commit_of_a_branch_of_ours(
    github: FakeGitHub, gh: GitHub, tmp_path: Path
) -> None:
    known = github.repository
    known.artifacts = [
        artifact(1),
        artifact(2),
        artifact(3, run={"head_repository_id": 2}),  # a fork's
        artifact(4, run={"head_sha": "e" * 40}),  # an earlier commit's
        artifact(5, expired=True),
    ]
    known.zips = {item["id"]: packed("plan.json", f"plan {item['id']}") for item in known.artifacts}
    assert fetch(gh, tmp_path) == "plan 2"


def test_what_is_said_where_there_is_none(gh: GitHub, tmp_path: Path) -> None:
    with pytest.raises(ReconcileError, match="#7 has no artifact reconcile-production-7"):
        fetch(gh, tmp_path)


def marked(flag: int, method: int) -> bytes:
    """An archive of a plan whose headers say that it is encrypted, or compressed otherwise."""
    data = bytearray(packed("plan.json", "{}"))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = data.index(signature) + offset
        data[place] |= flag
        data[place + 2] = method
    return bytes(data)


def stating(data: bytes, size: int) -> bytes:
    """The same archive, of which the directory states another size of what is in it."""
    place = data.rindex(b"PK\x01\x02") + 24
    return data[:place] + size.to_bytes(4, "little") + data[place + 4 :]


def altered(place: int) -> bytes:
    """An archive with another byte in its directory, where no checksum sees it."""
    data = bytearray(packed("plan.json", "{}"))
    begin = data.rindex(b"PK\x01\x02")
    data[begin + place] ^= 0xFF
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        b"no zip",
        packed("other.json", "{}"),
        pytest.param(marked(1, 0), id="encrypted"),
        pytest.param(marked(0, 99), id="compressed otherwise"),
        pytest.param(marked(0, 8), id="broken"),
        pytest.param(packed("plan.json", "{}", zipfile.ZIP_LZMA), id="of a sort without limits"),
        pytest.param(
            stating(packed("plan.json", "x" * 1_000_000, zipfile.ZIP_DEFLATED), 10),
            id="larger than stated",
        ),
        *(pytest.param(altered(place), id=f"another byte {place}") for place in (0, 6, 46, 71)),
    ],
)
def test_an_artifact_without_a_plan(
    data: bytes, github: FakeGitHub, gh: GitHub, tmp_path: Path
) -> None:
    github.repository.artifacts = [artifact(1)]
    github.repository.zips = {1: data}
    with pytest.raises(ReconcileError, match=r"holds no plan\.json"):
        fetch(gh, tmp_path)


def test_what_github_refuses_is_told(github: FakeGitHub, gh: GitHub, tmp_path: Path) -> None:
    github.repository.artifacts = [artifact(1)]
    with pytest.raises(ReconcileError, match="actions/artifacts/1/zip: GitHub refused"):
        fetch(gh, tmp_path)
