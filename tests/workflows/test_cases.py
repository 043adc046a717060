"""Every case of the table of events, executed: cases/NAME.yaml, as case.py describes it."""

import json
import re
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from reconciler.sandbox import Behaviour
from tests.acceptance.live_side import assets, delete_live, edit_live
from tests.workflows.act import HERE, Ran, add_action, run_workflow
from tests.workflows.case import NAMES, Case, Commit, Lacks, Run, Texts, Wants, filled, load
from tests.workflows.fake_github import Repository
from tests.workflows.history import History
from tests.workflows.stage import CONFIG, MANIFEST, ROOT, TOKEN, Stage

WORKFLOWS = {
    "reconcile": ROOT / ".github/workflows/reconcile.yml",
    "targets": ROOT / "examples/workflows/targets.yml",
}

SAME = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "2026-01-01 12:00 UTC"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:[\d.]+Z", "2026-01-01T09:30:00Z"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "00000000-0000-4000-8000-000000000000"),
    (r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}"),
)


def test_a_mistake_in_a_case_is_an_error() -> None:
    with pytest.raises(ValidationError, match=r"runs\.0\.wants\.coment\n  Extra inputs"):
        Case.model_validate(
            {
                "about": "",
                "commits": [{"name": "a"}],
                "runs": [{"event": "push", "wants": {"jobs": {}, "coment": ""}}],
            }
        )


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    return load(request.param)


@pytest.fixture
def behaviour(case: Case) -> Behaviour:
    return TypeAdapter(Behaviour).validate_python(case.behaviour)


@pytest.mark.parametrize("case", NAMES, indirect=True)
def test_case(case: Case, bare_stage: Stage) -> None:
    stage = bare_stage
    for name, path in WORKFLOWS.items():
        text = path.read_text()
        for old, new in case.edits.items():
            text = text.replace(old, new)
        add_action(stage, f"{name}.yml", text)
    names = {"url": stage.endpoint.base_url, "place": str(stage.place)}
    for commit in case.commits:
        names[commit.name] = make(stage, commit, names)
    know(stage, filled(case.github, names))
    for run in case.runs:
        know(stage, filled(run.github, names))
        before = comments_of(stage)
        ran = execute(stage, run, names)
        written = [text for text in comments_of(stage) if text not in before]
        check(stage, filled_wants(run, names), ran, written)


def make(stage: Stage, commit: Commit, names: dict[str, str]) -> str:
    """Make a commit, on the branch that it is for."""
    known = stage.git("branch", "--format=%(refname:short)").split()
    if commit.branch in known:
        stage.git("checkout", "-q", commit.branch)
    elif known:
        stage.git("checkout", "-q", "-b", commit.branch, names.get(commit.start, "main"))
    if commit.merges:
        stage.git("merge", "-q", "--no-ff", "-m", commit.says, names[commit.merges])
        return stage.git("rev-parse", "HEAD")
    if commit.guards:
        (stage.repository / "reconciler.yaml").write_text(f"{CONFIG}guards: {commit.guards}\n")
    for name, text in commit.files.items():
        path = stage.repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(filled(text, names)) if text is not None else path.unlink()
    made = stage.commit(commit.states, filled(commit.says, {**names, "allow": ""}))
    if "{allow}" in commit.says:
        names["allow"] = names.get("allow") or allowance(stage)
        stage.git("commit", "-q", "--amend", "-m", filled(commit.says, names))
        made = stage.git("rev-parse", "HEAD")
    for target in commit.applied:
        ran = stage.reconcile("apply", "--target", target, "--apply")
        assert ran.returncode == 0, ran.stdout + ran.stderr
    return made


def allowance(stage: Stage) -> str:
    """The line that a commit needs for its deletions."""
    ran = stage.reconcile("plan", "--target", "production")
    line = re.search(r"^ *(Reconcile-Allow: .*)$", ran.stdout, re.MULTILINE)
    assert line, ran.stdout + ran.stderr
    return line[1]


def know(stage: Stage, changes: Mapping[str, Any]) -> None:
    """Let GitHub know these fields of its repository."""
    unknown = changes.keys() - Repository.__dataclass_fields__.keys()
    assert not unknown, f"the fake of GitHub knows no {unknown}"
    stated = TypeAdapter(Repository).validate_python(changes)  # numbers as keys, tuples
    for name in changes:
        setattr(stage.github.repository, name, getattr(stated, name))


def execute(stage: Stage, run: Run, names: dict[str, str]) -> Ran:
    """Bring about what comes before the run, and let act run it."""
    for name, spec in run.live.items():
        change_live(stage, name, spec)
    for artifact in run.artifacts:
        place = stage.artifacts / artifact.name
        place.mkdir(exist_ok=True)
        for file, text in artifact.files.items():
            (place / file).write_text(text)
        stage.record_artifact(artifact.name, names[artifact.made_for])
    payload = event_of(run, names)
    known = stage.github.repository
    known.history = History(stage.repository)
    known.requests.clear()
    known.tokens.clear()
    stage.live.requests.clear()
    stage.git("checkout", "-q", "--detach", names[run.head])
    if run.meanwhile is not None:
        prepare_meanwhile(stage, run.meanwhile)
    if run.event == "pull_request":  # the test merge
        stage.git("checkout", "-q", "--detach", names[run.base])
        stage.git("merge", "-q", "--no-ff", "-m", "Test merge", names[run.head])
    more = [word for name, value in run.vars.items() for word in ("--var", f"{name}={value}")]
    more += [word for name, value in run.secrets.items() for word in ("-s", f"{name}={value}")]
    more += ["--actor", run.actor]
    found = run_workflow(stage, run.event, payload, *more, workflow=run.workflow)
    for outputs in found.outputs.values():
        if (stage.artifacts / outputs.get("artifact", "none")).is_dir():
            stage.record_artifact(outputs["artifact"], names[run.head])
    return found


def prepare_meanwhile(stage: Stage, states: dict[str, str]) -> None:
    """Let the checkout of the job `apply` find that somebody has applied these environments."""
    other = stage.place / "other"
    stage.git("worktree", "add", "-q", "--detach", str(other))
    for name, image in states.items():
        (other / "manifests" / f"{name}.yaml").write_text(MANIFEST.format(name=name, image=image))
    command = f"{sys.executable} -m reconciler -C {other} apply --target production --apply"
    values = " ".join(f"{name}={value}" for name, value in stage.credentials().items())
    stage.meanwhile.write_text(f"env PYTHONPATH={ROOT} {values} {command}\n")


def change_live(stage: Stage, name: str, spec: dict[str, Any] | None) -> None:
    """Edit an environment as somebody would by hand, or delete it."""
    if spec is None:
        delete_live(stage, name)
    else:
        edit_live(stage, f"RunaiEnvironment.{name}", lambda asset: asset["spec"].update(spec))


def event_of(run: Run, names: dict[str, str]) -> dict[str, Any]:
    """The recorded event with these commits and what else the case states."""
    text = (HERE / "events" / f"{run.event}.json").read_text()
    text = text.replace("BASE_SHA", names[run.base]).replace("HEAD_SHA", names[run.head])
    return merged(json.loads(text), filled(run.payload, names))


def merged(first: dict[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Both, where what is stated second wins."""
    found = dict(first)
    for key, value in second.items():
        inner = found.get(key)
        if isinstance(inner, dict) and isinstance(value, dict):
            found[key] = merged(inner, value)
        else:
            found[key] = value
    return found


def filled_wants(run: Run, names: dict[str, str]) -> Wants:
    return Wants.model_validate(filled(run.wants.model_dump(), names))


def check(stage: Stage, wants: Wants, ran: Ran, comments: list[str]) -> None:
    """Compare what the run has done with what is wanted of it."""
    assert ran.jobs == wants.jobs, ran.log
    assert len(ran.annotations) == len(wants.annotations), "\n".join(ran.annotations)
    for said, beginning in zip(sorted(ran.annotations), sorted(wants.annotations), strict=True):
        assert said.startswith(beginning)
    for job, outputs in wants.outputs.items():
        assert outputs.items() <= ran.outputs[job].items(), ran.outputs[job]
    known = stage.github.repository
    assert [" ".join(request) for request in known.writes] == wants.requests
    assert known.tokens <= {f"token {TOKEN}"}
    assert known.versions <= {"2022-11-28"}
    check_live(stage, wants)
    check_text(ran.log, wants.log)
    check_text(ran.summary, wants.summary)
    check_text(issue_of(stage), wants.issue)
    check_text("\n".join(comments), wants.comment)
    assert stage.secret not in ran.log + ran.summary
    for path in (path for path in stage.artifacts.rglob("*") if path.is_file()):
        assert stage.secret not in path.read_text()


def check_live(stage: Stage, wants: Wants) -> None:
    asked = len(stage.live.requests)
    written = [request for request in stage.live.requests.writes() if request.status < 400]
    if isinstance(wants.live, dict):
        assert written
        found = {item["meta"]["name"]: item["spec"]["image"] for item in assets(stage)}
        assert found == wants.live
    else:
        assert not written
        assert (asked > 0) is (wants.live == "read")


def check_text(text: str, wants: str | Texts) -> None:
    """Whether a text is the one that is wanted, or has and lacks what it should."""
    if isinstance(wants, str):
        assert text == wants
        return
    for part in wants:
        if isinstance(part, Lacks):
            assert part.lacks not in text, f"there is {part.lacks!r} in:\n{text}"
        else:
            assert part in text, f"there is no {part!r} in:\n{text}"


def comments_of(stage: Stage) -> list[str]:
    """All comments, with times and digests that are the same in every run."""
    comments = stage.github.repository.comments
    texts = [item["body"] for number in sorted(comments) for item in comments[number]]
    for pattern, same in SAME:
        texts = [re.sub(pattern, same, text) for text in texts]
    return texts


def issue_of(stage: Stage) -> str:
    for issue in stage.github.repository.issues[-1:]:
        return f"{issue['state']}: {issue['title']}\n{issue['body']}"
    return ""
