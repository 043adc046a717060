"""How a branch becomes a pull request, as far as the remote tells."""

import subprocess
from pathlib import Path

import pytest

from reconciler.git.branch import review_steps
from reconciler.git.repository import open_repository

BRANCH = "reconcile/create-a-1"
NAME = "reconcile%2Fcreate-a-1"


def steps(place: Path, origin: str | None, base: str = "HEAD") -> list[str]:
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", place], check=True)
    if origin is not None:
        subprocess.run(["git", "remote", "add", "origin", origin], cwd=place, check=True)
    return review_steps(open_repository(place), BRANCH, base)


@pytest.mark.parametrize(
    "origin",
    [
        "git@git.example.com:acme/infra.git",
        "https://git.example.com/acme/infra.git",
        "https://user:secret@git.example.com/acme/infra",
        "ssh://git@git.example.com:22/acme/infra.git",
    ],
)
def test_a_known_form_of_address_becomes_a_link(tmp_path: Path, origin: str) -> None:
    push, link = steps(tmp_path, origin)
    assert push == f"git push -u origin {BRANCH}"
    assert f"open https://git.example.com/acme/infra/compare/main...{NAME}?expand=1" in link
    assert "secret" not in link


def test_the_base_is_what_was_named(tmp_path: Path) -> None:
    _, link = steps(tmp_path, "git@git.example.com:acme/infra.git", "origin/release")
    assert f"/compare/release...{NAME}?" in link


def test_gitlab_has_another_form(tmp_path: Path) -> None:
    _, link = steps(tmp_path, "git@gitlab.example.com:acme/infra.git")
    assert link.endswith(f"/-/merge_requests/new?merge_request%5Bsource_branch%5D={NAME}")


@pytest.mark.parametrize("origin", ["/srv/git/infra.git", "file:///srv/infra.git", "host:x y"])
def test_an_address_without_a_site_gives_no_link(tmp_path: Path, origin: str) -> None:
    found = steps(tmp_path, origin)
    assert found[0] == f"git push -u origin {BRANCH}"
    assert "http" not in " ".join(found)


def test_no_remote_is_said(tmp_path: Path) -> None:
    assert "no remote named origin" in steps(tmp_path, None)[0]


def test_where_commits_are_to_be_signed_people_sign_this_one(tmp_path: Path) -> None:
    assert len(steps(tmp_path, "git@git.example.com:acme/infra.git")) == 2
    subprocess.run(["git", "config", "commit.gpgsign", "yes"], cwd=tmp_path, check=True)
    sign, push, _ = review_steps(open_repository(tmp_path), BRANCH, "HEAD")
    assert sign.startswith(f"git switch {BRANCH} && git commit --amend --no-edit -S  (")
    assert push == f"git push -u origin {BRANCH}"
