"""The assets that every tenant has from the start, in the scope `system`: nobody's, read-only.

Names as on a real control plane; specifications are plausible, not copied. Ids follow from kind and
name, so that they are the same in every sandbox.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from reconciler.sandbox.answers import dump
from reconciler.sandbox.asset_store import Asset
from reconciler.sandbox.org_units import TENANT_ID

NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "sandbox.reconciler")
"""All ids that a sandbox derives from names are UUIDs of version 5 in this namespace."""

_AUTHOR = "system@run.ai"
_CREATED_AT = "2024-01-01T00:00:00Z"


def _tool(name: str, tool_type: str, port: int) -> dict[str, Any]:
    return {
        "name": name,
        "internalToolInfo": {
            "toolType": tool_type,
            "connectionType": "ExternalUrl",
            "containerPort": port,
            "externalUrlInfo": {},
        },
    }


_JUPYTER = _tool("Jupyter", "jupyter-notebook", 8888)
_TENSORBOARD = _tool("TensorBoard", "tensorboard", 6006)

_ENVIRONMENTS: Final[dict[str, dict[str, Any]]] = {
    "jupyter-lab": {"image": "jupyter/scipy-notebook:latest", "connections": [_JUPYTER]},
    "jupyter-tensorboard": {
        "image": "gcr.io/run-ai-demo/jupyter-tensorboard:latest",
        "connections": [_JUPYTER, _TENSORBOARD],
    },
    "tensorboard": {"image": "tensorflow/tensorflow:latest", "connections": [_TENSORBOARD]},
    "llm-server": {"image": "runai.jfrog.io/core-llm/runai-vllm:v0.6.4", "connections": []},
    "chatbot-ui": {
        "image": "runai.jfrog.io/core-llm/llm-app:latest",
        "connections": [_tool("ChatbotUI", "chatbot-ui", 8080)],
    },
    "gpt2": {"image": "runai.jfrog.io/core-llm/quickstart-inference:gpt2", "connections": []},
}
_COMPUTES: Final[dict[str, dict[str, Any]]] = {
    "cpu-only": {"cpuCoreRequest": 0.1, "cpuMemoryRequest": "100M"},
    "small-fraction": {
        "cpuCoreRequest": 0.1,
        "cpuMemoryRequest": "100M",
        "gpuDevicesRequest": 1,
        "gpuRequestType": "portion",
        "gpuPortionRequest": 0.1,
    },
    "one-gpu": {
        "cpuCoreRequest": 0.1,
        "cpuMemoryRequest": "100M",
        "gpuDevicesRequest": 1,
        "gpuRequestType": "portion",
        "gpuPortionRequest": 1.0,
    },
}


def builtin_assets() -> list[Asset]:
    """Every built-in asset."""
    return [
        _builtin(kind, name, spec)
        for kind, specs in (("environment", _ENVIRONMENTS), ("compute", _COMPUTES))
        for name, spec in specs.items()
    ]


def _builtin(kind: str, name: str, spec: dict[str, Any]) -> Asset:
    asset_id = str(uuid.uuid5(NAMESPACE, f"{kind}/{name}"))
    meta = {
        "name": name,
        "scope": "system",
        "id": asset_id,
        "kind": kind,
        "tenantId": TENANT_ID,
        "createdBy": _AUTHOR,
        "createdAt": _CREATED_AT,
        "updatedBy": _AUTHOR,
        "updatedAt": _CREATED_AT,
    }
    return Asset(asset_id, kind, name, "system", "", name, dump({"meta": meta, "spec": spec}))
