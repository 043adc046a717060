"""Short ways to state resources, live objects and worlds in tests of the pure core."""

from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.core.mark import Mark, hash_id
from reconciler.core.plan import Plan, ReadFailure
from reconciler.core.planner import PlanInput, make_plan
from reconciler.core.references import references
from reconciler.core.resource import (
    KindTraits,
    LiveResource,
    Reference,
    Replacement,
    Resource,
    ResourceKey,
    Secret,
    Source,
)

STACK = "ml"
IMMUTABLE = frozenset({"scope", "scope_id", "workload_types"})
KINDS = {
    "RayfineImage": KindTraits("RayfineImage", frozenset(), ("tag",), 0),
    "RunaiCompute": KindTraits(
        "RunaiCompute", IMMUTABLE, ("name", "scope", "scope_id"), 10, part_of="RunaiEnvironment"
    ),
    "RunaiEnvironment": KindTraits(
        "RunaiEnvironment", IMMUTABLE, ("name", "scope", "scope_id"), 20
    ),
    "Volume": KindTraits(
        "Volume",
        IMMUTABLE,
        ("name",),
        5,
        replacement=Replacement.DELETE_FIRST,
        destroys="the data on it",
    ),
    "Tenant": KindTraits("Tenant", IMMUTABLE, ("name",), 4, replacement=Replacement.NEVER),
    "Login": KindTraits(
        "Login", frozenset({"scope"}), ("name",), 6, write_only=frozenset({"password", "pin"})
    ),
    "Pool": KindTraits(
        "Pool",
        IMMUTABLE,
        ("name",),
        3,
        replacement=Replacement.DELETE_FIRST,
        destroys="its workloads",
        marked=False,
    ),
}


def key(address: str) -> ResourceKey:
    kind, _, resource_id = address.partition(".")
    return ResourceKey(kind, resource_id)


def tree(value: Any) -> Any:
    """`{secret: TEXT}` and `{reference: ADDRESS, output: NAME}` in test data become leaves."""
    if isinstance(value, Mapping):
        if value.keys() == {"secret"}:
            return Secret(value["secret"])
        if "reference" in value:
            return Reference(key(value["reference"]), value.get("output", "id"))
        return {name: tree(item) for name, item in value.items()}
    return [tree(item) for item in value] if isinstance(value, list) else value


def resource(address: str, spec: Mapping[str, Any] | None = None, **rest: Any) -> Resource:
    k = key(address)
    spec = {"name": k.id, "scope": "tenant", "image": "busybox", **tree(spec or {})}
    needed = [*map(key, rest.get("depends_on", ())), *(ref.key for _, ref in references(spec))]
    rest["depends_on"] = tuple(dict.fromkeys(needed))
    line = rest.pop("line", 1)
    return Resource(k, spec, Source("manifests/all.yaml", line), **rest)


def live(
    address: str,
    spec: Mapping[str, Any] | None = None,
    *,
    owner: str | None = STACK,
    uid: str = "",
    mark: Mapping[str, Any] | None = None,
    **rest: Any,
) -> LiveResource:
    k = key(address)
    spec = {"name": k.id, "scope": "tenant", "image": "busybox", **tree(spec or {})}
    own = Mark(owner, hash_id(*k), **(mark or {})) if owner else None
    return LiveResource(k.kind, uid or f"uid-{k.id}", spec["name"], spec, mark=own, **rest)


def plan_of(
    desired: Sequence[Resource],
    live_resources: Sequence[LiveResource] = (),
    failures: Sequence[ReadFailure] = (),
    key: bytes | None = b"",
) -> Plan:
    return make_plan(
        PlanInput("test", STACK, desired, live_resources, KINDS, failures, fingerprint_key=key)
    )


def actions(plan: Plan) -> dict[str, str]:
    return {
        change.address: (
            f"{change.refusal.kind.value} {change.action.value}"
            if change.refusal
            else change.action.value
        )
        for change in plan.changes
    }
