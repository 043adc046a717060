import json
import re
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings

from reconciler.core.header import Header
from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import ReadFailure
from reconciler.errors import ConfigError, ManifestError, Problem, ProviderError
from reconciler.planfile.writer import plan_document
from reconciler.render.events import EventStream
from tests.core.builders import live, plan_of, resource
from tests.render.github import commands
from tests.render.hostile import hostile_plan, texts


class Stream:
    """A stream of events, and what it wrote."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.now = 0.0
        self.stream = EventStream(self.lines.append, lambda: self.now)

    @property
    def events(self) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.lines]
        for event in found:
            assert {"@level", "@message", "@timestamp", "type"} <= event.keys()
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", event["@timestamp"])
        return found


def test_a_plan() -> None:
    out = Stream()
    plan = plan_of(
        [
            resource("RunaiEnvironment.new", {"token": {"secret": "canary"}}),
            resource("RunaiEnvironment.moved", {"scope": "cluster"}),
            resource("RunaiEnvironment.taken", {"image": "b"}, warnings=("careful",)),
            resource("RunaiEnvironment.adopted"),
            resource("RunaiEnvironment.taken-over", {"image": "b"}, adopt=True),
        ],
        [
            live("RunaiEnvironment.moved"),
            live("RunaiEnvironment.gone"),
            live("RunaiEnvironment.taken", owner=None),
            live("RunaiEnvironment.adopted", owner=None),
            live("RunaiEnvironment.taken-over", owner=None),
        ],
        [ReadFailure("Docker engine", ("X",), "no answer", "start it")],
    )
    out.stream.version("1.2.3")
    out.stream.plan(plan)
    events = out.events
    assert events[0]["reconcile"] == "1.2.3"
    changes = {e["change"]["resource"]["addr"]: e["change"] for e in events if "change" in e}
    assert {name: change["action"] for name, change in changes.items()} == {
        "RunaiEnvironment.new": "create",
        "RunaiEnvironment.moved": "replace",
        "RunaiEnvironment.gone": "delete",
        "RunaiEnvironment.adopted": "import",
        "RunaiEnvironment.taken-over": "update",
    }
    assert changes["RunaiEnvironment.adopted"]["importing"] == {"id": "uid-adopted"}
    assert changes["RunaiEnvironment.moved"]["reason"] == "cannot_update"
    told = [e["diagnostic"] for e in events if e["type"] == "diagnostic"]
    assert [item["severity"] for item in told] == ["warning", "error", "error"]
    assert told[1]["address"] == "RunaiEnvironment.taken"
    assert events[-1]["type"] == "change_summary"
    assert events[-1]["changes"] == {
        "add": 2, "change": 1, "import": 2, "remove": 2, "operation": "plan",
    }  # fmt: skip
    own = events[-1]["reconciler"]
    assert own == {
        "target": "test", "digest": plan.digest(), "complete": False, "refused": 1,
        "restricted": None,
    }  # fmt: skip
    assert "canary" not in "".join(out.lines)


def test_an_apply() -> None:
    out = Stream()
    plan = plan_of([resource("RunaiEnvironment.a"), resource("RunaiEnvironment.b")])
    one, two = plan.pending
    out.stream.started(one)
    out.stream.started(two)
    out.now = 12.0
    out.stream.tick()
    out.stream.tick()
    out.stream.progressed(one, "pushing\n::error::x")
    outcomes = (
        Outcome(one, Status.APPLIED, uid="u-1", seconds=12.4),
        Outcome(two, Status.FAILED, "why", "do this", seconds=2),
    )
    for outcome in outcomes:
        out.stream.finished(outcome)
    out.stream.tick()
    out.stream.outcomes(outcomes, 3)
    assert [event["type"] for event in out.events] == [
        "apply_start", "apply_start", "apply_progress", "apply_progress", "apply_progress",
        "apply_complete", "apply_errored", "diagnostic", "change_summary",
    ]  # fmt: skip
    done = out.events[5]["hook"]
    assert (done["id_value"], done["elapsed_seconds"]) == ("u-1", 12)
    assert out.events[6]["reconciler"] == {"status": "failed"}
    assert out.events[7]["diagnostic"] == {
        "severity": "error", "summary": "why", "detail": "do this", "address": two.address,
    }  # fmt: skip
    assert out.events[8]["reconciler"] == {
        "applied": 1, "written": 0, "unknown": 0, "failed": 1, "not_sent": 0, "refused": 3,
    }  # fmt: skip


def test_errors_are_diagnostics() -> None:
    out = Stream()
    out.stream.error(ConfigError("what", where="reconciler.yaml:3", fix="do"))
    out.stream.error(ProviderError("what", where="RunaiEnvironment.a.b", fix="do"))
    out.stream.error(ManifestError([Problem("a.yaml", 3, 9, "wrong", "fix")]))
    faulty = ConfigError("1 problem")
    faulty.problems = (Problem("reconciler.yaml", 0, 0, "whole"),)
    out.stream.error(faulty)
    file, address, range_, whole = (event["diagnostic"] for event in out.events)
    assert file == {"severity": "error", "summary": "reconciler.yaml:3: what", "detail": "do"}
    assert (address["summary"], address["address"]) == ("what", "RunaiEnvironment.a.b")
    place = {"line": 3, "column": 9}
    assert range_["range"] == {"filename": "a.yaml", "start": place, "end": place}
    assert whole["range"] == {"filename": "reconciler.yaml"}


def test_events_join_the_json_plan_by_address_and_deposed() -> None:
    out = Stream()
    left = live(
        "RunaiEnvironment.a", {"name": "a-replaced-1a2b3c"}, uid="old", mark={"deposed": "1a2b3c"}
    )
    plan = plan_of([resource("RunaiEnvironment.a")], [left])
    out.stream.plan(plan)
    for change in plan.pending:
        out.stream.started(change)
        out.stream.finished(Outcome(change, Status.FAILED, "why"))
    document = plan_document(plan, Header("test"), datetime(2026, 1, 1, tzinfo=UTC), "1.0.0")
    known = {(item["address"], item.get("deposed")) for item in document["resource_changes"]}
    assert known == {("RunaiEnvironment.a", None), ("RunaiEnvironment.a", "1a2b3c")}
    for kind in ("planned_change", "apply_start", "apply_errored", "diagnostic"):
        told = set()
        for event in (item for item in out.events if item["type"] == kind):
            body = event.get("change") or event.get("hook") or event["diagnostic"]
            address = body["address"] if kind == "diagnostic" else body["resource"]["addr"]
            told.add((address, body.get("deposed")))
        assert told == known, kind


@settings(max_examples=300)
@given(texts)
def test_one_line_each_and_no_command(text: str) -> None:
    out = Stream()
    out.stream.plan(hostile_plan(text))
    out.stream.error(ConfigError(text, where=text, fix=text))
    assert all(
        line.endswith("\n") and "\n" not in line[:-1] and line.isascii() for line in out.lines
    )
    assert out.events
    assert commands("".join(out.lines)) == []
