"""Which version a control plane is, what follows from it, and how little is asked for that.

The sandbox plays one version; a proxy before it answers logins and clusters as others would.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from reconciler.core.plan import Action, Change
from reconciler.core.resource import Resource
from reconciler.errors import AccessError, ManifestError, ProviderError, UnreachableError
from reconciler.kinds.variables import VARIABLES, VARIABLES_SINCE
from reconciler.providers.runai.server import parse_version
from reconciler.providers.runai.system import RunaiSystem
from reconciler.sandbox import Behaviour
from tests.faults.proxy import Fault, Kind
from tests.providers.runai.worlds import World, connect, target, wanted, world

CLUSTER = "33333333-3333-4333-8333-333333333333"
SEED = f"""
clusters:
  - name: main
    uuid: {CLUSTER}
    departments: [{{name: default, projects: [team-a]}}]
credentials: [{{name: token, type: password, keys: [T]}}]
"""
FORM, CREDENTIALS, APP = 0, 1, 2
SINCE = [(2, 24), (2, 20), (2, 18)]
VARIABLE_FIELDS = {name.rpartition(".")[2]: since for name, since in VARIABLES_SINCE.items()}
VALUES: Mapping[str, Any] = {
    "credential": {"credential": {"asset_id": "token", "key": "T"}},
    "description": {"value": "x", "description": "why"},
    "config_map": {"config_map": {"name": "settings", "key": "k"}},
    "pod_field": {"pod_field": "metadata.name"},
}


EVERY_LOGIN = Behaviour(version="2.24")


@pytest.fixture
def made(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, EVERY_LOGIN, seed=SEED) as found:
        yield found


def cluster(version: str | None = "2.24.82", **more: Any) -> dict[str, Any]:
    return {"uuid": CLUSTER, "name": "main", "version": version, **more}


def play(made: World, way: int = FORM, clusters: Any = None, minimal: Any = None) -> None:
    """Let the server know one way to log in; lists of clusters are a body or an error's status."""
    logins: list[str] = []

    def answer(what: Any) -> Fault | None:
        if isinstance(what, int):
            return Fault(Kind.STATUS, status=what)
        return None if what is None else Fault(Kind.BODY, status=200, body=what)

    def rule(number: int, method: str, path: str) -> Fault | None:
        plain = path.partition("?")[0]
        if method == "POST" and plain.endswith("/token"):
            logins.append(plain)
            if len(logins) <= way:
                return Fault(Kind.STATUS, status=404)
        if plain == "/api/v1/clusters":
            return answer(clusters)
        return answer(minimal) if plain == "/api/v1/clusters/minimal" else None

    made.proxy.rule = rule


def gets(made: World, part: str = "") -> list[str]:
    return [item.path for item in made.proxy.seen if item.method == "GET" and part in item.path]


def asking(field: str, name: str = "train") -> Resource:
    return wanted(name, environment_variables={"A": VALUES[field], "B": "plain"})


@pytest.mark.parametrize("field", VARIABLE_FIELDS)
@pytest.mark.parametrize("version", ["2.18.7", "v2.19", "2.20.1-rc.2", "2.21", "2.23.71"])
def test_a_field_that_the_version_lacks_is_an_error_of_the_manifest(
    made: World, field: str, version: str
) -> None:
    found = parse_version(version)
    assert found is not None
    play(made, APP if found < (2, 20) else CREDENTIALS, [cluster(version)])
    if found >= VARIABLE_FIELDS[field]:
        (bound,) = made.environments.resolve([asking(field)])
        assert bound.warnings == ()
        return
    with pytest.raises(ManifestError) as caught:
        made.environments.resolve([asking(field)])
    (problem,) = caught.value.problems
    since = ".".join(map(str, VARIABLE_FIELDS[field]))
    assert problem.message == (
        f"RunaiEnvironment.train: environment_variables.A.{field} needs Run:ai {since}; this "
        f"control plane is version {found[0]}.{found[1]}, by cluster main ({version})"
    )
    assert (problem.file, problem.line) == ("manifests/a.yaml", 3)
    assert problem.path == ("spec", "environment_variables", "A", field)
    assert "upgrade the control plane" in problem.fix
    assert {item.method for item in made.proxy.seen if "/token" not in item.path} == {"GET"}


@pytest.mark.parametrize("version", ["2.18.1", None, "", "unknown"])
def test_the_login_of_a_newer_server_settles_it_without_a_request(
    made: World, version: str | None
) -> None:
    """A cluster may be older than its control plane."""
    play(made, FORM, [cluster(version)])
    for field in VARIABLE_FIELDS:
        (bound,) = made.environments.resolve([asking(field)])
        assert bound.warnings == ()
    assert gets(made, "clusters") == []


def test_nothing_is_asked_where_nothing_depends_on_it(made: World) -> None:
    play(made, APP, [cluster("2.18")])
    made.environments.resolve([wanted("a", environment_variables={"A": "x"}), wanted("b")])
    made.environments.read()
    assert gets(made) == ["/api/v1/asset/environment"]


@pytest.mark.parametrize("way", [CREDENTIALS, APP])
def test_two_requests_at_most_whatever_the_number_of_resources(made: World, way: int) -> None:
    play(made, way, 403, 403)
    resources = [asking(field, f"{field}-{number}") for field in VALUES for number in range(5)]
    bound = made.environments.resolve(resources)
    assert gets(made, "clusters") == ["/api/v1/clusters", "/api/v1/clusters/minimal"]
    said = [text for item in bound for text in item.warnings]
    assert len(said) == 1  # once, not for each
    assert "it cannot be known whether this control plane is" in said[0]
    assert "the account may not view clusters" in said[0]


@pytest.mark.parametrize(
    ("clusters", "why"),
    [([], "no cluster says"), ([cluster(None)], "no cluster says"), ([cluster("?")], "no cluster")],
)
def test_a_version_that_nobody_says(made: World, clusters: Any, why: str) -> None:
    play(made, APP, clusters)
    (bound,) = made.environments.resolve([asking("pod_field")])
    assert why in bound.warnings[0]


def test_the_newest_cluster_counts(made: World) -> None:
    clusters = [cluster("2.9"), cluster("2.21.3", name="b"), cluster(None, name="c")]
    play(made, CREDENTIALS, clusters)
    (bound,) = made.environments.resolve([asking("config_map")])
    assert bound.warnings == ()


def test_all_that_is_wrong_is_said_at_once(made: World) -> None:
    play(made, APP, [cluster("2.19")])
    resources = [asking(field, field.replace("_", "-")) for field in VALUES]
    lost = wanted("lost", scope="project", scope_id="nowhere")
    with pytest.raises(ManifestError) as caught:
        made.environments.resolve([*resources, lost])
    assert len(caught.value.problems) == 5


@pytest.mark.parametrize("status", [500, 401, 404])
def test_a_list_of_clusters_that_fails_is_no_unknown_version(made: World, status: int) -> None:
    play(made, APP, status)
    with pytest.raises(ProviderError):
        made.environments.resolve([asking("pod_field")])


@pytest.mark.parametrize("minimal", [403, 404, 400])
def test_without_any_list_of_clusters_the_first_refusal_counts(made: World, minimal: int) -> None:
    play(made, FORM, 403, minimal)
    with pytest.raises(AccessError) as caught:
        made.system.units.clusters()
    assert "GET /api/v1/clusters was answered with 403" in caught.value.what
    assert "view clusters" in caught.value.fix


def test_the_short_list_stands_in_for_a_list_of_clusters_that_is_refused(made: World) -> None:
    play(made, CREDENTIALS, 403, [{"uuid": CLUSTER, "name": "main", "version": "2.22.1"}])
    (bound,) = made.environments.resolve([wanted(scope="cluster")])
    assert bound.spec["scope_id"] == CLUSTER
    made.environments.resolve([asking("config_map")])
    assert len(gets(made, "clusters")) == 2


@pytest.mark.parametrize("body", [{"clusters": []}, None, [{"name": "main"}], [1], "x"])
def test_a_short_list_of_another_form_is_an_error(made: World, body: Any) -> None:
    play(made, FORM, 403, body if body is not None else {})
    with pytest.raises(UnreachableError):
        made.system.units.clusters()


def test_a_short_list_that_may_be_cut_is_an_error(made: World) -> None:
    units = [{"uuid": f"{number:032x}", "name": f"c{number}"} for number in range(500)]
    play(made, FORM, 403, units)
    with pytest.raises(UnreachableError, match="all of them"):
        made.system.units.clusters()


def test_what_is_deleted_is_not_there(made: World) -> None:
    live = made.create(wanted("gone"))
    entry = dict(live.raw)
    deleted = {**entry, "meta": {**entry["meta"], "deletedAt": "2026-10-01T00:00:00Z"}}
    kept = {**entry, "meta": {**entry["meta"], "deletedAt": None}}
    for body, there in ((deleted, False), (kept, True)):
        made.proxy.rule = lambda number, method, path, body=body: Fault(
            Kind.BODY,
            status=200,
            body=body if live.uid in path else {"entries": [body]},
        )
        assert [item.name for item in made.environments.read()] == (["gone"] if there else [])
        change = Change(wanted("gone").key, Action.DELETE, live=live)
        seen = made.environments._reader
        assert bool(seen.find("gone")) == there
        if not there:
            assert made.environments.settle([change], {change.address: live.uid}) == {}
            assert made.environments.write(change, print) == live.uid
            assert made.proxy.count("DELETE") == 0
    clusters = [cluster(), cluster(name="old", uuid="x", deletedAt="2026-01-01T00:00:00Z")]
    play(made, FORM, clusters)
    assert [unit.name for unit in made.system.units.clusters()] == ["main"]
    credential = {"meta": {"id": "i", "name": "n", "scope": "tenant", "deletedAt": "2026"}}
    made.proxy.rule = lambda *_: Fault(Kind.BODY, status=200, body={"entries": [credential]})
    assert made.system.units.credentials() == []


SPECS: list[dict[str, Any]] = [
    {},
    {"scope": "cluster"},
    {"scope": "department", "scope_id": "default"},
    {"scope": "project", "scope_id": "team-a"},
]


@pytest.mark.parametrize(
    ("way", "version", "environments", "computes"),
    [
        (FORM, None, True, True),
        (FORM, "2.18", True, True),
        (CREDENTIALS, "2.23.71", True, False),
        (CREDENTIALS, "2.21.1", True, False),
        (CREDENTIALS, "2.20.9", False, False),
        (APP, "2.18.1", False, False),
        (APP, None, False, False),
    ],
)
def test_a_list_with_descendants_is_no_proof_where_it_may_be_ignored(
    tmp_path: Path, way: int, version: str | None, environments: bool, computes: bool
) -> None:
    with world(tmp_path, Behaviour(version="2.24", unfiltered_list="refuse"), seed=SEED) as made:
        names = [f"e{index}" for index in range(len(SPECS))]
        for name, spec in zip(names, SPECS, strict=True):
            made.create(wanted(name, **spec))
        login = connect(made.proxy.base_url, made.endpoint)  # a command of its own
        system = RunaiSystem(target(made.proxy.base_url), login)
        play(made, way, [cluster(version)])
        made.proxy.clear()
        compute, environment = system.providers[-2:]
        assert sorted(item.name for item in environment.read()) == names
        queries = [item.query for item in made.proxy.seen if item.path.endswith("/environment")]
        assert any("includeDescendants=true" in query for query in queries) == environments
        assert compute.read() == []
        queries = [item.query for item in made.proxy.seen if item.path.endswith("/compute")]
        assert any("includeDescendants=true" in query for query in queries) == computes
        login.close()


def test_a_bearer_token_tells_no_version(made: World) -> None:
    made.call("GET", "/api/v1/clusters")
    token = SecretStr(made.token[0])
    login = connect(made.proxy.base_url, made.endpoint, token=token)
    system = RunaiSystem(target(made.proxy.base_url), login)
    play(made, FORM, [cluster("2.19.4")])
    assert system.check() == ("the token of the target", "version 2.19, by cluster main (2.19.4)")
    with pytest.raises(ManifestError):
        system.providers[-1].resolve([asking("pod_field")])
    login.close()


@pytest.mark.parametrize(
    ("way", "version", "words"),
    [
        (FORM, "3.0.20", "version 3.0, by cluster main (3.0.20)"),
        (FORM, "2.22.1", "version 2.24 or later, by its login (cluster main (2.22.1))"),
        (FORM, None, "version 2.24 or later, by its login (no cluster says its version)"),
        (CREDENTIALS, "2.21.5", "version 2.21, by cluster main (2.21.5)"),
        (APP, None, "version not known (no cluster says its version)"),
    ],
)
def test_what_was_found_is_said_with_its_source(
    made: World, way: int, version: str | None, words: str
) -> None:
    play(made, way, [cluster(version)])
    how, found = made.system.check()
    path = "/api/v2/token" if way == FORM else "/api/v1/token"
    grant = "app_token" if way == APP else "client_credentials"
    assert (how, found) == (f"logged in by POST {path} ({grant})", words)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("2.24.82", (2, 24)),
        ("v2.18", (2, 18)),
        ("2.9.1", (2, 9)),
        (" 3.0.20-rc.1+x\n", (3, 0)),
        ("10.11", (10, 11)),
        ("", None),
        ("latest", None),
        ("2", None),
        ("2.x", None),
        ("2.99999", None),
        ("release-2.20", None),
    ],
)
def test_versions_are_compared_as_numbers(text: str, version: tuple[int, int] | None) -> None:
    assert parse_version(text) == version


@given(st.text())
def test_no_text_is_a_crash(text: str) -> None:
    found = parse_version(text)
    assert found is None or all(isinstance(part, int) for part in found)


def test_a_secret_of_an_old_server_is_read_for_what_it_is() -> None:
    """Up to 2.19; taken for a variable without a value, it would equal an empty one."""
    entry = {"name": "A", "secret": {"name": "db", "key": "PASSWORD"}}
    assert VARIABLES.read([entry]) == {"A": {"secret": {"name": "db", "key": "PASSWORD"}}}
    nothing = {"name": "A", "value": "x", "secret": {"name": "", "key": ""}}
    assert VARIABLES.read([nothing]) == {"A": "x"}


def test_a_secret_of_an_old_server_is_replaced_and_kept(made: World) -> None:
    live = made.create(wanted(environment_variables={"A": "x", "B": "y"}))
    secret = {"name": "db", "key": "PASSWORD"}
    spec = {**live.raw["spec"]}
    spec["environmentVariables"] = [{"name": "A", "secret": secret}, {"name": "B", "value": "y"}]
    old = made.environments._mapping.read({**live.raw, "spec": spec})
    assert old is not None
    assert old.unknown_fields == ()
    assert old.spec["environment_variables"]["A"] == {"secret": secret}
    (bound,) = made.environments.resolve([wanted(environment_variables={"A": "x", "B": "z"})])
    assert live.mark is not None
    body = made.environments._mapping.update_body(bound.spec, live.mark, spec)
    assert body["spec"]["environmentVariables"] == [
        {"name": "A", "value": "x"},
        {"name": "B", "value": "z"},
    ]
