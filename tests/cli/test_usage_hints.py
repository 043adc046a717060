"""A mistaken command line is answered with one that works."""

import shlex

import pytest

from reconciler.cli.main import run


def said(arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert run(shlex.split(arguments)) == 1
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("--target x plan", "reconcile plan --target x"),
        ("--target sandbox plan", "reconcile plan --target sandbox"),
        ("--target show plan --offline", "reconcile plan --target show --offline"),
        ("-C . --only plan apply --apply", "reconcile -C . apply --only plan --apply"),
        ("--target=x plan --offline", "reconcile plan --target=x --offline"),
        ("--only a apply --apply", "reconcile apply --only a --apply"),
        ("--no-color --json plan", "reconcile --no-color plan --json"),
        ("-C . --offline plan", "reconcile -C . plan --offline"),
        ("-C . -o sarif validate", "reconcile -C . validate -o sarif"),
        ("plan -C .", "reconcile -C . plan"),
        ("plan --config=x.yaml --offline", "reconcile --config=x.yaml plan --offline"),
        ("validate --debug", "reconcile --debug validate"),
        ("plan --target x --no-color", "reconcile --no-color plan --target x"),
        ("plan --apply", "reconcile apply --apply"),
        ("--apply plan --target x", "reconcile apply --target x --apply"),
        ("-C . plan --apply --target x", "reconcile -C . apply --target x --apply"),
        ("plan --apply --out plan.json", "reconcile apply --apply"),
        ("apply --auto-approve", "reconcile apply --apply"),
        ("apply -auto-approve", "reconcile apply --apply"),
        ("apply --yes", "reconcile apply --apply"),
        ("apply --dry-run", "reconcile apply"),
        ("plan --auto-approve", "reconcile apply --apply"),
        ("plan --yes --target x", "reconcile apply --target x --apply"),
        ("plan -t x", "reconcile plan --target x"),
        ("explain -t x RunaiEnvironment.a", "reconcile explain --target x RunaiEnvironment.a"),
        ("plan --offline --env=x --json", "reconcile plan --offline --target x --json"),
        ("apply -f . --apply", "reconcile -C . apply --apply"),
        ("apply --chdir=. --apply", "reconcile -C . apply --apply"),
        ("plan -v --offline", "reconcile --debug plan --offline"),
        ("-c x.yaml plan", "reconcile --config x.yaml plan"),
        ("validate --target x", "reconcile validate"),
        ("validate --target=x -o text", "reconcile validate -o text"),
        ("validate --offline", "reconcile validate"),
        ("graph --only x", "reconcile graph"),
        ("show --target x p.json", "reconcile show p.json"),
        ("lock --apply", "reconcile lock"),
        ("doctor --parallelism 3", "reconcile doctor"),
        ("plan RunaiEnvironment.a", "reconcile plan --only RunaiEnvironment.a"),
        ("plan training", "reconcile plan --only training"),
        ("plan --offline a b", "reconcile plan --only a"),
        ("apply training", "reconcile apply --only training"),
        ("apply RunaiEnvironment.a", "reconcile apply --only RunaiEnvironment.a"),
        ("diff", "reconcile plan"),
        ("sync", "reconcile apply --apply"),
        ("lint", "reconcile validate"),
        ("destroy", "reconcile apply --apply"),
        ("help", "reconcile --help"),
        ("help plan", "reconcile plan --help"),
    ],
)  # fmt: skip
def test_the_command_that_was_meant(
    written: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is proposed is also understood: `--help` behind it prints help in place of an error."""
    last = said(written, capsys).rstrip().rpartition("\n")[2]
    assert last.endswith(f": {meant}")
    assert run([*shlex.split(meant)[1:], "--help"]) == 0


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("plan -target=x", "options begin with two dashes: --target"),
        ("plan -detailed-exitcode", "options begin with two dashes: --detailed-exitcode"),
        ("apply -f manifests/a.yaml", "that is -C, before the command: reconcile -C DIR apply"),
        ("state list", "there is no state and no lock"),
        ("unlock 1", "there is no state and no lock"),
    ],
)
def test_habits_of_other_tools(
    written: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in said(written, capsys)


@pytest.mark.parametrize(
    "written", ["plan --nonsense", "nonsense", "-C", "plan --target", "-C plan"]
)
def test_no_guess_without_grounds(written: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(written, capsys).rstrip().rpartition("\n")[2].startswith("Error: ")
