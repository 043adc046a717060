"""Random bodies of assets, made from the shapes that a server of one version knows."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.sandbox.api_schema import load_contract
from reconciler.sandbox.switches import Version

NAMES = (
    "train",
    "Train",
    "my env",
    "x.y_z",
    "été",
    "a/b",
    "..",
    "n" * 120,
    "1st",
    "tab\there",
    "#x",
)
TEXTS = (
    "x",
    "-x a.py",
    "a: b",
    "yes",
    "0123",
    "1e3",
    "{x}",
    "%s",
    "'\"",
    "# x",
    " é\u2028 ",
    "a\nb",
)
QUANTITIES = ("1", "500m", "2Gi", "1.5G", "20480Mi", "1e3", "100M")
PATHS = {
    "environment": "environment",
    "compute": "compute",
    "nfs": "datasource/nfs",
    "hostPath": "datasource/host-path",
    "git": "datasource/git",
    "s3": "datasource/s3",
}
"""Kinds of the contract that manifests can state, and where they are in the API."""
KEYS = ("A", "HF_TOKEN", "NCCL_DEBUG", "PATH", "DB_PASSWORD", "a.b")
BY_NAME = {
    "image": (
        "busybox:1",
        "nvcr.io/nvidia/pytorch:24.01-py3",
        "ubuntu",
        "a.example:5000/b@sha256:" + "0" * 64,
    ),
    "host": ("example.com", "localhost"),
    "path": ("/", "/healthz", ""),
    "workingDir": ("/", "/home/x"),
    "supplementalGroups": ("1,2", "5"),
    "externalUrl": ("https://wandb.ai/x", "https://a.example/${B}"),
    "configMap.name": ("cm", "my-map"),
    "podFieldRef.path": ("metadata.name",),
}


def random_assets(
    version: Version, seed: int, count: int, places: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """A path below /api/v1/asset, and a body to POST; the server may refuse it.

    `places` are scopes with their ids, as in `meta`. Four of five are what people make; the others
    are whatever the shapes allow.
    """
    rng = random.Random(seed)
    contract = load_contract(version)
    for number in range(count):
        word = rng.choice([word for word in PATHS if word in contract.specs])
        meta = {"name": f"{rng.choice(NAMES)}-{number // 2}", **rng.choice(places)}
        if rng.random() < 0.3:
            meta["description"] = rng.choice(TEXTS) * rng.choice((1, 1, 90))
            meta["description"] = meta["description"][:250]
        if rng.random() < 0.3:
            types = contract.creation["properties"]["workloadSupportedTypes"]
            meta["workloadSupportedTypes"] = _value(types, rng, "workloadSupportedTypes")
        fill = rng.choice((0.1, 0.4, 0.9))
        spec = _value(contract.specs[word], rng, "spec", fill)
        if rng.random() < 0.8:
            _make_sensible(spec, meta, rng)
        yield PATHS[word], {"meta": meta, "spec": spec}


def _make_sensible(spec: dict[str, Any], meta: dict[str, Any], rng: random.Random) -> None:
    if "connections" in spec or "image" in spec or rng.random() < 0.5:
        spec["image"] = spec.get("image") or "busybox:1"
    for connection in spec.get("connections") or ():
        inside = connection.get("internalToolInfo")
        connection["isExternal"] = not inside
        connection.pop("externalToolInfo" if inside else "internalToolInfo", None)
        if inside:
            connection["name"] = {"jupyter-notebook": "Jupyter"}.get(inside["toolType"], "UI")
            wanted = _INFO.get(inside["connectionType"])
            for info in _INFO.values():
                if info != wanted:
                    inside.pop(info, None)
    if spec.get("tty"):
        spec["stdin"] = True
    types = meta.get("workloadSupportedTypes")
    if types:
        types["distFramework"] = "PyTorch" if types.get("distributed") else None


_INFO = {
    "ExternalUrl": "externalUrlInfo",
    "NodePort": "nodePortInfo",
    "ServingPort": "servingPortInfo",
}


def _value(  # noqa: PLR0911  (one for each type)
    schema: Mapping[str, Any], rng: random.Random, name: str, fill: float = 0.7
) -> Any:
    if schema.get("nullable") and name != "spec" and rng.random() < 0.05:
        return None
    if "enum" in schema:
        return rng.choice(schema["enum"])
    match schema["type"]:
        case "object":
            required = schema.get("required", ())
            return {
                field: _value(inner, rng, _deeper(name, field), fill)
                for field, inner in schema["properties"].items()
                if field in required or rng.random() < fill
            }
        case "array":
            return [_value(schema["items"], rng, name, fill) for _ in range(rng.randint(0, 3))]
        case "boolean":
            return rng.random() < 0.5
        case "integer":
            return rng.randint(schema.get("minimum", 0), min(schema.get("maximum", 9), 9999))
        case "number":
            return rng.choice((0, 0.5, 1, 2.25, 4.0))
    if "pattern" in schema and "eEinum" in schema["pattern"]:
        return rng.choice(QUANTITIES)
    if schema.get("format") == "uuid":
        return "00000000-0000-4000-8000-00000000000a"
    last = name.rsplit(".", 1)[-1]
    if last in ("name", "key", "resource"):
        return rng.choice(BY_NAME.get(name) or KEYS)
    return rng.choice(BY_NAME.get(name) or BY_NAME.get(last) or TEXTS)


def _deeper(name: str, field: str) -> str:
    return f"{name.rsplit('.', 1)[-1]}.{field}" if name != "spec" else field
