"""Random bodies of assets, made from the shapes that a server of one version knows."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.sandbox.api_schema import load_contract
from reconciler.sandbox.switches import Version

NAMES = ("train", "Train", "my env", "x.y_z", "été", "a/b", "..", "n" * 120, "1st", "tab\there", "#x")
TEXTS = ("x", "-x a.py", "a: b", "yes", "0123", "1e3", "{x}", "%s", "'\"", "# x", " é\u2028 ", "a\nb")
QUANTITIES = ("1", "500m", "2Gi", "1.5G", "20480Mi", "1e3", "100M")
KEYS = ("A", "HF_TOKEN", "NCCL_DEBUG", "PATH", "DB_PASSWORD", "a.b")
BY_NAME = {
    "image": ("busybox:1", "nvcr.io/nvidia/pytorch:24.01-py3", "ubuntu", "a.example:5000/b@sha256:" + "0" * 64),
    "host": ("example.com", "localhost"),
    "path": ("/", "/healthz", ""),
    "workingDir": ("/", "/home/x"),
    "supplementalGroups": ("1,2", "5"),
    "externalUrl": ("https://wandb.ai/x", "https://a.example/${B}"),
    "configMap.name": ("cm", "my-map"),
    "podFieldRef.path": ("metadata.name",),
}


def random_assets(version: Version, seed: int, count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Kind's word in the API, and a body to POST; the server may refuse it."""
    rng = random.Random(seed)
    contract = load_contract(version)
    for number in range(count):
        word = rng.choice(sorted(contract.specs))
        meta: dict[str, Any] = {"name": f"{rng.choice(NAMES)}-{number // 2}", "scope": "tenant"}
        if rng.random() < 0.3:
            meta["description"] = rng.choice(TEXTS) * rng.choice((1, 1, 90))
            meta["description"] = meta["description"][:250]
        if rng.random() < 0.3:
            types = contract.creation["properties"]["workloadSupportedTypes"]
            meta["workloadSupportedTypes"] = _value(types, rng, "workloadSupportedTypes")
        fill = rng.choice((0.1, 0.4, 0.9))
        yield word, {"meta": meta, "spec": _value(contract.specs[word], rng, "spec", fill)}


def _value(schema: Mapping[str, Any], rng: random.Random, name: str, fill: float = 0.7) -> Any:
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
