"""Data sources at the provider: one list for all kinds, credentials by name, what is in use."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.plan import Action, Change
from reconciler.core.resource import LiveResource, Named, Resource, ResourceKey, Source
from reconciler.errors import AccessError, ManifestError, ProviderError, UnreachableError
from reconciler.kinds.registry import ASSET_KINDS
from reconciler.kinds.runai_asset import DATA_SOURCES
from reconciler.providers.runai.api_errors import RejectedError
from reconciler.sandbox import Behaviour
from tests.faults.proxy import Fault, Kind
from tests.providers.runai.worlds import World, world

SEED = """
clusters: [{name: main, departments: [{name: default, projects: [team-a]}]}]
credentials:
  - {name: hub, type: password}
  - {name: key, type: access-key, scope: project, project: team-a}
usage:
  - {kind: hostPath, name: used, workspaces: [notebook]}
  - {kind: nfs, name: used, trainings: [train-7]}
"""
SPECS: dict[str, dict[str, Any]] = {
    "RunaiNfsDataSource": {"server": "s", "path": "/e", "mount_path": "/m"},
    "RunaiHostPathDataSource": {"path": "/e", "mount_path": "/m"},
    "RunaiGitDataSource": {"repository": "r", "path": "/m"},
    "RunaiS3DataSource": {"bucket": "b", "path": "/m"},
}
KINDS = [kind.traits.name for kind in ASSET_KINDS if kind.listing == DATA_SOURCES]


def resource(kind: str, name: str = "used", **spec: Any) -> Resource:
    full = {"name": name, "scope": "tenant", **SPECS[kind], **spec}
    return Resource(ResourceKey(kind, name), full, Source("manifests/a.yaml", 3))


def create(made: World, wanted: Resource) -> LiveResource:
    provider = made.provider(wanted.key.kind)
    (bound,) = provider.resolve([wanted])
    change = Change(wanted.key, Action.CREATE, bound)
    uid = provider.write(change, print)
    assert provider.settle([change], {change.address: uid}) == {}
    (live,) = [item for item in provider.read() if item.uid == uid]
    return live


def lists(made: World) -> list[str]:
    return [item.path for item in made.proxy.seen if item.path.endswith("/datasource")]


def test_the_table_names_every_data_source() -> None:
    assert list(SPECS) == KINDS


@pytest.mark.parametrize("absent", ["absent", "null", "empty"])
def test_a_plan_reads_all_kinds_with_one_request(tmp_path: Path, absent: Any) -> None:
    with world(tmp_path, Behaviour(absent=absent), seed=SEED) as made:
        for kind in KINDS:
            create(made, resource(kind))
        for number in (1, 2):
            made.proxy.clear()
            with ThreadPoolExecutor(len(KINDS)) as pool:
                found = list(pool.map(lambda kind: made.provider(kind).read(), KINDS))
            assert [[item.name for item in each] for each in found] == [["used"]] * len(KINDS)
            assert len(lists(made)) == 1, f"at plan {number}"


def test_who_asks_again_gets_a_new_answer(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        assert made.provider(KINDS[0]).read() == []
        create(made, resource(KINDS[0]))
        assert len(made.provider(KINDS[0]).read()) == 1


def test_a_failure_is_that_of_all_kinds(tmp_path: Path) -> None:
    with world(tmp_path, read_attempts=1) as made:
        made.proxy.rule = lambda _, method, path: (
            Fault(Kind.STATUS, status=500) if path.endswith("/datasource") else None
        )
        for kind in KINDS:
            with pytest.raises(UnreachableError):
                made.provider(kind).read()
        assert len(lists(made)) == 1


@pytest.mark.parametrize(
    "entry",
    [
        {"meta": {"kind": "nfs"}, "spec": {"git": {}}},
        {"meta": {"kind": "nfs"}, "spec": None},
        {"meta": {}, "spec": {"nfs": {}}},
        {"meta": {"kind": None}, "spec": {"nfs": {}}},
        {"meta": {"kind": "Nfs"}, "spec": {"nfs": {"server": "s"}}},
        {"meta": {"kind": "pvc"}, "spec": []},
        None,
    ],
)
def test_a_list_of_another_form_is_an_error(tmp_path: Path, entry: Any) -> None:
    with world(tmp_path) as made:
        body = {"entries": [entry]}
        made.proxy.rule = lambda _, method, path: (
            Fault(Kind.BODY, status=200, body=body) if path.endswith("/datasource") else None
        )
        with pytest.raises(ProviderError):
            made.provider("RunaiNfsDataSource").read()


def test_a_missing_right_is_named(tmp_path: Path) -> None:
    with (
        world(tmp_path, Behaviour(denied=("datasource",))) as made,
        pytest.raises(AccessError) as caught,
    ):
        made.provider(KINDS[0]).read()
    assert "the right to view data sources" in caught.value.fix


@pytest.mark.parametrize("kind", ["RunaiNfsDataSource", "RunaiHostPathDataSource"])
def test_read_only_is_sent_even_where_it_is_the_default(tmp_path: Path, kind: str) -> None:
    with world(tmp_path) as made:
        live = create(made, resource(kind))
        assert live.raw["spec"]["readOnly"] is True
        assert "read_only" not in live.spec


def test_a_credential_is_found_by_its_name(tmp_path: Path) -> None:
    with world(tmp_path, seed=SEED) as made:
        wanted = resource("RunaiGitDataSource", "models", credential_id="hub")
        live = create(made, wanted)
        named = live.spec["credential_id"]
        assert isinstance(named, Named)
        assert named.name == "hub"
        own = {"scope": "project", "scope_id": "team-a", "access_key_asset_id": "key"}
        assert create(made, resource("RunaiS3DataSource", "b", **own)).spec["access_key_asset_id"]
        with pytest.raises(ManifestError, match="there is no credential 'hib'") as caught:
            made.provider("RunaiGitDataSource").resolve(
                [resource("RunaiGitDataSource", password_asset_id="hib")]
            )
        assert caught.value.problems[0].path == ("spec", "password_asset_id")


@pytest.mark.parametrize("version", ["2.18", "2.22"])
def test_a_field_that_the_version_lacks_is_an_error_of_the_plan(
    tmp_path: Path, version: Any
) -> None:
    with world(tmp_path, Behaviour(version=version), seed=SEED) as made:
        provider = made.provider("RunaiGitDataSource")
        with pytest.raises(ManifestError, match=r"credential_id needs Run:ai 2\.23"):
            provider.resolve([resource("RunaiGitDataSource", credential_id="hub")])
        create(made, resource("RunaiGitDataSource", password_asset_id="hub"))


def test_what_uses_one_is_known_before_it_goes(tmp_path: Path) -> None:
    with world(tmp_path, seed=SEED) as made:
        for kind, user in (
            ("RunaiNfsDataSource", "training train-7 (Running)"),
            ("RunaiHostPathDataSource", "workspace notebook (Running)"),
        ):
            live = create(made, resource(kind))
            assert made.provider(kind).usage([live]) == {live.uid: (user,)}


def test_the_server_keeps_a_host_path_that_is_in_use(tmp_path: Path) -> None:
    with world(tmp_path, seed=SEED) as made:
        kind = "RunaiHostPathDataSource"
        live = create(made, resource(kind))
        change = Change(ResourceKey(kind, "used"), Action.DELETE, live=live)
        with pytest.raises(RejectedError, match=r"412.*in use"):
            made.provider(kind).write(change, print)
        assert len(made.provider(kind).read()) == 1
