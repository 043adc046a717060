"""`plan --offline`, several `--target`, `--fail-on`: files alone, with a real command line."""

import html
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run
from reconciler.planfile.reader import read_plan_file
from reconciler.sandbox import SandboxServer

CONFIG = """\
apiVersion: reconciler/v1
stack: ml-platform
targets:
  production:
    runai:
      base_url: {env: FLOW_TEST_URL}
      client_id: {env: FLOW_TEST_ID}
      client_secret: {env: FLOW_TEST_SECRET}
    docker: {}
  staging:
    runai: {sandbox: .reconcile/staging.db}
    docker: {base_image: "example/base:1"}
env_allow: ["FLOW_VAR_*"]
"""
MANIFEST = """\
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {name: env, protect: true}
spec:
  scope: project
  scope_id: team-a
  image: x:1
  environment_variables: {PASSWORD: {env: FLOW_VAR_PASSWORD}}
---
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {id: other, name: another}
spec: {scope: tenant, image: x:1}
"""
IMAGE = """\
apiVersion: reconciler/v1
kind: RayfineImage
metadata: {name: hello}
spec: {path: hello, tag: "registry.example/hello:1", push: true}
"""
Reconcile = Callable[..., int]


@pytest.fixture
def reconcile(tmp_path: Path) -> Reconcile:
    (tmp_path / "reconciler.yaml").write_text(CONFIG)
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "m.yaml").write_text(MANIFEST)
    return lambda *arguments: run(["-C", str(tmp_path), *arguments])


def document(path: Path) -> Any:
    return json.loads(path.read_text())


def test_an_offline_plan_needs_no_variable_and_says_what_it_is(
    reconcile: Reconcile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "manifests" / "image.yaml").write_text(IMAGE)
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "env.py").write_text(
        "class Actor:\n    def add(self):\n        return 1\n"
    )
    arguments = ("plan", "--target", "production", "--offline", "-o", "text", "-o", "json=p.json")
    assert reconcile(*arguments, "--detailed-exitcode") == 2
    text = capsys.readouterr().out
    assert text.startswith("Target: production (offline, compared with nothing) · stack ml")
    assert "registry.example/hello:1" in text
    assert "Plan: 3 to add, 0 to change, 0 to destroy." in text
    assert "This plan was made offline and cannot be applied." in text
    found = document(tmp_path / "p.json")
    assert (found["applyable"], found["reconciler"]["offline"]) == (False, True)
    assert reconcile("apply", "p.json", "--apply") == 1
    assert "this plan was made offline" in capsys.readouterr().err


def test_an_offline_plan_against_an_exported_live_state(
    reconcile: Reconcile,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    staging = ("--target", "staging")
    monkeypatch.setenv("FLOW_VAR_PASSWORD", "canary-4711")
    assert reconcile("apply", *staging, "--apply") == 0
    assert reconcile("plan", *staging, "-o", "json=live.json") == 0
    monkeypatch.delenv("FLOW_VAR_PASSWORD")
    offline = ("plan", *staging, "--offline", "--live", "live.json")
    capsys.readouterr()
    assert reconcile(*offline, "--detailed-exitcode") == 0
    assert "2 unchanged." in capsys.readouterr().out

    changed = MANIFEST.replace("x:1", "x:2", 1).replace("{id: other", "{id: new, moved_from: other")
    (tmp_path / "manifests" / "m.yaml").write_text(changed)
    assert reconcile(*offline, "--detailed-exitcode") == 2
    text = capsys.readouterr().out
    assert '~ image = "x:1" -> "x:2"' in text
    assert '~ id = "other" -> "new"' in text
    assert "Plan: 0 to add, 2 to change, 0 to destroy." in text

    (tmp_path / "manifests" / "m.yaml").write_text(MANIFEST.split("---\n")[1])
    assert reconcile(*offline) == 4
    assert "it is protected and must not be destroyed" in capsys.readouterr().out
    assert "canary-4711" not in (tmp_path / "live.json").read_text()
    saved = read_plan_file(tmp_path / "live.json")
    assert sorted(live.name for live in saved.recorded_live()) == ["another", "env"]


NAMED = """\
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {name: env}
spec:
  scope: project
  scope_id: PROJECT
  image: x:1
  environment_variables:
    TOKEN: {credential: {name: CREDENTIAL, key: TOKEN}}
"""
SEED = """\
clusters:
  - name: main
    departments: [{name: default, projects: [{name: team-a, id: 7}, {name: team-b, id: 33}]}]
credentials:
  - {name: hub, type: generic-secret, scope: tenant, keys: [TOKEN]}
  - {name: lab, type: generic-secret, scope: tenant, keys: [TOKEN]}
"""


@pytest.fixture
def named(reconcile: Reconcile, tmp_path: Path) -> Callable[[str, str], Reconcile]:
    """State an environment in a project and with a credential, over a seeded sandbox."""
    (tmp_path / "seed.yaml").write_text(SEED)
    with SandboxServer(tmp_path / ".reconcile" / "staging.db", seed=tmp_path / "seed.yaml"):
        pass

    def state(project: str, credential: str) -> Reconcile:
        text = NAMED.replace("PROJECT", project).replace("CREDENTIAL", credential)
        (tmp_path / "manifests" / "m.yaml").write_text(text)
        return reconcile

    return state


def test_names_and_ids_of_one_thing_are_no_change_offline(
    named: Callable[[str, str], Reconcile], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reconcile = named("team-a", "hub")
    assert reconcile("apply", "--target", "staging", "--apply") == 0
    assert reconcile("plan", "--target", "staging", "-o", "json=live.json") == 0
    (change,) = document(tmp_path / "live.json")["resource_changes"]
    own, asset = change["reconciler"]["names"], change["change"]["before"]
    variable = {"credential": {"asset_id": "hub"}}
    side = {"scope_id": "team-a", "environment_variables": {"TOKEN": variable}}
    assert own == {"before": side, "after": side}
    uid = asset["environment_variables"]["TOKEN"]["credential"]["asset_id"]
    for project in ("team-a", "7", "main/team-a"):
        for credential in ("hub", uid, uid.upper()):
            named(project, credential)
            offline = ("plan", "--target", "staging", "--offline", "--live", "live.json")
            assert reconcile(*offline, "--detailed-exitcode") == 0, (project, credential)
    capsys.readouterr()
    named("team-b", "lab")
    assert reconcile("plan", "--target", "staging") == 0
    found = capsys.readouterr().out
    assert 'scope_id              = "team-a" (7) -> "team-b" (33) # forces replacement' in found
    assert f'asset_id = "hub" ({uid}) -> "lab" (' in found
    assert reconcile("plan", "--target", "staging", "--offline", "--live", "live.json") == 0
    found = capsys.readouterr().out
    assert 'scope_id              = "team-a" (7) -> "team-b" # forces replacement' in found
    assert f'asset_id = "hub" ({uid}) -> "lab"' in found


def test_names_are_shown_wherever_a_plan_is(
    named: Callable[[str, str], Reconcile], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reconcile = named("team-a", "hub")
    staging = ("--target", "staging")
    assert reconcile("apply", *staging, "--apply") == 0
    named("team-b", "lab")
    capsys.readouterr()
    outputs = ("-o", "text=p.txt", "-o", "json=p.json", "-o", "html=p.html", "-o", "markdown=p.md")
    assert reconcile("plan", *staging, *outputs) == 0
    assert reconcile("show", "p.json") == 0
    shown = capsys.readouterr().out
    assert shown == (tmp_path / "p.txt").read_text()
    assert reconcile("explain", *staging, "RunaiEnvironment.env") == 0
    pages = [html.unescape((tmp_path / name).read_text()) for name in ("p.html", "p.md")]
    for text in (shown, *pages, capsys.readouterr().out):
        for words in ('"team-a" (7)', '"team-b" (33)', '"hub" (', '"lab" ('):
            assert words in text


def test_a_rename_is_hinted_at_wherever_a_plan_is(
    named: Callable[[str, str], Reconcile], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reconcile = named("team-a", "hub")
    staging = ("--target", "staging")
    (tmp_path / "manifests" / "stays.yaml").write_text(
        MANIFEST.split("---\n")[1].replace("id: other", "id: stays")
    )
    assert reconcile("apply", *staging, "--apply") == 0
    manifest = tmp_path / "manifests" / "m.yaml"
    manifest.write_text(manifest.read_text().replace("{name: env}", "{name: other}"))
    capsys.readouterr()
    outputs = ("-o", "text=p.txt", "-o", "json=p.json", "-o", "html=p.html", "-o", "markdown=p.md")
    assert reconcile("plan", *staging, *outputs, "-o", "annotations") == 0
    texts = [capsys.readouterr().out]
    assert reconcile("show", "p.json") == 0
    assert reconcile("plan", *staging, "--json") == 0
    assert reconcile("explain", *staging, "RunaiEnvironment.env") == 0
    texts.append(capsys.readouterr().out)
    texts += [html.unescape((tmp_path / f"p.{form}").read_text()) for form in ("txt", "html", "md")]
    for text in texts:
        assert "other is the same but for its name: a rename? add `id: env` to its" in text
    hints = {item["name"]: item["reconciler"]["hint"] for item in changes_of(tmp_path / "p.json")}
    assert "destroyed RunaiEnvironment.env but for its name" in hints["other"]
    manifest.write_text(manifest.read_text().replace("{name: other}", "{name: other, id: env}"))
    assert reconcile("plan", *staging) == 0
    assert "Plan: 0 to add, 1 to change, 0 to destroy." in capsys.readouterr().out


def changes_of(path: Path) -> Any:
    return document(path)["resource_changes"]


def test_a_renamed_project_makes_no_reviewed_plan_stale(
    named: Callable[[str, str], Reconcile], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reconcile = named("7", "hub")
    staging = ("--target", "staging")
    assert reconcile("plan", *staging, "--out", "p.json") == 0
    with closing(sqlite3.connect(tmp_path / ".reconcile" / "staging.db")) as database, database:
        database.execute("UPDATE project SET name = 'renamed' WHERE name = 'team-a'")
    capsys.readouterr()
    assert reconcile("apply", "p.json", "--apply") == 0
    assert '"renamed" (7)' in capsys.readouterr().out


def test_the_live_state_of_another_target_is_refused(
    reconcile: Reconcile, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reconcile("plan", "--target", "staging", "--offline", "-o", "json=s.json") == 0
    assert reconcile("plan", "--target", "production", "--offline", "--live", "s.json") == 1
    assert "it holds target staging" in capsys.readouterr().err


def test_several_targets_keep_their_outputs_apart(
    reconcile: Reconcile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay = tmp_path / "overlays" / "production" / "o.yaml"
    overlay.parent.mkdir(parents=True)
    overlay.write_text(MANIFEST.split("---\n")[1].replace("x:1", "x:9"))
    both = ("plan", "--offline", "--target", "production", "--target", "staging")
    assert reconcile(*both, "-o", "text", "-o", "json=out/{target}.json") == 0
    text = capsys.readouterr().out
    assert text.index("Target: production") < text.index("\n\nTarget: staging")
    for target, image in (("production", "x:9"), ("staging", "x:1")):
        (change,) = (
            item
            for item in document(tmp_path / "out" / f"{target}.json")["resource_changes"]
            if item["name"] == "other"
        )
        assert change["change"]["after"]["image"] == image


def test_one_target_that_fails_does_not_keep_the_others_from_being_planned(
    reconcile: Reconcile, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOW_VAR_PASSWORD", "x")
    both = ("plan", "--target", "production", "--target", "staging", "--detailed-exitcode")
    assert reconcile(*both) == 1
    said = capsys.readouterr()
    assert "Error: production: " in said.err
    assert "FLOW_TEST_URL" in said.err
    assert "Target: staging" in said.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plan", "--target", "a", "--target", "b", "--out", "p.json"], "put {target} into"),
        (["plan", "--target", "a", "--target", "b", "-o", "json"], "cannot be told apart"),
        (["plan", "--target", "a", "--target", "a"], "--target a is given twice"),
        (["apply", "--target", "a", "--target", "b"], "apply takes one target at a time"),
        (["plan", "--live", "p.json"], "--live goes with --offline"),
        (["plan", "--offline", "--out", "p.json"], "so it is not saved"),
        (["plan", "--fail-on", "delete,destroy"], "'destroy' is not one of create, update"),
        (["plan", "--offline", "--target", "c"], "there is no target c"),
    ],
)
def test_what_is_refused(
    reconcile: Reconcile, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reconcile(*arguments) == 1
    assert words in capsys.readouterr().err


def test_fail_on(reconcile: Reconcile, capsys: pytest.CaptureFixture[str]) -> None:
    offline = ("plan", "--offline", "--target", "staging", "--detailed-exitcode")
    assert reconcile(*offline, "--fail-on", "delete,replace") == 2
    assert reconcile(*offline, "--fail-on", "delete, create") == 4
    assert "Error: --fail-on create: RunaiEnvironment.other" in capsys.readouterr().err
