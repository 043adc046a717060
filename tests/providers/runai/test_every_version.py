"""The client on the sandbox in every version, and its tables against the published shapes."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.plan import Action, Change
from reconciler.errors import ManifestError
from reconciler.kinds.api_fields import Shape, api_name, shape_of
from reconciler.kinds.registry import ASSET_KINDS
from reconciler.kinds.runai_asset import AssetKind
from reconciler.providers.runai.login import WAYS
from reconciler.providers.runai.server import parse_version
from reconciler.sandbox import Behaviour
from reconciler.sandbox.api_schema import VERSIONS, Contract, load_contract
from tests.providers.runai.test_versions import SEED, VALUES, VARIABLE_FIELDS, asking
from tests.providers.runai.worlds import World, wanted, world

OTHERWISE_NAMED = {"podField": "podFieldRef"}
READ_ONLY = {f"environmentVariables.secret{part}" for part in ("", ".name", ".key")}
SCOPES: list[dict[str, Any]] = [
    {},
    {"scope": "cluster"},
    {"scope": "department", "scope_id": "default"},
    {"scope": "project", "scope_id": "team-a"},
]
SERVERS = {
    "plain": Behaviour(),
    "strict": Behaviour(unknown_fields="reject", unknown_parameters="refuse"),
    "refused-lists": Behaviour(unfiltered_list="refuse"),
    "refused-lists-strict": Behaviour(unfiltered_list="refuse", unknown_parameters="refuse"),
    "refused-lists-of-unknown": Behaviour(unfiltered_list="refuse", cluster_version="absent"),
    "no-clusters": Behaviour(denied=("clusters",)),
    "405": Behaviour(missing_paths="405"),
    "older-clusters": Behaviour(cluster_version="older"),
    "revoked": Behaviour(revoke_tokens_every=7),
    "short-tokens": Behaviour(token_expiry="unstated", revoke_tokens_every=5),
}


def as_number(version: str) -> tuple[int, int]:
    found = parse_version(version)
    assert found is not None
    return found


def names_of(shape: Shape, above: str = "") -> Iterator[str]:
    """Dotted API names that the client knows, lists passed through."""
    for name in shape.names:
        yield above + name
    for name, inner, _ in shape.inside:
        yield from names_of(inner, f"{above}{name}.")


def names_in(schema: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The same of a published schema."""
    for name, inner in schema.get("properties", {}).items():
        yield above + name
        yield from names_in(inner.get("items", inner), f"{above}{name}.")


def _published(pattern: str) -> str:
    names = (api_name(name) for name in pattern.split(".") if name != "*")
    return ".".join(OTHERWISE_NAMED.get(name, name) for name in names)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ASSET_KINDS, ids=lambda kind: kind.traits.name)
def test_the_table_of_fields_is_that_of_the_published_shapes(kind: AssetKind, version: Any) -> None:
    contract = load_contract(version)
    assert contract.endpoints[kind.api_kind] == kind.endpoint
    if kind.listing.path != kind.endpoint:
        names = contract.combined[kind.listing.path]
        assert names[kind.api_kind] == (kind.nested or kind.api_kind)
    published = set(names_in(contract.specs[kind.api_kind]))
    known = set(names_of(shape_of(kind.fields))) - READ_ONLY
    lacking = {
        name for name in known - published if name.rpartition(".")[0] not in known - published
    }
    expected = {
        _published(pattern) for pattern, since in kind.since.items() if as_number(version) < since
    }
    assert lacking == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_the_tables_of_lists_and_logins_are_those_of_the_published_shapes(version: Any) -> None:
    contract: Contract = load_contract(version)
    number = as_number(version)
    for kind in ASSET_KINDS:
        known = contract.paths[kind.listing.path]["get"]
        assert ("includeDescendants" in known) == (number >= kind.listing.below_since)
        assert {"scope", "clusterId", "departmentId", "projectId", "name", "usageInfo"} <= set(
            known
        )
    for way in WAYS:
        offered = way.path in contract.paths and (way.is_form or way.grant in contract.grants)
        gone = way.grant == "app_token" and number >= (3, 0)
        assert offered == (number >= way.since and not gone)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", SERVERS)
def test_the_life_of_assets_on_every_version(tmp_path: Path, version: Any, name: str) -> None:
    behaviour = Behaviour(**{**SERVERS[name].__dict__, "version": version})
    denied = "clusters" in behaviour.denied and as_number(version) < (2, 24)
    scopes = [spec for spec in SCOPES if not (denied and spec.get("scope") == "cluster")]
    with world(tmp_path, behaviour, seed=SEED) as made:
        provider = made.environments
        resources = provider.resolve(
            [wanted(f"e{index}", **spec) for index, spec in enumerate(scopes)]
        )
        creates = [Change(item.key, Action.CREATE, item) for item in resources]
        uids = {change.address: provider.write(change, print) for change in creates}
        assert provider.settle(creates, uids) == {}
        live = {item.uid: item for item in provider.read()}
        assert {uid: live[uid].spec for uid in uids.values()} == {
            uids[item.key.address]: item.spec for item in resources
        }
        deletes = [
            Change(item.key, Action.DELETE, live=live[uids[item.key.address]]) for item in resources
        ]
        for change in deletes:
            provider.write(change, print)
        assert provider.settle(deletes, uids) == {}
        assert made.names() == []
        client = made.login()
        newest = max(way.since for way in WAYS if way.since <= as_number(version))
        assert client.way.since == newest


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("field", VARIABLE_FIELDS)
def test_a_field_is_kept_by_the_server_or_refused_by_the_plan(
    tmp_path: Path, version: Any, field: str
) -> None:
    """Never sent to a server that would drop it."""
    with world(tmp_path, Behaviour(version=version), seed=SEED) as made:
        if as_number(version) < VARIABLE_FIELDS[field]:
            with pytest.raises(ManifestError) as caught:
                made.environments.resolve([asking(field)])
            assert f"this control plane is version {version}, by cluster main" in str(caught.value)
            assert {item.path for item in made.proxy.seen if item.method == "POST"} <= {
                way.path for way in WAYS
            }
            return
        live = made.create(wanted(environment_variables={"A": VALUES[field], "B": "plain"}))
        assert field in live.spec["environment_variables"]["A"]


@pytest.mark.parametrize("version", ["2.21", "2.24", "3.0"])
def test_what_a_server_lists_as_deleted_is_not_there(tmp_path: Path, version: Any) -> None:
    behaviour = Behaviour(version=version, deleted_entries="listed")
    with world(tmp_path, behaviour) as made:
        live = made.create(wanted())
        change = Change(wanted().key, Action.DELETE, live=live)
        assert made.environments.write(change, print) == live.uid
        assert made.environments.settle([change], {change.address: live.uid}) == {}
        assert made.names() == []
        listed = made.call("GET", "/api/v1/asset/environment?name=train")["entries"]
        assert [item["meta"]["id"] for item in listed] == [live.uid]
        assert listed[0]["meta"]["deletedAt"]
        again = made.create(wanted())
        assert again.uid != live.uid


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("denied", [(), ("clusters",), ("clusters", "clusters-minimal")])
def test_the_version_is_found_with_whatever_rights(
    tmp_path: Path, version: Any, denied: tuple[Any, ...]
) -> None:
    with world(tmp_path, Behaviour(version=version, denied=denied)) as made:
        _, found = made.system.check()
        asked = [item.path for item in made.proxy.seen if item.method == "GET"]
        assert len(asked) == (1 if not denied else 2)
        readable = not denied or (len(denied) == 1 and as_number(version) >= (2, 24))
        if readable:
            assert found == f"version {version}, by cluster main ({made_version(made)})"
        elif as_number(version) >= (2, 20):
            assert "or later, by its login (the account may not view clusters)" in found
        else:
            assert found == "version not known (the account may not view clusters)"


def made_version(made: World) -> str:
    """What the cluster says of itself, past the proxy and its rights."""
    units = made.system.units.clusters()
    return units[0].version
