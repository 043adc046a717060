"""A saved plan is applied as reviewed, or refused with what moved (law 8)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.plan import digest_document
from tests.acceptance.live_side import assets, create_live, delete_live, edit_live, named
from tests.acceptance.project import Project, Ran, environment

ADDRESS = "RunaiEnvironment.train"


def saved(world: Project, *options: str) -> Path:
    file = world.directory / "plan.json"
    ran = world.reconcile("plan", "--out", str(file), *options)
    assert ran.code in (0, 4), ran.err
    return file


def refused(world: Project, file: Path, *options: str) -> str:
    world.server.requests.clear()
    ran: Ran = world.reconcile("apply", str(file), "--apply", *options)
    assert ran.code == 3, ran.out + ran.err
    assert not world.server.requests.writes()
    return ran.err


def test_a_conflict_that_is_cleared_afterwards(world: Project) -> None:
    create_live(world, "train", {"image": "busybox:1"})
    world.write(environment(scope="tenant", image="busybox:2"))
    file = saved(world)
    world.write(environment(scope="tenant", image="busybox:2", metadata={"adopt": True}))
    assert f"{ADDRESS}: approved adopt, now adopt (the manifest changed)" in refused(world, file)


def test_a_protection_that_is_lifted_afterwards(world: Project) -> None:
    world.write(environment(metadata={"protect": True}), environment("stays"))
    world.apply()
    world.write(environment("stays"))
    file = saved(world)
    world.write(environment(), environment("stays"))
    world.apply()
    world.write(environment("stays"))
    assert f"{ADDRESS}: approved delete, now delete (the live object changed)" in refused(
        world, file
    )


def test_metadata_is_part_of_what_was_reviewed(world: Project) -> None:
    world.write(environment())
    world.apply()
    world.write(environment(image="busybox:2", metadata={"protect": True}))
    file = saved(world)
    world.write(environment(image="busybox:2"))
    assert "the manifest changed" in refused(world, file)


def test_another_object_with_the_same_content(world: Project) -> None:
    create_live(world, "train", {"image": "busybox:1"})
    world.write(environment(scope="tenant"))
    file = saved(world)
    delete_live(world, "train")
    create_live(world, "train", {"image": "busybox:1"})
    assert "the live object changed" in refused(world, file)


def test_a_secret_that_was_changed_behind_the_plan(
    world: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILE_VAR_TOKEN", "one")
    world.configure(env_allow=["RECONCILE_VAR_*"])
    world.write(environment(environment_variables={"TOKEN": {"env": "RECONCILE_VAR_TOKEN"}}))
    world.apply()
    monkeypatch.setenv("RECONCILE_VAR_TOKEN", "two")
    file = saved(world)

    def tamper(asset: dict[str, Any]) -> None:
        asset["spec"]["environmentVariables"][0]["value"] = "other"

    edit_live(world, ADDRESS, tamper)
    assert "the live object changed" in refused(world, file)


def test_a_guard_that_was_loosened_afterwards(world: Project) -> None:
    world.write(*[environment(f"e{n}") for n in range(5)])
    world.apply()
    world.write(environment("e0"))
    file = saved(world)
    world.configure(guards={"max_delete_percent": 100})
    assert "approved as blocked, now it would be carried out" in refused(world, file)
    world.configure()
    assert world.reconcile("apply", str(file), "--apply", "--allow-deletes", "4").code == 0
    assert len(assets(world)) == 1


@pytest.mark.parametrize("change", ["cut", "digest", "action", "value", "field", "selection"])
def test_a_plan_file_that_was_edited(world: Project, change: str) -> None:
    world.write(environment(), environment("stays"))
    world.apply()
    world.write(environment("stays"))
    file = saved(world)
    document = json.loads(file.read_text())
    if change == "cut":
        document["resource_changes"] = document["resource_changes"][1:]
    elif change == "digest":
        document["resource_changes"][0]["reconciler"]["live_digest"] = "sha256:" + "0" * 64
    elif change == "value":
        document["resource_changes"][0]["change"]["before"]["image"] = "innocent:1"
    elif change == "field":
        document["resource_changes"][0]["reconciler"]["source"] = {"file": "x", "line": 1}
    elif change == "selection":
        document["reconciler"]["selection"]["only"] = [ADDRESS]
    else:
        document["resource_changes"][0]["reconciler"]["action"] = "update"
    file.write_text(json.dumps(document))
    ran = world.reconcile("apply", str(file), "--apply")
    assert ran.code == 1
    assert "its digest does not fit" in ran.err
    assert len(assets(world)) == 2
    assert world.reconcile("show", str(file)).code == 1


def test_another_target_or_stack(world: Project) -> None:
    world.write(environment())
    file = saved(world)
    assert world.reconcile("apply", str(file), "--apply", "--target", "other").code == 3
    world.configure(stack="another")
    assert "stack: approved ml-platform, now another" in refused(world, file)


def test_the_plan_that_was_reviewed_is_applied(world: Project) -> None:
    world.write(environment(), environment("stays"))
    world.apply()
    world.write(environment(image="busybox:2"), environment("new"))
    file = saved(world)
    ran = world.reconcile("apply", str(file), "--apply")
    assert ran.code == 0, ran.err
    assert named(world, "train")["spec"]["image"] == "busybox:2"
    assert {item["meta"]["name"] for item in assets(world)} == {"train", "new"}


def forged(file: Path, alter: Callable[[dict[str, Any]], object]) -> None:
    """Alter a saved plan and make its own digest fit again, as anybody can."""
    document = json.loads(file.read_text())
    alter(document)
    document["reconciler"]["document_digest"] = digest_document(document)
    file.write_text(json.dumps(document))


def test_a_forged_file_widens_nothing_beside_a_digest(world: Project) -> None:
    """What was reviewed refuses the deletion; a file that says it was named changes nothing."""
    world.configure(guards={"max_deletes": 0, "free_deletes": 0})
    world.write(environment(), environment("stays"))
    world.apply()
    world.write(environment("stays"))
    file = saved(world)
    digest = json.loads(file.read_text())["reconciler"]["digest"]

    def widen(document: dict[str, Any]) -> None:
        document["reconciler"]["selection"]["only"] = ["RunaiEnvironment.*", ADDRESS]
        document["resource_changes"][0]["reconciler"]["refusal"] = None

    forged(file, widen)
    ran = world.reconcile("apply", str(file), "--expect-digest", digest, "--apply")
    assert ran.code in (3, 4), ran.out + ran.err
    assert len(assets(world)) == 2
    words = ("--expect-digest", digest, "--apply", f"--allow-destroy={ADDRESS}")
    assert world.reconcile("apply", str(file), *words).code == 0
    assert len(assets(world)) == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("resource_changes", 0, "reconciler", "fields", 0, "path"), 7),
        (("resource_changes", 0, "reconciler", "used_by"), "everybody"),
        (("resource_changes", 0, "change", "before"), [1]),
        (("resource_changes", 0, "name"), None),
        (("resource_changes",), {}),
        (("reconciler", "warnings"), [1]),
        (("reconciler", "owned"), "2"),
        (("reconciler", "review", "news"), {"a": 1}),
        (("reconciler",), None),
    ],
)
def test_a_file_of_wrong_types_is_no_plan(
    world: Project, path: tuple[str | int, ...], value: object
) -> None:
    world.write(environment())
    world.apply()
    world.write(environment(image="busybox:2"))
    file = saved(world)
    document = json.loads(file.read_text())
    place = document
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    if document["reconciler"]:
        document["reconciler"]["document_digest"] = digest_document(document)
    file.write_text(json.dumps(document))
    for command in (["show", str(file)], ["apply", str(file), "--apply"]):
        ran = world.reconcile(*command)
        assert ran.code == 1
        assert "this is no saved plan: " in ran.err
        assert ".".join(map(str, path)) in ran.err


@pytest.mark.parametrize("text", ["[" * 200_000, "[]", "null", "{}", '{"a":' * 5000 + "1"])
def test_what_is_no_plan_at_all(world: Project, text: str) -> None:
    file = world.directory / "plan.json"
    file.write_text(text)
    ran = world.reconcile("show", str(file))
    assert ran.code == 1
    assert "this is no saved plan: " in ran.err


def test_a_saved_plan_in_another_order_and_form_is_the_same(world: Project) -> None:
    world.write(environment())
    file = saved(world)
    document = json.loads(file.read_text())
    file.write_text(json.dumps(document, sort_keys=True))
    assert world.reconcile("apply", str(file), "--apply").code == 0


def _other(value: Any) -> Any:
    """The same plan with another image wherever one is shown."""
    if isinstance(value, dict):
        return {name: _other(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_other(item) for item in value]
    return "busybox:benign" if value == "busybox:2" else value


FORGED = [
    *((action, ("change",)) for action in ("create", "update", "replace", "delete")),
    *((action, ("reconciler",)) for action in ("update", "replace")),  # they have fields
    ("update", ("change", "reconciler")),
]


@pytest.mark.parametrize(("action", "parts"), FORGED)
def test_values_that_were_forged_under_a_true_digest(
    world: Project, action: str, parts: tuple[str, ...]
) -> None:
    """The digest covers what is done; whoever reviewed the file has seen other values."""
    world.configure(guards={"max_deletes": 50, "free_deletes": 50})
    if action != "create":
        image = "busybox:2" if action == "delete" else "busybox:1"
        world.write(environment(image=image), environment("stays"))
        world.apply()
    scope = "tenant" if action == "replace" else "cluster"
    train = [environment(image="busybox:2", scope=scope)] if action != "delete" else []
    world.write(*train, environment("stays"))
    file = saved(world)
    document = json.loads(file.read_text())
    for item in document["resource_changes"]:
        item.update({part: _other(item[part]) for part in parts})
        item["address"] = "RunaiEnvironment.elsewhere"  # a word of the file, too
    assert json.loads(file.read_text()) != document
    own = document["reconciler"]
    own["document_digest"] = digest_document(document)
    file.write_text(json.dumps(document))
    for options in ((), ("--expect-digest", own["digest"])):
        assert "shows other values than it was made for" in refused(world, file, *options)
