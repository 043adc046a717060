"""Calls of GitHub that have to be sent again, and those that must not be."""

import os
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import ReconcileError
from reconciler.github.rest import GitHub
from tests.workflows.fake_github import FakeGitHub

LIMITED = "You have exceeded a secondary rate limit. Please wait a few minutes."
ABUSE = "You have triggered an abuse detection mechanism."
PRIMARY = "API rate limit exceeded for installation ID 1."
FORBIDDEN = "Resource not accessible by integration"


@pytest.mark.parametrize(
    ("method", "failures", "waits"),
    [
        ("GET", [], []),
        ("GET", [(502, "Bad Gateway")], [2]),
        ("GET", [(500, "Server Error"), (503, "Unavailable"), (504, "Timeout")], [2, 4, 8]),
        ("PATCH", [(502, "Bad Gateway")], [2]),
        ("GET", [(403, LIMITED)], [60]),
        ("POST", [(429, LIMITED), (403, ABUSE)], [60, 120]),  # not carried out: no second comment
        ("GET", [(502, "Bad Gateway"), (403, LIMITED), (502, "Bad Gateway")], [2, 60, 4]),
    ],
)
def test_what_is_sent_again(
    method: str, failures: list[tuple[int, str]], waits: list[float], github: FakeGitHub, gh: GitHub
) -> None:
    known, slept = github.repository, list[float]()
    known.failures = list(failures)
    known.comments[7] = [{"id": 1, "user": {"login": "ada"}, "body": "old"}]
    github_of = GitHub("acme/platform", wait=slept.append)
    if method == "GET":
        assert [item["body"] for item in github_of.each("issues/7/comments")] == ["old"]
    else:
        path = "issues/comments/1" if method == "PATCH" else "issues/7/comments"
        assert github_of.send(method, path, {"body": "new"})["body"] == "new"
        assert [item["body"] for item in known.comments[7]][-1] == "new"
    assert slept == waits


def test_a_query_is_asked_again(github: FakeGitHub, gh: GitHub) -> None:
    """It is a POST, and writes nothing."""
    github.repository.failures = [(502, "Bad Gateway")]
    slept = list[float]()
    found = GitHub("acme/platform", wait=slept.append).query("query{viewer{login}}")
    assert (found["viewer"]["login"], slept) == ("github-actions[bot]", [2])


@pytest.mark.parametrize(
    ("method", "failure", "most"),
    [
        ("POST", (502, "Bad Gateway"), 1),  # it may have been written
        ("GET", (403, FORBIDDEN), 1),
        ("GET", (403, PRIMARY), 1),  # up to an hour
        ("GET", (404, "Not Found"), 1),
        ("GET", (502, "Bad Gateway"), 4),
        ("POST", (403, LIMITED), 4),
    ],
)
def test_what_is_given_up(
    method: str, failure: tuple[int, str], most: int, github: FakeGitHub, gh: GitHub
) -> None:
    known, slept = github.repository, list[float]()
    known.failures = [failure] * 9
    calls: dict[str, Any] = {
        "GET": lambda one: one.get("git/ref/heads/main"),
        "POST": lambda one: one.send("POST", "issues", {"title": "t"}),
    }
    with pytest.raises(ReconcileError, match=failure[1][:20]):
        calls[method](GitHub("acme/platform", wait=slept.append))
    assert len(known.requests) == most
    assert len(slept) == most - 1


def test_every_request_names_the_version_of_the_interface(github: FakeGitHub, gh: GitHub) -> None:
    gh.send("POST", "issues", {"title": "t"})
    list(gh.each("issues?state=open"))
    assert github.repository.versions == {"2022-11-28"}


@pytest.mark.parametrize(("taken", "asked"), [(1, 1), (2, 1), (3, 2), (7, 4)])
def test_a_list_is_read_as_far_as_it_is_needed(
    taken: int, asked: int, github: FakeGitHub, gh: GitHub
) -> None:
    github.repository.comments[7] = [{"id": n, "user": {}, "body": str(n)} for n in range(7)]
    found = islice(gh.each("issues/7/comments?per_page=100"), taken)
    assert [item["id"] for item in found] == list(range(taken))
    assert len(github.repository.requests) == asked


@pytest.mark.parametrize(("pages", "more"), [(3, True), (4, False)])
def test_a_list_without_end_is_not_read_to_its_end(
    pages: int, more: bool, github: FakeGitHub, gh: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    github.repository.comments[7] = [{"id": n, "user": {}, "body": str(n)} for n in range(7)]
    found = GitHub("acme/platform", most_pages=pages).each("issues/7/comments?per_page=100")
    assert len(list(found)) == min(2 * pages, 7)
    assert len(github.repository.requests) == pages
    assert (f"issues/7/comments has more than {pages} pages" in capsys.readouterr().out) is more


def test_a_limit_that_is_used_up_is_told_for_what_it_is(github: FakeGitHub, gh: GitHub) -> None:
    github.repository.failures = [(403, PRIMARY)]
    with pytest.raises(ReconcileError, match="API rate limit exceeded") as raised:
        gh.get("pulls")
    assert "in an hour" in raised.value.fix


def test_an_answer_has_a_size(github: FakeGitHub, gh: GitHub) -> None:
    github.repository.zips = {1: b"x" * (1 << 20), 2: b"x" * (65 << 20)}
    assert len(gh.download("actions/artifacts/1/zip")) == 1 << 20
    with pytest.raises(ReconcileError, match="more than 64 MiB"):
        gh.download("actions/artifacts/2/zip")


def test_an_answer_has_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    silent = tmp_path / "gh"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(ReconcileError, match=r"no answer within 0\.2 s"):
        GitHub("acme/platform", seconds=0.2).get("issues/1")


def test_what_is_no_json_is_an_error(github: FakeGitHub, gh: GitHub) -> None:
    github.repository.zips = {1: b"<html>"}
    with pytest.raises(ReconcileError, match="no JSON"):
        gh.get("actions/artifacts/1/zip")
