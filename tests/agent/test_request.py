"""Whatever a model hands over as `env_spec`: a valid request, or every flaw in words."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.agent.plain_data import MAX_DEPTH, NotPlainError, plain_data
from reconciler.agent.request import Asked, Flaw, SpecError, address_id, read_request
from reconciler.kinds.base import LoadContext
from reconciler.kinds.environment import RunaiEnvironmentSpec
from reconciler.manifest import ManifestFile, load_files, write_document
from tests.kinds.test_guide import EXAMPLES

CONTEXT = LoadContext(Path(), "ml-platform-agent", variables={})
FIELDS = ("name", *RunaiEnvironmentSpec.model_fields, "distFramework", "unknown")
words = st.text(max_size=8) | st.sampled_from(["cluster", "tenant", "busybox", "64Gi", "training"])
leaf = st.none() | st.booleans() | st.integers() | st.floats() | words | st.binary(max_size=3)
value = st.recursive(
    leaf,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(words | st.integers() | st.sampled_from(FIELDS), inner, max_size=4)
        | st.tuples(inner)
        | st.sets(st.integers(), max_size=2)
    ),
    max_leaves=8,
)


VALID = {"name": "train", "scope": "tenant", "image": "busybox:1"}
fields = st.dictionaries(st.sampled_from(FIELDS) | words, value, max_size=4)


def attempt(spec: Any) -> Asked | tuple[Flaw, ...]:
    try:
        return read_request(spec, CONTEXT)
    except SpecError as error:
        return error.flaws


@settings(max_examples=600)
@given(fields | value | fields.map(lambda some: {**VALID, **some}))
def test_anything_is_a_request_or_a_list_of_flaws(spec: Any) -> None:
    found = attempt(spec)
    if isinstance(found, Asked):
        assert found.environment.key.kind == "RunaiEnvironment"
        assert found.environment.name == spec["name"]
    else:
        assert found
        assert all(flaw.what for flaw in found)


@pytest.mark.parametrize("spec", EXAMPLES, ids=[spec["name"] for spec in EXAMPLES])
def test_the_document_states_the_same_resources(spec: dict[str, Any]) -> None:
    asked = read_request(spec, CONTEXT)
    file = ManifestFile("manifests/a.yaml", write_document(asked.document))
    loaded = load_files([file], CONTEXT)
    assert [(item.key, item.spec) for item in loaded] == [
        (item.key, item.spec) for item in asked.resources
    ]


@given(st.text(min_size=1))
def test_every_name_has_an_id_of_its_own(name: str) -> None:
    found = address_id(name)
    assert found.isascii()
    assert len(found) <= 128
    assert found[0].isalnum()
    assert found == name or found != address_id(f"{name}x")


def test_data_is_copied_and_bounded() -> None:
    inner = [1, (2, 3)]
    copied = plain_data({"a": inner})
    assert copied == {"a": [1, [2, 3]]}
    inner.append(4)
    assert copied == {"a": [1, [2, 3]]}
    endless: list[Any] = []
    endless.append(endless)
    for bad in (endless, [[0] * 5_000], "x" * 70_000, 2**63, float("inf"), {1: 2}, b"x"):
        with pytest.raises(NotPlainError):
            plain_data(bad)
    deep: Any = 0
    for _ in range(MAX_DEPTH):
        deep = [deep]
    assert plain_data(deep) == deep


@pytest.mark.parametrize("absent", [None, [], (), {}])
def test_absent_workload_types_have_the_default(absent: Any) -> None:
    asked = read_request({**VALID, "workload_types": absent}, CONTEXT, ("training",))
    assert asked.environment.spec["workload_types"] == {"training": True}


@pytest.mark.parametrize("odd", [False, 0, "", True, 1, "training"])
def test_odd_workload_types_are_refused_and_not_taken_for_absent(odd: Any) -> None:
    with pytest.raises(SpecError) as caught:
        read_request({**VALID, "workload_types": odd}, CONTEXT, ("training",))
    assert "workload_types" in str(caught.value)
