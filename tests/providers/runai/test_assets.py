"""Reading, usage, settling: one list for any number of assets, whatever the server does."""

from pathlib import Path
from typing import Any

import pytest

from reconciler.core.plan import Action, Change
from reconciler.errors import AccessError, UnreachableError
from reconciler.sandbox import Behaviour
from tests.faults.proxy import Fault, Kind
from tests.providers.runai.worlds import World, wanted, world

BEHAVIOURS = {
    "plain": Behaviour(),
    "filled": Behaviour(fill_defaults=True, absent="null"),
    "empty": Behaviour(absent="empty"),
    "lag": Behaviour(visibility_lag=0.3),
    "partial": Behaviour(name_filter="partial"),
    "keep": Behaviour(unknown_fields="keep"),
    "reject": Behaviour(unknown_fields="reject"),
    "refuse": Behaviour(unfiltered_list="refuse"),
}
SPECS: list[dict[str, Any]] = [
    {},
    {"scope": "cluster"},
    {"scope": "department", "scope_id": "default"},
    {"scope": "project", "scope_id": "team-a"},
    {"scope": "project", "scope_id": "team-b", "workload_types": {"training": True}},
]


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_the_life_of_assets_in_every_scope(tmp_path: Path, name: str) -> None:
    with world(tmp_path, BEHAVIOURS[name]) as made:
        provider = made.environments
        resources = provider.resolve(
            [wanted(f"e{i}", image="busybox:1", **spec) for i, spec in enumerate(SPECS)]
        )
        creates = [Change(item.key, Action.CREATE, item) for item in resources]
        uids = {change.address: provider.write(change, print) for change in creates}
        assert provider.settle(creates, uids) == {}
        live = {item.uid: item for item in provider.read()}
        assert {uid: live[uid].spec for uid in uids.values()} == {
            uids[item.key.address]: item.spec for item in resources
        }
        changed = provider.resolve(
            [
                wanted(f"e{i}", image="busybox", command="python", **spec)
                for i, spec in enumerate(SPECS)
            ]
        )
        updates = [
            Change(item.key, Action.UPDATE, item, live[uids[item.key.address]]) for item in changed
        ]
        for change in updates:
            provider.write(change, print)
        assert provider.settle(updates, uids) == {}
        deletes = [
            Change(item.key, Action.DELETE, live=live[uids[item.key.address]]) for item in changed
        ]
        for change in deletes:
            provider.write(change, print)
        assert provider.settle(deletes, uids) == {}
        assert made.names() == []


def test_built_in_assets_are_never_seen(plain: World) -> None:
    assert plain.call("GET", "/api/v1/asset/environment")["entries"]
    assert plain.environments.read() == []


def test_a_list_is_one_request_for_any_number(plain: World) -> None:
    plain.names()
    counts = []
    for number in (1, 30):
        for index in range(number):
            body = {
                "meta": {"name": f"n{number}-{index}", "scope": "tenant"},
                "spec": {"image": "busybox:1"},
            }
            plain.call("POST", "/api/v1/asset/environment", body)
        plain.proxy.clear()
        plain.environments.read()
        counts.append(len(plain.proxy.seen))
    assert counts == [1, 1]


def test_scope_by_scope_where_a_plain_list_is_refused(tmp_path: Path) -> None:
    with world(tmp_path, Behaviour(unfiltered_list="refuse")) as made:
        for index, spec in enumerate(SPECS):
            made.create(wanted(f"e{index}", **spec))
        made.proxy.clear()
        assert made.names() == [f"e{index}" for index in range(len(SPECS))]
        queries = [item.query for item in made.proxy.seen]
        assert queries[:2] == ["", "scope=tenant"]
        assert "includeDescendants=true" in queries[-1]
        made.proxy.rule = lambda number, method, path: (
            Fault(Kind.STATUS, status=400) if "includeDescendants" in path else None
        )
        assert made.names() == [f"e{index}" for index in range(len(SPECS))]
        made.proxy.rule = lambda number, method, path: (
            Fault(Kind.STATUS, status=403) if "scope=tenant" in path else None
        )
        with pytest.raises(AccessError):
            made.environments.read()


def test_a_failed_read_is_an_error(plain: World) -> None:
    plain.names()
    plain.proxy.rule = lambda *_: Fault(Kind.STATUS, status=503)
    with pytest.raises(UnreachableError):
        plain.environments.read()


SEED = """
clusters: [{name: main, departments: [{name: default, projects: [team-a]}]}]
usage:
  - kind: environment
    name: train
    workspaces: [{name: w-2}, {name: w-1, status: Stopped}]
    trainings: [t]
    distributed: [d]
    inferences: [i]
    templates: [starter]
"""


def test_usage_in_words(tmp_path: Path) -> None:
    with world(tmp_path, seed=SEED) as made:
        used, unused = made.create(wanted()), made.create(wanted("idle"))
        made.proxy.clear()
        assert made.environments.usage([used, unused]) == {
            used.uid: (
                "workspace w-1 (Stopped)",
                "workspace w-2 (Running)",
                "training t (Running)",
                "distributed training d (Running)",
                "inference i (Running)",
                "template starter",
            ),
            unused.uid: (),
        }
        assert [item.query for item in made.proxy.seen] == ["usageInfo=true"]
        assert made.environments.usage([used]).keys() == {used.uid}


def settle(made: World, change: Change, uid: str) -> str:
    fault = made.environments.settle([change], {change.address: uid}).get(change.address)
    return fault.what if fault else ""


def test_a_default_of_the_server_shows_once_with_the_setting(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        live = made.create(wanted())
        desired = wanted()
        body = {
            "meta": {key: live.raw["meta"][key] for key in ("name", "description")},
            "spec": {**live.raw["spec"], "createHomeDir": True},
        }
        made.call("PUT", f"/api/v1/asset/environment/{live.uid}", body)
        made.proxy.clear()
        text = settle(made, Change(desired.key, Action.CREATE, desired), live.uid)
        assert text == (
            "not converged: create_home_dir is true, asked for nothing; if the server sets this "
            "default, add it to runai.server_defaults of the target"
        )
        assert len(made.proxy.seen) == 2  # seen twice the same: no need to wait any longer


def test_what_is_declared_a_default_is_none(tmp_path: Path) -> None:
    defaults = {"RunaiEnvironment": {"create_home_dir": True, "image_pull_policy": "Never"}}
    with world(tmp_path, server_defaults=defaults) as made:
        (bound,) = made.environments.resolve(
            [wanted(create_home_dir=True, image_pull_policy="Never", stdin=True)]
        )
        assert bound.spec == wanted(stdin=True).spec
        live = made.create(wanted())
        body = {
            "meta": {key: live.raw["meta"][key] for key in ("name", "description")},
            "spec": {**live.raw["spec"], "createHomeDir": True, "imagePullPolicy": "Never"},
        }
        made.call("PUT", f"/api/v1/asset/environment/{live.uid}", body)
        assert made.live(live.uid).spec == wanted().spec


def test_other_differences_are_named_without_that_advice(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        live = made.create(wanted())
        desired = wanted(image="busybox:2", command="python")
        text = settle(made, Change(desired.key, Action.CREATE, desired), live.uid)
        assert text == (
            'not converged: command is nothing, asked for "python"; '
            'image is "busybox:1", asked for "busybox:2"'
        )


def test_a_lost_mark_has_not_converged(plain: World) -> None:
    live = plain.create(wanted())
    body = {"meta": {"name": "train", "description": "mine"}, "spec": live.raw["spec"]}
    plain.call("PUT", f"/api/v1/asset/environment/{live.uid}", body)
    desired = wanted(description="mine")
    text = settle(plain, Change(desired.key, Action.CREATE, desired), live.uid)
    assert "ownership mark" in text


@pytest.mark.parametrize("action", [Action.CREATE, Action.UPDATE, Action.DELETE])
def test_what_never_shows_is_told_in_time(tmp_path: Path, action: Action) -> None:
    with world(tmp_path, patience=0.3) as made:
        live = made.create(wanted())
        desired = wanted(image="busybox:2")
        nobody = "00000000-0000-4000-8000-000000000000"
        change = Change(
            desired.key,
            action,
            None if action is Action.DELETE else desired,
            None if action is Action.CREATE else live,
        )
        text = settle(made, change, nobody if action is Action.CREATE else live.uid)
        expected = {
            Action.CREATE: "accepted, but not to be seen after 0.3 s: run plan again later",
            Action.UPDATE: 'not converged: image is "busybox:1", asked for "busybox:2"',
            Action.DELETE: "accepted, but still there after 0.3 s: run plan again later",
        }
        assert text == expected[action]


def test_a_wave_is_settled_by_one_list_a_round(plain: World) -> None:
    made = [wanted(f"e{index}") for index in range(20)]
    creates = [Change(item.key, Action.CREATE, item) for item in made]
    uids = {change.address: plain.environments.write(change, print) for change in creates}
    plain.proxy.clear()
    assert plain.environments.settle(creates, uids) == {}
    assert len(plain.proxy.seen) == 1
    assert plain.environments.settle([], {}) == {}
    assert len(plain.proxy.seen) == 1


def test_nothing_to_resolve_needs_no_request(plain: World) -> None:
    assert plain.environments.resolve([]) == ()
    assert plain.proxy.seen == []
