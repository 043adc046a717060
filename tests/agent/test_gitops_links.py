"""Gitops mode where Git holds links, submodules and directories in the place of manifests."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.agent import AgentSettings, commit_draft, draft_manifest, read_base
from reconciler.cli.main import run
from reconciler.config import load_config
from reconciler.errors import ConfigError
from tests.agent.repository import MANIFESTS, SPEC, Repo, really
from tests.agent.site import title

NEW = {
    "apiVersion": "reconciler/v1",
    "kind": "RunaiEnvironment",
    "metadata": {"name": "new"},
    "spec": {"scope": "tenant", "image": "busybox:1"},
}


def move_behind_a_link(repo: Repo, name: str) -> None:
    """What `name` was is `real` now, and `name` leads to it."""
    (repo.infra / name).rename(repo.infra / "real")
    (repo.infra / name).symlink_to("real")
    repo.commit("Lead there by a link")


def refused(repo: Repo, *words: str) -> None:
    """A proposal is refused in these words, and no branch is made."""
    said = really(SPEC)
    assert title(said) == "❌ Proposal Failed"
    for word in words:
        assert word in said
    assert repo.branches() == ["main"]


def test_a_manifests_directory_that_is_a_link_is_refused(repo: Repo) -> None:
    move_behind_a_link(repo, "manifests")
    assert run(["-C", str(repo.infra), "validate"]) == 0
    refused(repo, "manifests is a symbolic link", "replace the link by what it leads to")


def test_a_parent_that_is_a_link_in_the_base_is_refused(repo: Repo) -> None:
    repo.git("mv", "infra", "elsewhere")
    (repo.root / "infra").symlink_to("elsewhere")
    repo.commit("Lead there by a link")
    repo.git("branch", "linked")
    (repo.root / "infra").unlink()
    repo.git("mv", "elsewhere", "infra")
    repo.commit("Put it back")
    said = really(SPEC)
    assert title(said).startswith("✅")
    repo.git("branch", "--delete", "--force", *(set(repo.branches()) - {"main", "linked"}))
    config = load_config(repo.infra / "reconciler.yaml")
    with pytest.raises(ConfigError, match="infra is a symbolic link"):
        read_base(config, AgentSettings(directory=repo.infra, base="linked"))


def test_overlays_that_are_a_link_are_refused(repo: Repo) -> None:
    (repo.infra / "overlays" / "live").mkdir(parents=True)
    (repo.infra / "overlays" / "live" / "note").write_text("nothing yet")
    move_behind_a_link(repo, "overlays")
    refused(repo, "overlays is a symbolic link")


def test_a_manifest_behind_a_link_is_refused(repo: Repo) -> None:
    """`validate` follows it; a change would write YAML into the link, or state things twice."""
    directory = repo.infra / "manifests"
    (directory / ".v").mkdir()
    (directory / "all.yaml").rename(directory / ".v" / "1.yaml")
    (directory / "all.yaml").symlink_to(".v/1.yaml")
    repo.commit("Lead there by a link")
    assert run(["-C", str(repo.infra), "validate"]) == 0
    refused(repo, "manifests/all.yaml is a symbolic link")


def test_a_hidden_link_is_no_manifest_and_stays(repo: Repo) -> None:
    (repo.infra / "manifests" / ".note").symlink_to("all.yaml")
    repo.commit("Add a hidden link")
    assert title(really(SPEC)).startswith("✅")
    changed = repo.git("diff", "--name-status", "main", repo.proposed())
    assert changed == "A\tinfra/manifests/new.yaml"


@pytest.mark.parametrize("place", ["manifests", "manifests/team"])
def test_a_submodule_is_refused(repo: Repo, place: str) -> None:
    """As an entry of the tree: what it holds is in another repository."""
    if place == "manifests":
        repo.git("rm", "-r", "--quiet", "infra/manifests")
    entry = f"160000,{repo.git('rev-parse', 'HEAD')},infra/{place}"
    repo.git("update-index", "--add", "--cacheinfo", entry)
    repo.git("commit", "--quiet", "--message", "Add a submodule")
    refused(repo, f"{place} is a submodule", "propose it in the repository of the submodule")


def test_a_file_in_the_place_of_the_directory_is_refused(repo: Repo) -> None:
    repo.git("rm", "-r", "--quiet", "infra/manifests")
    (repo.infra / "manifests").write_text("nothing")
    repo.commit("Replace it by a file")
    refused(repo, "manifests is a file")


@pytest.mark.parametrize("name", ["new.yaml/part.yaml", "NEW.yaml/part.yaml", "new.yaml/.keep"])
def test_a_directory_named_like_the_new_file_stays(repo: Repo, name: str) -> None:
    part = repo.infra / "manifests" / Path(name)
    part.parent.mkdir()
    part.write_text("---\n")
    repo.commit("Add a directory")
    assert title(really(SPEC)).startswith("✅")
    changed = repo.git("diff", "--name-status", "main", repo.proposed())
    assert changed == "A\tinfra/manifests/new-2.yaml"


def test_a_branch_whose_manifests_are_not_the_drafted_ones_is_not_made(repo: Repo) -> None:
    """What is written is read again: a file that is no manifest states nothing."""
    config = load_config(repo.infra / "reconciler.yaml")
    settings = AgentSettings(directory=repo.infra)
    draft = draft_manifest(read_base(config, settings), NEW)
    for file in ("manifests/.new.yaml", "elsewhere/new.yaml", "manifests/new.txt"):
        with pytest.raises(ConfigError, match="would not state what was worked out"):
            commit_draft(replace(draft, file=file), settings)
    with pytest.raises(ConfigError, match="would not state what was worked out"):
        commit_draft(replace(draft, file="manifests/all.yaml", data=MANIFESTS.encode()), settings)
    assert repo.branches() == ["main"]
    assert commit_draft(draft, settings).branch in repo.branches()
    assert subprocess.run(["git", "fsck", "--strict"], cwd=repo.root, check=False).returncode == 0
