"""`plan --repo URL --ref REF`: a repository without a checkout by hand."""

import os
import tempfile
from pathlib import Path

import pytest

from tests.acceptance.git_project import commit, git, start
from tests.acceptance.live_side import assets
from tests.acceptance.project import Project, Ran, environment


@pytest.fixture
def origin(world: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A repository with `main` and `work`; commands run elsewhere, with a directory for clones."""
    world.write(environment("first"))
    start(world)
    world.write(environment("first"), environment("second"))
    commit(world, "A second")
    git(world.directory, "tag", "v1")
    git(world.directory, "update-ref", "refs/pull/7/head", "work")
    clones = tmp_path / "clones"
    clones.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(clones))
    return world


def plan(world: Project, repo: str, *options: str) -> Ran:
    elsewhere = world.directory.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    ran = world.reconcile("-C", str(elsewhere), "plan", "--repo", repo, *options)
    assert list((world.directory.parent / "clones").iterdir()) == []
    return ran


@pytest.mark.parametrize("form", ["path", "url"])
@pytest.mark.parametrize("ref", ["main", "work", "v1", "hash", "refs/pull/7/head", "work~1"])
def test_every_kind_of_ref(origin: Project, form: str, ref: str) -> None:
    repo = str(origin.directory) if form == "path" else origin.directory.as_uri()
    head = git(origin.directory, "rev-parse", "work")
    words = ["--ref", head if ref == "hash" else ref]
    ran = plan(origin, repo, *words)
    assert ran.code == 0, ran.err
    expected = 1 if ref in ("main", "work~1") else 2
    assert f"Plan: {expected} to add" in ran.out
    if ref == "work":
        assert f" · commit {head[:7]}\n" in ran.out
        assert "uncommitted" not in ran.out


def test_a_branch_and_a_tag_of_one_name(origin: Project) -> None:
    git(origin.directory, "branch", "v1", "main")
    ran = plan(origin, str(origin.directory), "--ref", "v1")
    assert ran.code == 1
    assert "'v1' is a branch and a tag, of different commits" in ran.err
    assert "write --ref refs/heads/v1 or --ref refs/tags/v1" in ran.err
    for ref, expected in (("refs/heads/v1", 1), ("refs/tags/v1", 2)):
        ran = plan(origin, str(origin.directory), "--ref", ref)
        assert f"Plan: {expected} to add" in ran.out


def test_without_a_ref_it_is_the_head(origin: Project) -> None:
    assert "Plan: 2 to add" in plan(origin, str(origin.directory)).out


def test_with_a_base(origin: Project) -> None:
    words = ("--ref", "work", "--since", "origin/main", "--config-from", "origin/main")
    ran = plan(origin, str(origin.directory), *words)
    assert ran.code == 0, ran.err
    said = "1 change from this branch, 0 drift, 1 merged and not applied yet (since origin/main)."
    assert said in ran.out


def test_apply(origin: Project) -> None:
    words = ("apply", "--apply", "--repo", str(origin.directory), "--ref", "main")
    ran = origin.reconcile(*words)
    assert ran.code == 0, ran.err
    assert [item["meta"]["name"] for item in assets(origin)] == ["first"]


def test_another_configuration_file(origin: Project) -> None:
    git(origin.directory, "mv", "reconciler.yaml", "infra.yaml")
    commit(origin, "Another name")
    ran = plan(origin, str(origin.directory))
    assert ran.code == 1
    assert "HEAD has no reconciler.yaml" in ran.err
    elsewhere = origin.directory.parent / "elsewhere"
    words = ("--config", "infra.yaml", "plan", "--repo", str(origin.directory))
    assert origin.reconcile("-C", str(elsewhere), *words).code == 0
    words = ("--config", "../outside.yaml", "plan", "--repo", str(origin.directory))
    (origin.directory.parent / "outside.yaml").write_text("stack: x\n")
    ran = origin.reconcile("-C", str(elsewhere), *words)
    assert ran.code == 1
    assert "HEAD has no ../outside.yaml" in ran.err


def test_a_link_out_of_the_repository_is_no_configuration(origin: Project) -> None:
    outside = origin.directory.parent / "outside.yaml"
    outside.write_text((origin.directory / "reconciler.yaml").read_text())
    (origin.directory / "reconciler.yaml").unlink()
    (origin.directory / "reconciler.yaml").symlink_to(outside)
    commit(origin, "A link")
    assert "HEAD has no reconciler.yaml" in plan(origin, str(origin.directory)).err


@pytest.mark.parametrize(
    "address",
    [
        "ext::sh -c 'touch MARK'",
        "ext://sh -c 'touch MARK'",
        "fd::17/foo",
        "::x",
        "--upload-pack=touch MARK",
        "-u touch MARK",
        "ssh://-oProxyCommand=touch MARK/x",
        "-oProxyCommand=x@host:y",
        "ftp://example.com/x",
        "nowhere",
        "",
    ],
)
def test_what_is_not_cloned_from(origin: Project, address: str) -> None:
    mark = origin.directory.parent / "mark"
    ran = plan(origin, address.replace("MARK", str(mark)))
    assert ran.code == 1
    assert "--repo" in ran.err
    assert "https://HOST/PATH" in ran.err
    assert not mark.exists()


@pytest.mark.parametrize("ref", ["--upload-pack=x", "-b", "main..work", "a b", "x:y", "nowhere"])
def test_what_is_no_ref(origin: Project, ref: str) -> None:
    ran = plan(origin, str(origin.directory), f"--ref={ref}")
    assert ran.code == 1
    assert repr(ref) in ran.err


def test_credentials_are_not_shown(origin: Project) -> None:
    repo = "http://canary-user:canary-word@127.0.0.1:9/x.git?canary-query"
    ran = plan(origin, repo, "--ref", "main")
    assert ran.code == 1
    assert "canary" not in ran.out + ran.err
    assert "127.0.0.1:9" in ran.err
    ran = plan(origin, "gopher://canary-user:canary-word@127.0.0.1:9/x.git")
    assert "canary" not in ran.out + ran.err


def test_no_hook_runs(origin: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    template = origin.directory.parent / "template" / "hooks"
    template.mkdir(parents=True)
    mark = origin.directory.parent / "mark"
    hook = template / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(template.parent))
    assert plan(origin, str(origin.directory)).code == 0
    assert not mark.exists()
    assert os.environ["GIT_TEMPLATE_DIR"]


def test_a_ref_without_a_repository(world: Project) -> None:
    world.write(environment())
    ran = world.reconcile("plan", "--ref", "main")
    assert ran.code == 1
    assert "--ref goes with --repo" in ran.err


def test_what_the_caller_configures_in_variables_counts(
    origin: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{origin.directory.as_uri()}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://git.invalid/team/models")
    ran = plan(origin, "https://git.invalid/team/models", "--ref", "work")
    assert ran.code == 0, ran.err
    assert "Plan: 2 to add" in ran.out


@pytest.mark.parametrize("directory", [".", "infra", ".infra/deep"])
def test_annotations_name_paths_of_the_clone(origin: Project, directory: str) -> None:
    moved = origin.directory / directory
    moved.mkdir(parents=True, exist_ok=True)
    if directory != ".":
        for name in ("manifests", "reconciler.yaml"):
            (origin.directory / name).rename(moved / name)
    commit(origin, "Move it")
    (moved / "manifests" / "all.yaml").write_text("- x\n")
    commit(origin, "Break it")
    place = ("--config", f"{directory}/reconciler.yaml")
    elsewhere = origin.directory.parent / "elsewhere"
    elsewhere.mkdir()
    words = ("plan", "--repo", str(origin.directory), "-o", "annotations")
    ran = origin.reconcile("-C", str(elsewhere), *place, *words)
    assert ran.code == 1
    prefix = "" if directory == "." else f"{directory}/"
    assert f"::error file={prefix}manifests/all.yaml,line=1" in ran.out
