"""Each folder of `cases/` is one plan: `world.yaml` in, `plan.txt` and `plan.json` out.

A new case is a new folder with a `world.yaml`; `RECONCILE_UPDATE_CASES=1 pytest tests/render`
writes what is printed, for a person to read before it is committed.
"""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from reconciler.core.guards import Approval, GuardRules, guard
from reconciler.core.header import Header
from reconciler.core.plan import Plan, ReadFailure, Unmanaged
from reconciler.planfile.reader import read_plan_file
from reconciler.planfile.staleness import Present, require_same
from reconciler.planfile.writer import render_json
from reconciler.render.text import render_plan
from reconciler.support.terminal import Style
from tests.core.builders import live, plan_of, resource

ROOT = Path(__file__).parents[2]
CASES = sorted(path for path in (Path(__file__).parent / "cases").iterdir() if path.is_dir())
HEADER = Header("test", "embedded Run:ai control plane, .reconcile/test.db", "3fa2b1c")
MADE_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def load(case: Path) -> Plan:
    world: dict[str, Any] = yaml.safe_load((case / "world.yaml").read_text())
    desired = [resource(**item) for item in world.get("desired", ())]
    found = [live(**_tuples(item)) for item in world.get("live", ())]
    failures = [
        ReadFailure(item["system"], tuple(item["kinds"]), item["reason"], item["fix"])
        for item in world.get("failures", ())
    ]
    plan = plan_of(desired, found, failures, world.get("key", "").encode())
    released = tuple(Unmanaged(**item) for item in world.get("released", ()))
    return guard(replace(plan, released=released), GuardRules(), Approval())


def _tuples(item: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in item.items()}


def expect(path: Path, text: str) -> None:
    if os.environ.get("RECONCILE_UPDATE_CASES"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_text(case: Path) -> None:
    expect(case / "plan.txt", render_plan(load(case), HEADER, Style()))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_json(case: Path) -> None:
    text = render_json(load(case), HEADER, MADE_AT, "0.0.0")
    assert text.count("\n") == 1, "terraform-compliance reads one line"
    assert yaml.load(text, yaml.CSafeLoader) == json.loads(text), "checkov reads it as YAML"
    expect(case / "plan.json", json.dumps(json.loads(text), indent=2) + "\n")


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_a_saved_plan_prints_the_same(case: Path, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text((case / "plan.json").read_text())
    saved = read_plan_file(file)
    header = Header(saved.plan.target, saved.header.description, saved.header.commit)
    assert render_plan(saved.plan, header, Style()) == (case / "plan.txt").read_text()
    require_same(saved, Present(load(case), HEADER.description, "0.0.1"), Approval())
    again = json.loads(render_json(saved.plan, header, MADE_AT, "0.0.0"))
    assert again["reconciler"]["summary"] == json.loads(file.read_text())["reconciler"]["summary"]


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_the_json_plan_fits_its_published_schema(case: Path) -> None:
    schema = json.loads((ROOT / "docs" / "schema" / "plan.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads((case / "plan.json").read_text()))


def test_the_packaged_schema_is_the_published_one() -> None:
    published = (ROOT / "docs" / "schema" / "plan.schema.json").read_text()
    assert (ROOT / "reconciler" / "planfile" / "plan.schema.json").read_text() == published


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_no_secret_value_is_printed(case: Path) -> None:
    assert "canary" not in (case / "plan.txt").read_text() + (case / "plan.json").read_text()
