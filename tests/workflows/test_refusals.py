"""Whose fault a refused change is: a pull request is red for its own alone."""

import json

import pytest

from tests.workflows.stage import CONFIG, Stage
from tests.workflows.test_steps import PULL_REQUEST, outputs, ran

ALL = {"train": "x:1", "serve": "x:1", "old": "x:1"}


@pytest.mark.parametrize(
    ("base", "head", "code", "level"),
    [
        (["old"], [], 0, "warning"),  # refused on main already
        ([], ["old"], 4, "error"),
        (["old"], ["serve"], 4, "error"),  # one of each
        ([], [], 0, ""),
    ],
)
def test_a_pull_request_is_red_for_what_it_causes(
    base: list[str], head: list[str], code: int, level: str, bare_stage: Stage
) -> None:
    stated = f"{CONFIG}guards: {{max_deletes: 0, free_deletes: 0}}\n"
    (bare_stage.repository / "reconciler.yaml").write_text(stated)
    bare_stage.commit(ALL, "Start")
    assert bare_stage.reconcile("apply", "--target", "production", "--apply").returncode == 0
    kept = {name: image for name, image in ALL.items() if name not in base}
    first = bare_stage.commit({**kept, "other": "x:1"}, "Go on")
    proposed = {name: image for name, image in kept.items() if name not in head}
    second = bare_stage.commit({**proposed, "train": "x:2"}, "Propose")
    event = {
        "pull_request": {
            "number": 7,
            "head": {"sha": second, "repo": {"full_name": "acme/platform"}},
            "base": {"sha": first, "ref": "main"},
        },
        "repository": {"default_branch": "main"},
    }
    got, log = ran(bare_stage, "plan", second, EVENT=json.dumps(event), **PULL_REQUEST)
    assert got == code, log
    assert outputs(bare_stage)["refused"] == str(len(base) + len(head))
    assert ("refused on the base, too" in log) is (level == "warning")
    if level:
        assert f"::{level} " in log
    assert ("::error " in log) is (level == "error")


def test_a_refusal_of_which_nobody_knows_whose_it_is_is_red(bare_stage: Stage) -> None:
    """The base's own manifests have faults: nothing is attributed."""
    bare_stage.commit(ALL, "Start")
    assert bare_stage.reconcile("apply", "--target", "production", "--apply").returncode == 0
    broken = bare_stage.repository / "manifests" / "broken.yaml"
    stated = f"{CONFIG}guards: {{max_deletes: 0, free_deletes: 0}}\n"
    (bare_stage.repository / "reconciler.yaml").write_text(stated)
    broken.write_text("apiVersion: nonsense\n")
    bare_stage.git("add", "-A")
    bare_stage.git("commit", "-q", "-m", "Break it")
    base = bare_stage.git("rev-parse", "HEAD")
    head = bare_stage.commit({"train": "x:1"}, "Repair it, and delete")
    event = {"merge_group": {"base_sha": base, "base_ref": "refs/heads/main"}}
    event |= {"repository": {"default_branch": "main"}}
    more = {"EVENT": json.dumps(event), "GITHUB_EVENT_NAME": "merge_group"}
    code, log = ran(bare_stage, "plan", head, **more)
    assert code == 4, log
    assert "changes are not attributed" in log
