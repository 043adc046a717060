"""Law 7: no secret value in any output, whatever a server answers.

Canaries are the client secret, a bearer token, the access token of a login and variables of
manifests, one of several lines with quotes among them. They are looked for in standard output and
error with --debug, in logs with their tracebacks, in plan files and in JSON; by their parts too,
since a server may quote a value cut short, escaped or on one line.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cli.main import run
from reconciler.providers.runai.backoff import Patience
from reconciler.providers.runai.client import Client
from tests.acceptance.live_side import call, create_live
from tests.acceptance.project import environment
from tests.faults.proxy import Fault, FaultProxy, Kind
from tests.laws.stage import Desk, Stage
from tests.login import log_in

pytestmark = pytest.mark.slow

PLAIN = "canary-plain-7q3x91w2"
STATED = "canary-stated-9v5t"
LINES = 'canary-first "line"\ncanary\\second é line\n\tcanary-third-4z1x'
# No part may be hexadecimal: a digest could hold it by chance.
PARTS = (
    "canary-plain",
    "7q3x91w2",
    "canary-stated",
    "9v5t",
    "canary-first",
    "second",
    "canary-third",
    "4z1x",
    "eyJhbGciOi",
)
THEIRS = "canary-of-others-11"


@dataclass
class Bench:
    """A command line behind a proxy, all of whose output is kept."""

    desk: Desk
    proxy: FaultProxy
    capture: pytest.CaptureFixture[str]
    log: pytest.LogCaptureFixture
    patch: pytest.MonkeyPatch
    canaries: list[str]
    outputs: list[str] = field(default_factory=list)

    def run(self, *arguments: str) -> int:
        """Run a command with --debug and check all that it says."""
        self.log.clear()
        code = run(["-C", str(self.desk.directory), "--debug", *arguments])
        captured = self.capture.readouterr()
        formatter = logging.Formatter("%(name)s %(message)s")
        logged = "\n".join(formatter.format(record) for record in self.log.records)
        self.check(f"{' '.join(arguments)}: output", captured.out + captured.err)
        self.check(f"{' '.join(arguments)}: log", logged)
        return int(code)

    def plan_in_every_form(self) -> int:
        """Plan, and check every form that a plan can be written in."""
        forms = ("markdown", "html", "summary", "outputs", "annotations")
        places = [word for form in forms for word in ("-o", f"{form}={form}")]
        code = self.run("plan", "-o", "json", *places)
        for form in forms:
            self.check(form, (self.desk.directory / form).read_text())
        assert self.run("plan", "--json") == code
        return code

    def hurry(self) -> None:
        """Wait for nothing from here on: what comes is meant to fail."""
        self.patch.setattr(Client, "_pause", lambda *_: 0.0)
        self.patch.setattr(Patience, "rounds", lambda _: iter((0.0, 0.0)))

    def check(self, what: str, text: str) -> None:
        for canary in (*self.canaries, *PARTS, THEIRS):
            position = text.find(canary)
            around = text[max(position - 200, 0) : position + 60]
            assert position < 0, f"{what} holds {canary!r}: {around!r}"


def login_by_secret(stage: Stage) -> tuple[dict[str, Any], str]:
    secret = stage.endpoint.client_secret.get_secret_value()
    login = {"client_id": stage.endpoint.client_id, "client_secret": {"env": "LAW_LOGIN"}}
    return login, secret


def login_by_token(stage: Stage) -> tuple[dict[str, Any], str]:
    return {"token": {"env": "LAW_LOGIN"}}, log_in(stage.endpoint)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture(params=[login_by_secret, login_by_token], ids=["secret", "token"])
def bench(
    request: pytest.FixtureRequest,
    stage: Stage,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Bench]:
    caplog.set_level(logging.DEBUG)
    stage.restore()
    create_live(
        stage,
        "theirs",
        {"image": "x", "environmentVariables": [{"name": "A", "value": THEIRS}]},
    )
    login, secret = request.param(stage)
    desk = Desk(stage, tmp_path / "desk")
    with FaultProxy(stage.endpoint.base_url) as proxy, pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAW_LOGIN", secret)
        patch.setenv("LAW_PLAIN", PLAIN)
        patch.setenv("LAW_LINES", LINES)
        target = {"runai": {"base_url": proxy.base_url, **login}, "timeout": 30.0}
        desk.configure(targets={"live": target}, env_allow=["LAW_PLAIN", "LAW_LINES"])
        desk.write([secretive()])
        yield Bench(desk, proxy, capsys, caplog, patch, [secret, secret[:12], secret[-12:]])


def secretive(**spec: Any) -> dict[str, Any]:
    """Secrets of the environment, and such as somebody has written into the manifest."""
    variables = {
        "PLAIN": {"env": "LAW_PLAIN"},
        "LINES": {"env": "LAW_LINES"},
        "AWS_SECRET_ACCESS_KEY": STATED,
        "DATABASE": f"postgres://me:{STATED}@db/x",
        "API_KEY": {"value": STATED, "description": "for tests"},
    }
    spec.setdefault("args", f"serve --password={STATED}")
    return environment("kept", scope="tenant", environment_variables=variables, **spec)


def test_an_ordinary_life(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    file = bench.desk.directory / "plan.json"
    assert bench.run("validate") == 0
    assert bench.run("doctor") in (0, 1)
    assert bench.run("plan", "--out", str(file), "-o", "json") == 0
    assert bench.run("plan") == 0
    bench.check("the plan file", file.read_text())
    assert bench.run("show", str(file)) == 0
    assert bench.run("apply", str(file), "--apply", "-o", "json") == 0
    assert bench.run("plan", "--detailed-exitcode") == 0
    monkeypatch.setenv("LAW_PLAIN", f"{PLAIN}-rotated")
    assert bench.plan_in_every_form() == bench.run("plan") == 0
    assert bench.run("apply", "--apply") == 0
    bench.desk.write([secretive(image="busybox:2"), environment("theirs", scope="tenant")])
    assert bench.plan_in_every_form() == bench.run("plan") == 4
    bench.desk.write([environment("stays", scope="tenant")])
    assert bench.plan_in_every_form() == bench.run("plan") == 4  # all that the stack owns
    assert bench.run("apply", "--apply", "--allow-deletes=1") == 0
    written = [path for path in bench.desk.directory.rglob("*") if path.is_file()]
    for path in written:
        if path.name != "reconciler.yaml" and path.parent.name != "manifests":
            bench.check(str(path), path.read_text())


def test_what_a_manifest_states_is_hidden_in_every_form_and_warned_of(bench: Bench) -> None:
    """Also where no mark tells: as it is created, changed, taken over, unowned and deleted."""
    stated = environment(
        "open",
        scope="tenant",
        args=f"--token {STATED}",
        environment_variables={"DB_PASSWORD": STATED, "NCCL_DEBUG": "INFO"},
    )
    create_live(
        bench.desk.stage,
        "taken",
        {
            "image": "busybox",
            "args": f"--api-key={STATED}",
            "environmentVariables": [{"name": "HF_TOKEN", "value": STATED}],
        },
    )
    taken = environment("taken", scope="tenant", environment_variables={"HF_TOKEN": "other"})
    bench.desk.write([stated, taken])
    assert bench.run("validate") == 0
    assert bench.plan_in_every_form() == bench.run("plan") == 4
    assert bench.run("apply", "--apply") == 4
    assert bench.run("explain", "RunaiEnvironment.open") == 0
    stated["spec"]["environment_variables"]["DB_PASSWORD"] = f"{STATED}-new"
    bench.desk.write([stated])
    assert bench.plan_in_every_form() == bench.run("plan") == 0
    assert bench.run("apply", "--apply") == 0
    assert bench.run("plan", "--detailed-exitcode") == 0
    bench.desk.write([environment("other", scope="tenant")])
    assert bench.plan_in_every_form() == bench.run("plan") == 4


def echoes(sent: str) -> Mapping[str, Fault]:
    """Answers of a server that quotes what it was sent."""
    named = {"code": 400, "message": f"cannot take {sent}", "details": sent}
    long = {"code": 400, "message": "x" * 960 + sent}
    return {
        "400": Fault(Kind.BODY, status=400, body=named),
        "409": Fault(Kind.BODY, status=409, body={**named, "code": 409}),
        "400 as JSON in JSON": Fault(
            Kind.BODY, status=400, body={"code": 400, "message": json.dumps({"value": sent})}
        ),
        "400 cut short": Fault(Kind.BODY, status=400, body=long),
        "400 without a message": Fault(Kind.BODY, status=400, body={"you": {"sent": sent}}),
        "422 as text": Fault(Kind.BODY, status=422, body=sent),
        "401": Fault(Kind.BODY, status=401, body=named),
        "403": Fault(Kind.BODY, status=403, body=named),
        "500": Fault(Kind.BODY, status=500, body=named),
        "503 in a list": Fault(Kind.BODY, status=503, body=[sent]),
        "200 that is text": Fault(Kind.BODY, status=200, body=sent),
        "redirect": Fault(Kind.REDIRECT, headers={"Location": f"http://x/?q={sent[:12]}"}),
    }


KINDS_OF_ECHO = list(echoes(""))
AMBIGUOUS = ("500", "503 in a list", "200 that is text")
"""Answers after which a write may have taken place all the same."""


def on(method: str, path: str, fault: Fault) -> Callable[[int, str, str], Fault | None]:
    return lambda _number, asked, target: fault if asked == method and path in target else None


@pytest.mark.parametrize("echo", KINDS_OF_ECHO)
@pytest.mark.parametrize("value", [PLAIN, LINES], ids=["plain", "lines"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_server_that_quotes_the_body(bench: Bench, method: str, value: str, echo: str) -> None:
    if method == "PUT":
        bench.desk.write([secretive(command="x")])
        assert bench.run("apply", "--apply") == 0
        bench.desk.write([secretive()])
    bench.hurry()
    bench.proxy.rule = on(method, "/asset/environment", echoes(value)[echo])
    assert bench.run("apply", "--apply") == (5 if echo in AMBIGUOUS else 1)


@pytest.mark.parametrize("echo", KINDS_OF_ECHO)
def test_a_server_that_quotes_the_login(bench: Bench, echo: str) -> None:
    bench.hurry()
    for path in ("/api/v2/token", "/asset/environment", "/api/v1/clusters"):
        bench.proxy.rule = on("POST", path, echoes(bench.canaries[0])[echo])
        bench.run("plan")
        bench.proxy.rule = on("GET", path, echoes(f"Bearer {bench.canaries[0]}")[echo])
        bench.run("plan")
        bench.run("doctor")


def test_an_answer_cut_short_is_not_shown(bench: Bench) -> None:
    assert bench.run("apply", "--apply") == 0
    asset = next(
        item
        for item in call(bench.desk.stage, "GET", "/api/v1/asset/environment")["entries"]
        if item["meta"]["name"] == "kept"
    )
    spec = {"environmentVariables": asset["spec"]["environmentVariables"]}
    bench.hurry()
    for kind in (Kind.CUT, Kind.CUT_UNKNOWN_LENGTH):
        bench.proxy.rule = on("GET", "/asset/environment", Fault(kind))
        assert bench.run("plan") == 1
    text = json.dumps({"entries": [{"spec": spec, "meta": asset["meta"]}]})
    for body in (text[:-9], text.replace('{"entries": [{"spec": {"environmentVariables": ', "")):
        bench.proxy.rule = on("GET", "/asset/environment", Fault(Kind.TEXT, status=200, body=body))
        assert bench.run("plan") == 1


def test_the_configuration_may_not_be_quoted(bench: Bench) -> None:
    """A literal secret in reconciler.yaml, in a place where it is wrong."""
    file = bench.desk.directory / "reconciler.yaml"
    config = yaml.safe_load(file.read_text())
    config["targets"]["live"]["runai"]["client_secret"] = {"env": "LAW_PLAIN", "x": LINES}
    file.write_text(yaml.safe_dump(config))
    assert bench.run("plan") == 1
