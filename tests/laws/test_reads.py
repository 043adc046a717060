"""Law 5: a read that fails, is cut short or is not understood never leads to a delete or a create.

Every read request of a plan meets every fault, once and for good. The plan is then the one that an
undisturbed run makes, or it is incomplete, without any change of the kinds that could not be read.
"""

import copy
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cli.main import run
from reconciler.cli.output import plan_exit_code
from reconciler.cli.place import ExitCode
from reconciler.core.plan import Plan
from reconciler.errors import ReconcileError
from reconciler.kinds.registry import ASSET_KINDS
from tests.acceptance.live_side import call, create_live
from tests.acceptance.project import environment
from tests.faults.proxy import Fault, FaultProxy, Kind
from tests.laws.scenarios import compute
from tests.laws.stage import Desk, Stage

pytestmark = pytest.mark.slow

SEED = """
clusters:
  - name: main
    departments: [{name: default, projects: [team-a, {name: team-b, id: 33}]}]
credentials:
  - {name: hub, type: generic-secret, scope: tenant, keys: [TOKEN]}
"""
READS = {
    "login": "/api/v2/token",
    "clusters": "/api/v1/clusters",
    "departments": "/api/v1/org-unit/departments",
    "projects": "/api/v1/org-unit/projects",
    "credentials": "/api/v1/asset/credentials",
    "compute": "/api/v1/asset/compute",
    "environments": "/api/v1/asset/environment",
    "data sources": "/api/v1/asset/datasource",
    "usage of data sources": "/api/v1/asset/datasource?usageInfo",
    "usage of compute": "/api/v1/asset/compute?usageInfo",
    "usage of environments": "/api/v1/asset/environment?usageInfo",
}
OTHER_WAYS = {
    "/api/v1/token": READS["login"],
    "/api/v1/clusters/minimal": READS["clusters"],
}
"""What is asked where the first is refused or not known."""
FAULTS = {
    "reset": Fault(Kind.RESET),
    "closed": Fault(Kind.CLOSE),
    "cut": Fault(Kind.CUT),
    "cut, length unknown": Fault(Kind.CUT_UNKNOWN_LENGTH),
    "500": Fault(Kind.STATUS, status=500),
    "503": Fault(Kind.STATUS, status=503),
    "429": Fault(Kind.STATUS, status=429),
    "401": Fault(Kind.STATUS, status=401),
    "403": Fault(Kind.STATUS, status=403),
    "404": Fault(Kind.STATUS, status=404),
    "page": Fault(Kind.HTML, status=200),
    "page with 502": Fault(Kind.HTML, status=502),
    "redirect": Fault(Kind.REDIRECT),
    "empty": Fault(Kind.BODY, status=200, body={}),
    "null": Fault(Kind.BODY, status=200, body=None),
    "text": Fault(Kind.BODY, status=200, body="text"),
    "number": Fault(Kind.BODY, status=200, body=7),
    "list of nulls": Fault(Kind.BODY, status=200, body=[None]),
    "list of texts": Fault(Kind.BODY, status=200, body=["a"]),
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("stage")
    (directory / "seed.yaml").write_text(SEED)
    with Stage(directory, directory / "seed.yaml") as made:
        yield made


def nfs(name: str, **spec: Any) -> dict[str, Any]:
    """A RunaiNfsDataSource document."""
    head = {"apiVersion": "reconciler/v1", "kind": "RunaiNfsDataSource"}
    where = {"server": "nfs", "path": "/e", "mount_path": "/m"}
    return {**head, "metadata": {"name": name}, "spec": {"scope": "tenant", **where, **spec}}


@pytest.fixture(scope="module")
def desk(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A plan with every action, for which every list is read."""
    made = Desk(stage, tmp_path_factory.mktemp("desk"))
    credential = {"T": {"credential": {"name": "hub", "key": "TOKEN"}}}
    stay = [
        environment("in-cluster", environment_variables=credential, compute={"cpu_cores": 1}),
        environment("in-department", scope="department", scope_id="default"),
        environment("in-project", scope="project", scope_id="team-b"),
        compute("stays"),
    ]
    stay += [nfs("stays"), nfs("in-project-too", scope="project", scope_id="team-b")]
    changing = environment("changing", scope="tenant")
    gone = [environment("gone", scope="tenant"), compute("gone"), nfs("gone")]
    made.write([*stay, changing, *gone])
    made.converge()
    create_live(stage, "theirs", {"image": "theirs"})
    made.write([*stay, {**changing, "spec": {**changing["spec"], "command": "x"}}, environment()])
    return made


@pytest.fixture(scope="module")
def proxy(stage: Stage) -> Iterator[FaultProxy]:
    with FaultProxy(stage.endpoint.base_url) as made:
        yield made


@dataclass(frozen=True)
class Reading:
    """A desk that reads through a proxy, and its plan without any fault."""

    desk: Desk
    proxy: FaultProxy
    undisturbed: Plan


@pytest.fixture(scope="module")
def reading(desk: Desk, proxy: FaultProxy, undisturbed: Plan) -> Reading:
    return Reading(desk, proxy, undisturbed)


@pytest.fixture(scope="module")
def undisturbed(desk: Desk) -> Plan:
    with desk.session() as session:
        plan = desk.plan(session)
    assert not plan.failures
    assert {item.action.value for item in plan.pending} == {"create", "update", "delete"}
    return plan


def strike(read: str, fault: Fault, times: int) -> Callable[[int, str, str], Fault | None]:
    """The fault for the first `times` requests that read this, in any way that there is to."""
    path, _, query = READS[read].partition("?")
    left = [times]

    def rule(_number: int, _method: str, target: str) -> Fault | None:
        asked, _, options = target.partition("?")
        if (
            OTHER_WAYS.get(asked, asked) != path
            or ("usageInfo" in options) != bool(query)
            or not left[0]
        ):
            return None
        left[0] -= 1
        return fault

    return rule


def judge(reading: Reading) -> None:
    """Make a plan through the proxy: the same as ever, or none for what was not read."""
    desk, proxy, undisturbed = reading.desk, reading.proxy, reading.undisturbed
    desk.stage.server.requests.clear()
    desk.stage.forget_logins()
    try:
        with desk.session(proxy.base_url) as session:
            plan = desk.plan(session)
    except ReconcileError:
        return  # the command line prints it and ends with 1
    finally:
        proxy.rule = None
    assert not desk.stage.server.requests.writes()
    if not plan.failures:
        assert plan.digest() == undisturbed.digest()
        return
    unread = {kind for failure in plan.failures for kind in failure.kinds}
    assert unread
    assert not [item.address for item in plan.changes if item.key.kind in unread]
    expected = [item for item in undisturbed.changes if item.key.kind not in unread]
    assert [(item.address, item.action) for item in plan.changes] == [
        (item.address, item.action) for item in expected
    ]
    assert plan_exit_code(plan, detailed=True) is ExitCode.ERROR


@pytest.mark.parametrize("times", [1, 1000], ids=["once", "for good"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("read", READS)
def test_every_read_meets_every_fault(reading: Reading, read: str, fault: str, times: int) -> None:
    reading.proxy.clear()
    reading.proxy.rule = strike(read, FAULTS[fault], times)
    judge(reading)
    assert any(READS[read].partition("?")[0] == item.path for item in reading.proxy.seen)


def without(*path: str) -> Callable[[dict[str, Any]], None]:
    def change(entry: dict[str, Any]) -> None:
        for name in path[:-1]:
            entry = entry[name]
        del entry[path[-1]]

    return change


def having(value: Any, *path: str) -> Callable[[dict[str, Any]], None]:
    def change(entry: dict[str, Any]) -> None:
        for name in path[:-1]:
            entry = entry[name]
        entry[path[-1]] = value

    return change


KIND_OF = {
    "environments": "RunaiEnvironment",
    "compute": "RunaiCompute",
    "data sources": "RunaiNfsDataSource",
}
BROKEN_ASSETS: dict[str, Callable[[dict[str, Any]], None]] = {
    "no meta": without("meta"),
    "meta is null": having(None, "meta"),
    "meta is a list": having([], "meta"),
    "no id": without("meta", "id"),
    "id is null": having(None, "meta", "id"),
    "id is empty": having("", "meta", "id"),
    "id is a number": having(7, "meta", "id"),
    "no name": without("meta", "name"),
    "name is null": having(None, "meta", "name"),
    "name is empty": having("", "meta", "name"),
    "name is a number": having(7, "meta", "name"),
    "name is a mapping": having({}, "meta", "name"),
    "no scope": without("meta", "scope"),
    "scope is null": having(None, "meta", "scope"),
    "scope is a list": having([], "meta", "scope"),
    "no scope id": without("meta", "projectId"),
    "scope id is null": having(None, "meta", "projectId"),
    "scope id is a mapping": having({}, "meta", "projectId"),
    "description is a number": having(7, "meta", "description"),
    "description is a list": having(["x"], "meta", "description"),
    "workload types are text": having("training", "meta", "workloadSupportedTypes"),
    "no spec": without("spec"),
    "spec is a list": having([1], "spec"),
    "spec is text": having("x", "spec"),
}


@pytest.mark.parametrize("broken", BROKEN_ASSETS)
@pytest.mark.parametrize("read", ["environments", "compute", "data sources"])
def test_assets_of_a_wrong_form_are_errors(reading: Reading, read: str, broken: str) -> None:
    """One of the assets is not what the documentation says: nothing of this kind is planned."""
    desk, proxy = reading.desk, reading.proxy
    path = READS[read]
    entries = call(desk.stage, "GET", path)["entries"]
    name = {"environments": "in-project", "compute": "stays"}.get(read, "in-project-too")
    if "scope id" in broken and read == "compute":
        entries[-1]["meta"] |= {"scope": "project", "projectId": 33}
        name = entries[-1]["meta"]["name"]
    (chosen,) = [entry for entry in entries if entry["meta"]["name"] == name]
    BROKEN_ASSETS[broken](chosen)
    proxy.rule = strike(read, Fault(Kind.BODY, status=200, body={"entries": entries}), 1000)
    with desk.session(proxy.base_url) as session:
        plan = desk.plan(session)
    proxy.rule = None
    assert plan.failures, plan.changes
    unread = {kind for failure in plan.failures for kind in failure.kinds}
    assert unread <= {kind.traits.name for kind in ASSET_KINDS if kind.listing.path == path}
    assert KIND_OF[read] in unread
    assert not [item for item in plan.changes if item.key.kind in unread]


WRONG_LISTS: Mapping[str, Any] = {
    "missing": {},
    "null": {"*": None},
    "a mapping": {"*": {}},
    "a text": {"*": "x"},
    "of nulls": {"*": [None]},
    "of texts": {"*": ["x"]},
    "of lists": {"*": [[]]},
    "of nothings": {"*": [{}]},
}


@pytest.mark.parametrize("wrong", WRONG_LISTS)
@pytest.mark.parametrize(
    ("read", "field"),
    [
        ("environments", "entries"),
        ("compute", "entries"),
        ("data sources", "entries"),
        ("usage of data sources", "entries"),
        ("usage of environments", "entries"),
        ("usage of compute", "entries"),
        ("credentials", "entries"),
        ("projects", "projects"),
        ("departments", "departments"),
    ],
)
def test_lists_of_a_wrong_form_are_errors(
    reading: Reading, read: str, field: str, wrong: str
) -> None:
    body = {name.replace("*", field): copy.deepcopy(v) for name, v in WRONG_LISTS[wrong].items()}
    reading.proxy.rule = strike(read, Fault(Kind.BODY, status=200, body=body), 1000)
    judge(reading)


@pytest.mark.parametrize("used_by", [7, "x", [1], {"workspaces": 7}, {"workspaces": [{}]}])
def test_usage_of_a_wrong_form_is_an_error(reading: Reading, used_by: Any) -> None:
    entries = call(reading.desk.stage, "GET", f"{READS['environments']}?usageInfo=true")["entries"]
    for entry in entries:
        entry["usedBy"] = used_by
    body = {"entries": entries}
    reading.proxy.rule = strike(
        "usage of environments", Fault(Kind.BODY, status=200, body=body), 1000
    )
    judge(reading)


@pytest.mark.parametrize("page", [{"next": "x"}, {"next": -1}, {"next": [1]}, {"next": 1.5}])
def test_pages_that_do_not_advance_are_errors(reading: Reading, page: dict[str, Any]) -> None:
    projects = call(reading.desk.stage, "GET", READS["projects"])["projects"]
    body = {"projects": projects, **page}
    reading.proxy.rule = strike("projects", Fault(Kind.BODY, status=200, body=body), 1000)
    judge(reading)


@pytest.fixture
def config_file(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration whose target is behind the proxy."""
    endpoint, directory = reading.desk.stage.endpoint, reading.desk.directory
    monkeypatch.setenv("LAW_SECRET", endpoint.client_secret.get_secret_value())
    login = {"client_id": endpoint.client_id, "client_secret": {"env": "LAW_SECRET"}}
    config = yaml.safe_load((directory / "reconciler.yaml").read_text())
    config["targets"]["live"] = {"runai": {"base_url": reading.proxy.base_url, **login}}
    file = directory / "through-proxy.yaml"
    file.write_text(yaml.safe_dump(config))
    return file


@pytest.mark.parametrize(
    "case",
    list(itertools.product(["plan", "apply"], READS, ["page", "403", "empty", "list of nulls"])),
    ids="-".join,
)
def test_the_command_line_ends_with_1_and_writes_nothing(
    reading: Reading,
    config_file: Path,
    capsys: pytest.CaptureFixture[str],
    case: tuple[str, str, str],
) -> None:
    command, read, fault = case
    desk, proxy = reading.desk, reading.proxy
    proxy.rule = strike(read, FAULTS[fault], 1000)
    desk.stage.server.requests.clear()
    before = desk.stage.rows()
    options = ["-o", "json"] if command == "plan" else ["--apply"]
    try:
        code = run(["-C", str(desk.directory), "--config", str(config_file), command, *options])
    finally:
        proxy.rule = None
    captured = capsys.readouterr()
    assert code == ExitCode.ERROR, captured.out
    assert "Traceback" not in captured.err
    assert not desk.stage.server.requests.writes()
    assert desk.stage.rows() == before
    if command == "plan" and captured.out:
        assert json.loads(captured.out)["complete"] is False
