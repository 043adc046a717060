"""Manifests -> resources, and what holds for every report."""

import gc
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationInfo, field_validator

from reconciler.core.resource import KindTraits, Reference, Resource, ResourceKey, Source
from reconciler.errors import ManifestError, Problem
from reconciler.kinds.base import Document, FieldError, Kind, LoadContext, Strict, field_fault
from reconciler.kinds.registry import KINDS
from reconciler.manifest import ManifestFile, load, load_files
from reconciler.strict_yaml import MAX_BYTES

CONTEXT = LoadContext(root=Path("/nowhere"), stack="ml-platform", variables={})


class NoteSpec(Strict):
    text: str = "none"
    refuse: int = 0
    parent: str | None = None
    counts: dict[str, int] = Field(default_factory=dict)

    @field_validator("text")
    @classmethod
    def _check(cls, value: str, info: ValidationInfo) -> str:
        if isinstance(info.context, LoadContext) and value == info.context.stack:
            raise field_fault("the text must not be the stack", "write another text")
        return value


class Note(Kind):
    """A kind as small as can be, which may refer to another one of its own."""

    traits = KindTraits("Note", frozenset(), ("text",), 0)
    model = NoteSpec

    def expand(self, document: Document, context: LoadContext) -> Sequence[Resource]:
        if document.spec.refuse:
            raise FieldError(
                (("spec", "refuse"), "it is refused", "do not"),
                (("metadata", "name"), "nor it", ""),
            )
        spec: dict[str, Any] = {"text": document.spec.text}
        parents: tuple[ResourceKey, ...] = ()
        if document.spec.parent:
            parents = (ResourceKey("Note", document.spec.parent),)
            spec["parent"] = Reference(parents[0])
        key = ResourceKey("Note", document.metadata.id or document.metadata.name)
        return (Resource(key, spec, document.source, depends_on=parents),)


def note(name: str, spec: str = "{}", kind: str = "Note") -> str:
    return (
        f"---\napiVersion: reconciler/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"
    )


def load_texts(*texts: str, kinds: Sequence[Kind] = (Note(),)) -> list[Resource]:
    files = [ManifestFile(f"{index}.yaml", text.encode()) for index, text in enumerate(texts)]
    return load_files(files, CONTEXT, kinds)


def problems_of(*texts: str, kinds: Sequence[Kind] = (Note(),)) -> tuple[Problem, ...]:
    with pytest.raises(ManifestError) as caught:
        load_texts(*texts, kinds=kinds)
    return caught.value.problems


def test_resources_carry_file_and_line() -> None:
    first, second = load_texts(note("a", "{text: 1.10}"), "# c\n\n" + note("b"))
    assert first == Resource(ResourceKey("Note", "a"), {"text": "1.10"}, Source("0.yaml", 2))
    assert second.source == Source("1.yaml", 4)


def test_empty_documents_and_files_are_ignored() -> None:
    assert load_texts("", "# nothing\n", "---\n---\n~\n---\n...\n") == []
    assert [item.key.id for item in load_texts("---\n" + note("a") + "---\n---\n")] == ["a"]


def test_load_reads_a_directory(tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "b.yaml").write_text(note("b", "{text: b}"))
    (tmp_path / "manifests" / "a.yaml").write_text(note("a", "{text: a}"))
    context = LoadContext(root=tmp_path, stack="s")
    loaded = load(tmp_path / "manifests", context, (Note(),))
    assert [str(resource.source) for resource in loaded] == [
        "manifests/a.yaml:2",
        "manifests/b.yaml:2",
    ]


def test_files_that_cannot_be_read_are_reported_with_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to("nowhere")
    (tmp_path / "b.yaml").write_text(note("b", "{txt: b}") + note("c", "{parent: a}"))
    with pytest.raises(ManifestError) as caught:
        load(tmp_path, LoadContext(root=tmp_path, stack="s"), (Note(),))
    assert [problem.file for problem in caught.value.problems] == ["a.yaml", "b.yaml"]


def test_the_context_reaches_validators() -> None:
    (problem,) = problems_of(note("a", "{text: ml-platform}"))
    assert problem.message == "the text must not be the stack"
    assert (problem.line, problem.column) == (5, 14)


def test_faults_of_the_expansion_have_their_places() -> None:
    refused, also = problems_of(note("a", "{refuse: 1}"))
    assert (also.line, also.column, also.message) == (5, 16, "it is refused")
    assert (refused.line, refused.column, refused.message) == (4, 18, "nor it")


def test_references_within_a_kind() -> None:
    loaded = load_texts(note("a", "{parent: b, text: x}"), note("b"))
    assert loaded[0].depends_on == (ResourceKey("Note", "b"),)
    (problem,) = problems_of(note("a", "{parent: b, text: x}"), note("bb"))
    assert (problem.line, problem.column) == (5, 8)
    assert problem.message == "there is no Note.b"


def test_many_names_are_not_all_listed() -> None:
    texts = [note(f"name-{n:02}", f"{{text: '{n}'}}") for n in range(20)]
    (problem,) = problems_of(*texts, note("a", "{parent: zzz, text: x}"))
    assert problem.fix.count(",") == 9


def test_what_faulty_documents_state_may_be_referred_to() -> None:
    reference = note("a", "{parent: b, text: x}")
    (problem,) = problems_of(reference, note("b", "{refuse: 1}").replace("refuse", "rfuse"))
    assert "rfuse" in problem.message
    (problem,) = problems_of(reference, "- no manifest\n")
    assert "no manifest" in problem.message
    (problem,) = problems_of(reference, "kind: Note\napiVersion: reconciler/v1\nspec: {}\n")
    assert "`metadata` is missing" in problem.message


def test_at_most_a_hundred_problems_a_file() -> None:
    problems = problems_of(note("a", "{c: 1}") * 150, note("b", "{c: 1}"))
    assert len(problems) == 102
    more = [problem for problem in problems if not problem.line]
    assert [(problem.file, problem.message) for problem in more] == [
        ("0.yaml", "50 more problems in this file")
    ]


def test_at_most_fifty_problems_are_worded_of_one_spec() -> None:
    spec = "{" + ", ".join(f"k{n}: 1" for n in range(150)) + "}"
    problems = problems_of(note("a", spec))
    assert len(problems) == 51
    assert "100 more problems in here" in [problem.message for problem in problems]


HOSTILE = {
    "unknown fields": note("a", "{" + ", ".join(f"tex{n}: 1" for n in range(45_000)) + "}"),
    "long unknown fields": note(
        "a", "".join(f"\n  ? {'text' * 5_000}{n}\n  : 1" for n in range(50))
    ),
    "wrong values": note("a", "{counts: {" + ", ".join(f"k{n}: x" for n in range(45_000)) + "}}"),
    "many documents with faults": note("a", "{txt: 1}") * 9_000,
    "many doubles": note("a") * 9_000,
    "many references": "".join(
        note(f"n{n}", f"{{parent: m{n}, text: '{n}'}}") for n in range(7_000)
    ),
    "a huge name": note("n" * 1_000_000),
    "a huge kind": note("a", kind="N" * 1_000_000),
    "a huge text": note("a", "{refuse: " + "9" * 1_000_000 + "}"),
    "a huge list": note("a", "[" + "1," * 90_000 + "]"),
    "deep data": note("a", "{counts: " + "{a: " * 60 + "1" + "}" * 61),
    "unknown fields around it": "\n".join(f"kin{n}: 1" for n in range(45_000)),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.no_cover
def test_hostile_manifests_are_decided_in_time(text: str) -> None:
    assert len(text.encode()) <= MAX_BYTES
    gc.freeze()  # what other tests have left is no part of it
    started = time.thread_time()
    problems = problems_of(text)
    assert time.thread_time() - started < 2.0
    assert len(problems) <= 101
    assert sum(len(str(problem)) for problem in problems) < 100_000


# What people (and attackers) write: the right names with anything below them.
names = st.sampled_from(
    [
        *("apiVersion", "kind", "metadata", "spec", "name", "id", "scope", "image", "compute"),
        *("workload_types", "environment_variables", "tools", "connections", "probes", "gpu"),
        *("path", "tag", "build_args", "labels", "from", "credential", "key", "extended_resources"),
    ]
)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-9, 10**12)
    | st.floats(allow_nan=False, allow_infinity=False, width=16)
    | st.sampled_from(
        ["reconciler/v1", "RunaiEnvironment", "RunaiCompute", "RayfineImage", "cluster", "a:b", ""]
    )
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6)
)


def decide(data: bytes) -> None:
    """Only a `ManifestError` escapes, and it says something useful."""
    try:
        load_files([ManifestFile("a.yaml", data)], CONTEXT, KINDS)
    except ManifestError as error:
        problems = error.problems
    else:
        return
    assert problems
    assert all(problem.message and problem.file == "a.yaml" for problem in problems)
    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems)


@given(
    st.sampled_from(["RunaiEnvironment", "RunaiCompute", "RayfineImage"]),
    st.dictionaries(names, trees, max_size=8),
    st.dictionaries(names, trees, max_size=3),
)
def test_any_data_is_decided(kind: str, spec: dict[str, Any], metadata: dict[str, Any]) -> None:
    manifest = {
        "apiVersion": "reconciler/v1",
        "kind": kind,
        "metadata": {"name": "a", **metadata},
        "spec": spec,
    }
    decide(yaml.safe_dump(manifest).encode())


@given(trees)
def test_any_tree_is_decided(tree: Any) -> None:
    decide(yaml.safe_dump(tree).encode())


CANARY = "s3cr3t-canary"
secrets = st.sampled_from([CANARY, [CANARY], {"value": CANARY}, {"valu": CANARY}, {"env": CANARY}])


@given(
    st.dictionaries(
        st.sampled_from(["A", "B", "a b", ""]), st.recursive(secrets, st.lists), min_size=1
    ),
    st.sampled_from(["environment_variables", "description", "environment_variable", "args"]),
)
def test_no_value_of_a_variable_is_repeated(variables: dict[str, Any], field: str) -> None:
    spec = {"scope": "cluster", "image": "busybox", "wrong": 1, field: variables}
    manifest = {
        "apiVersion": "reconciler/v1",
        "kind": "RunaiEnvironment",
        "metadata": {"name": "a"},
        "spec": spec,
    }
    with pytest.raises(ManifestError) as caught:
        load_files([ManifestFile("a.yaml", yaml.safe_dump(manifest).encode())], CONTEXT, KINDS)
    text = str(caught.value).replace(f"variable {CANARY}", "")  # {env: NAME} names a variable
    assert CANARY not in text


def test_order_of_files_does_not_matter() -> None:
    texts = [note("a", "{text: x}"), note("b", "{parent: a}"), note("c", "{text: y}")]
    forwards = load_texts(*texts)
    backwards = load_files(
        [ManifestFile(f"{n}.yaml", texts[n].encode()) for n in (2, 1, 0)], CONTEXT, (Note(),)
    )
    assert sorted(forwards, key=lambda item: item.key) == sorted(
        backwards, key=lambda item: item.key
    )


def test_an_error_quotes_no_value_of_any_length() -> None:
    text = "apiVersion: reconciler/v1\nkind: RunaiCompute\nmetadata: {name: a}\n"
    text += f"spec: {{scope: cluster, cpu_memory_request: {'1.' * 300_000}}}\n"
    with pytest.raises(ManifestError) as caught:
        load_files([ManifestFile("a.yaml", text.encode())], CONTEXT, KINDS)
    assert "more characters" in str(caught.value)
    assert len(str(caught.value)) < 10_000
