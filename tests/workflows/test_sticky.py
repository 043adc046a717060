"""Comments and issues without a workflow around them: markers, limits, whose text is touched."""

import pytest

from reconciler.core.header import Header
from reconciler.github.rest import GitHub
from reconciler.github.runner import Runner
from reconciler.github.site import Site, fenced
from reconciler.github.sticky import (
    COMMENT_LIMIT,
    close_drift,
    fit,
    marker,
    report_drift,
    under,
    write_comment,
)
from reconciler.render.markdown import marker as rendered_marker
from reconciler.render.markdown import render_markdown
from tests.core.builders import live, plan_of
from tests.workflows.fake_github import APP, BOT, FakeGitHub


@pytest.mark.parametrize(
    "target", ["production", "a.b_c", "eu-west-1", "x--> <b>", "a b", "é" * 90]
)
def test_the_marker_is_the_one_that_the_page_starts_with(target: str) -> None:
    assert marker(target) == rendered_marker(target)
    assert marker(target).count("-->") == 1
    assert marker(target, "drift:") != marker(target)


@pytest.mark.parametrize("text", ["", "a", "`` ` ````\n", "::error::x\n```\n# title"])
def test_a_fence_is_longer_than_what_it_holds(text: str) -> None:
    first, *_, last = fenced(text).split("\n")
    assert first == last
    assert first not in text


def test_what_is_too_long_is_cut_and_says_so() -> None:
    short = f"{marker('a')}\nshort"
    assert fit(short) == short
    found = fit(f"{marker('a')}\n```\n" + "line\n" * COMMENT_LIMIT)
    assert len(found) <= COMMENT_LIMIT
    assert found.startswith(f"{marker('a')}\n**Cut off")
    assert found.count("```") == 2
    assert "see the artifact" in found


def test_what_stands_beside_the_marker_is_kept() -> None:
    plan = plan_of([], [live(f"RunaiEnvironment.old-{n:04}") for n in range(4000)])
    page = render_markdown(plan, Header("a"), COMMENT_LIMIT)
    first, second = under(marker("a", "drift:"), page.text).splitlines()[:2]
    assert first == marker("a", "drift:")
    assert second == f"{page.shown} of 4000 destroys shown: this is not all of it."
    assert under(marker("b"), f"{marker('a')}\nx") == f"{marker('b')}\nx"
    assert under(marker("b"), "x") == f"{marker('b')}\nx"


MALLORY = {"login": "mallory", "type": "User"}
SITE = Site("production")


@pytest.mark.parametrize(
    ("viewer", "author", "done"),
    [
        (BOT, BOT, "updated"),
        (APP, APP, "updated"),  # with the token of an App: no new comment for each push
        (APP, BOT, "updated"),  # it wrote with the job's token before
        (APP, MALLORY, "created"),
        (BOT, MALLORY, "created"),
        (BOT, APP, "created"),
        ({"login": "deployer", "type": "User"}, {"login": "deployer", "type": "User"}, "updated"),
        ({"login": "acme-bot", "type": "Bot"}, APP, "updated"),  # as GraphQL may call a bot
    ],
)
def test_whose_comment_and_issue_are_ours(
    viewer: dict[str, str],
    author: dict[str, str],
    done: str,
    github: FakeGitHub,
    gh: GitHub,
) -> None:
    known = github.repository
    known.viewer = viewer
    known.comments[7] = [{"id": 1, "user": author, "body": f"{marker('production')}\nold"}]
    assert write_comment(gh, 7, marker("production"), "new") == done
    assert [item["body"].endswith("new") for item in known.comments[7]] == (
        [True] if done == "updated" else [False, True]
    )
    issue = {"number": 1, "state": "open", "user": author, "title": "t"}
    known.issues = [{**issue, "body": f"{marker('production', 'drift:')}\nold"}]
    assert report_drift(gh, SITE, "new") == ("updated" if done == "updated" else "opened")
    assert close_drift(gh, SITE, "gone") == "closed"
    assert known.issues[0]["state"] == ("closed" if done == "updated" else "open")


@pytest.mark.parametrize(
    ("event", "base"),
    [
        ({"pull_request": {"base": {"sha": "a" * 40}}}, "a" * 40),
        ({"merge_group": {"base_sha": "b" * 40}}, "b" * 40),
        ({"before": "c" * 64}, "c" * 64),
        ({"before": "0" * 40}, ""),  # a new branch
        ({"before": "--upload-pack=x"}, ""),
        ({"before": 1}, ""),
        ({}, ""),
    ],
)
def test_the_base_is_a_commit_or_nothing(event: dict[str, object], base: str) -> None:
    assert Runner({}, event).base == base
