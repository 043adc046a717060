"""The JSON Schemas: they accept what the loader accepts, and refuse the usual mistakes."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from reconciler.json_schema import config_schema, manifest_schema, overlay_schema, to_json
from reconciler.kinds.registry import KINDS

ROOT = Path(__file__).parent.parent
MANIFESTS = sorted((ROOT / "manifests").rglob("*.yaml"))
MANIFEST = Draft202012Validator(manifest_schema())
OVERLAY = Draft202012Validator(overlay_schema())
CONFIG = Draft202012Validator(config_schema())


def manifest(kind: str = "RunaiEnvironment", **spec: Any) -> dict[str, Any]:
    least: dict[str, Any] = {
        "RunaiEnvironment": {"scope": "cluster", "image": "busybox"},
        "RunaiCompute": {"scope": "cluster"},
        "RayfineImage": {"path": "environments/affine", "tag": "affine"},
    }[kind]
    return {
        "apiVersion": "reconciler/v1",
        "kind": kind,
        "metadata": {"name": "a"},
        "spec": {**least, **spec},
    }


def config(**runai: Any) -> dict[str, Any]:
    return {"apiVersion": "reconciler/v1", "stack": "ml", "targets": {"a": {"runai": runai}}}


SCHEMAS = {
    "manifest": manifest_schema(),
    "overlay": overlay_schema(),
    "reconciler": config_schema(),
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_they_are_schemas(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(("name", "schema"), SCHEMAS.items(), ids=SCHEMAS)
def test_the_checked_in_schemas_are_current(name: str, schema: dict[str, Any]) -> None:
    """Renew them with `reconcile schema`, `reconcile schema overlay`, `reconcile schema config`."""
    kept = ROOT / "docs" / "schema" / f"{name}.schema.json"
    assert kept.read_text(encoding="utf-8") == to_json(schema)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_sample_manifests_fit(path: Path) -> None:
    documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    assert documents
    for document in documents:
        MANIFEST.validate(document)


def test_the_sample_configuration_fits() -> None:
    CONFIG.validate(yaml.safe_load((ROOT / "reconciler.yaml").read_text(encoding="utf-8")))


ACCEPTED = {
    "numbers for text": manifest(image="a:1", environment_variables={"A": 0, "B": 1.5}),
    "every form of workload types": manifest(workload_types={"workspace": True}),
    "a reference": manifest(image={"from": "RayfineImage.affine"}),
    "variables as a list": manifest(environment_variables=[{"name": "A", "value": "x"}]),
    "connections as a list": manifest(connections=[{"name": "UI", "tool_type": "custom"}]),
    "a variable with a source": manifest(environment_variables={"A": {"env": "RECONCILE_VAR_A"}}),
    "null for an absent field": manifest(description=None),
    "a compute asset": manifest("RunaiCompute", cpu_core_request=0.5, cpu_memory_request="8Gi"),
    "an image": manifest("RayfineImage", build_args={"A": 1.1}, labels={"a": "b"}, push=True),
}
REFUSED = {
    "unknown field": manifest(imagee="x"),
    "unknown kind": {**manifest(), "kind": "RunaiEnviroment"},
    "another version": {**manifest(), "apiVersion": "v1"},
    "no metadata": {name: value for name, value in manifest().items() if name != "metadata"},
    "no name": {**manifest(), "metadata": {}},
    "unknown metadata": {**manifest(), "metadata": {"name": "a", "labels": {}}},
    "an id that is none": {**manifest(), "metadata": {"name": "a", "id": "a b"}},
    "another top-level field": {**manifest(), "status": {}},
    "no image": {**manifest(), "spec": {"scope": "cluster"}},
    "a scope that is none": manifest(scope="clusters"),
    "workload types as text": manifest(workload_types="training"),
    "a workload type that is none": manifest(workload_types=["trainin"]),
    "an entry without its name": manifest(environment_variables=[{"value": "x"}]),
    "text for a boolean": manifest(tty="yes"),
    "a boolean for text": manifest(description=True),
    "tools as text": manifest(tools="jupyter"),
    "a field of another kind": manifest("RunaiCompute", image="x"),
    "an image without a path": {**manifest("RayfineImage"), "spec": {"tag": "a"}},
    "a path that leads outwards": manifest("RayfineImage", path="../a"),
    "an absolute path": manifest("RayfineImage", path="/a"),
    "a tag with a digest": manifest("RayfineImage", tag="a@sha256:" + "0" * 64),
    "just text": "manifest",
}


@pytest.mark.parametrize("document", ACCEPTED.values(), ids=ACCEPTED)
def test_what_fits(document: Any) -> None:
    MANIFEST.validate(document)


@pytest.mark.parametrize("document", REFUSED.values(), ids=REFUSED)
def test_mistakes_do_not_fit(document: Any) -> None:
    assert not MANIFEST.is_valid(document)


def overlay(kind: str = "RunaiEnvironment", **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "a"}, "spec": spec}


PATCHES = {
    "one field": overlay(image="busybox"),
    "a field removed": overlay(description=None, compute=None),
    "a value removed": overlay(environment_variables={"A": None, "B": "2"}),
    "a source removed": overlay(environment_variables={"A": {"pod_field": None, "value": "x"}}),
    "an entry removed": overlay(environment_variables=[{"name": "A", "$patch": "delete"}]),
    "protection alone": {"kind": "RunaiEnvironment", "metadata": {"id": "a", "protect": True}},
    "part of a mapping": overlay(compute={"gpu": 1}, connections={"UI": {"container_port": 1}}),
    "an image": overlay("RayfineImage", labels={"team": None}, push=None),
}
WRONG_PATCHES = {
    "unknown field": overlay(imagee="x"),
    "another identity": {"kind": "RunaiEnvironment", "metadata": {"name": "a", "moved_from": "b"}},
    "of nothing": {"kind": "RunaiEnvironment", "metadata": {"protect": True}},
    "no kind": {"metadata": {"name": "a"}, "spec": {}},
    "another patch": overlay(environment_variables=[{"name": "A", "$patch": "replace"}]),
    "a scope that is none": overlay(scope="clusters"),
    "a field of another kind": overlay("RunaiCompute", image="x"),
}


@pytest.mark.parametrize("document", [*PATCHES.values(), *ACCEPTED.values()])
def test_overlays_that_fit(document: Any) -> None:
    OVERLAY.validate(document)


@pytest.mark.parametrize("document", WRONG_PATCHES.values(), ids=WRONG_PATCHES)
def test_overlays_that_do_not_fit(document: Any) -> None:
    assert not OVERLAY.is_valid(document)


def test_any_part_of_the_samples_is_an_overlay() -> None:
    for path in MANIFESTS:
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            for name, value in document["spec"].items():
                OVERLAY.validate({**document, "spec": {name: value}})
                OVERLAY.validate({**document, "spec": {name: None}})


def test_the_editor_settings_name_schemas_that_exist() -> None:
    settings = json.loads((ROOT / ".vscode" / "settings.json").read_text(encoding="utf-8"))
    assert len(settings["yaml.schemas"]) == len(SCHEMAS)
    assert all((ROOT / name).is_file() for name in settings["yaml.schemas"])


@pytest.mark.parametrize(
    "document",
    [
        config(sandbox="x"),
        config(sandbox={"env": "SANDBOX"}),
        config(base_url="https://a", client_id="x", client_secret={"env": "A"}),
        {**config(sandbox="x"), "guards": {"max_deletes": 1}, "env_allow": ["A_*"]},
    ],
)
def test_configurations_that_fit(document: Any) -> None:
    CONFIG.validate(document)


@pytest.mark.parametrize(
    "document",
    [
        config(),
        config(sandbox="x", base_url="https://a"),
        config(sanbox="x"),
        config(sandbox={"evn": "x"}),
        {**config(sandbox="x"), "stack": "ML"},
        {**config(sandbox="x"), "limits": {"allowed_scopes": ["clusters"]}},
        {**config(sandbox="x"), "guards": {"max_deletes": -1}},
        {**config(sandbox="x"), "targets": {}},
        {**config(sandbox="x"), "targets": {"a": {}}},
    ],
)
def test_configurations_that_do_not_fit(document: Any) -> None:
    assert not CONFIG.is_valid(document)


def _properties(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{definition}.{name}": info
        for definition, content in schema["$defs"].items()
        for name, info in content.get("properties", {}).items()
    }


def _referred(schema: dict[str, Any], info: dict[str, Any]) -> dict[str, Any]:
    """A reference without words of its own says what its definition says."""
    member = next((item for item in info.get("anyOf", []) if "$ref" in item), info)
    name = member.get("$ref", "").removeprefix("#/$defs/")
    found: dict[str, Any] = schema["$defs"].get(name, {})
    return found


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_editors_have_something_to_show(schema: dict[str, Any]) -> None:
    properties = _properties(schema)
    assert properties
    silent = [
        name
        for name, info in properties.items()
        if "description" not in {**_referred(schema, info), **info}
    ]
    assert silent == []


def test_every_kind_is_there() -> None:
    assert manifest_schema()["properties"]["kind"]["enum"] == [kind.traits.name for kind in KINDS]
