"""Creating, updating, replacing and deleting, with every way in which an answer can go missing."""

import http.client
import logging
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from urllib3.exceptions import ProtocolError

from reconciler.core.mark import Mark, hash_id
from reconciler.core.ownership import Holder, desired_mark, write_mark
from reconciler.core.plan import Action, Change
from reconciler.core.resource import (
    LiveResource,
    Resource,
    Secret,
)
from reconciler.errors import AmbiguousWriteError, ConflictError, ProviderError, UnreachableError
from reconciler.providers.runai import RunaiSystem
from reconciler.providers.runai.api_errors import Call, from_transport, withholding
from reconciler.providers.runai.assets import AssetProvider
from reconciler.sandbox import Behaviour
from tests.faults.proxy import Fault, Kind
from tests.providers.runai.worlds import STACK, World, is_ours, target, wanted, world

LOST = [
    Fault(Kind.RESET, after=True),
    Fault(Kind.CLOSE, after=True),
    Fault(Kind.CUT),
    Fault(Kind.STATUS, after=True, status=503),
    Fault(Kind.HTML, after=True, status=502),
    Fault(Kind.HTML, after=True, status=200),
]
NEVER_DONE = [Fault(Kind.RESET), Fault(Kind.STATUS, status=503)]
WRITES = ("POST", "PUT", "DELETE")


def strike(made: World, method: str, *faults: Fault) -> None:
    """The next requests of this method get these faults, one each."""
    waiting = list(faults)
    made.proxy.clear()

    def rule(number: int, met: str, path: str) -> Fault | None:
        return waiting.pop(0) if waiting and met == method and "/token" not in path else None

    made.proxy.rule = rule


def write(made: World, change: Change) -> str:
    return made.environments.write(change, lambda line: None)


def create(made: World, resource: Resource) -> str:
    (bound,) = made.environments.resolve([resource])
    return write(made, Change(resource.key, Action.CREATE, bound))


def update_of(live: LiveResource, **spec: Any) -> Change:
    made = wanted(live.name, **spec)
    return Change(made.key, Action.UPDATE, made, live)


def delete_of(live: LiveResource, deposed: str | None = None) -> Change:
    return Change(wanted().key, Action.DELETE, live=live, deposed=deposed)


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: f"{fault.kind}-{fault.status}")
def test_a_create_whose_answer_is_lost_is_found(plain: World, fault: Fault) -> None:
    plain.names()
    strike(plain, "POST", fault)
    uid = create(plain, wanted())
    assert plain.proxy.count("POST", "/asset/") == 1
    assert is_ours(plain.live(uid), wanted())
    assert plain.names() == ["train"]


@pytest.mark.parametrize("fault", NEVER_DONE, ids=lambda fault: fault.kind)
def test_a_create_that_never_arrived_is_unknown_and_not_repeated(
    tmp_path: Path, fault: Fault
) -> None:
    with world(tmp_path, patience=0.4) as made:
        made.names()
        strike(made, "POST", fault)
        with pytest.raises(AmbiguousWriteError):
            create(made, wanted())
        assert made.proxy.count("POST", "/asset/") == 1
        assert made.names() == []


def blackout(made: World, method: str, fault: Fault) -> None:
    """The next request of this method gets this fault, and nothing is answered after it."""
    struck = []
    made.proxy.clear()

    def rule(number: int, met: str, path: str) -> Fault | None:
        if met == method and "/token" not in path:
            struck.append(number)
            return fault
        return Fault(Kind.RESET) if struck else None

    made.proxy.rule = rule


NO_ID = Fault(Kind.BODY, after=True, status=202, body={"code": 202, "message": "accepted"})


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        *((method, Fault(Kind.RESET, after=done)) for method in WRITES for done in (True, False)),
        ("POST", NO_ID),
    ],
)
def test_a_lost_answer_and_then_an_outage_is_unknown(
    tmp_path: Path, method: str, fault: Fault
) -> None:
    """The read that fails must not pass for the write's own end: it may have taken place."""
    with world(tmp_path, patience=0.4) as made:
        live = made.live(create(made, wanted("there")))
        change = {"PUT": update_of(live, image="busybox:2"), "DELETE": delete_of(live)}.get(method)
        if change is None:
            resource = wanted("new")
            (bound,) = made.environments.resolve([resource])
            change = Change(resource.key, Action.CREATE, bound)
        blackout(made, method, fault)
        with pytest.raises(AmbiguousWriteError, match="looking for it failed") as caught:
            write(made, change)
        assert "run plan again" in caught.value.fix
        assert made.proxy.count(method, "/asset/") == 1


def test_a_lost_answer_and_a_late_object(tmp_path: Path) -> None:
    with world(tmp_path, Behaviour(visibility_lag=0.5)) as made:
        made.names()
        strike(made, "POST", Fault(Kind.RESET, after=True))
        assert create(made, wanted())
        assert made.proxy.count("POST", "/asset/") == 1


def test_an_answer_without_an_id(plain: World) -> None:
    plain.names()
    accepted = {"code": 202, "message": "Request has been accepted."}
    strike(plain, "POST", Fault(Kind.BODY, after=True, status=202, body=accepted))
    assert create(plain, wanted()) == plain.environments.read()[0].uid


def test_a_409_for_what_we_made_ourselves(plain: World) -> None:
    first = create(plain, wanted())
    assert create(plain, wanted()) == first
    assert plain.names() == ["train"]


@pytest.mark.parametrize("name_filter", ["exact", "partial"])
def test_a_409_for_what_somebody_else_made(tmp_path: Path, name_filter: Any) -> None:
    with world(tmp_path, Behaviour(name_filter=name_filter)) as made:
        for name in ("train", "train-2"):
            body = {"meta": {"name": name, "scope": "tenant"}, "spec": {"image": "busybox:1"}}
            made.call("POST", "/api/v1/asset/environment", body)
        with pytest.raises(ConflictError, match="an asset named train exists there already"):
            create(made, wanted())
        with pytest.raises(ConflictError):
            create(made, wanted(image="busybox:2", id="other"))


def test_the_same_name_in_another_scope_is_no_conflict(plain: World) -> None:
    create(plain, wanted())
    create(plain, wanted(scope="cluster", id="c"))
    create(plain, wanted(scope="project", scope_id="team-a", id="p"))
    assert plain.names() == ["train"] * 3


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: f"{fault.kind}-{fault.status}")
def test_an_update_whose_answer_is_lost(plain: World, fault: Fault) -> None:
    live = plain.create(wanted())
    strike(plain, "PUT", fault)
    assert write(plain, update_of(live, image="busybox:2")) == live.uid
    assert plain.proxy.count("PUT") == 1
    assert plain.live(live.uid).spec["image"] == "busybox:2"


def test_an_update_that_never_arrived(tmp_path: Path) -> None:
    with world(tmp_path, patience=0.4) as made:
        live = made.create(wanted())
        strike(made, "PUT", Fault(Kind.RESET))
        with pytest.raises(AmbiguousWriteError):
            write(made, update_of(live, image="busybox:2"))
        assert made.proxy.count("PUT") == 1


@pytest.mark.parametrize("lost", [False, True])
def test_an_update_of_what_is_gone(plain: World, lost: bool) -> None:
    live = plain.create(wanted())
    plain.call("DELETE", f"/api/v1/asset/environment/{live.uid}")
    if lost:
        strike(plain, "PUT", Fault(Kind.RESET))
    with pytest.raises(ConflictError, match="not there any more"):
        write(plain, update_of(live, image="busybox:2"))


@pytest.mark.parametrize("action", [Action.UPDATE, Action.ADOPT, Action.REPLACE])
def test_what_we_do_not_know_is_kept(tmp_path: Path, action: Action) -> None:
    with world(tmp_path, Behaviour(unknown_fields="keep")) as made:
        live = made.create(wanted(environment_variables={"A": "1"}))
        text = "Theirs" if action is Action.ADOPT else live.raw["meta"]["description"]
        body = {
            "meta": {"name": live.name, "description": text},
            "spec": {
                **live.raw["spec"],
                "gpuTopology": {"kind": "ring"},
                "environmentVariables": [{"name": "A", "value": "1", "rotation": "weekly"}],
            },
        }
        made.call("PUT", f"/api/v1/asset/environment/{live.uid}", body)
        live = made.live(live.uid)
        assert live.unknown_fields == ("gpuTopology", "environmentVariables.A.rotation")
        change = update_of(live, image="busybox:2", environment_variables={"A": "2"})
        change = replace(change, action=action)
        uid = write(made, change)
        assert (uid == live.uid) is (action is not Action.REPLACE)
        assert made.environments.settle([change], {change.address: uid}) == {}
        raw = made.live(uid).raw["spec"]
        assert raw["gpuTopology"] == {"kind": "ring"}
        assert raw["environmentVariables"] == [{"name": "A", "value": "2", "rotation": "weekly"}]


def test_an_adoption_adds_the_mark_and_changes(plain: World) -> None:
    body = {
        "meta": {"name": "train", "scope": "tenant", "description": "Theirs"},
        "spec": {"image": "busybox:1"},
    }
    uid = plain.call("POST", "/api/v1/asset/environment", body)["meta"]["id"]
    made = wanted(image="busybox:2", description="Ours", protect=True)
    change = Change(made.key, Action.ADOPT, made, plain.live(uid))
    assert write(plain, change) == uid
    assert plain.environments.settle([change], {change.address: uid}) == {}
    assert is_ours(plain.live(uid), made)
    assert plain.live(uid).spec == made.spec


def replace_of(live: LiveResource) -> Change:
    made = wanted(live.name, workload_types={"training": True})
    return Change(made.key, Action.REPLACE, made, live)


def test_a_replacement_leaves_both_until_the_delete(plain: World) -> None:
    live = plain.create(wanted(description="Text", environment_variables={"A": Secret("s")}))
    new = write(plain, replace_of(live))
    old = plain.live(live.uid)
    assert new != old.uid
    assert old.mark is not None
    assert old.mark.deposed is not None
    assert old.name == f"train-replaced-{old.mark.deposed}"
    assert old.detached is None
    assert old.spec["description"] == "Text"
    assert live.mark is not None
    assert replace(old.mark, deposed=None) == live.mark
    assert is_ours(plain.live(new), replace_of(live).desired or wanted())
    assert write(plain, delete_of(live)) == live.uid
    assert plain.names() == ["train"]


def test_a_replacement_whose_rename_is_refused_has_changed_nothing(plain: World) -> None:
    live = plain.create(wanted())
    strike(plain, "PUT", Fault(Kind.STATUS, status=400))
    with pytest.raises(ProviderError):
        write(plain, replace_of(live))
    assert plain.names() == ["train"]
    plain.proxy.rule = None
    write(plain, replace_of(live))
    assert plain.names() == ["train", plain.live(live.uid).name]


def test_a_create_that_failed_for_sure_is_undone(plain: World) -> None:
    live = plain.create(wanted())
    strike(plain, "POST", Fault(Kind.STATUS, status=400))
    with pytest.raises(ProviderError, match="400"):
        write(plain, replace_of(live))
    back = plain.live(live.uid)
    assert (back.name, back.mark, back.spec) == (live.name, live.mark, live.spec)
    assert plain.names() == ["train"]


def test_a_create_that_may_have_happened_is_not_undone(tmp_path: Path) -> None:
    with world(tmp_path, patience=0.4) as made:
        live = made.create(wanted())
        strike(made, "POST", Fault(Kind.RESET))
        with pytest.raises(AmbiguousWriteError):
            write(made, replace_of(live))
        assert made.names() == [made.live(live.uid).name]
        assert made.live(live.uid).name.startswith("train-replaced-")


def test_an_undo_that_fails_is_told(plain: World) -> None:
    live = plain.create(wanted())
    answers = {"POST": [Fault(Kind.STATUS, status=400)], "PUT": [Fault(Kind.STATUS, status=403)]}
    puts = 0

    def rule(number: int, method: str, path: str) -> Fault | None:
        nonlocal puts
        puts += method == "PUT"
        faults = answers.get(method, [])
        skip = "/token" in path or (method == "PUT" and puts == 1)
        return None if skip or not faults else faults.pop(0)

    plain.proxy.rule = rule
    with pytest.raises(AmbiguousWriteError, match="could not be renamed back") as caught:
        write(plain, replace_of(live))
    assert "run apply again" in caught.value.fix


def test_a_replacement_of_what_is_gone(plain: World) -> None:
    live = plain.create(wanted())
    plain.call("DELETE", f"/api/v1/asset/environment/{live.uid}")
    with pytest.raises(ConflictError):
        write(plain, replace_of(live))
    assert plain.names() == []


def test_a_delete_of_what_is_gone_is_done(plain: World) -> None:
    live = plain.create(wanted())
    plain.call("DELETE", f"/api/v1/asset/environment/{live.uid}")
    assert write(plain, delete_of(live)) == live.uid


def test_a_delete_that_meets_a_404_is_done(plain: World) -> None:
    live = plain.create(wanted())
    strike(plain, "DELETE", Fault(Kind.STATUS, status=404))
    assert write(plain, delete_of(live)) == live.uid


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: f"{fault.kind}-{fault.status}")
def test_a_delete_whose_answer_is_lost(plain: World, fault: Fault) -> None:
    live = plain.create(wanted())
    strike(plain, "DELETE", fault)
    assert write(plain, delete_of(live)) == live.uid
    assert plain.proxy.count("DELETE") == 1
    assert plain.names() == []


def test_a_delete_that_never_arrived(tmp_path: Path) -> None:
    with world(tmp_path, patience=0.4) as made:
        live = made.create(wanted())
        strike(made, "DELETE", Fault(Kind.RESET))
        with pytest.raises(AmbiguousWriteError):
            write(made, delete_of(live))
        assert made.names() == ["train"]


def edit(made: World, live: LiveResource, **meta: Any) -> None:
    """What somebody does in the web UI."""
    kept = {key: live.raw["meta"][key] for key in ("name", "description")}
    body = {"meta": {**kept, **meta}, "spec": live.raw["spec"]}
    made.call("PUT", f"/api/v1/asset/environment/{live.uid}", body)


def others(made: World) -> AssetProvider:
    """What another process of the same stack writes with."""
    provider = RunaiSystem(target(made.proxy.base_url), made.login).providers[-1]
    assert isinstance(provider, AssetProvider)
    return provider


def protected(made: World, live: LiveResource) -> None:
    """Another commit protects it."""
    resource = wanted(live.name, protect=True)
    others(made).write(Change(resource.key, Action.UPDATE, resource, live), print)


def imported(made: World, live: LiveResource) -> None:
    """Another stack has made it its own."""
    mark = Mark("theirs", hash_id(live.kind, live.name))
    edit(made, live, description=write_mark("", mark, Holder(live.kind, "tenant", "", live.name)))


def unmarked(made: World, live: LiveResource) -> None:
    edit(made, live, description="mine now")


def renamed(made: World, live: LiveResource) -> None:
    edit(made, live, name="renamed")


def written(made: World, live: LiveResource) -> None:
    """Somebody has written it and changed nothing: only its date tells."""
    edit(made, live)


CHANGES = [
    (protected, "was protected since the plan"),
    (imported, "does not bear our mark any more"),
    (unmarked, "does not bear our mark any more"),
    (renamed, "does not bear our mark any more"),
    (written, "was changed since the plan, at 20"),
]


@pytest.mark.parametrize(("meddle", "words"), CHANGES)
@pytest.mark.parametrize("sort", ["update", "rename", "move", "replace", "delete"])
def test_what_was_changed_since_the_plan_is_not_written(
    plain: World, meddle: Callable[[World, LiveResource], None], words: str, sort: str
) -> None:
    live = plain.create(wanted())
    changes = {
        "update": update_of(live, image="busybox:2"),
        "rename": replace(update_of(live), desired=wanted("other", id="train")),
        "move": replace(update_of(live), desired=wanted("train", id="other")),
        "replace": replace_of(live),
        "delete": delete_of(live),
    }
    meddle(plain, live)
    there = plain.live(live.uid)
    plain.proxy.clear()
    with pytest.raises(ConflictError, match=words) as caught:
        write(plain, changes[sort])
    assert "nothing was written to it" in caught.value.what
    assert not any(plain.proxy.count(method, "/asset/") for method in WRITES)
    assert plain.environments.read() == [there]


@pytest.mark.parametrize(
    ("meddle", "words"), [(imported, "stack theirs has marked it"), (written, "was changed since")]
)
def test_what_was_changed_since_the_plan_is_not_adopted(
    plain: World, meddle: Callable[[World, LiveResource], None], words: str
) -> None:
    body = {
        "meta": {"name": "train", "scope": "tenant", "description": "Hi"},
        "spec": {"image": "a"},
    }
    live = plain.live(plain.call("POST", "/api/v1/asset/environment", body)["meta"]["id"])
    meddle(plain, live)
    made = wanted(image="busybox:2")
    with pytest.raises(ConflictError, match=words):
        write(plain, Change(made.key, Action.ADOPT, made, live))
    assert plain.live(live.uid).spec["image"] == "a"


def test_what_was_planned_as_protected_may_be_deleted(plain: World) -> None:
    live = plain.create(wanted(protect=True))
    assert write(plain, delete_of(live)) == live.uid


def test_a_leftover_that_was_restored_is_not_deleted(plain: World) -> None:
    live = plain.create(wanted())
    new = write(plain, replace_of(live))
    deposed = plain.live(live.uid)
    plain.call("DELETE", f"/api/v1/asset/environment/{new}")
    edit(plain, live)
    with pytest.raises(ConflictError, match="no leftover"):
        others(plain).write(delete_of(deposed, deposed="0a1b2c"), print)


CANARY = 'first\ncanary-77\t"quoted" \\ <b>' + "canary" * 200
ECHOES = [
    Fault(Kind.BODY, status=400, body={"code": 400, "message": f"bad: {CANARY}", "details": "x"}),
    Fault(Kind.BODY, status=422, body={"reason": CANARY}),
    Fault(Kind.BODY, status=409, body={"message": "in the way", "details": CANARY}),
    Fault(Kind.BODY, status=403, body=[CANARY]),
    Fault(Kind.HTML, status=400, body=f"Bad: {CANARY}"),
    Fault(Kind.HTML, status=200, body=CANARY),
    Fault(Kind.STATUS, status=503),
]


def check_withheld(error: BaseException) -> None:
    """Neither the error nor anything a traceback of it shows quotes the server."""
    shown = "".join(traceback.format_exception(error))
    assert "canary" not in shown
    assert "note-17" not in shown
    assert "the server's text is withheld, because the request carried secret values" in shown


@pytest.mark.parametrize("fault", ECHOES, ids=lambda fault: f"{fault.kind}-{fault.status}")
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_nothing_a_server_says_of_a_secret_is_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, fault: Fault, method: str
) -> None:
    made = wanted(environment_variables={"A": Secret(CANARY)})
    with world(tmp_path, patience=0.3) as place, caplog.at_level(logging.DEBUG):
        place.names()
        change = Change(made.key, Action.CREATE, made)
        if method == "PUT":
            live = place.create(wanted(environment_variables={"A": Secret("before")}))
            change = update_of(live, environment_variables={"A": Secret(CANARY)})
        strike(place, method, fault)
        with pytest.raises(ProviderError) as caught:
            write(place, change)
    status = str(fault.status) if fault.status != 200 else "no JSON"
    assert method in caught.value.what
    assert status in caught.value.what
    check_withheld(caught.value)
    assert "canary" not in caplog.text


def test_a_live_secret_counts_as_well(plain: World) -> None:
    """The rename of a replacement sends the live values, and a delete may quote them."""
    live = plain.create(wanted(environment_variables={"A": Secret("canary")}))
    for change, method in ((replace_of(live), "PUT"), (delete_of(live), "DELETE")):
        strike(plain, method, Fault(Kind.BODY, status=400, body={"message": "canary"}))
        with pytest.raises(ProviderError, match="answered with 400; the server's") as caught:
            write(plain, change)
        check_withheld(caught.value)
    without = plain.create(wanted("open"))
    strike(plain, "DELETE", Fault(Kind.STATUS, status=400))
    with pytest.raises(ProviderError, match="note-17"):
        write(plain, delete_of(without))


def test_left_overs_of_an_answer_are_not_quoted() -> None:
    """They are taken for the status line of the next answer, and the HTTP library quotes that."""
    error = ProtocolError("Connection aborted.", http.client.BadStatusLine("canary"))
    call = Call("POST", "/api", changes=True)
    assert "canary" in from_transport(error, call).what
    with withholding(True):
        check_withheld(from_transport(error, call))


def test_a_write_that_was_never_sent_is_no_ambiguity(plain: World) -> None:
    live = plain.create(wanted())
    plain.login().configuration.runai_base_url = "http://127.0.0.1:1"
    with pytest.raises(UnreachableError):
        write(plain, update_of(live, image="busybox:2"))


def test_marks_survive_every_write(plain: World) -> None:
    made = wanted(description="x" * 190)
    live = plain.create(made)
    assert len(live.raw["meta"]["description"]) <= 250
    assert live.mark == desired_mark(made, STACK)
