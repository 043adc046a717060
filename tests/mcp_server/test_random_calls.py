"""500 random sequences of tool calls: nothing is written but by a digest that fits, if allowed.

Wrong types, missing and unknown arguments, names with injected text, made-up and stale digests,
manifests and live objects that move in between. Writes are counted at the sandbox.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from mcp.client import Client

from tests.acceptance.live_side import create_live, edit_live, named
from tests.acceptance.project import Project, environment
from tests.mcp_server.clients import Called, call, in_process

SEQUENCES = 500
CALLS = 3
TOOLS = ("validate", "plan", "explain", "get", "list_objects", "apply_plan", "aply_plan", "")
ARGUMENTS = (
    "only",
    "exclude",
    "address",
    "kind",
    "name_contains",
    "digest",
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
    names = draw.sample(ARGUMENTS, draw.randrange(3))
    return draw.choice(TOOLS), {name: some_value(draw, digests) for name in names}


class Story:
    """What the sequences did so far, and what they may have done."""

    def __init__(self, world: Project, *, allow_writes: bool) -> None:
        self.world = world
        self.allow_writes = allow_writes
        self.digests: list[str] = []
        self.applied = self.refused = self.moved = 0
        self.image = 1

    async def play(self, client: Client, draw: random.Random) -> None:
        for _ in range(CALLS):
            if draw.random() < 0.1:
                self._move(draw)
            name, arguments = some_call(draw, self.digests[-6:])
            fresh = await self._fresh(client) if name == "apply_plan" else set()
            self.world.server.requests.clear()
            answer = await call(client, name, **arguments)
            self._judge(name, arguments, answer, fresh)

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
            assert answer.value["fix"]
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
    world: Project, *, allow_writes: bool
) -> None:
    world.write(environment("kept"), file="kept.yaml")
    world.write(environment("train"))
    world.apply()
    create_live(world, "theirs", {"image": "busybox"})
    world.configure(guards={"max_deletes": 50, "free_deletes": 50})
    story = Story(world, allow_writes=allow_writes)

    async def use(client: Client) -> None:
        for seed in range(SEQUENCES // 2):
            await story.play(client, random.Random(f"{allow_writes} {seed}"))

    in_process(world.directory, use, allow_writes=allow_writes)
    assert story.refused > SEQUENCES // 2
    assert story.moved > 20
    assert bool(story.applied) == allow_writes
    assert named(world, "theirs")["spec"]["image"] == "busybox"
