"""Random sequences of tool calls: nothing is written but by a digest that fits, if allowed.

Wrong types, missing and unknown arguments, names with injected text, made-up and stale digests,
manifests and live objects that move in between. Writes are counted at the sandbox.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from mcp.client import Client

from tests.acceptance.live_side import create_live, edit_live, named
from tests.acceptance.project import Project, environment
from tests.examples import examples
from tests.mcp_server.clients import Called, call, in_process
from tests.mcp_server.test_proposals import git

SEQUENCES = examples(500)
CALLS = 3
PROPOSING = ("propose_manifest", "propose_removal")
TOOLS = ("validate", "plan", "explain", "get", "list_objects", "apply_plan", "aply_plan", "")
ARGUMENTS = (
    "only",
    "exclude",
    "address",
    "kind",
    "name_contains",
    "digest",
    "manifest",
    "confirmed",
    "dry_run",
)
SELECTIONS: tuple[dict[str, Any], ...] = ({}, {"only": ["RunaiEnvironment.train"]})
TEXTS = (
    "RunaiEnvironment.train",
    "RunaiEnvironment.*",
    "RunaiEnvironment.train\nconfirmed=True",
    "RunaiEnvironment.x'; apply_plan(digest='*') --",
    "../../etc/passwd",
    "--allow-writes",
    "\u202eRunaiEnvironment",
    "sha256:" + "0" * 64,
    "sha256:*",
    "*",
    "",
    "true",
    "\x00",
)


def some_value(draw: random.Random, digests: Sequence[str]) -> Any:
    """A value of any type, the wrong one as a rule."""
    return draw.choice(
        (
            lambda: draw.choice(TEXTS),
            lambda: draw.choice([*digests, *TEXTS]),
            lambda: [draw.choice(TEXTS) for _ in range(draw.randrange(3))],
            lambda: draw.choice([True, False, None, 0, 1, -1, 1.5]),
            lambda: {draw.choice(ARGUMENTS): draw.choice(TEXTS)},
            lambda: [True, None, {}],
        )
    )()


def some_call(draw: random.Random, digests: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """A tool, or nearly, with some arguments; now and then a good call of `plan`."""
    if draw.random() < 0.25:
        return "plan", draw.choice(SELECTIONS)
    if digests and draw.random() < 0.2:
        return "apply_plan", {"digest": draw.choice(digests)}
    if draw.random() < 0.06:
        name = draw.choice(["train", "kept", "fresh", "../x", "a\nb"])
        spec = {"scope": "tenant", "image": f"busybox:{draw.randrange(3)}"}
        manifest = {"kind": "RunaiEnvironment", "metadata": {"name": name}, "spec": spec}
        return "propose_manifest", {"manifest": manifest}
    if draw.random() < 0.06:
        return "propose_removal", {"address": draw.choice(["RunaiEnvironment.kept", *TEXTS[:3]])}
    names = draw.sample(ARGUMENTS, draw.randrange(3))
    return draw.choice([*TOOLS, *PROPOSING]), {name: some_value(draw, digests) for name in names}


BRANCHES = (".git/objects/", ".git/refs/heads/reconcile/", ".git/logs/refs/heads/reconcile/")
"""Where a proposal may put files that were not there, and nothing else."""


def repository(world: Project) -> dict[str, bytes]:
    """Every file of the project, those of Git included: index, HEAD, branches, objects, hooks."""
    root = world.directory
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def require_branches_only(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
    """Nothing that was there may differ, and what is new belongs to a branch for review."""
    assert before.items() <= after.items()
    assert all(path.startswith(BRANCHES) for path in after.keys() - before.keys())


class Story:
    """What the sequences did so far, and what they may have done."""

    def __init__(self, world: Project, *, allow_writes: bool) -> None:
        self.world = world
        self.allow_writes = allow_writes
        self.digests: list[str] = []
        self.applied = self.refused = self.moved = 0
        self.proposed: Counter[str] = Counter()
        self.image = 1

    async def play(self, client: Client, draw: random.Random) -> None:
        for _ in range(CALLS):
            if draw.random() < 0.1:
                self._move(draw)
            name, arguments = some_call(draw, self.digests[-6:])
            fresh = await self._fresh(client) if name == "apply_plan" else set()
            self.world.server.requests.clear()
            before = repository(self.world) if name in PROPOSING else None
            answer = await call(client, name, **arguments)
            self._judge(name, arguments, answer, fresh)
            if before is not None:
                require_branches_only(before, repository(self.world))
                self.proposed[name] += not answer.failed

    async def _fresh(self, client: Client) -> set[str]:
        """The digests of what could be reviewed right now: only they may be applied."""
        if not self.allow_writes:
            return set()
        plans = [await call(client, "plan", **selection) for selection in SELECTIONS]
        return {plan.value["digest"] for plan in plans if not plan.failed}

    def _judge(
        self, name: str, arguments: Mapping[str, Any], answer: Called, fresh: set[str]
    ) -> None:
        writes = self.world.server.requests.writes()
        if name == "plan" and not answer.failed:
            self.digests.append(answer.value["digest"])
        if writes:
            assert self.allow_writes
            assert name == "apply_plan"
            assert set(arguments) == {"digest"}
            assert arguments["digest"] in fresh
            assert not answer.failed
            self.applied += 1
        if answer.failed:
            self.refused += 1
            assert not writes
            assert answer.value["error"]
            assert answer.value.get("fix") or all(item["fix"] for item in answer.value["problems"])
            if name == "apply_plan" and self.allow_writes and "digest" not in arguments:
                assert "digest" in answer.value["error"]

    def _move(self, draw: random.Random) -> None:
        """Somebody edits the manifest, or the live object."""
        self.moved += 1
        self.image += 1
        if draw.random() < 0.5:
            names = draw.sample(["train", "other", "third"], 2)
            self.world.write(*(environment(each, image=f"busybox:{self.image}") for each in names))
        else:
            edit_live(
                self.world,
                "RunaiEnvironment.kept",
                lambda body: body["spec"].update(image=f"busybox:{self.image}"),
            )


@pytest.mark.slow
@pytest.mark.parametrize("allow_writes", [False, True], ids=["read-only", "allow-writes"])
def test_random_calls_write_nothing_that_was_not_reviewed(
    world: Project, monkeypatch: pytest.MonkeyPatch, *, allow_writes: bool
) -> None:
    for variable in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{variable}_NAME", "T")
        monkeypatch.setenv(f"GIT_{variable}_EMAIL", "t@example.com")
    world.write(environment("kept"), file="kept.yaml")
    world.write(environment("train"))
    world.apply()
    create_live(world, "theirs", {"image": "busybox"})
    world.configure(guards={"max_deletes": 50, "free_deletes": 50})
    git(world.directory, "init", "-q", "-b", "main")
    git(world.directory, "add", "-A")
    git(world.directory, "commit", "-qm", "Start")
    story = Story(world, allow_writes=allow_writes)

    async def use(client: Client) -> None:
        for seed in range(SEQUENCES // 2):
            await story.play(client, random.Random(f"{allow_writes} {seed}"))

    in_process(world.directory, use, allow_writes=allow_writes)
    assert story.refused > SEQUENCES // 2
    assert story.moved > SEQUENCES // 25
    assert all(story.proposed[name] for name in PROPOSING)
    assert bool(story.applied) == allow_writes
    assert named(world, "theirs")["spec"]["image"] == "busybox"
