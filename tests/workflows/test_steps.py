"""Single steps of the action, as the runner starts them, without a workflow around them."""

import json
import os
import re
import ssl
import subprocess

import pytest

from reconciler import __version__
from tests.workflows.fake_github import BOT, FakeGitHub
from tests.workflows.stage import TOKEN, Stage


def ran(stage: Stage, command: str, head: str, **more: str) -> tuple[int, str]:
    """The exit code and the log of a step."""
    running = stage.step(command, head, **more)
    log, _ = running.communicate(timeout=300)
    return running.returncode, log


def test_a_comment_where_not_even_a_page_was_made(bare_stage: Stage) -> None:
    """A job that fails before its plan: what stands in the comment is of an earlier commit."""
    more = {"EVENT": json.dumps({"pull_request": {"number": 7}}), **PULL_REQUEST}
    known = bare_stage.github.repository
    known.comments[7] = [{"id": 1, "user": BOT, "body": "<!-- reconcile:production -->\nold"}]
    code, log = ran(bare_stage, "comment", "a" * 40, **more, GITHUB_RUN_ID="5")
    assert code == 0, log
    (comment,) = known.comments[7]
    assert comment["body"].startswith("<!-- reconcile:production -->\n### reconcile plan: ")
    assert "there is no plan" in comment["body"]
    assert "https://github.com/acme/platform/actions/runs/5" in comment["body"]
    code, log = ran(bare_stage, "comment", "a" * 40, **more, RECONCILE_BODY="/nowhere/plan.md")
    assert code == 1
    assert "/nowhere/plan.md: it cannot be read" in log


def test_an_enterprise_server_is_spoken_to_with_the_token_of_the_job(bare_stage: Stage) -> None:
    """`gh` takes GH_TOKEN for github.com alone."""
    key, cert = bare_stage.place / "key.pem", bare_stage.place / "cert.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    made += ["-nodes", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*made, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    server = FakeGitHub(tls)
    more = {"EVENT": json.dumps({"pull_request": {"number": 7}}), **PULL_REQUEST}
    more |= {"GITHUB_SERVER_URL": server.url, "SSL_CERT_FILE": str(cert), "GH_HOST": ""}
    more |= {"GH_ENTERPRISE_TOKEN": "of somebody else"}
    code, log = ran(bare_stage, "comment", "a" * 40, **more)
    server.close()
    assert code == 0, log
    assert "there is no plan" in server.repository.comments[7][0]["body"]
    assert server.repository.tokens == {f"token {TOKEN}"}
    assert bare_stage.github.repository.requests == []


@pytest.mark.parametrize("name", ["GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN"])
def test_no_token_of_gh_reaches_the_command(bare_stage: Stage, name: str) -> None:
    program = bare_stage.place / "bin" / "reconcile"
    program.parent.mkdir()
    said = f"#!/bin/sh\n[ $1 = --version ] && echo reconcile {__version__} || env\n"
    program.write_text(said)
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    code, log = ran(bare_stage, "validate", "a" * 40, **{"PATH": path, name: "canary of gh"})
    assert code == 0, log
    assert "RECONCILE_COMMAND=validate" in log
    assert "canary of gh" not in log


PULL_REQUEST = {"GITHUB_EVENT_NAME": "pull_request"}


def outputs(stage: Stage) -> dict[str, str]:
    """What the last step has put out."""
    return dict(
        re.findall(r"^(\S+)<<\S+\n(.*?)\nend_", stage.output.read_text(), re.MULTILINE | re.DOTALL)
    )
