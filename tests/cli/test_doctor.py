"""`reconcile doctor`: the way in, and every right that these manifests need."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cli.main import run
from tests.faults.proxy import Fault, Kind
from tests.login import runai as login
from tests.providers.runai.door import Door, Knock, Says, door
from tests.providers.runai.worlds import World, world

SECRET = "canary-s3cr3t"
VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


@dataclass
class Clinic:
    """A directory whose target is a control plane behind a proxy that can refuse."""

    directory: Path
    made: World
    capture: pytest.CaptureFixture[str]

    def configure(self, **runai: Any) -> None:
        stated = {**login(self.made.endpoint), "base_url": self.made.proxy.base_url, **runai}
        config = {"apiVersion": "reconciler/v1", "stack": "ml", "default_target": "live"}
        config["targets"] = {"live": {"runai": stated}}  # type: ignore[assignment]
        (self.directory / "reconciler.yaml").write_text(yaml.safe_dump(config))

    def state(self, **spec: Any) -> None:
        (self.directory / "manifests").mkdir(exist_ok=True)
        document = {
            "apiVersion": "reconciler/v1",
            "kind": "RunaiEnvironment",
            "metadata": {"name": "train"},
            "spec": {"scope": "tenant", "image": "busybox:1", **spec},
        }
        (self.directory / "manifests" / "a.yaml").write_text(yaml.safe_dump(document))

    def refuse(self, *paths: str) -> None:
        """Answer reads of these paths with 403."""
        self.made.proxy.rule = lambda number, method, path: (
            Fault(Kind.STATUS, status=403)
            if method == "GET" and path.partition("?")[0].endswith(paths)
            else None
        )

    def doctor(self) -> tuple[int, str]:
        code = run(["-C", str(self.directory), "doctor"])
        out = self.capture.readouterr().out
        assert self.made.endpoint.client_secret.get_secret_value() not in out
        return code, out


@pytest.fixture
def clinic(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Clinic]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with world(tmp_path) as made:
        found = Clinic(tmp_path, made, capsys)
        found.configure()
        found.state()
        yield found


def test_what_works_is_said_line_by_line(clinic: Clinic) -> None:
    code, out = clinic.doctor()
    assert code == 0, out
    url = clinic.made.proxy.base_url
    for line in (
        "ok    proxy: none",
        f"ok    Run:ai control plane {url}: logged in by POST /api/v2/token (client_credentials)",
        "ok    view environment assets: 0 seen, 0 with a mark of ownership",
        "ok    view compute assets: 0 seen, 0 with a mark of ownership",
        "ok    view clusters: main",
        "ok    view departments: default",
        "ok    view projects: team-a, team-b",
        "ok    view credentials: none",
    ):
        assert line in out
    assert "; version " in out
    assert {item.method for item in clinic.made.proxy.seen} == {"GET", "POST"}


LISTS: dict[str, tuple[str, dict[str, Any]]] = {
    "view environment assets": ("/asset/environment", {}),
    "view compute assets": ("/asset/compute", {}),
    "view clusters": ("/clusters", {"scope": "cluster"}),
    "view departments": ("/departments", {"scope": "department", "scope_id": "default"}),
    "view projects": ("/projects", {"scope": "project", "scope_id": "team-a"}),
    "view credentials": (
        "/asset/credentials",
        {"environment_variables": {"A": {"credential": {"name": "a", "key": "k"}}}},
    ),
}


@pytest.mark.parametrize("right", LISTS)
@pytest.mark.parametrize("needed", [True, False])
def test_a_right_that_is_missing_is_named(clinic: Clinic, right: str, needed: bool) -> None:
    path, spec = LISTS[right]
    refused = [path, "/clusters/minimal"]
    if path in ("/asset/environment", "/asset/compute"):
        refused += ["/clusters"]  # nor is there another way to read them
    clinic.refuse(*refused)
    if needed:
        clinic.state(**spec)
    code, out = clinic.doctor()
    if needed or not spec:
        assert code == 1
        assert f"FAIL  {right}:\n" in out
        assert "the account probably lacks the right to view" in out.partition(right)[2]
    else:
        assert code == 0, out
        assert f"-     {right}: no, which only " in out


def test_the_short_list_of_clusters_is_enough(clinic: Clinic) -> None:
    uid = "33333333-3333-4333-8333-333333333333"
    short = [{"uuid": uid, "name": "main", "version": "3.0.20"}]

    def rule(number: int, method: str, path: str) -> Fault | None:
        if "/clusters/minimal" in path:
            return Fault(Kind.BODY, status=200, body=short)
        return Fault(Kind.STATUS, status=403) if "/clusters" in path else None

    clinic.made.proxy.rule = rule
    clinic.state(scope="cluster")
    code, out = clinic.doctor()
    assert code == 0, out
    assert "version 3.0, by cluster main (3.0.20)" in out
    assert "ok    view clusters: main" in out


def test_without_a_login_no_right_is_tried(clinic: Clinic) -> None:
    clinic.configure(client_secret=SECRET)
    code, out = clinic.doctor()
    assert code == 1
    assert "the control plane refused the login with 401" in out
    assert "check client_id and client_secret of the target" in out
    assert "view environment" not in out
    assert SECRET not in out


def behind_a_proxy(knock: Knock) -> Says:
    """A control plane that is reached by its name, through the proxy alone."""
    path = knock.path.removeprefix("http://control-plane.invalid")
    if path == "/api/v2/token":
        return Says(200, {"access_token": "t", "expires_in": 60})
    if path == "/api/v1/clusters":
        return Says(200, [])
    word = path.rpartition("/")[2]
    return Says(200, {"entries": [], "projects": [], "departments": []} if word else 404)


@pytest.fixture
def proxy() -> Iterator[Door]:
    with door(behind_a_proxy) as made:
        yield made


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_the_proxy_of_the_environment_is_used_and_named(
    clinic: Clinic, proxy: Door, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, proxy.base_url.replace("//", f"//user:{SECRET}@"))
    clinic.configure(base_url="http://control-plane.invalid", allow_http=True)
    code, out = clinic.doctor()
    assert code == 0, out
    assert f"ok    proxy: {proxy.base_url}, stated by {name}\n" in out
    assert SECRET not in out
    assert {item.headers["host"] for item in proxy.knocks} == {"control-plane.invalid"}
    assert clinic.made.proxy.seen == []


def test_this_machine_is_reached_without_it(
    clinic: Clinic, proxy: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy.base_url)
    code, out = clinic.doctor()
    assert code == 0, out
    assert "ok    proxy: none\n" in out
    assert proxy.knocks == []


def test_a_proxy_that_cannot_be_used(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"socks5://user:{SECRET}@proxy.invalid:1080")
    clinic.configure(base_url="http://control-plane.invalid", allow_http=True)
    code, out = clinic.doctor()
    assert code == 1
    assert "ALL_PROXY names a SOCKS proxy, which cannot be used" in out
    assert SECRET not in out
