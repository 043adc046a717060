"""Scenarios of an apply: what was applied before, what others did, and what is asked for now.

Every scenario also holds assets of others (same names in other scopes, a copy of ours, an asset of
another stack), which no run may touch, and assets of ours that stay as they are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle
from typing import Any

from reconciler.core.mark import Mark, hash_id
from reconciler.core.ownership import Holder, write_mark
from reconciler.core.plan import Action
from reconciler.sandbox import Behaviour
from reconciler.sandbox.switches import Version
from tests.acceptance.live_side import assets, call, create_live
from tests.acceptance.project import environment
from tests.faults.proxy import Fault, FaultProxy, Kind, Rule
from tests.laws.stage import OTHER_STACK, Desk, Stage

Document = Mapping[str, Any]
# The versions that the laws are held on: the oldest, 2.20, 2.24 and the newest.
SPREAD: tuple[Version, ...] = ("3.0", "2.18", "2.20", "2.24")
TYPES_A, TYPES_B = ["training"], ["workspace", "training"]
GPU = {"gpu": 1, "cpu_cores": 4, "memory": "16Gi"}
STAYS = tuple(environment(f"stays-{number}", scope="tenant") for number in range(8))


def compute(name: str = "box", **spec: Any) -> dict[str, Any]:
    """A RunaiCompute document; metadata other than the name goes into `metadata`."""
    metadata = {"name": name, **spec.pop("metadata", {})}
    head = {"apiVersion": "reconciler/v1", "kind": "RunaiCompute", "metadata": metadata}
    return {**head, "spec": {"scope": "tenant", "cpu_core_request": 1, **spec}}


def nothing(_stage: Stage, _desk: Desk) -> None:
    """Others did nothing in between."""


@dataclass(frozen=True)
class Scenario:
    """`expected` is the actions of the plan; `lives` are (kind, old name, new name) that always
    have to be there under one of them, or as OLD-replaced-xxxxxx."""

    before: Sequence[Document]
    after: Sequence[Document]
    expected: Mapping[str, str]
    lives: Sequence[tuple[str, str, str]] = ()
    tamper: Callable[[Stage, Desk], None] = nothing
    behaviour: Behaviour = field(default_factory=Behaviour)

    def set_up(self, stage: Stage, desk: Desk) -> None:
        """Make what is there before the apply in question, and state what is asked for."""
        stage.behave(self.behaviour)
        stage.restore()
        make_others(stage)
        desk.write([*STAYS, *self.before])
        desk.converge()
        self.tamper(stage, desk)
        desk.write([*STAYS, *self.after])


def make_others(stage: Stage) -> None:
    """Assets that are none of our business."""
    create_live(stage, "train", {"image": "theirs"}, scope="project", projectId=_project(stage))
    create_live(stage, "theirs", {"image": "theirs"}, description="Made by hand")
    holder = Holder("RunaiEnvironment", "tenant", "", "stays-9")
    copied = write_mark("", Mark("ml-platform", hash_id("RunaiEnvironment", "train")), holder)
    create_live(stage, "copy-of-ours", {"image": "busybox:1"}, description=copied)
    other = Mark(OTHER_STACK, hash_id("RunaiEnvironment", "train"))
    create_live(
        stage,
        "of-others",
        {"image": "busybox:1"},
        description=write_mark("", other, Holder("RunaiEnvironment", "tenant", "", "of-others")),
    )
    create_live(stage, "train", {"cpuCoreRequest": 7}, "RunaiCompute", description="By hand")


def _project(stage: Stage) -> int:
    projects = call(stage, "GET", "/api/v1/org-unit/projects")["projects"]
    return next(int(item["id"]) for item in projects if item["name"] == "team-b")


def unowned(name: str, spec: dict[str, Any]) -> Callable[[Stage, Desk], None]:
    """Somebody has made an environment asset of this name for the whole tenant."""

    def make(stage: Stage, _desk: Desk) -> None:
        create_live(stage, name, spec)

    return make


def interrupted(after: Sequence[Document], name: str) -> Callable[[Stage, Desk], None]:
    """An earlier apply of `after` was killed when it had renamed the old asset of this name."""

    def kill(stage: Stage, desk: Desk) -> None:
        desk.write([*STAYS, *after])
        with FaultProxy(stage.endpoint.base_url) as proxy, desk.session(proxy.base_url) as session:
            plan = desk.plan(session)
            assert [item.action for item in plan.pending] == [Action.REPLACE]
            proxy.clear()
            proxy.rule = _after_the_first_write()
            desk.apply(session, plan)
        (renamed,) = [row for row in stage.rows() if row.name.startswith(f"{name}-replaced-")]
        assert renamed.ours

    return kill


def _after_the_first_write() -> Rule:
    """The process ends there: nothing more goes through."""
    written = False

    def rule(_number: int, method: str, _target: str) -> Fault | None:
        nonlocal written
        fault = Fault(Kind.RESET) if written else None
        written = written or method == "PUT"
        return fault

    return rule


def _edit(stage: Stage, change: Callable[[dict[str, Any]], None]) -> None:
    """Edit the asset `train` of the whole tenant as the web UI would."""
    (asset,) = [
        item
        for item in assets(stage)
        if (item["meta"]["name"], item["meta"]["scope"]) == ("train", "tenant")
    ]
    meta = {name: asset["meta"][name] for name in ("name", "description")}
    body = {"meta": meta, "spec": asset["spec"]}
    change(body)
    call(stage, "PUT", f"/api/v1/asset/environment/{asset['meta']['id']}", body)


def without_mark(stage: Stage, _desk: Desk) -> None:
    """Somebody has edited our mark away."""
    _edit(stage, lambda body: body["meta"].update(description="Hi"))


def unknown_field(stage: Stage, _desk: Desk) -> None:
    """A newer web UI has set a field that we do not know."""
    _edit(stage, lambda body: body["spec"].update(fromTheFuture=1))


TRAIN = "RunaiEnvironment.train"
BOX = "RunaiCompute.train"
LAG = Behaviour(visibility_lag=0.02)

_tenant = environment(scope="tenant", description="Training")
_cluster = environment(scope="cluster", description="Training")

_SCENARIOS: dict[str, Scenario] = {
    "create": Scenario([], [_tenant], {TRAIN: "create"}),
    "create with compute": Scenario(
        [], [environment(compute=GPU)], {BOX: "create", TRAIN: "create"}
    ),
    "create with lag": Scenario(
        [], [environment(compute=GPU)], {BOX: "create", TRAIN: "create"}, behaviour=LAG
    ),
    "create a secret": Scenario(
        [],
        [environment(scope="tenant", environment_variables={"TOKEN": {"env": "LAW_TOKEN"}})],
        {TRAIN: "create"},
    ),
    "update": Scenario(
        [_tenant], [environment(scope="tenant", image="busybox:2")], {TRAIN: "update"}
    ),
    "update of what has types": Scenario(
        [environment(scope="tenant", workload_types=TYPES_A)],
        [environment(scope="tenant", image="busybox:2")],
        {TRAIN: "update"},
    ),
    "update of what has unknown fields": Scenario(
        [_tenant],
        [environment(scope="tenant", image="busybox:2")],
        {TRAIN: "update"},
        tamper=unknown_field,
        behaviour=Behaviour(unknown_fields="keep"),
    ),
    "rename": Scenario(
        [environment(scope="tenant", metadata={"id": "train"})],
        [environment("renamed", scope="tenant", metadata={"id": "train"})],
        {TRAIN: "update"},
        [("environment", "train", "renamed")],
    ),
    "move to another id": Scenario(
        [_tenant],
        [environment(scope="tenant", metadata={"id": "new", "moved_from": "train"})],
        {"RunaiEnvironment.new": "update"},
        [("environment", "train", "train")],
    ),
    "replace by scope": Scenario(
        [_tenant], [_cluster], {TRAIN: "replace"}, [("environment", "train", "train")]
    ),
    "replace by scope with lag": Scenario(
        [_tenant],
        [_cluster],
        {TRAIN: "replace"},
        [("environment", "train", "train")],
        behaviour=LAG,
    ),
    "replace by workload types": Scenario(
        [environment(scope="tenant", workload_types=TYPES_A)],
        [environment(scope="tenant", workload_types=TYPES_B)],
        {TRAIN: "replace"},
        [("environment", "train", "train")],
    ),
    "replace with a rename": Scenario(
        [environment(scope="tenant", metadata={"id": "train"})],
        [environment("renamed", scope="cluster", metadata={"id": "train"})],
        {TRAIN: "replace"},
        [("environment", "train", "renamed")],
    ),
    "replace with compute": Scenario(
        [environment("both", scope="tenant", compute=GPU)],
        [environment("both", scope="cluster", compute=GPU)],
        {"RunaiCompute.both": "replace", "RunaiEnvironment.both": "replace"},
        [("environment", "both", "both"), ("compute", "both", "both")],
    ),
    "replace what was protected": Scenario(
        [environment(scope="tenant", metadata={"protect": True})],
        [_cluster],
        {TRAIN: "replace"},
        [("environment", "train", "train")],
    ),
    "delete": Scenario([_tenant, compute()], [], {TRAIN: "delete", "RunaiCompute.box": "delete"}),
    "delete with lag": Scenario([_tenant], [], {TRAIN: "delete"}, behaviour=LAG),
    "adopt": Scenario(
        [],
        [environment(scope="tenant")],
        {TRAIN: "adopt"},
        tamper=unowned("train", {"image": "busybox:1"}),
    ),
    "adopt and change": Scenario(
        [],
        [environment(scope="tenant", metadata={"adopt": True})],
        {TRAIN: "adopt"},
        tamper=unowned("train", {"image": "busybox:9", "command": "sh"}),
    ),
    "take back what lost its mark": Scenario(
        [_tenant],
        [environment(scope="tenant", metadata={"adopt": True})],
        {TRAIN: "adopt"},
        tamper=without_mark,
    ),
    "protect": Scenario(
        [_tenant],
        [environment(scope="tenant", description="Training", metadata={"protect": True})],
        {TRAIN: "update"},
    ),
    "mixed": Scenario(
        [
            environment("old", scope="tenant"),
            environment("edited", scope="tenant", compute={**GPU, "cpu_cores": 2}),
            _tenant,
            compute(),
        ],
        [
            environment("new", scope="tenant", compute=GPU),
            environment("edited", scope="tenant", compute=GPU, image="busybox:2"),
            _cluster,
        ],
        {
            "RunaiCompute.box": "delete",
            "RunaiCompute.edited": "update",
            "RunaiCompute.new": "create",
            "RunaiEnvironment.edited": "update",
            "RunaiEnvironment.new": "create",
            "RunaiEnvironment.old": "delete",
            TRAIN: "replace",
        },
        [("environment", "train", "train"), ("environment", "edited", "edited")],
    ),
    "go on with a replacement": Scenario(
        [_tenant],
        [_cluster],
        {TRAIN: "create", f"{TRAIN} (deposed)": "delete"},
        [("environment", "train", "train")],
        tamper=interrupted([_cluster], "train"),
    ),
    "go back on a replacement": Scenario(
        [_tenant],
        [_tenant],
        {TRAIN: "create", f"{TRAIN} (deposed)": "delete"},
        [("environment", "train", "train")],
        tamper=interrupted([_cluster], "train"),
    ),
}

# Each with one version, so that all of them are met in turn.
SCENARIOS = {
    name: replace(scenario, behaviour=replace(scenario.behaviour, version=version))
    for (name, scenario), version in zip(_SCENARIOS.items(), cycle(SPREAD), strict=False)
}
