"""What the shell offers on TAB; in this process, as click's own shells ask for it."""

from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from reconciler.cli.main import root

CONFIG = """\
apiVersion: reconciler/v1
stack: s
targets:
  production: {runai: {sandbox: a.db}}
  staging: {runai: {sandbox: b.db}}
"""
MANIFESTS = """\
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {name: notebook}
spec: {scope: cluster, image: busybox, compute: {gpu: 1}}
---
apiVersion: reconciler/v1
kind: RunaiCompute
metadata: {name: half-gpu}
spec: {scope: cluster}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "reconciler.yaml").write_text(CONFIG)
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "a.yaml").write_text(MANIFESTS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def offers(*words: str) -> list[str]:
    complete = ShellComplete(root, {}, "reconcile", "_RECONCILE_COMPLETE")
    return [item.value for item in complete.get_completions([*words[:-1]], words[-1])]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("plan", "--target", "pr"), ["production"]),
        (("explain", "--target", ""), ["production", "staging"]),
        (("plan", "--only", "RunaiC"), ["RunaiCompute.half-gpu", "RunaiCompute.notebook"]),
        (("apply", "--exclude", "RunaiEnv"), ["RunaiEnvironment.notebook"]),
        (("apply", "--allow-destroy", "RunaiEnv"), ["RunaiEnvironment.notebook"]),
        (("explain", "RunaiE"), ["RunaiEnvironment.notebook"]),
        (("plan", "-o", "su"), ["summary"]),
        (("validate", "-o", ""), ["text", "annotations", "sarif"]),
    ],
)
def test_offers(project: Path, words: tuple[str, ...], found: list[str]) -> None:
    assert offers(*words) == found


def test_another_directory_counts(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert offers("-C", str(project), "plan", "--only", "RunaiE") == ["RunaiEnvironment.notebook"]


@pytest.mark.parametrize("broken", ["reconciler.yaml", "manifests/a.yaml"])
def test_what_cannot_be_read_offers_nothing(project: Path, broken: str) -> None:
    (project / broken).write_text("<<<<<<< HEAD\n")
    assert offers("plan", "--only", "Runai") == []
