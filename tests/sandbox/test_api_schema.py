"""contract.json against the published documents it is made from, and its reader."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.sandbox.answers import ApiError
from reconciler.sandbox.api_schema import VERSIONS, load_contract, merge_patch, version_of
from reconciler.sandbox.json_types import accept

ROOT = Path(__file__).parents[2]
DOCUMENTS = json.loads((ROOT / "tests" / "contracts" / "runai.json").read_text())


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "runai_contract", ROOT / "scripts" / "runai_contract.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = script()


def test_the_packaged_contract_is_that_of_the_documents() -> None:
    assert SCRIPT.main(["--check"]) == 0
    assert SCRIPT.contract_text(DOCUMENTS) == SCRIPT.CONTRACT.read_text()


def test_the_documents_have_every_version_and_say_so() -> None:
    assert tuple(DOCUMENTS) == VERSIONS
    for version in VERSIONS:
        assert version_of(DOCUMENTS, version)["info"]["version"] == version


@pytest.mark.parametrize("version", VERSIONS)
def test_every_path_of_the_documents_is_in_the_contract(version: Any) -> None:
    documented = version_of(DOCUMENTS, version)["paths"]
    contract = load_contract(version)
    assert contract.paths.keys() == documented.keys()
    for path, operations in documented.items():
        assert contract.paths[path].keys() == operations.keys() - {"parameters"}


def test_no_reference_and_no_noise_is_left() -> None:
    text = SCRIPT.CONTRACT.read_text()
    for word in ("$ref", "allOf", "example", 'description":"'):
        assert word not in text
    assert len(text) < 36_000


values = st.recursive(
    st.integers() | st.text() | st.booleans() | st.lists(st.integers()),
    lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(st.text(max_size=3), values, max_size=4)


@given(objects, objects)
def test_a_difference_leads_from_one_to_the_other(before: Any, after: Any) -> None:
    patch = SCRIPT.difference(before, after)
    assert merge_patch(before, patch) == after
    assert merge_patch(after, SCRIPT.difference(after, after)) == after


# The examples of RFC 7386, appendix A, that concern objects.
@pytest.mark.parametrize(
    ("value", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, "bar", "bar"),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(value: Any, patch: Any, result: Any) -> None:
    assert merge_patch(value, patch) == result


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.no_cover
def test_long_values_are_matched_in_linear_time(version: Any) -> None:
    schema = load_contract(version).specs["compute"]["properties"]["cpuMemoryRequest"]
    with pytest.raises(ApiError, match="pattern"):
        accept(schema, "1" * 900_000 + "!", "x", "ignore")
