"""The workflow of a release, up to where something would be published."""

import json
import re
import shutil
import tarfile
import zipfile

import pytest
import yaml

from tests.workflows.act import run_workflow
from tests.workflows.stage import ROOT, Stage

WORKFLOW = ROOT / ".github/workflows/release.yml"


@pytest.fixture
def tagged(bare_stage: Stage) -> Stage:
    """Our repository as it is committed, with a changelog that names the version."""
    shutil.rmtree(bare_stage.repository)
    bare_stage.repository.mkdir()
    bare_stage.git("clone", "-q", "--depth", "1", f"file://{ROOT}", ".")
    changelog = bare_stage.repository / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    changelog.write_text(text.replace("[Unreleased]", "[0.1.0] - 2026-12-01"), encoding="utf-8")
    bare_stage.git("add", "-A")
    bare_stage.git("commit", "-q", "-m", "Release 0.1.0")
    bare_stage.git("tag", "v0.1.0")
    return bare_stage


def event(stage: Stage, tag: str) -> dict[str, object]:
    head = stage.git("rev-parse", "HEAD")
    repository = {"full_name": "acme/reconciler", "default_branch": "main"}
    return {"ref": f"refs/tags/{tag}", "after": head, "repository": repository}


@pytest.mark.slow
def test_a_tag_is_built_once_with_its_notes_and_its_bill_of_materials(tagged: Stage) -> None:
    ran = run_workflow(
        tagged, "push", event(tagged, "v0.1.0"), "--job", "build", workflow="release"
    )
    assert ran.jobs == {"build": 0}, ran.log
    dist, about = tagged.artifacts / "dist", tagged.artifacts / "about"
    wheel, source = dist / "reconciler-0.1.0-py3-none-any.whl", dist / "reconciler-0.1.0.tar.gz"
    assert set(dist.iterdir()) == {wheel, source}
    with zipfile.ZipFile(wheel) as packed:
        assert {"reconciler/py.typed", "rayfine_env/__init__.py"} <= set(packed.namelist())
    with tarfile.open(source) as packed:
        assert "reconciler-0.1.0/tests/workflows/test_release.py" in packed.getnames()
    assert (about / "notes.md").read_text(encoding="utf-8").startswith("Will be 0.1.0")
    bill = json.loads((about / "sbom.cdx.json").read_text(encoding="utf-8"))
    described = bill["metadata"]["component"]
    assert (described["name"], described["version"]) == ("reconciler", "0.1.0")
    locked = (ROOT / "requirements/runtime.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^([\w.-]+)==([\w.]+)", locked, re.MULTILINE)
    assert sorted((item["name"], item["version"]) for item in bill["components"]) == sorted(pins)


@pytest.mark.slow
def test_a_tag_of_another_version_builds_nothing(tagged: Stage) -> None:
    tagged.git("tag", "v0.2.0")
    ran = run_workflow(
        tagged, "push", event(tagged, "v0.2.0"), "--job", "build", workflow="release"
    )
    assert ran.jobs == {"build": 1}, ran.log
    assert "the tag is v0.2.0, and the version is 0.1.0" in ran.log
    assert list(tagged.artifacts.iterdir()) == []


def test_only_what_was_tested_and_approved_is_published() -> None:
    jobs = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]
    assert jobs["publish"]["environment"] == "release"
    assert set(jobs["publish"]["needs"]) == {"build", "test", "image"}
    writing = {name for name, job in jobs.items() if "write" in job.get("permissions", {}).values()}
    assert writing == {"publish", "push", "announce"}
    assert {jobs[name]["needs"] for name in writing - {"publish"}} == {"publish"}


def test_the_image_runs_as_nobody_of_the_host() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER (?!0\b|root)\d+:\d+$", text, re.MULTILINE)
