"""Law 3: the plan is a pure function of manifests and live state.

The same documents, spread over files of any names and in any order, and read with any parallelism,
give the same plan, byte for byte, except for the place that each change names in the manifests.
"""

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.core.header import Header
from reconciler.core.plan import Plan
from reconciler.planfile.writer import render_json
from reconciler.render.text import render_plan
from reconciler.support.terminal import Style
from tests.acceptance.live_side import create_live, delete_live
from tests.acceptance.project import environment
from tests.examples import examples
from tests.laws.scenarios import GPU, compute, make_others
from tests.laws.stage import Desk, Stage

pytestmark = pytest.mark.slow

HEADER = Header("live", "a stage", "0a1b2c3")
BEFORE = [
    *(environment(f"e{n}", scope="tenant", description="x") for n in range(12)),
    environment("both", scope="tenant", compute=GPU),
    environment("renamed-1", scope="tenant", metadata={"id": "renamed"}),
    environment("first", scope="tenant", metadata={"id": "one"}),
    environment("second", scope="tenant", metadata={"id": "two"}),
    environment("away", scope="tenant", metadata={"protect": True}),
    compute("box"),
    compute("gone"),
]
AFTER = [
    *(environment(f"e{n}", scope="tenant", description="x") for n in range(4)),
    *(environment(f"e{n}", scope="tenant", description="y", image="i:2") for n in range(4, 8)),
    environment("e8", scope="cluster", description="x"),
    environment("both", scope="cluster", compute={**GPU, "cpu_cores": 2}),
    environment("renamed-2", scope="tenant", metadata={"id": "renamed"}),
    environment("second", scope="tenant", metadata={"id": "one"}),
    environment("first", scope="tenant", metadata={"id": "two"}),
    environment("theirs", scope="tenant"),
    environment("new", scope="project", scope_id="team-a", environment_variables={"A": "1"}),
    compute("box", cpu_memory_request="8Gi"),
]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture(scope="module")
def desk(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    made = Desk(stage, tmp_path_factory.mktemp("desk"), patience=5)
    make_others(stage)
    made.write(BEFORE)
    made.converge()
    delete_live(stage, "e0")
    create_live(stage, "new", {"image": "theirs"})
    return made


class Layout(NamedTuple):
    """Document number `order[n]` stands in the file `names[files[n]]`."""

    order: Sequence[int]
    files: Sequence[int]
    names: Sequence[str]


PLAIN = Layout(range(len(AFTER)), [0] * len(AFTER), ["all.yaml"])
layouts = st.builds(
    Layout,
    st.permutations(range(len(AFTER))),
    st.lists(st.integers(0, 4), min_size=len(AFTER), max_size=len(AFTER)),
    st.permutations(["a.yaml", "z.yml", "m/all.yaml", "m/b/c.yaml", "é x.yaml"]),
)


def spread(desk: Desk, layout: Layout) -> None:
    """Write the documents to their files."""
    directory = desk.directory / "manifests"
    for file in directory.rglob("*.y*ml"):
        file.unlink()
    stated: dict[str, list[Mapping[str, Any]]] = {}
    for number, file_number in zip(layout.order, layout.files, strict=True):
        stated.setdefault(layout.names[file_number], []).append(AFTER[number])
    for name, documents in stated.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump_all(documents))


@dataclass(frozen=True)
class Shown:
    """All that a plan shows, without the places in files and the time of its making."""

    digest: str
    text: str = field(repr=False)
    document: Any = field(repr=False)


def shown(plan: Plan) -> Shown:
    document = json.loads(render_json(plan, HEADER, datetime(2026, 1, 1, tzinfo=UTC), "0"))
    for change in document["resource_changes"]:
        change["reconciler"].pop("source")
    document["reconciler"].pop("document_digest")  # of the places, too
    text = re.sub(r"manifests/[^:\n]+:\d+", "(its place)", render_plan(plan, HEADER, Style()))
    return Shown(plan.digest(), text, document)


@pytest.fixture(scope="module")
def reference(desk: Desk) -> Shown:
    spread(desk, PLAIN)
    with desk.session() as session:
        plan = desk.plan(session)
    actions = {item.action.value for item in plan.changes}
    assert actions == {"create", "update", "replace", "delete", "adopt", "unchanged"}
    assert plan.refused
    return shown(plan)


@settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))
@given(layouts, st.integers(1, 16))
def test_the_plan_is_the_same_in_any_order(
    desk: Desk, reference: Shown, layout: Layout, parallelism: int
) -> None:
    spread(desk, layout)
    desk.parallelism = parallelism
    with desk.session() as session:
        plan = desk.plan(session)
    made = shown(plan)
    assert made.digest == reference.digest
    assert made.document == reference.document
    assert made.text == reference.text


def test_the_order_of_the_live_side_means_nothing(
    desk: Desk, stage: Stage, reference: Shown
) -> None:
    """A server may list assets in any order."""
    rows = stage.rows()
    spread(desk, PLAIN)
    chance = random.Random(7)
    for _ in range(10):
        places = [row.seq for row in rows]
        chance.shuffle(places)
        stage.restore(row._replace(seq=seq) for row, seq in zip(rows, places, strict=True))
        with desk.session() as session:
            assert shown(desk.plan(session)) == reference
    stage.restore(rows)
