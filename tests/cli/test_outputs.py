"""`-o FORMAT[=PATH]`, `--json`, `graph` and `validate -o`: the real command line, no network."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.core.header import Header
from reconciler.core.plan import Plan, digest_document
from reconciler.planfile.writer import render_json
from reconciler.render.markdown import COMMENT_LIMIT, SUMMARY_LIMIT
from tests.core.builders import live, plan_of, resource
from tests.render import commonmark
from tests.render.github import commands, outputs

CONFIG = """\
apiVersion: reconciler/v1
stack: ml
default_target: sandbox
targets:
  sandbox: {runai: {sandbox: .reconcile/sandbox.db}}
  other: {runai: {sandbox: .reconcile/other.db}}
"""
MANIFEST = """\
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {name: train}
spec: {scope: tenant, image: "busybox:1"}
"""
Reconcile = Callable[..., int]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE", "GITHUB_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    directory = tmp_path / "repository" / "infra"
    (directory / "manifests").mkdir(parents=True)
    (directory.parent / ".git").mkdir()
    (directory / "reconciler.yaml").write_text(CONFIG)
    (directory / "manifests" / "m.yaml").write_text(MANIFEST)
    return directory


@pytest.fixture
def reconcile(project: Path) -> Reconcile:
    return lambda *arguments: run(["-C", str(project), *arguments])


def saved(path: Path, plan: Plan) -> Path:
    path.write_text(render_json(plan, Header("test"), datetime(2026, 1, 2, tzinfo=UTC), "0.0.0"))
    return path


def deleting(count: int) -> Plan:
    return plan_of([], [live(f"RunaiEnvironment.old-{n:05}") for n in range(count)])


def test_every_output_of_one_plan(
    reconcile: Reconcile,
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    summary, output = project / "summary", project / "output"
    summary.write_text("# before\n")
    output.write_text("mine=1\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_OUTPUT", str(output))
    pages = ["-o", "markdown=c.md", "-o", "html=p.html", "-o", "json=p.json"]
    steps = ["-o", "summary", "-o", "outputs", "-o", "text", "-o", "annotations"]
    assert reconcile("plan", *pages, *steps) == 0
    log = capsys.readouterr().out
    assert [item.name for item in commands(log)] == ["notice"]
    assert "will be created" in log
    assert (project / "c.md").read_text().startswith("<!-- reconcile:sandbox -->\n")
    assert "<!doctype html>" in (project / "p.html").read_text()
    assert summary.read_text().startswith("# before\n\n<!-- reconcile:sandbox -->\n")
    found = outputs(output.read_text())
    assert (found["mine"], found["changes"], found["adds"]) == ("1", "1", "1")
    assert found["digest"] == json.loads((project / "p.json").read_text())["reconciler"]["digest"]


@pytest.mark.parametrize("before", ["", "mine=1", "mine=1\n", "mine=1\r\n", "é=1", "a=1\nmine=1"])
def test_what_is_added_begins_on_a_line_of_its_own(
    reconcile: Reconcile, project: Path, before: str
) -> None:
    (project / "o").write_bytes(before.encode())
    (project / "s").write_bytes(before.encode())
    assert reconcile("plan", "-o", "outputs=o", "-o", "summary=s") == 0
    assert reconcile("plan", "-o", "outputs=o", "-o", "summary=s") == 0
    found = outputs((project / "o").read_bytes().decode())
    assert found["changes"] == "1"
    assert found.get("mine", "1").strip() == "1"
    marks = [
        line for line in (project / "s").read_text().split("\n") if "reconcile:sandbox" in line
    ]
    assert marks == 2 * ["<!-- reconcile:sandbox -->"]


def test_outputs_may_go_to_a_pipe(reconcile: Reconcile, project: Path) -> None:
    os.mkfifo(project / "pipe")
    reader = os.open(project / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert reconcile("plan", "-o", "outputs=pipe") == 0
    assert outputs(os.read(reader, 65_536).decode())["changes"] == "1"
    os.close(reader)


def test_where_the_runner_does_not_say(
    reconcile: Reconcile, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reconcile("plan", "-o", "outputs") == 1
    said = capsys.readouterr().err
    assert "GITHUB_OUTPUT" in said
    assert "-o outputs=PATH" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plan", "-o", "html"], "-o html=PATH"),
        (["plan", "-o", "markdown", "-o", "text"], "both go to standard output"),
        (["plan", "-o", "annotations", "-o", "annotations"], "both go to standard output"),
        (["plan", "--json", "-o", "text"], "both go to standard output"),
        (["validate", "-o", "json"], "is not one of text, annotations, sarif"),
        (["plan", "-o", "outputs", "--target", "sandbox", "--target", "other"], "overwrite"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(
    reconcile: Reconcile, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert reconcile(*arguments) == 1
    assert words in capsys.readouterr().err


def test_summaries_of_several_targets_follow_one_another(
    reconcile: Reconcile, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project / "summary"))
    places = ["-o", "summary", "-o", "markdown=comment-{target}.md"]
    assert reconcile("plan", "--target", "sandbox", "--target", "other", *places) == 0
    text = (project / "summary").read_text()
    assert re.findall("<!-- reconcile:(.*) -->", text) == ["sandbox", "other"]
    assert "reconcile:other" in (project / "comment-other.md").read_text()


def test_a_comment_that_names_not_every_destroy_fails(
    reconcile: Reconcile,
    project: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.example")
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/r")
    monkeypatch.setenv("GITHUB_RUN_ID", "17")
    plan = saved(tmp_path / "plan.json", deleting(5000))
    wide = ["-o", "summary=s.md", "-o", "html=p.html"]
    assert reconcile("show", str(plan), "-o", "markdown=c.md", *wide) == 1
    text = (project / "c.md").read_text()
    shown = int(re.findall(r"(\d+) of 5000 destroys shown", text.splitlines()[0])[0])
    assert len(text.encode()) <= COMMENT_LIMIT
    assert len(set(re.findall(r"RunaiEnvironment\.old-\d{5}", text))) == shown
    assert "https://github.example/o/r/actions/runs/17" in text
    assert f"-o markdown: {shown} of 5000 destroys shown" in capsys.readouterr().err
    summary = (project / "s.md").read_text()
    assert len(summary.encode()) <= SUMMARY_LIMIT
    assert len(set(re.findall(r"old-\d{5}", summary))) == 5000
    assert (project / "p.html").exists()
    assert reconcile("show", str(plan), *wide) == 0


def test_a_summary_has_the_room_that_others_left(
    reconcile: Reconcile, project: Path, tmp_path: Path
) -> None:
    plan = saved(tmp_path / "plan.json", deleting(300))
    (project / "s.md").write_text("x" * (SUMMARY_LIMIT - 30_000) + "\n")
    assert reconcile("show", str(plan), "-o", "summary=s.md") == 0
    text = (project / "s.md").read_text()
    assert len(text.encode()) <= SUMMARY_LIMIT
    assert len(set(re.findall(r"old-\d{5}", text))) == 300
    (project / "s.md").write_text("x" * SUMMARY_LIMIT)
    assert reconcile("show", str(plan), "-o", "summary=s.md") == 1
    assert (project / "s.md").stat().st_size == SUMMARY_LIMIT


def test_nothing_is_applied_that_the_comment_does_not_show(
    reconcile: Reconcile,
    project: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert reconcile("apply", "--apply") == 0
    (project / "manifests" / "m.yaml").write_text(
        MANIFEST.replace("train", "other").replace("busybox:1", "busybox:2")
    )
    (project / "full").write_text("x" * SUMMARY_LIMIT)
    assert reconcile("apply", "--apply", "-o", "summary=full") == 1
    assert "0 of 1 destroys shown" in capsys.readouterr().err
    assert reconcile("plan", "--allow-deletes=1", "-o", "outputs=o") == 0
    assert outputs((project / "o").read_text())["deletes"] == "1"


def events(text: str) -> list[str]:
    return [json.loads(line)["type"] for line in text.splitlines()]


def test_a_stream_of_events(
    reconcile: Reconcile, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reconcile("plan", "--json", "--detailed-exitcode") == 2
    assert events(capsys.readouterr().out) == ["version", "planned_change", "change_summary"]
    assert reconcile("apply", "--json", "--apply", "-o", "json=p.json") == 0
    ran = capsys.readouterr()
    assert events(ran.out) == [
        "version", "planned_change", "change_summary",
        "apply_start", "apply_complete", "change_summary",
    ]  # fmt: skip
    assert ran.err == ""
    (project / "manifests" / "m.yaml").write_text(MANIFEST.replace("image", "imaeg"))
    assert reconcile("plan", "--json") == 1
    ran = capsys.readouterr()
    last = json.loads(ran.out.splitlines()[-1])
    assert last["diagnostic"]["range"]["filename"] == "manifests/m.yaml"
    assert "did you mean `image`?" in ran.err


def test_several_targets_are_one_stream(
    reconcile: Reconcile, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reconcile("plan", "--json", "--target", "sandbox", "--target", "other") == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    sums = [event for event in found if event["type"] == "change_summary"]
    assert [event["reconciler"]["target"] for event in sums] == ["sandbox", "other"]


def test_validate_annotates_and_reports(
    reconcile: Reconcile, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["-o", "text", "-o", "annotations", "-o", "sarif=r.sarif"]
    assert reconcile("validate", *places) == 0
    ran = capsys.readouterr().out
    assert ran == "Valid: 1 resources (1 RunaiEnvironment).\n"
    assert json.loads((project / "r.sarif").read_text())["runs"][0]["results"] == []
    (project / "manifests" / "m.yaml").write_text(
        MANIFEST.replace("image", "imaeg").replace("tenant", "tenat") + "---\n- x\n"
    )
    assert reconcile("validate", *places) == 1
    found = commands(capsys.readouterr().out)
    assert [(item.properties["file"], item.properties["line"]) for item in found] == [
        ("infra/manifests/m.yaml", "4"),
        ("infra/manifests/m.yaml", "4"),
        ("infra/manifests/m.yaml", "6"),
    ]
    results = json.loads((project / "r.sarif").read_text())["runs"][0]["results"]
    assert [item["ruleId"] for item in results] == [
        "unknown-value",
        "unknown-field",
        "invalid-value",
    ]


@pytest.mark.parametrize(
    ("config", "found"),
    [
        (CONFIG.replace("stack", "stak"), ("unknown-field", "2")),
        (CONFIG + "stack: again\n", ("yaml", "7")),
        ("", ("invalid-value", None)),
    ],
)
def test_validate_reports_the_configuration(
    reconcile: Reconcile,
    project: Path,
    capsys: pytest.CaptureFixture[str],
    config: str,
    found: tuple[str, str | None],
) -> None:
    rule, line = found
    (project / "reconciler.yaml").write_text(config)
    assert reconcile("validate", "-o", "annotations", "-o", "sarif=r.sarif") == 1
    first = commands(capsys.readouterr().out)[0]
    assert first.name == "error"
    assert first.properties.get("line") == line or line is None
    results = json.loads((project / "r.sarif").read_text())["runs"][0]["results"]
    assert rule in [item["ruleId"] for item in results]


@pytest.mark.parametrize("workspace", ["", ".", "..", "../.."])
def test_annotations_are_relative_to_the_repository(
    reconcile: Reconcile,
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    workspace: str,
) -> None:
    """`actions/checkout` with `path:` puts it below the workspace."""
    (project / "manifests" / "m.yaml").write_text("- x\n")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project / workspace) if workspace else "")
    assert reconcile("validate", "-o", "annotations") == 1
    found = commands(capsys.readouterr().out)[0]
    assert found.properties["file"] == "infra/manifests/m.yaml"


@pytest.mark.parametrize("workspace", ["..", "", "manifests"])
def test_without_a_repository_they_are_relative_to_the_workspace(
    reconcile: Reconcile,
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    workspace: str,
) -> None:
    (project.parent / ".git").rmdir()
    (project / "manifests" / "m.yaml").write_text("- x\n")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project / workspace) if workspace else "")
    assert reconcile("validate", "-o", "annotations") == 1
    found = commands(capsys.readouterr().out)[0]
    above = workspace == ".."
    assert found.properties["file"] == ("infra/manifests/m.yaml" if above else "manifests/m.yaml")


def test_the_graph_of_manifests_and_of_a_plan(
    reconcile: Reconcile, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reconcile("graph") == 0
    assert '  n0 [label="RunaiEnvironment.train"];' in capsys.readouterr().out
    gone = plan_of([resource("RunaiEnvironment.train")], [live("RunaiEnvironment.gone")])
    plan = saved(project / "plan.json", gone)
    assert reconcile("graph", "--format", "mermaid", "--plan", str(plan)) == 0
    drawn = capsys.readouterr().out
    assert 'n0["RunaiEnvironment.train<br/>create"]:::create' in drawn
    assert 'n1["RunaiEnvironment.gone<br/>delete"]:::delete' in drawn
    assert reconcile("graph", "--target", "sandbx") == 1
    assert "did you mean sandbox?" in capsys.readouterr().err


def test_a_saved_plan_is_shown_in_every_format(
    reconcile: Reconcile, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reconcile("plan", "--out", "plan.json", "-o", "markdown=one.md") == 0
    capsys.readouterr()
    assert (
        reconcile("show", "plan.json", "-o", "markdown=two.md", "-o", "json=j", "-o", "text") == 0
    )
    assert (project / "one.md").read_text() == (project / "two.md").read_text()
    assert (project / "j").read_text() == (project / "plan.json").read_text()
    assert "will be created" in capsys.readouterr().out
    assert commonmark.foreign((project / "two.md").read_text()) == []


def test_a_forged_plan_commands_no_terminal_and_no_runner(
    reconcile: Reconcile, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reconcile("plan", "--out", "plan.json") == 0
    document = json.loads((project / "plan.json").read_text())
    document["reconciler"]["warnings"] = ["##[error]x\u009b31m\u202e"]
    document["reconciler"]["document_digest"] = digest_document(document)
    (project / "plan.json").write_text(json.dumps(document, ensure_ascii=False))
    capsys.readouterr()
    for form in ("json", "text", "markdown", "annotations"):
        assert reconcile("show", "plan.json", "-o", form) == 0
        shown = capsys.readouterr().out
        assert shown
        assert not {"\x9b", "\u202e"} & set(shown)
        assert "##[" not in shown


@pytest.mark.parametrize(
    "options",
    [
        ("-o", "json=x", "-o", "markdown=x"),
        ("-o", "json=x", "-o", "html=./x"),
        ("-o", "json=x", "-o", "markdown=link"),
        ("--out", "x", "-o", "markdown=x"),
    ],
)
def test_two_documents_in_one_file_are_refused(
    project: Path, reconcile: Reconcile, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    (project / "x").write_text("as it was")
    (project / "link").symlink_to("x")
    assert reconcile("plan", *options) == 1
    assert "give each its own file" in capsys.readouterr().err
    assert (project / "x").read_text() == "as it was"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{target}-live", "live-{target}"),  # live-live: the same name twice
        ("a{target}", "ab-{target}"),  # ab-live: of `b-live`, and of `live`
    ],
)
def test_names_that_targets_make_the_same_are_refused(
    reconcile: Reconcile, capsys: pytest.CaptureFixture[str], first: str, second: str
) -> None:
    names = ("--target", "live", "--target", "b-live")
    assert reconcile("plan", *names, "-o", f"json={first}", "-o", f"markdown={second}") == 1
    said = capsys.readouterr().err
    assert "-o json of " in said
    assert "-o markdown of live" in said
    assert "give each its own file" in said


def test_devices_take_several(project: Path, reconcile: Reconcile) -> None:
    assert reconcile("plan", "-o", "json=/dev/null", "-o", "markdown=/dev/null") == 0


def test_a_pipe_that_has_no_path_of_its_own(project: Path) -> None:
    reading, writing = os.pipe()
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", "plan", "-o", f"json=/dev/fd/{writing}"],
        cwd=project,
        pass_fds=[writing],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        assert json.loads(stream.read())["format_version"]
    assert done.returncode == 0, done.stderr


def test_a_graph_is_of_the_default_target(
    project: Path, reconcile: Reconcile, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its overlays count: here, one that gives the environment a compute asset."""
    place = project / "overlays" / "sandbox"
    place.mkdir(parents=True)
    spec = "spec: {compute: {gpu: 1}}\n"
    (place / "o.yaml").write_text(MANIFEST.partition("spec:")[0] + spec)
    assert reconcile("graph") == 0
    assert "RunaiCompute.train" in capsys.readouterr().out
    assert reconcile("graph", "--target", "other") == 0
    assert "RunaiCompute.train" not in capsys.readouterr().out


NOWHERE = MANIFEST.replace("scope: tenant", "scope: project, scope_id: nope")


@pytest.mark.parametrize("form", ["annotations", "annotations=notes.txt"])
def test_what_only_a_plan_finds_is_annotated_on_its_line(
    project: Path, reconcile: Reconcile, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    (project / "manifests" / "m.yaml").write_text(NOWHERE)
    assert reconcile("plan", "-o", form) == 1
    out = capsys.readouterr().out
    text = (project / "notes.txt").read_text() if "=" in form else out
    (command,) = commands(text)
    assert (command.name, command.properties["line"]) == ("error", "4")
    assert command.properties["file"] == "infra/manifests/m.yaml"
    assert "nope" in command.data


def test_an_error_that_no_file_has_is_annotated_without_one(
    project: Path, reconcile: Reconcile, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reconcile("plan", "--config-from", "nothing", "-o", "annotations") == 1
    (command,) = commands(capsys.readouterr().out)
    assert "file" not in command.properties
    assert command.properties["title"] == "no plan"


def test_a_failure_has_a_reason_in_one_line(
    project: Path, reconcile: Reconcile, capsys: pytest.CaptureFixture[str]
) -> None:
    def reason(*words: str) -> dict[str, str]:
        (project / "step").unlink(missing_ok=True)
        assert reconcile(*words, "-o", "outputs=step", "-o", "annotations=notes") in (1, 3)
        return outputs((project / "step").read_text())

    found = reason("plan", "--config-from", "nothing")
    assert found.keys() == {"errored", "failure-reason"}
    assert found["errored"] == "true"
    assert found["failure-reason"].endswith(
        "git finds no repository here, although there is `.git`"
    )

    digest = f"sha256:{'0' * 64}"
    found = reason("apply", "--apply", "--expect-digest", digest)
    assert found["failure-reason"].startswith("the plan is not the one that was approved")
    (command,) = commands((project / "notes").read_text())
    assert command.properties["title"] == "stale plan"
    assert len(command.data.splitlines()) > 1

    (project / "manifests" / "m.yaml").write_text(f"{NOWHERE}---\n- x\n---\n- y\n")
    found = reason("plan")
    assert found["failure-reason"] == (
        "manifests/m.yaml:6:1: this document is no manifest (and 1 more)"
    )
    assert reconcile("plan", "-o", "outputs") == 1
    err = capsys.readouterr().err
    assert "this document is no manifest" in err
    assert "GITHUB_OUTPUT" in err


def test_a_target_that_fails_is_annotated_and_the_others_go_on(
    project: Path, reconcile: Reconcile, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "manifests" / "m.yaml").write_text(NOWHERE)
    words = ("--target", "sandbox", "--target", "other", "-o", "annotations")
    assert reconcile("plan", *words) == 1
    assert len(commands(capsys.readouterr().out)) == 2


def test_every_error_is_a_diagnostic_of_the_stream(
    project: Path, reconcile: Reconcile, capsys: pytest.CaptureFixture[str]
) -> None:
    def diagnostics(*words: str) -> list[str]:
        assert reconcile("plan", "--json", *words) == 1
        events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert events[0]["type"] == "version"
        found = [event["diagnostic"] for event in events if event["type"] == "diagnostic"]
        return [item["summary"] for item in found if item["severity"] == "error"]

    (said,) = diagnostics("--target", "sandbox", "--target", "nope")
    assert "there is no target nope" in said
    (said,) = diagnostics("--live", "x.json")
    assert said == "--live goes with --offline"
    (project / "manifests" / "m.yaml").write_text(NOWHERE)
    assert len(diagnostics("--target", "sandbox", "--target", "other")) == 2
    (said,) = diagnostics()
    assert "nope" in said
