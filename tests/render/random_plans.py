"""Random plans of every action: what is stated, what is live, who owns it, what is refused."""

from typing import Any

from hypothesis import strategies as st

from reconciler.core.guards import Approval, GuardRules, guard
from reconciler.core.plan import Plan, ReadFailure
from reconciler.core.resource import LiveResource, Named, Resource
from tests.core.builders import live, plan_of, resource

_SPECS = st.fixed_dictionaries(
    {"image": st.sampled_from(["a", "b"])},
    optional={
        "scope": st.sampled_from(["project", "cluster"]),
        "scope_id": st.sampled_from([Named("3", "mlops"), Named("1", "vision"), "2"]),
        "workload_types": st.sampled_from([{"training": True}, {"workspace": True}]),
        "command": st.sampled_from([{"secret": "canary-1"}, {"secret": "canary-2"}, "x"]),
        "environment_variables": st.dictionaries(
            st.sampled_from(["A", "B", "id"]),
            st.sampled_from(["1", {"secret": "canary-3"}, {"value": {"secret": "canary-4"}}]),
            min_size=1,
        ),
    },
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A guarded plan; sometimes a system could not be read."""
    desired: list[Resource] = []
    found: list[LiveResource] = []
    for kind in ("RunaiCompute", "RunaiEnvironment"):
        for name in draw(st.lists(st.sampled_from("abcdef"), unique=True, max_size=5)):
            address = f"{kind}.{name}"
            if draw(st.booleans()):
                flags: dict[str, Any] = {
                    "protect": draw(st.booleans()),
                    "adopt": draw(st.booleans()),
                }
                needs = [f"RunaiCompute.{name}"] if kind == "RunaiEnvironment" else []
                desired.append(resource(address, draw(_SPECS), depends_on=needs, **flags))
            if draw(st.integers(0, 4)):
                found.append(_live(draw, address, len(found)))
            if draw(st.booleans()):
                mark = {"deposed": f"{len(found):06x}"}
                found.append(live(address, draw(_SPECS), uid=f"left-{len(found)}", mark=mark))
    failures = [ReadFailure("Docker engine", ("RayfineImage",), "no answer", "start it")]
    plan = plan_of(desired, found, failures if draw(st.booleans()) else ())
    return guard(plan, GuardRules(max_deletes=draw(st.sampled_from([0, 2, 10]))), Approval())


def _live(draw: st.DrawFn, address: str, number: int) -> LiveResource:
    owner = draw(st.sampled_from(["ml", "ml", "ml", None, "others"]))
    mark: dict[str, Any] = {"protect": draw(st.booleans())} if owner else {}
    return live(address, draw(_SPECS), owner=owner, uid=f"uid-{number}", mark=mark)
