"""A saved plan may be anybody's: with digests that fit, it is refused or can be shown.

Nothing of it may end a command with a defect: a branch could stop the main one so.
"""

import copy
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.plan import PlanRow, digest_document, digest_rows
from reconciler.errors import ReconcileError
from reconciler.planfile.reader import SavedPlan, read_plan_file
from reconciler.planfile.staleness import Present, news_since
from reconciler.planfile.writer import render_json
from reconciler.render.graph import dot, mermaid, plan_graph
from reconciler.render.html import render_html
from reconciler.render.markdown import render_markdown
from reconciler.render.text import render_plan
from reconciler.render.workflow_step import (
    plan_annotations,
    plan_outputs,
    render_annotations,
    render_outputs,
)
from reconciler.support.terminal import Style

CASES = Path(__file__).parent / "cases"
VALUES: list[Any] = [
    None,
    5,
    "x\x1b[31m",
    "\ud800",
    [],
    [1],
    {},
    {"a": 1},
    True,
    -1,
    1.5,
    10**30,
    [[]],
    "create",
    "delete",
]


def forge(document: dict[str, Any], place: Path) -> Path:
    """Save a document with the digests that fit it, as far as it can have any."""
    with suppress(KeyError, TypeError, AttributeError):
        own = document["reconciler"]
        rows = [_row(item) for item in document["resource_changes"]]
        own["digest"] = digest_rows(own["target"], own["stack"], rows)
        own["document_digest"] = digest_document(document)
    place.write_text(json.dumps(document))
    return place


def _row(item: dict[str, Any]) -> PlanRow:
    own = item["reconciler"]
    address = f"{item['type']}.{item['name']}"
    address += f" (deposed {item['deposed']})" if item.get("deposed") else ""
    return PlanRow(address, own["action"], own["desired_digest"] or "", own["live_digest"] or "")


def mutants(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One value after the other replaced, each by several others."""
    for path in [path for path in _paths(document, ()) if path]:
        for value in VALUES:
            made = copy.deepcopy(document)
            place: Any = made
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = value
            yield made


def _paths(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    yield path
    inner: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, item in inner:
        yield from _paths(item, (*path, key))


def show_all(saved: SavedPlan) -> None:
    """In every form, as the bytes that would be written."""
    plan, header = saved.plan, saved.header
    texts = [
        render_plan(plan, header, Style()),
        render_markdown(plan, header, 65_536).text,
        render_html(plan, header),
        render_annotations(plan_annotations(plan, header)),
        render_outputs(plan_outputs(plan, header)),
        render_json(plan, header, datetime(2026, 1, 1, tzinfo=UTC), "0.0.0"),
        mermaid(plan_graph(plan)),
        dot(plan_graph(plan)),
    ]
    for text in texts:
        assert "\x1b" not in text
        text.encode()


@pytest.mark.slow
@pytest.mark.parametrize("case", ["replace", "refused", "deposed", "unread"])
def test_every_value_replaced(case: str, tmp_path: Path) -> None:
    document = json.loads((CASES / case / "plan.json").read_text())
    whole = read_plan_file(CASES / case / "plan.json")
    shown = 0
    for made in mutants(document):
        try:
            saved = read_plan_file(forge(made, tmp_path / "plan.json"))
        except ReconcileError:
            continue
        shown += 1
        show_all(saved)
        news_since(saved, Present(whole.plan, whole.header.description, "0.0.0"))
    assert shown > 50


def change(**values: Any) -> Callable[[dict[str, Any]], None]:
    """Put values into the first change that is an update."""

    def edit(document: dict[str, Any]) -> None:
        own = next(i for i in document["resource_changes"] if i["reconciler"]["action"] == "update")
        own["change"] |= values

    return edit


def nested(depth: int) -> dict[str, Any]:
    value: Any = "x"
    for _ in range(depth):
        value = {"a": value}
    return {"deep": value}


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (change(before=nested(800)), "nested more than 100 deep"),
        (change(before=nested(90)), ""),
        (change(before_sensitive=True), "before_sensitive"),
        (change(before=None), "its values are none of an action update"),
        (change(after=None), "its values are none of an action update"),
    ],
)
def test_parts_that_do_not_fit(
    tmp_path: Path, edit: Callable[[dict[str, Any]], None], words: str
) -> None:
    document = json.loads((CASES / "mixed" / "plan.json").read_text())
    edit(document)
    file = forge(document, tmp_path / "plan.json")
    if not words:
        show_all(read_plan_file(file))
        return
    with pytest.raises(ReconcileError, match=words):
        read_plan_file(file)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"format_version":', '"resource_changes": [], "format_version":'),
        ('"protect":', '"protect": true, "protect":'),
        ('"timestamp":', '"more": NaN, "timestamp":'),
        ('"timestamp":', '"more": -Infinity, "timestamp":'),
        ('"timestamp":', '"more": 1e999, "timestamp":'),
    ],
)
def test_what_two_readers_may_read_differently(tmp_path: Path, old: str, new: str) -> None:
    text = (CASES / "mixed" / "plan.json").read_text()
    assert old in text
    file = tmp_path / "plan.json"
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(ReconcileError, match="it is not JSON"):
        read_plan_file(file)


def test_a_plan_has_a_size(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text("[" + "{}," * 4_000_000 + "{}]")
    with pytest.raises(ReconcileError, match="more than 4,000,000 mappings and lists"):
        read_plan_file(file)
    with file.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(ReconcileError, match="more than 134,217,728 bytes"):
        read_plan_file(file)
