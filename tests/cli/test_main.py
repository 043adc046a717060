import os
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.cli.main import _COMMANDS, run
from reconciler.cli.place import ExitCode, strongest


def test_the_order_of_exit_codes() -> None:
    order = [1, 3, 4, 5, 2, 0]
    for position, code in enumerate(order):
        rest = [ExitCode(other) for other in order[position:]]
        assert strongest(reversed(rest)) == code
    assert strongest([]) is ExitCode.OK


def test_a_directory_is_not_gone_to_through_a_link_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`link/..` is another directory for the system than for a reader."""
    for name in ("a/b", "c"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a" / "c").mkdir()
    (tmp_path / "link").symlink_to("a/b")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))
    assert run(["-C", "link/../c", "validate"]) == 1
    assert "goes through a link and back" in capsys.readouterr().err


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_has_help_that_teaches(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: reconcile {name}")
    if name != "version":
        assert "Example" in text
        assert f"reconcile {name}" in text.split("Example")[1] or "reconcile -C" in text


def test_the_short_helps_are_the_commands_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    for name, short in _COMMANDS.items():
        assert short in text
        assert name in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["vesion"], "Did you mean 'version'?"),
        (["plan", "--parallelsm", "2"], "Did you mean '--parallelism'?"),
        (["plan", "-o", "yaml"], "'yaml' is not one of text, json"),
        (["apply", "--allow-deletes", "all"], "not the number of objects"),
        (["plan", "--parallelism", "0"], "0 is not in the range"),
        (["-C", "/nowhere/at/all", "plan"], "does not exist"),
    ],
)
def test_usage_errors_exit_with_1(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 1
    assert words in capsys.readouterr().err


def test_a_directory_without_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-C", str(tmp_path), "plan"]) == 1
    said = capsys.readouterr().err
    assert "reconciler.yaml" in said
    assert str(tmp_path) in said


def test_version_names_what_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["version"]) == 0
    text = capsys.readouterr().out
    assert "runapy 1." in text
    assert "python 3." in text
    assert run(["--version"]) == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "_RECONCILE_COMPLETE" in capsys.readouterr().out


def reconcile(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reconciler", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_shell_is_answered(tmp_path: Path) -> None:
    """As the script for bash asks; what is offered is tested in test_completion.py."""
    done = subprocess.run(
        [sys.executable, "-c", "from reconciler.cli.main import main; main()"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={
            "PATH": "/usr/bin:/bin",
            "_RECONCILE_COMPLETE": "bash_complete",
            "COMP_WORDS": "reconcile plan -o dig",
            "COMP_CWORD": "3",
        },
    )
    assert done.stdout == "plain,digest\n"


def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m reconciler schema | head -c 10",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr


def test_an_interrupted_import_leaves_the_exit_code(tmp_path: Path) -> None:
    (tmp_path / "caught.py").write_text(
        "import io, sys, traceback\n"
        "from reconciler.cli.main import main\n"
        "class Last(io.TextIOWrapper):\n"
        "    def flush(self):\n"
        "        super().flush()\n"
        "        callers = {item.name for item in traceback.extract_stack()}\n"
        "        if '_finish' not in callers: return\n"
        "        try: exec('raise KeyboardInterrupt')\n"
        "        except KeyboardInterrupt: print('caught', file=sys.stderr)\n"
        "sys.stdout = Last(sys.stdout.buffer)\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "caught", "plan", "--no-such-option"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert b"caught" in done.stderr


def test_an_interrupted_import_is_told_as_an_interrupt(tmp_path: Path) -> None:
    """Until Python 3.12 a class whose making is interrupted raises a `RuntimeError` of its own."""
    (tmp_path / "uvicorn.py").write_text(
        "class Field:\n"
        "    def __set_name__(self, owner, name): raise KeyboardInterrupt\n"
        "class Config:\n"
        "    field = Field()\n"
    )
    (tmp_path / "reconciler.yaml").write_text(
        "apiVersion: reconciler/v1\nstack: ml\ntargets: {live: {runai: {sandbox: s.db}}}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", "mcp", "--http", "0"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"},
        capture_output=True,
        text=True,
        check=False,
    )
    # From Python 3.12 on it is a Ctrl-C like any other, after which click begins a new line.
    assert (done.returncode, done.stderr.lstrip("\n")) == (1, "Interrupted: nothing was changed.\n")


def test_help_imports_no_heavy_library(tmp_path: Path) -> None:
    code = (
        "import sys; from reconciler.cli.main import run; run(['--help']); "
        "heavy = {'pydantic', 'yaml', 'runai', 'docker', 'deepdiff', 'git', 'aiohttp', 'rich'}; "
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "HEAVY []" in done.stdout


def test_validate_enters_no_sdk(tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "reconciler.yaml").write_text(
        "apiVersion: reconciler/v1\nstack: s\ntargets: {t: {runai: {sandbox: a.db}}}\n"
    )
    code = (
        "import sys; from reconciler.cli.main import run; code = run(['validate']); "
        "heavy = {'runai', 'docker', 'deepdiff', 'git', 'aiohttp', 'rich', 'urllib3'}; "
        "print('HEAVY', int(code), sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "HEAVY 0 []" in done.stdout, done.stdout + done.stderr
