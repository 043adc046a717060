"""Two sessions of one stack that meet, and lists that do not show what is there."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.mark import Written
from reconciler.core.outcome import Outcome, Status
from reconciler.core.ownership import desired_mark
from reconciler.core.plan import Action, Change, Plan
from reconciler.core.resource import (
    LiveResource,
    Resource,
)
from reconciler.errors import ConflictError, NotConvergedError, ProviderError
from reconciler.git.head import Provenance
from reconciler.kinds.environment import RunaiEnvironment
from reconciler.providers.runai import RunaiSystem
from reconciler.providers.runai.assets import AssetProvider
from reconciler.providers.runai.backoff import Patience
from reconciler.providers.runai.confirm import DoubledError, Rules, settle
from reconciler.render.summary import apply_line
from tests.acceptance.live_side import call
from tests.acceptance.project import environment
from tests.faults.proxy import Fault, FaultProxy, Kind
from tests.laws.stage import Desk, Stage
from tests.providers.runai.worlds import STACK, World, target, wanted

ASSETS = "/api/v1/asset/environment"


def session(made: World) -> AssetProvider:
    """A process of the stack, which waits for little."""
    provider = RunaiSystem(target(made.proxy.base_url, timeout=0.3), made.login).providers[-1]
    assert isinstance(provider, AssetProvider)
    return provider


def creation(made: World, **spec: Any) -> Change:
    (bound,) = made.environments.resolve([wanted(**spec)])
    return Change(bound.key, Action.CREATE, bound)


Made = tuple[AssetProvider, Change, str]


@pytest.fixture
def both(plain: World) -> list[Made]:
    """Two commits that differ in scope have both made theirs: who, what and its id, in order."""
    meeting = threading.Barrier(2, timeout=60)

    def rule(_number: int, method: str, target: str) -> Fault | None:
        if method == "POST" and target == ASSETS:
            meeting.wait()
        return None

    found: list[Made] = []

    def write(change: Change) -> None:
        provider = session(plain)
        found.append((provider, change, provider.write(change, print)))

    changes = [creation(plain), creation(plain, scope="cluster")]
    plain.proxy.rule = rule
    threads = [threading.Thread(target=write, args=(change,)) for change in changes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    plain.proxy.rule = None
    order = {item.uid: item.created_at or "" for item in plain.environments.read()}
    assert len(order) == 2
    return sorted(found, key=lambda item: order[item[2]])


def confirm(made: Made) -> ProviderError | None:
    provider, change, uid = made
    return provider.settle([change], {change.address: uid}).get(change.address)


def test_who_created_second_takes_it_back(plain: World, both: list[Made]) -> None:
    first, second = both
    fault = confirm(second)
    assert isinstance(fault, ConflictError)
    assert f"another object bears the same mark: train in {_scope(first)}" in fault.what
    assert "somebody applied at the same time, and what was written here was taken back" in str(
        fault
    )
    assert confirm(first) is None
    assert [item.uid for item in plain.environments.read()] == [first[2]]


def test_who_came_first_fails_as_long_as_the_other_one_stays(
    plain: World, both: list[Made]
) -> None:
    fault = confirm(both[0])
    assert isinstance(fault, NotConvergedError)
    assert f"another object bears the same mark: train in {_scope(both[1])}" in fault.what
    assert len(plain.names()) == 2


def test_what_somebody_has_edited_since_is_not_taken_back(plain: World, both: list[Made]) -> None:
    live = plain.live(both[1][2])
    body = {
        "meta": {name: live.raw["meta"][name] for name in ("name", "description")},
        "spec": live.raw["spec"] | {"image": "by-hand"},
    }

    def edit(_number: int, method: str, target: str) -> Fault | None:
        if method == "GET" and target == f"{ASSETS}/{live.uid}":
            plain.call("PUT", f"{ASSETS}/{live.uid}", body)
        return None

    plain.proxy.rule = edit
    fault = confirm(both[1])
    assert fault is not None
    assert "taking back what was written here failed: train" in fault.what
    assert "it was changed since it was made" in fault.what
    assert plain.live(live.uid).spec["image"] == "by-hand"


def _scope(made: Made) -> str:
    assert made[1].desired is not None
    spec = made[1].desired.spec
    return f"{spec['scope']} {spec.get('scope_id', '')}".strip()


def test_who_takes_over_an_object_too_late_gives_it_back(plain: World) -> None:
    body = {
        "meta": {"name": "train", "scope": "cluster", "description": "Theirs"},
        "spec": {"image": "busybox:9"},
    }
    cluster = creation(plain, scope="cluster")
    assert cluster.desired is not None
    body["meta"]["clusterId"] = cluster.desired.spec["scope_id"]
    theirs = plain.live(plain.call("POST", ASSETS, body)["meta"]["id"])
    adoption = replace(cluster, action=Action.ADOPT, live=theirs)
    made = plain.create(wanted())
    provider = session(plain)
    uid = provider.write(adoption, print)
    assert plain.live(uid).mark == made.mark
    fault = confirm((provider, adoption, uid))
    assert fault is not None
    assert "was taken back" in fault.what
    back = plain.live(uid)
    assert (back.spec, back.mark) == (theirs.spec, None)
    assert plain.live(made.uid) == made


def twins(first: str | None, second: str | None) -> list[LiveResource]:
    found = []
    for uid, moment, scope in (("u1", first, "tenant"), ("u2", second, "cluster")):
        made = wanted(scope=scope)
        mark = desired_mark(made, STACK)
        item = LiveResource(made.key.kind, uid, made.name, made.spec, mark)
        found.append(replace(item, created_at=moment, updated_at=moment))
    return found


def judged(resource: Resource, uid: str, live: Sequence[LiveResource], **rules: Any) -> Any:
    made = {"origin": Provenance, "patience": Patience(0), **rules}
    change = Change(resource.key, Action.CREATE, resource)
    found = settle(
        [change], {change.address: uid}, lambda: live, Rules(STACK, RunaiEnvironment(), **made)
    )
    return found.get(change.address)


@pytest.mark.parametrize(
    ("first", "second", "stays"),
    [
        ("2026-11-29T10:00:00Z", "2026-11-29T10:00:00.5Z", True),
        ("2026-11-29T10:00:00Z", "2026-11-29T10:00:00Z", False),
        ("2026-11-29T10:00:01Z", "2026-11-29T10:00:00Z", False),
        (None, "2026-11-29T10:00:00Z", False),
        ("2026-11-29T10:00:00Z", None, True),
        (None, None, False),
        ("yesterday", "2026-11-29T10:00:00Z", False),
    ],
)
def test_only_who_came_first_for_sure_stays(first: str, second: str, stays: bool) -> None:
    fault = judged(wanted(), "u1", twins(first, second))
    assert isinstance(fault, NotConvergedError)
    assert isinstance(fault, DoubledError) is not stays


@pytest.mark.parametrize("repository", ["", "abcdefgh"])
def test_what_another_repository_has_marked_is_no_double(repository: str) -> None:
    one, two = twins("2026-11-29T10:00:01Z", "2026-11-29T10:00:00Z")
    assert two.mark is not None
    two = replace(two, mark=replace(two.mark, written=Written("another2", "0123456789")))
    origin = Provenance(written=Written(repository, "0123456789"))
    assert judged(wanted(), "u1", [one, two], origin=lambda: origin) is None
    assert two.mark is not None
    ours = replace(two, mark=replace(two.mark, written=origin.written))
    assert judged(wanted(), "u1", [one, ours], origin=lambda: origin) is not None


def test_a_create_is_preceded_by_a_look(plain: World) -> None:
    live = plain.create(wanted())
    plain.proxy.clear()
    with pytest.raises(ConflictError, match="an object with its mark is there already: train in t"):
        session(plain).write(creation(plain, scope="cluster"), print)
    assert plain.proxy.count("POST", ASSETS) == 0
    assert session(plain).write(creation(plain), print) == live.uid, "it is as wanted"
    assert plain.proxy.count("POST", ASSETS) == 0


def test_creates_share_the_list_before_them(plain: World) -> None:
    provider = session(plain)
    changes = [creation(plain, id=f"e{number}", name=f"e{number}") for number in range(5)]
    plain.proxy.clear()
    for change in changes:
        provider.write(change, print)
    assert (plain.proxy.count("GET", ASSETS), plain.proxy.count("POST", ASSETS)) == (1, 5)


def test_entries_of_one_id_are_one(plain: World) -> None:
    live = plain.create(wanted())
    entries = plain.call("GET", ASSETS)["entries"]
    body = {"entries": [*entries, *entries]}
    plain.proxy.rule = lambda *_: Fault(Kind.BODY, status=200, body=body)
    assert plain.environments.read() == [live]


TENANT = environment(scope="tenant")
CLUSTER = environment(scope="cluster")


class Applying:
    """A directory of manifests, a control plane, and a proxy between."""

    def __init__(self, desk: Desk, proxy: FaultProxy) -> None:
        self.desk, self.proxy, self.stage = desk, proxy, desk.stage

    def apply(
        self, rule: Callable[[str, str], Fault | None], plan_rule: Any = None
    ) -> tuple[Plan, tuple[Outcome, ...]]:
        with self.desk.session(self.proxy.base_url) as opened:
            self.proxy.rule = plan_rule
            plan = self.desk.plan(opened)
            self.proxy.rule = lambda _number, method, path: rule(method, path)
            outcomes = self.desk.apply(opened, plan)
        self.proxy.rule = None
        return plan, outcomes

    def names(self) -> list[str]:
        return sorted(row.name for row in self.stage.rows())


@pytest.fixture
def applying(tmp_path: Path) -> Iterator[Applying]:
    with Stage(tmp_path) as stage, FaultProxy(stage.endpoint.base_url) as proxy:
        desk = Desk(stage, tmp_path / "desk", patience=0.2)
        desk.configure(guards={"max_delete_percent": 100})
        desk.write([TENANT])
        desk.converge()
        desk.write([CLUSTER])
        yield Applying(desk, proxy)


LOST = [
    Fault(Kind.RESET, after=True),
    Fault(Kind.STATUS, status=409, after=True),  # a gateway has sent it twice
    Fault(Kind.HTML, status=502, after=True),
]
BLIND = [Fault(Kind.HTML, status=200), Fault(Kind.HTML, status=502), Fault(Kind.RESET)]


@pytest.mark.parametrize("blind", BLIND, ids=lambda fault: f"{fault.kind}-{fault.status}")
@pytest.mark.parametrize("lost", LOST, ids=lambda fault: f"{fault.kind}-{fault.status}")
def test_nothing_is_renamed_back_where_the_new_one_may_be_there(
    applying: Applying, lost: Fault, blind: Fault
) -> None:
    created = False

    def rule(method: str, _path: str) -> Fault | None:
        nonlocal created
        if method == "POST":
            created = True
            return lost
        return blind if created else None

    _, (outcome,) = applying.apply(rule)
    assert outcome.status is Status.UNKNOWN
    assert "looking for it failed" in outcome.message
    assert lost.status == 409 or outcome.message.startswith("sent, but the answer was lost: POST ")
    assert apply_line([outcome], 0).startswith(
        "Apply incomplete: 0 of 1 changes applied, 1 unknown."
    )
    (new, old) = applying.names()
    assert (new, old.partition("-replaced-")[0]) == ("train", "train")
    applying.desk.converge()
    assert applying.names() == ["train"]


def lists(path: str) -> bool:
    return path.startswith(ASSETS) and not path.startswith(f"{ASSETS}/") and "name=" not in path


EMPTY = Fault(Kind.BODY, status=200, body={"entries": []})


def behind(looks: int) -> Callable[[str, str], Fault | None]:
    """This many lists of environments come from a replica that has none yet."""
    left = [EMPTY] * looks
    return lambda method, path: left.pop() if left and method == "GET" and lists(path) else None


@pytest.mark.parametrize("looks", [0, 1])
def test_a_list_that_lacks_an_object_makes_no_second_one(applying: Applying, looks: int) -> None:
    before = applying.stage.rows()
    late = behind(1)
    plan, (outcome,) = applying.apply(
        behind(looks), lambda _number, method, path: late(method, path)
    )
    assert [change.action for change in plan.pending] == [Action.CREATE]
    assert outcome.status is Status.FAILED
    words = "another object bears the same mark" if looks else "with its mark is there already"
    assert words in outcome.message
    assert applying.stage.rows() == before
    applying.desk.converge()
    assert applying.names() == ["train"]


def test_an_old_object_that_is_back_in_its_place_is_kept(applying: Applying) -> None:
    """Somebody saves a form that was opened before: our new one is then one too many."""
    (row,) = applying.stage.rows()
    asset = call(applying.stage, "GET", f"{ASSETS}/{row.id}")
    body = {
        "meta": {name: asset["meta"][name] for name in ("name", "description")},
        "spec": {"image": "by-hand"},
    }
    created = False

    def rule(method: str, path: str) -> Fault | None:
        nonlocal created
        created = created or method == "POST"
        if created and method == "GET" and path == f"{ASSETS}/{row.id}":
            call(applying.stage, "PUT", path, body)
        return None

    _, (outcome,) = applying.apply(rule)
    assert outcome.status is Status.FAILED
    assert "another object bears the same mark" in outcome.message
    assert "was taken back" in outcome.message
    assert [item.id for item in applying.stage.rows()] == [row.id]
    applying.desk.converge()


def test_a_refused_create_leaves_what_others_have_made_meanwhile(applying: Applying) -> None:
    """The new one is refused, and another process has made it: the old one is not renamed back."""
    other = Desk(applying.stage, applying.desk.directory / "other")
    other.write([environment(scope="project", scope_id="team-a")])

    def rule(method: str, _path: str) -> Fault | None:
        if method == "POST":
            other.converge()
            return Fault(Kind.STATUS, status=400)
        return None

    _, (outcome,) = applying.apply(rule)
    assert outcome.status is Status.UNKNOWN
    assert "could not be renamed back: an object with its mark is there already" in outcome.message
    assert applying.names() == ["train"]
