"""Overlays: what is merged, what is refused, and where a fault is said to stand."""

import time
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.resource import Resource
from reconciler.errors import ManifestError, Problem
from reconciler.kinds.base import LoadContext
from reconciler.manifest import (
    ManifestFile,
    ReadFiles,
    check_overlay_names,
    load_files,
    locate,
    read_overlays,
)
from reconciler.manifest.merge import Merge, Origin
from reconciler.support.suggest import below

CONTEXT = LoadContext(root=Path("/nowhere"), stack="ml-platform", variables={})
BASE = """\
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {name: env}
spec:
  scope: project
  scope_id: team-a
  image: x:1
  compute: {gpu: 1, memory: 4Gi}
  tools: [jupyter]
  environment_variables:
    - {name: A, value: "1"}
    - {name: B, value: "2"}
"""
ROOT = Origin(True, ())
HEAD = "apiVersion: reconciler/v1\nkind: RunaiEnvironment\n"


def patched(overlay: str, base: str = BASE) -> dict[str, Resource]:
    files = [ManifestFile("manifests/m.yaml", base.encode())]
    overlays = [ManifestFile("overlays/t/o.yaml", overlay.encode())]
    found = load_files(files, CONTEXT, overlays=overlays)
    return {resource.key.kind: resource for resource in found}


def problems_of(overlay: str, base: str = BASE) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        patched(overlay, base)
    return [str(problem) for problem in caught.value.problems]


def test_mappings_merge_lists_replace_and_null_removes() -> None:
    found = patched(
        HEAD + "metadata: {name: env, protect: true}\n"
        "spec: {image: 'x:2', compute: {gpu: 2, memory: null}, tools: [vscode]}\n"
    )
    environment, compute = found["RunaiEnvironment"], found["RunaiCompute"]
    assert environment.spec["image"] == "x:2"
    assert environment.spec["scope_id"] == "team-a"
    assert [tool["tool_type"] for tool in environment.spec["connections"].values()] == [
        "visual-studio-code"
    ]
    assert environment.protect
    assert compute.spec["gpu_devices_request"] == 2
    assert "cpu_memory_request" not in compute.spec


def test_lists_of_named_mappings_merge_by_name() -> None:
    found = patched(
        HEAD + "metadata: {name: env}\n"
        "spec:\n"
        "  environment_variables:\n"
        "    - {name: C, value: '3'}\n"
        "    - {name: A, $patch: delete}\n"
        "    - {name: B, value: two}\n"
    )
    assert found["RunaiEnvironment"].spec["environment_variables"] == {"B": "two", "C": "3"}


def test_an_overlay_names_the_address_and_leaves_the_name_alone() -> None:
    base = BASE.replace("{name: env}", "{id: ident, name: env}")
    found = patched(HEAD + "metadata: {id: ident}\nspec: {image: 'x:2'}\n", base)
    assert found["RunaiEnvironment"].name == "env"
    assert found["RunaiEnvironment"].spec["image"] == "x:2"
    (problem,) = problems_of(HEAD + "metadata: {id: ident, name: other}\n", base)
    assert problem.startswith("overlays/t/o.yaml:3:29: an overlay cannot give another name")


def test_faults_point_to_where_the_value_is_written() -> None:
    found = problems_of(
        HEAD + "metadata: {name: env}\n"
        "spec:\n"
        "  image: null\n"
        "  compute: {gpu: 200, memry: 4Gi}\n"
        "  tools: [juypter]\n",
        BASE.replace("memory: 4Gi", "cpu_cores: 900"),
    )
    assert [text.partition(": ")[0] for text in found] == [
        "manifests/m.yaml:8:32",
        "overlays/t/o.yaml:5:3",
        "overlays/t/o.yaml:6:18",
        "overlays/t/o.yaml:6:23",
        "overlays/t/o.yaml:7:11",
    ]
    assert "`spec.image` is missing" in found[1]


def test_items_keep_their_places_when_others_are_removed() -> None:
    base = {"list": [{"name": "a"}, {"name": "b", "v": 1}, {"name": "c"}]}
    merge = Merge()
    patch = {"list": [{"name": "d"}, {"name": "c", "v": 2}, {"name": "a", "$patch": "delete"}]}
    assert merge.mappings(base, patch, (), ROOT) == {
        "list": [{"name": "b", "v": 1}, {"name": "c", "v": 2}, {"name": "d"}]
    }
    assert merge.origins == {
        ("list", "c", "name"): Origin(True, ("list", 1, "name")),
        ("list", "c", "v"): Origin(True, ("list", 1, "v")),
        ("list", "d"): Origin(True, ("list", 0)),
        ("list", "d", "name"): Origin(True, ("list", 0, "name")),
    }


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        (
            "metadata: {name: nev}\n",
            "3:18: there is no RunaiEnvironment.nev to patch\n  did you mea",
        ),
        ("metadata: {name: env, moved_from: x}\n", "3:23: an overlay cannot change `moved_from`"),
        ("metadata: {name: env, protct: true}\n", "3:23: unknown field `protct`\n  did you mean"),
        ("metadata: {protect: true}\n", "3:11: `metadata.name` is missing"),
        ("metadata: env\n", "3:11: `metadata` must be a mapping"),
        ("metadata: {name: env}\nspec: [1]\n", "4:7: `spec` must be a mapping"),
        ("metadata: {name: env}\nimage: x\n", "4:1: unknown field `image`\n  put it under `spec:`"),
        (
            "metadata: {name: env}\nspec: {compute: {cores: null}}\n",
            "4:18: the manifest has no `cores` to remove",
        ),
        (
            "metadata: {name: env}\nspec: {environment_variables: {A: '2'}}\n",
            "4:31: the manifest writes spec.environment_variables as a list, which this cannot",
        ),
        (
            "metadata: {name: env}\nspec: {compute: {$patch: replace, gpu: 1}}\n",
            "4:18: this `$patch` is not understood\n  a mapping is always merged",
        ),
        (
            "metadata: {name: env}\nspec: {environment_variables: [{name: Z, $patch: delete}]}\n",
            "4:39: the manifest has no `Z` to remove",
        ),
        (
            "metadata: {name: env}\nspec: {environment_variables: [{name: A, $patch: keep}]}\n",
            "4:50: this `$patch` is not understood",
        ),
        (
            "metadata: {name: env}\n---\n" + HEAD + "metadata: {name: env}\n",
            "7:18: RunaiEnvironment.env is patched twice; the other is at overlays/t/o.yaml:3:18",
        ),
    ],
)
def test_what_an_overlay_cannot_do(overlay: str, said: str) -> None:
    (problem, *_) = problems_of(HEAD + overlay)
    assert problem.startswith(f"overlays/t/o.yaml:{said}")


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        ("- a\n", "1:1: this document is no overlay"),
        ("kind: [x]\napiVersion: v1\nmetadata: {name: a}\n", "1:7: `kind` must be text"),
        ("a: [\n", "2:1: this is not valid YAML"),
    ],
)
def test_what_is_no_overlay(overlay: str, said: str) -> None:
    (problem, *_) = problems_of(overlay)
    assert problem.startswith(f"overlays/t/o.yaml:{said}")


def test_nothing_is_said_of_addresses_while_a_manifest_cannot_be_read() -> None:
    (problem,) = problems_of(HEAD + "metadata: {name: env}\n", "a: [\n")
    assert problem.startswith("manifests/m.yaml:")


def test_a_provider_fault_is_located_in_the_overlay(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(BASE)
    overlay = HEAD + "metadata: {name: env}\nspec: {image: 'x:2'}\n"
    overlays = ReadFiles([ManifestFile("overlays/t/o.yaml", overlay.encode())], [])
    error = ManifestError(
        [
            Problem("m.yaml", 1, 1, "no such image", "", ("spec", "image")),
            Problem("m.yaml", 1, 1, "no such scope", "", ("spec", "scope_id")),
        ]
    )
    assert [str(problem) for problem in locate(error, tmp_path, overlays).problems] == [
        "m.yaml:6:13: no such scope",
        "overlays/t/o.yaml:4:15: no such image",
    ]


def test_directories(tmp_path: Path) -> None:
    place = tmp_path / "overlays"
    check_overlay_names(place, ["a"], tmp_path)
    assert read_overlays(place, "a", tmp_path) == ([], [])
    (place / "a" / "deep").mkdir(parents=True)
    (place / "a" / "deep" / "x.yaml").write_text("")
    (place / ".hidden").mkdir()
    (place / "README.md").write_text("")
    (place / "b").symlink_to("a")
    check_overlay_names(place, ["a", "b"], tmp_path)
    found = read_overlays(place, "b", tmp_path)
    assert [file.name for file in found.files] == ["overlays/b/deep/x.yaml"]
    with pytest.raises(ManifestError, match="overlays/b: there is no target of this name"):
        check_overlay_names(place, ["a"], tmp_path)
    (place / "x.yaml").write_text("")
    with pytest.raises(ManifestError, match=r"overlays/x.yaml: an overlay of no target"):
        check_overlay_names(place, ["a", "b"], tmp_path)
    (place / "out").symlink_to(tmp_path)
    with pytest.raises(ManifestError, match="leads out of the overlays directory"):
        read_overlays(place, "out", tmp_path)


_TREES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from("abc"), below, max_size=3)
        | st.lists(
            st.fixed_dictionaries({"name": st.sampled_from("xyz")}, optional={"v": below}),
            max_size=3,
        )
    ),
    max_leaves=12,
)
_MAPPINGS: Any = st.dictionaries(st.sampled_from("abc"), _TREES, max_size=3)


@given(_MAPPINGS, _MAPPINGS)
def test_every_part_of_a_merge_stands_where_it_is_said_to_stand(
    base: dict[str, Any], patch: dict[str, Any]
) -> None:
    merge = Merge()
    merged = merge.mappings(base, patch, (), ROOT)
    for path, origin in merge.origins.items():
        written = _at(patch if origin.overlay else base, origin.path)
        assert origin.overlay
        if written is not None:
            assert _without_nulls(_at(merged, path)) == _without_nulls(written)
        else:
            assert path[-1] not in _at(merged, path[:-1])


@given(_MAPPINGS)
def test_an_empty_overlay_changes_nothing(base: dict[str, Any]) -> None:
    merge = Merge()
    assert merge.mappings(base, {}, (), ROOT) == base
    assert not merge.origins


def _at(tree: Any, path: tuple[str | int, ...]) -> Any:
    return reduce(below, path, tree)


def _without_nulls(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _without_nulls(item) for name, item in tree.items() if item is not None}
    return [_without_nulls(item) for item in tree] if isinstance(tree, list) else tree


@pytest.mark.no_cover
def test_many_overlays_that_patch_nothing_are_told_of_in_linear_time() -> None:
    """Similar names are looked for a few times: 3,000 looks at 3,000 names took minutes."""
    body = "metadata: {name: NAME}\nspec: {scope: project, scope_id: a, image: x:1}\n"
    base = "---\n".join(HEAD + body.replace("NAME", f"training-{n}") for n in range(3_000))
    files = [ManifestFile("manifests/m.yaml", base.encode())]
    overlays = [
        ManifestFile(f"overlays/t/{n}.yaml", f"{HEAD}metadata: {{name: trainink-{n}}}\n".encode())
        for n in range(3_000)
    ]
    begin = time.process_time()
    with pytest.raises(ManifestError) as caught:
        load_files(files, CONTEXT, overlays=overlays)
    assert time.process_time() - begin < 40
    fixes = [problem.fix for problem in caught.value.problems]
    assert len(fixes) == 3_000
    assert sum("did you mean" in fix for fix in fixes) == 20
