"""Clumsy use of the command line: every mistake ends in words, an exit code, and no traceback."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.cli.main import run

CONFIG = """\
apiVersion: reconciler/v1
stack: ml-platform
default_target: sandbox
targets:
  sandbox:
    runai: {sandbox: .reconcile/sandbox.db}
"""
MANIFEST = """\
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {name: NAME}
spec: {scope: cluster, image: "busybox:1.36"}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "reconciler.yaml").write_text(CONFIG)
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "a.yaml").write_text(MANIFEST.replace("NAME", "a"))
    return tmp_path


Reconcile = Callable[..., tuple[int, str, str]]


@pytest.fixture
def reconcile(project: Path, capsys: pytest.CaptureFixture[str]) -> Reconcile:
    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(["-C", str(project), *arguments])
        captured = capsys.readouterr()
        return int(code), captured.out, captured.err

    return call


def test_no_configuration_names_the_whole_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["plan"]) == 1
    assert f"Error: {tmp_path}: there is no reconciler.yaml here" in capsys.readouterr().err


def test_paths_are_those_of_the_directory_given(project: Path, reconcile: Reconcile) -> None:
    before = Path.cwd()
    code, _, said = reconcile("plan", "--out", "saved.json")
    assert code == 0
    assert (project / "saved.json").is_file()
    assert "reconcile apply saved.json --apply" in said
    assert reconcile("--config", "reconciler.yaml", "validate")[0] == 0
    assert Path.cwd() == before


def test_a_plan_that_cannot_be_written(project: Path, reconcile: Reconcile) -> None:
    (project / "file").touch()
    code, _, said = reconcile("plan", "--out", "file/plan.json")
    assert code == 1
    assert said.startswith("Error: ")
    assert "check the path, the free space and your rights there" in said


def test_standard_output_on_a_full_disk(project: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "reconciler", "-C", str(project), "plan"],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert ran.returncode == 1
    assert "Error: No space left on device" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_hint_repeats_what_a_saved_plan_needs_again(reconcile: Reconcile) -> None:
    """The selection is in the file; approvals are given with each apply."""
    chosen = ("--only", "RunaiEnvironment.*", "--allow-deletes", "3")
    _, _, said = reconcile("plan", "--out", "saved.json", *chosen, "--allow-destroy", "RunaiX.y")
    flags = "--allow-destroy=RunaiX.y --allow-deletes=3"
    hint, digest = said.splitlines()
    assert hint.endswith(f"Apply it with: reconcile apply saved.json --apply {flags}")
    _, shown, _ = reconcile("show", "saved.json", "-o", "digest")
    assert digest == f"Its digest, for --expect-digest: {shown.strip()}"


def test_a_plan_without_changes_is_not_offered_for_apply(reconcile: Reconcile) -> None:
    assert reconcile("apply", "--apply")[0] == 0
    _, _, said = reconcile("plan", "--out", "saved.json")
    assert said == "Saved the plan to saved.json.\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("hello", "it is not JSON"),
        ("{}", "it has no format_version"),
        ('{"format_version": "1.0"}', "it has no resource_changes"),
        ("[]", "it is not a JSON object"),
    ],
)
def test_what_is_no_plan(content: str, words: str, project: Path, reconcile: Reconcile) -> None:
    (project / "x.json").write_text(content)
    code, _, said = reconcile("show", "x.json")
    assert (code, f"this is no saved plan: {words}\n" in said) == (1, True)


def test_no_manifests_is_worth_a_word(project: Path, reconcile: Reconcile) -> None:
    (project / "manifests" / "a.yaml").unlink()
    code, out, said = reconcile("validate")
    assert (code, out) == (0, "Valid: 0 resources.\n")
    assert said == "Warning: there is no file (*.yaml, *.yml) in manifests.\n"


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n# nothing\n---\n"])
def test_files_without_a_manifest_are_not_missing(
    project: Path, reconcile: Reconcile, text: str
) -> None:
    (project / "manifests" / "a.yaml").write_text(text)
    code, out, said = reconcile("validate")
    assert (code, out) == (0, "Valid: 0 resources.\n")
    assert said == "Warning: there is no manifest in any file in manifests.\n"
    (project / "manifests" / "b.yaml").write_text(MANIFEST)
    assert reconcile("validate")[2] == ""


def test_what_is_said_twice_is_meant_once(project: Path, reconcile: Reconcile) -> None:
    _, out, _ = reconcile("plan", *("--only", "RunaiEnvironment.*") * 2)
    assert "Restricted to RunaiEnvironment.*; 0 not looked at." in out
    _, out, said = reconcile("plan", *("--exclude", "RunaiEnvironment.a*") * 2)
    assert "without RunaiEnvironment.a*;" in out, said


def test_a_variable_that_nothing_permits(project: Path, reconcile: Reconcile) -> None:
    text = MANIFEST.replace('36"}', '36", environment_variables: {A: {env: HOME}}}')
    (project / "manifests" / "a.yaml").write_text(text)
    code, _, said = reconcile("validate")
    assert code == 1
    assert 'permit it in reconciler.yaml: env_allow: ["HOME"]' in said


def test_unreadable_settings_of_the_sandbox(reconcile: Reconcile) -> None:
    _, _, said = reconcile("sandbox", "--set", "visibility-lag=soon")
    assert "sandbox setting visibility-lag cannot be 'soon'" in said
    _, _, said = reconcile("sandbox", "--set", "lag=1")
    assert "visibility-lag, name-filter" in said
