"""What becomes of an apply, in the outputs that a workflow shows to people."""

from pathlib import Path

import pytest

from tests.acceptance.git_project import commit, start
from tests.acceptance.project import Project, Ran, environment
from tests.faults.proxy import FaultProxy, no_answer_after
from tests.render.github import commands, outputs

FORMS = ("markdown=page.md", "summary=sum.md", "annotations=notes", "outputs=step")


def apply(world: Project, *words: str) -> Ran:
    forms = [word for form in FORMS for word in ("-o", form)]
    for form in FORMS:
        (world.directory / form.partition("=")[2]).unlink(missing_ok=True)
    return world.reconcile("apply", "--apply", *forms, *words)


def read(world: Project, name: str) -> str:
    return (world.directory / name).read_text()


def test_a_whole_apply_is_told_after_its_plan(world: Project) -> None:
    world.write(environment("a"), environment("b"))
    ran = apply(world)
    assert ran.code == 0, ran.err
    line = "Apply complete! Resources: 2 added, 0 changed, 0 destroyed."
    page = read(world, "page.md")
    assert page.startswith("<!-- reconcile:apply:live -->\n### Apply for `live`\n")
    assert f"**{line}**" in page
    assert "- `RunaiEnvironment.b` `" in page
    assert "creation after 0s" in page
    summary = read(world, "sum.md")
    plan, _, result = summary.partition("<!-- reconcile:apply:live -->")
    assert "**Plan: 2 to add, 0 to change, 0 to destroy.**" in plan
    assert line in result
    (notice,) = commands(read(world, "notes"))
    assert (notice.name, notice.data) == ("notice", line)
    found = outputs(read(world, "step"))
    assert (found["adds"], found["applied"], found["failed"]) == ("2", "2", "0")
    assert (found["summary"], found["failure-reason"]) == (line, "")


def test_what_is_not_applied_is_told_with_its_reason(world: Project) -> None:
    """The second of three writes gets no answer, and nothing can be read any more."""
    world.write(*[environment(name) for name in "abc"])
    with FaultProxy(world.endpoint.base_url) as proxy:
        world.go_by(proxy.base_url, timeout=0.2)
        proxy.rule = no_answer_after(1)
        ran = apply(world, "--parallelism", "1")
    assert ran.code == 5
    page = read(world, "page.md")
    assert "#### Unknown: sent, and the answer was lost (2)" in page
    assert "#### Written and not confirmed (1)\n\n- **`RunaiEnvironment.a`** · create" in page
    *errors, notice = commands(read(world, "notes"))
    assert [item.properties["title"] for item in errors] == [
        "RunaiEnvironment.b",
        "RunaiEnvironment.c",
        "RunaiEnvironment.a",
    ]
    assert {item.properties["file"] for item in errors} == {"manifests/all.yaml"}
    assert notice.data.startswith("Apply incomplete: 0 of 3 changes applied, 1 written")
    found = outputs(read(world, "step"))
    assert (found["applied"], found["written"], found["unknown"]) == ("0", "1", "2")
    assert found["failure-reason"].startswith("RunaiEnvironment.b: ")
    assert found["failure-reason"].endswith(" (and 2 more)")


def test_a_refused_change_is_told_beside_what_was_applied(world: Project) -> None:
    world.write(environment("kept", metadata={"protect": True}))
    assert apply(world).code == 0
    world.write(environment("new"))
    ran = apply(world)
    assert ran.code == 4
    page = read(world, "page.md")
    assert "#### Refused, so not begun (1)\n\n- **`RunaiEnvironment.kept`** · blocked: wo" in page
    assert "<b>Applied (1)</b>" in page
    error, notice = commands(read(world, "notes"))
    assert (error.name, error.properties["title"]) == ("error", "RunaiEnvironment.kept")
    assert "1 refused" in notice.data
    found = outputs(read(world, "step"))
    assert (found["applied"], found["refused"]) == ("1", "1")
    assert found["failure-reason"].startswith("RunaiEnvironment.kept blocked: it is protected")


def test_a_refused_delete_stands_where_its_plan_put_it(world: Project) -> None:
    world.write(environment("old", metadata={"protect": True}))
    start(world)
    world.apply()
    world.write(environment("new"))
    commit(world, "Take another")
    saved, words = str(world.directory / "plan.json"), ("--since", "main", "-o", "annotations")
    planned = commands(world.reconcile("plan", "--out", saved, *words).out)
    assert apply(world, saved).code == 4
    (refused,) = [item for item in commands(read(world, "notes")) if item.name == "error"]
    assert refused in planned
    assert refused.properties["file"] == "manifests/all.yaml"


def test_printed_annotations_are_those_of_the_outcomes(world: Project) -> None:
    world.write(environment("a"))
    ran = world.reconcile("apply", "-o", "annotations")
    assert [item.data for item in commands(ran.out)] == [
        "Plan: 1 to add, 0 to change, 0 to destroy."
    ]
    ran = world.reconcile("apply", "--apply", "-o", "text", "-o", "annotations")
    (notice,) = commands(ran.out)
    assert notice.data == "Apply complete! Resources: 1 added, 0 changed, 0 destroyed."


def test_without_a_plan_the_page_says_that(world: Project) -> None:
    world.target = {
        "runai": {"base_url": "http://127.0.0.1:1", "client_id": "i", "client_secret": "s"}
    }
    world.configure()
    world.write(environment("a"))
    ran = apply(world)
    assert ran.code == 1
    line = "No plan: the Run:ai control plane could not be read."
    assert "### Plan for `live`" in read(world, "page.md")
    assert line in read(world, "page.md")
    assert commands(read(world, "notes"))[-1].data == line
    assert outputs(read(world, "step"))["failure-reason"].startswith("cannot read the Run:ai")


def test_a_file_that_cannot_be_written_costs_no_outcome(
    world: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runner's file goes away while the changes are made."""
    step = world.directory / "runner" / "step"
    step.parent.mkdir()
    monkeypatch.setenv("GITHUB_OUTPUT", str(step))
    world.write(environment("a"))
    taken: list[Path] = []

    def take_away(_number: int, method: str, path: str) -> None:
        if method == "POST" and "/asset/" in path and not taken:
            step.unlink()
            step.parent.rmdir()
            step.parent.write_text("no directory any more")
            taken.append(step)

    with FaultProxy(world.endpoint.base_url) as proxy:
        world.go_by(proxy.base_url)
        proxy.rule = take_away
        ran = world.reconcile("apply", "--apply", "-o", "text", "-o", "outputs")
    assert taken
    assert ran.code == 0
    assert "Apply complete! Resources: 1 added" in ran.out
    assert "Warning: what became of the changes could not be written: " in ran.err
