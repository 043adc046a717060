"""A seed beside the sandbox of a target."""

from pathlib import Path

import pytest
import yaml

from reconciler.cli.main import run
from tests.acceptance.project import environment


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A target whose sandbox is seeded with a project `vision`, and a manifest for it."""
    runai = {"sandbox": ".reconcile/sandbox.db", "seed": "seed.yaml"}
    config = {
        "apiVersion": "reconciler/v1",
        "stack": "ml-platform",
        "default_target": "sandbox",
        "targets": {"sandbox": {"runai": runai}},
    }
    (tmp_path / "reconciler.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "manifests").mkdir()
    manifest = environment(scope="project", scope_id="vision")
    (tmp_path / "manifests" / "all.yaml").write_text(yaml.safe_dump(manifest))
    seed(tmp_path, "vision")
    return tmp_path


def seed(directory: Path, project: str, extra: str = "") -> None:
    department = f"{{name: research, projects: [{project}]}}"
    text = f"clusters:\n  - name: main\n    departments: [{department}]\n{extra}"
    (directory / "seed.yaml").write_text(text)


def test_a_new_file_is_seeded_and_an_existing_one_left_alone(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-C", str(directory), "apply", "--apply"]) == 0
    seed(directory, "other")
    assert run(["-C", str(directory), "plan", "--detailed-exitcode"]) == 0
    assert "No changes" in capsys.readouterr().out
    (directory / ".reconcile" / "sandbox.db").unlink()
    assert run(["-C", str(directory), "plan"]) == 1
    assert "vision" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "line", "words"),
    [
        ("usages: []\n", 4, "unknown field `usages`"),
        ("credentials:\n  - {name: a, type: magic}\n", 5, "must be one of generic-secret"),
        (
            "credentials:\n  - name: a\n    type: password\n    scope: project\n    project: b\n",
            8,
            "0 projects are named b",
        ),
        ("clusters: []\n", 4, "clusters"),
        ("usage: [\n", 5, "not valid YAML"),
    ],
)
def test_a_wrong_seed_is_told_with_its_line_and_nothing_is_made(
    directory: Path, capsys: pytest.CaptureFixture[str], extra: str, line: int, words: str
) -> None:
    seed(directory, "vision", extra)
    for _ in range(2):
        assert run(["-C", str(directory), "plan"]) == 1
        told = capsys.readouterr().err
        assert f"seed.yaml:{line}:" in told
        assert words in told
    seed(directory, "vision")
    assert run(["-C", str(directory), "plan"]) == 0, capsys.readouterr()


def test_a_missing_seed(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "seed.yaml").unlink()
    assert run(["-C", str(directory), "plan"]) == 1
    assert "the seed file cannot be read: No such file" in capsys.readouterr().err
    assert not (directory / ".reconcile" / "sandbox.db").exists()


def test_a_seed_is_for_a_sandbox(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = directory / "reconciler.yaml"
    file.write_text(file.read_text().replace("sandbox: .rec", "base_url: https://x/.rec"))
    assert run(["-C", str(directory), "validate"]) == 1
    assert "seed is for a sandbox" in capsys.readouterr().err


def test_the_version_is_a_variable_as_every_switch(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("2.18", "2.20", "2.24", "3.0"):
        monkeypatch.setenv("RECONCILE_SANDBOX_VERSION", version)
        assert run(["-C", str(directory), "doctor"]) == 0
        assert version in capsys.readouterr().out
    monkeypatch.setenv("RECONCILE_SANDBOX_VERSION", "2.25")
    assert run(["-C", str(directory), "plan"]) == 1
    assert "Give one of 2.18, 2.19" in capsys.readouterr().err
