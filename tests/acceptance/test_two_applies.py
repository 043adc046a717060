"""Real processes that meet: what one of them changes after the other has planned, or made."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.mark import Mark, hash_id
from reconciler.core.ownership import Holder, write_mark
from tests.acceptance.live_side import call
from tests.acceptance.project import environment
from tests.faults.proxy import Fault, FaultProxy, Rule
from tests.laws.stage import Desk, Row, Stage
from tests.login import runai

REPOSITORY = Path(__file__).parents[2]
ASSETS = "/api/v1/asset/environment"
TENANT = environment(scope="tenant")


class Hold:
    """A rule of the proxy: the first request that fits waits until it is let go."""

    def __init__(self, fits: Callable[[str, str], bool]) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()
        self._fits = fits

    def __call__(self, _number: int, method: str, target: str) -> Fault | None:
        if not self.reached.is_set() and self._fits(method, target):
            self.reached.set()
            assert self.opened.wait(60)
        return None


def look(method: str, target: str) -> bool:
    """The look at one asset, right before a write."""
    return method == "GET" and target.startswith(f"{ASSETS}/")


class Place:
    """One control plane, and directories of the same stack against it."""

    def __init__(self, stage: Stage, directory: Path) -> None:
        self.stage = stage
        self._directory = directory

    def desk(self, name: str, *documents: Any, base_url: str = "") -> Desk:
        """A directory that states these, through a proxy if there is one."""
        desk = Desk(self.stage, self._directory / name)
        login = runai(self.stage.endpoint)
        login["base_url"] = base_url or login["base_url"]
        guards = {"max_delete_percent": 100}
        desk.configure(targets={"live": {"runai": login, "timeout": 5}}, guards=guards)
        desk.write(documents)
        return desk

    @property
    def row(self) -> Row:
        (row,) = self.stage.rows()
        return row

    def put(self, **meta: Any) -> None:
        """Somebody saves the one asset in the web UI."""
        asset = call(self.stage, "GET", f"{ASSETS}/{self.row.id}")
        kept = {name: asset["meta"][name] for name in ("name", "description")}
        body = {"meta": {**kept, **meta}, "spec": asset["spec"]}
        call(self.stage, "PUT", f"{ASSETS}/{self.row.id}", body)


def start(desk: Desk, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "reconciler", "-C", str(desk.directory)]
    return subprocess.Popen(
        [*command, *(words or ("apply", "--apply"))],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, _ = process.communicate(timeout=120)
    return process.returncode, out


def run(desk: Desk, *words: str) -> tuple[int, str]:
    return finish(start(desk, *words))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with Stage(tmp_path) as stage:
        yield Place(stage, tmp_path)


@pytest.fixture
def proxy(place: Place) -> Iterator[FaultProxy]:
    with FaultProxy(place.stage.endpoint.base_url) as made:
        yield made


def unmark(place: Place) -> None:
    place.put(description="Mine")


def rename(place: Place) -> None:
    place.put(name="theirs")


def protect(place: Place) -> None:
    document = environment(scope="tenant", metadata={"protect": True})
    assert run(place.desk("others", document))[0] == 0


def import_elsewhere(place: Place) -> None:
    holder = Holder("RunaiEnvironment", "tenant", "", "train")
    place.put(description=write_mark("", Mark("theirs", hash_id(holder.kind, "train")), holder))


@pytest.mark.parametrize("meddle", [unmark, rename, protect, import_elsewhere])
@pytest.mark.parametrize(
    "documents",
    [
        [environment(scope="tenant", image="busybox:2")],
        [environment("renamed", scope="tenant", metadata={"id": "train"})],
        [environment(scope="cluster")],
        [environment("other", scope="tenant", metadata={"adopt": True})],
    ],
    ids=["update", "rename", "replace", "delete"],
)
def test_what_was_changed_since_the_plan_is_left_alone(
    place: Place, proxy: FaultProxy, documents: list[Any], meddle: Callable[[Place], None]
) -> None:
    assert run(place.desk("first", TENANT))[0] == 0
    deletes = documents[0]["metadata"]["name"] == "other"
    hold = proxy.rule = Hold(look)
    process = start(place.desk("second", *documents, base_url=proxy.base_url))
    assert hold.reached.wait(60)
    uid = next(row.id for row in place.stage.rows() if row.name == "train")
    if deletes:
        place.stage.restore([row for row in place.stage.rows() if row.id == uid])
    meddle(place)
    changed = place.row
    hold.opened.set()
    code, out = finish(process)
    assert code == (5 if deletes else 1), out
    assert "since the plan" in out or "does not bear our mark any more" in out
    assert "nothing was written to it" in out
    assert next(row for row in place.stage.rows() if row.id == uid) == changed


def test_an_unowned_object_that_another_stack_takes_meanwhile_is_not_adopted(
    place: Place, proxy: FaultProxy
) -> None:
    body = {
        "meta": {"name": "train", "scope": "tenant", "description": "Hi"},
        "spec": {"image": "a"},
    }
    call(place.stage, "POST", ASSETS, body)
    hold = proxy.rule = Hold(look)
    document = environment(scope="tenant", metadata={"adopt": True})
    process = start(place.desk("ours", document, base_url=proxy.base_url))
    assert hold.reached.wait(60)
    import_elsewhere(place)
    changed = place.row
    hold.opened.set()
    code, out = finish(process)
    assert (code, place.row) == (1, changed), out
    assert "stack theirs has marked it since the plan" in out


class Meeting(threading.Barrier):
    """Where two processes wait for one another."""

    def __init__(self) -> None:
        super().__init__(2, timeout=60)


def together(before: Meeting, after: Meeting) -> Rule:
    """Nobody writes before both are about to, and nobody looks before both have created."""
    passed: list[str] = []

    def rule(_number: int, method: str, target: str) -> Fault | None:
        if method in ("PUT", "POST") and target.startswith(ASSETS):
            if not passed:
                before.wait()
            passed.append(method)
        elif method == "GET" and passed.count("POST") == 1:
            passed.append("POST")
            after.wait()
        return None

    return rule


SCOPES = ("cluster", "project")


@pytest.mark.parametrize("before", [True, False], ids=["replace", "create"])
def test_of_two_commits_that_differ_in_scope_one_wins(
    place: Place, proxy: FaultProxy, before: bool
) -> None:
    """Both have made theirs before either of them looks."""
    if before:
        assert run(place.desk("before", TENANT))[0] == 0
    documents = [environment(scope=SCOPES[0]), environment(scope=SCOPES[1], scope_id="team-a")]
    with FaultProxy(place.stage.endpoint.base_url) as other:
        meets = Meeting(), Meeting()
        for one in (proxy, other):
            one.rule = together(*meets)
        desks = [
            place.desk(name, document, base_url=one.base_url)
            for name, document, one in zip(SCOPES, documents, (proxy, other), strict=True)
        ]
        processes = [start(desk) for desk in desks]
        ends = [finish(process) for process in processes]
        complete = [code for code, out in ends if "Apply complete!" in out]
        assert len(complete) <= 1, ends
        assert sum("another object bears the same mark" in out for _, out in ends) >= 1, ends
        assert any("was taken back" in out for _, out in ends), ends
        assert sum(not row.name.startswith("train-replaced") for row in place.stage.rows()) == 1
        for one, desk in zip((proxy, other), desks, strict=True):
            one.rule = None
            code, out = run(desk)
            assert code == 0, out
            assert len(place.stage.rows()) == 1
