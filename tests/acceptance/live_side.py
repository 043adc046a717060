"""What other people do to live objects, over the same API: edits, copies, deletions."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, Protocol

from reconciler.kinds.registry import ASSET_KINDS
from reconciler.sandbox import Endpoint
from tests.login import log_in

PATHS = {kind.traits.name: kind.endpoint for kind in ASSET_KINDS}


class LiveSide(Protocol):
    """A control plane that others use, too; `lag` is in seconds."""

    endpoint: Endpoint
    lag: float


def call(world: LiveSide, method: str, path: str, body: Any = None) -> Any:
    """One request with a fresh token; the answer as plain values."""
    return _send(world.endpoint.base_url, method, path, body, log_in(world.endpoint))


def _send(base_url: str, method: str, path: str, body: Any, token: str) -> Any:
    request = urllib.request.Request(
        base_url + path,
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def assets(world: LiveSide, kind: str = "RunaiEnvironment") -> list[dict[str, Any]]:
    """Every asset of a kind that is not built in, and not deleted."""
    path = PATHS[kind]
    try:
        entries = call(world, "GET", path)["entries"]
    except urllib.error.HTTPError:  # the switch that refuses an unfiltered list
        entries = []
        clusters = call(world, "GET", "/api/v1/clusters")
        projects = call(world, "GET", "/api/v1/org-unit/projects")["projects"]
        for query in (
            "scope=tenant",
            *(f"scope=cluster&clusterId={item['uuid']}" for item in clusters),
            *(f"scope=project&projectId={item['id']}" for item in projects),
        ):
            entries += call(world, "GET", f"{path}?{query}")["entries"]
    return [
        entry
        for entry in entries
        if entry["meta"]["scope"] != "system" and "deletedAt" not in entry["meta"]
    ]


def named(world: LiveSide, name: str, kind: str = "RunaiEnvironment") -> dict[str, Any]:
    """The one asset of this name."""
    (found,) = [entry for entry in assets(world, kind) if entry["meta"]["name"] == name]
    return found


def edit_live(
    world: LiveSide, address: str, edit: Callable[[dict[str, Any]], None], name: str = ""
) -> None:
    """Change an asset as the web UI would: read it, edit it, send all of it back."""
    kind, _, resource_id = address.partition(".")
    asset = named(world, name or resource_id, kind)
    spec = {key: value for key, value in asset["spec"].items() if value is not None}
    body = {
        "meta": {
            key: asset["meta"][key]
            for key in ("name", "description")
            if asset["meta"].get(key) is not None
        },
        "spec": spec,
    }
    edit(body)
    call(world, "PUT", f"{PATHS[kind]}/{asset['meta']['id']}", body)
    _wait_out_the_lag(world)


def create_live(
    world: LiveSide, name: str, spec: dict[str, Any], kind: str = "RunaiEnvironment", **meta: Any
) -> dict[str, Any]:
    """Make an asset as somebody else would."""
    body = {"meta": {"name": name, "scope": "tenant", **meta}, "spec": spec}
    made: dict[str, Any] = call(world, "POST", f"{PATHS[kind]}", body)
    _wait_out_the_lag(world)
    return made


def delete_live(world: LiveSide, name: str, kind: str = "RunaiEnvironment") -> None:
    """Delete an asset behind our back."""
    asset = named(world, name, kind)
    call(world, "DELETE", f"{PATHS[kind]}/{asset['meta']['id']}")
    _wait_out_the_lag(world)


def _wait_out_the_lag(world: LiveSide) -> None:
    time.sleep(world.lag)
