"""`reconcile init`: a project that plans at once, under a name that nobody else has."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.config import load_config
from reconciler.sandbox import Endpoint, SandboxServer

VARIABLES = ("RUNAI_BASE_URL", "RUNAI_CLIENT_ID", "RUNAI_CLIENT_SECRET", "RUNAI_TOKEN")


@pytest.fixture(autouse=True)
def _no_control_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    directory = tmp_path / "Vision_Images"
    directory.mkdir()
    return directory


@pytest.fixture
def control_plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    with SandboxServer(tmp_path / "control-plane.db") as endpoint:
        monkeypatch.setenv("RUNAI_BASE_URL", endpoint.base_url)
        monkeypatch.setenv("RUNAI_CLIENT_ID", endpoint.client_id)
        monkeypatch.setenv("RUNAI_CLIENT_SECRET", endpoint.client_secret.get_secret_value())
        yield endpoint


def stack_of(directory: Path) -> str:
    return load_config(directory / "reconciler.yaml").stack


def git(directory: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(directory), *words], check=True, capture_output=True)


def test_what_it_writes_is_valid_and_plans(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-C", str(project), "init"]) == 0
    assert "Next: reconcile plan" in capsys.readouterr().out
    assert stack_of(project) == "vision-images"
    assert run(["-C", str(project), "validate"]) == 0
    assert run(["-C", str(project), "plan"]) == 0
    assert "Plan: 1 to add" in capsys.readouterr().out
    assert not (project / ".gitignore").exists()


def test_the_stack_is_named_after_the_repository_and_the_directory_in_it(project: Path) -> None:
    git(project, "init")
    git(project, "remote", "add", "origin", "git@example.com:acme/ml-Platform.git")
    inside = project / "teams" / "speech"
    inside.mkdir(parents=True)
    assert run(["-C", str(project), "init"]) == 0
    assert run(["-C", str(inside), "init"]) == 0
    assert (stack_of(project), stack_of(inside)) == ("ml-platform", "ml-platform-teams-speech")


@pytest.mark.parametrize("name", ["null", "true", "0x1f", "x" * 60, "...", "日本", "-a-"])
def test_any_directory_name_gives_a_valid_stack(tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    directory.mkdir()
    assert run(["-C", str(directory), "init"]) == 0
    assert 0 < len(stack_of(directory)) <= 32


def test_nothing_that_exists_is_changed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(project, "init")
    (project / "manifests").mkdir()
    (project / ".gitignore").write_text("*.log")
    assert run(["-C", str(project), "init"]) == 0
    assert list((project / "manifests").iterdir()) == []
    assert (project / ".gitignore").read_text() == "*.log\n.reconcile/\n"
    before = (project / "reconciler.yaml").read_bytes()
    assert run(["-C", str(project), "init", "--stack", "other"]) == 1
    assert "there is a reconciler.yaml already" in capsys.readouterr().err
    assert (project / "reconciler.yaml").read_bytes() == before


@pytest.mark.parametrize("name", ["reconciler.yml", "reconciler.yaml"])
def test_a_dangling_link_counts_as_a_configuration(project: Path, name: str) -> None:
    (project / name).symlink_to("nowhere")
    assert run(["-C", str(project), "init"]) == 1


def test_a_name_in_use_is_not_proposed(
    project: Path,
    control_plane: Endpoint,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["-C", str(project), "init"]) == 0
    apply = ["apply", "--target", "production", "--apply"]
    assert run(["-C", str(project), *apply]) == 0

    copy = tmp_path / "elsewhere" / "vision-images"
    copy.mkdir(parents=True)
    capsys.readouterr()
    assert run(["-C", str(copy), "init", "--stack", "vision-images"]) == 1
    assert "stack vision-images is in use on the Run:ai control plane" in capsys.readouterr().err
    assert list(copy.iterdir()) == []
    assert run(["-C", str(copy), "init"]) == 0
    assert stack_of(copy) == "vision-images-2"


def test_a_token_in_place_of_a_service_account(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNAI_TOKEN", "x")
    assert run(["-C", str(project), "init"]) == 0
    assert "token: {env: RUNAI_TOKEN}" in (project / "reconciler.yaml").read_text()


def test_without_an_answer_nothing_is_written(
    project: Path,
    control_plane: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RUNAI_CLIENT_SECRET", "wrong")
    assert run(["-C", str(project), "init"]) == 1
    assert "unset RUNAI_BASE_URL to go on without asking" in capsys.readouterr().err
    assert list(project.iterdir()) == []
