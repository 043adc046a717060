"""Calls of GitHub that have to be sent again, and those that must not be."""

from typing import Any

import pytest

from reconciler.errors import ReconcileError
from reconciler.github.api import GitHub
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
