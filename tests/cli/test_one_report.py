"""Faults of the configuration, overlays, manifests and images' files: all of them in one report."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.cli.main import run

Report = Callable[..., list[str]]
CONFIG = """\
apiVersion: reconciler/v1
stack: one
default_target: prod
targets:
  prod: {runai: {sandbox: x.db}, docker: {}}
"""
MANIFESTS = """\
apiVersion: reconciler/v1
kind: RunaiCompute
metadata: {name: c}
spec: {scope: tenant, gpu_devices_request: 9, cpu_memory_request: 64GB}
---
apiVersion: reconciler/v1
kind: RayfineImage
metadata: {name: a}
spec: {path: environments/a, tag: "a:v1"}
"""
OVERLAY = "apiVersion: reconciler/v1\nkind: RunaiCompute\nmetadata: {name: d}\n"
OTHERS = [
    "environments/a/Dockerfile:2:1",
    "environments/a/env.py:1:1",
    "manifests/m.yaml:4:44",
    "manifests/m.yaml:4:67",
    "overlays/prod/o.yaml:3:18",
    "overlays/stagin",
    "reconciler.lock",
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name in ("manifests", "overlays/prod", "overlays/stagin", "environments/a"):
        (root / name).mkdir(parents=True)
    (root / "reconciler.yaml").write_text(CONFIG)
    (root / "reconciler.lock").write_text("{")
    (root / "manifests/m.yaml").write_text(MANIFESTS)
    (root / "overlays/prod/o.yaml").write_text(OVERLAY)
    (root / "environments/a/Dockerfile").write_text("ARG A\nFROM Python:3\n")
    (root / "environments/a/env.py").write_text("def f(:\n")
    return root


@pytest.fixture
def report(root: Path, capsys: pytest.CaptureFixture[str]) -> Report:
    """Run a command that fails; the places of its problems, as standard error names them."""

    def reported(*arguments: str) -> list[str]:
        assert run(["-C", str(root), *arguments]) == 1
        lines = capsys.readouterr().err.removeprefix("Error: ").splitlines()
        return [line.partition(": ")[0] for line in lines if line[:1] not in ("", " ")]

    return reported


@pytest.mark.parametrize("command", [["validate"], ["plan"], ["plan", "--offline"]])
def test_with_a_sound_configuration(report: Report, command: list[str]) -> None:
    assert report(*command) == OTHERS


@pytest.mark.parametrize("command", [["validate"], ["plan"], ["apply"]])
@pytest.mark.parametrize(
    ("change", "place"),
    [
        (("stack: one", "stack: One Two"), "reconciler.yaml:2:8"),
        (("stack: one\n", ""), "reconciler.yaml:1:1"),
        (("default_target: prod", "default_target: prd"), "reconciler.yaml:3:17"),
        (("docker: {}", "docker: 5"), "reconciler.yaml:5:42"),
        (("stack: one", "stack: one\nstcak: two"), "reconciler.yaml:3:1"),
        (("stack: one", "stack: one\noverlays: ../o"), "reconciler.yaml:3:11"),
        (("default_target: prod", "env_allow: ['*']"), "reconciler.yaml:3:13"),
    ],
)
def test_with_faults_in_the_configuration(
    report: Report, root: Path, command: list[str], change: tuple[str, str], place: str
) -> None:
    (root / "reconciler.yaml").write_text(CONFIG.replace(*change))
    assert report(*command) == [*OTHERS, place]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: [", "reconciler.yaml:2:1"),
        ("", "reconciler.yaml"),
        ("[]", "reconciler.yaml:1:1"),
        (CONFIG.replace("stack: one", "<<<<<<< a\nstack: one"), "reconciler.yaml:2:1"),
        (CONFIG + "limits: {max_gpus: many}\n", "reconciler.yaml:6:20"),
    ],
)
def test_what_is_not_known_refuses_nothing(
    report: Report, root: Path, text: str, place: str
) -> None:
    """Limits and targets that cannot be read are no reason to call a manifest wrong."""
    (root / "reconciler.yaml").write_text(text)
    unknown = {"manifests/m.yaml:4:44", *([] if "many" in text else ["overlays/stagin"])}
    assert report("validate") == [*(one for one in OTHERS if one not in unknown), place]


def test_variables_that_are_missing_do_not_hide_the_rest(report: Report, root: Path) -> None:
    section = "{runai: {base_url: 'https://x', token: {env: RECONCILE_NO_SUCH}}, docker: {}}"
    (root / "reconciler.yaml").write_text(
        CONFIG.replace("{runai: {sandbox: x.db}, docker: {}}", section)
    )
    assert report("plan") == [*OTHERS, "reconciler.yaml:5:48"]


def test_a_faulty_configuration_alone_says_nothing_of_manifests(report: Report, root: Path) -> None:
    (root / "manifests").rename(root / "elsewhere")
    (root / "reconciler.yaml").write_text("a: [")
    assert report("validate") == ["reconciler.yaml:2:1"]


def test_annotations_hold_the_same(
    root: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (root / "reconciler.yaml").write_text(CONFIG.replace("stack: one", "stack: One"))
    for command in ("validate", "plan"):
        assert run(["-C", str(root), command, "-o", f"annotations={tmp_path / 'a'}"]) == 1
        text = (tmp_path / "a").read_text()
        assert text.count("::error file=") == len(OTHERS) + 1
        assert "file=reconciler.yaml,line=2,col=8" in text
    capsys.readouterr()


@pytest.mark.no_cover
def test_the_overlays_of_many_targets_are_checked_in_linear_time(root: Path) -> None:
    """What belongs to no target is looked for once, not once for each: that was quadratic."""
    names = [f"t{number}" for number in range(1_000)]
    rows = "".join(f"  {name}: {{runai: {{sandbox: {name}.db}}}}\n" for name in names)
    (root / "reconciler.yaml").write_text(CONFIG + rows)
    for name in names:
        (root / "overlays" / name).mkdir()
    begin = time.process_time()
    assert run(["-C", str(root), "validate"]) == 1
    assert time.process_time() - begin < 20
