"""What a plan is compared with in Git, and whose reconciler.yaml counts: over MCP."""

from typing import Any

import pytest
from mcp.client import Client

from tests.acceptance.git_project import commit, git, start
from tests.acceptance.live_side import edit_live, named
from tests.acceptance.project import Project, environment
from tests.mcp_server.clients import call, in_process, over_stdio, read_plan

TRAIN = "RunaiEnvironment.train"
SECRET = "canary-51c7"  # the value of a variable that no manifest may read
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def branch(world: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """`main` is applied; `work` is checked out."""
    monkeypatch.setenv("DEPLOY_KEY", SECRET)
    world.write(environment(), environment("stays"))
    world.apply()
    start(world)
    return world


def second(body: dict[str, Any]) -> None:
    body["spec"]["image"] = "busybox:9"


def test_a_plan_says_whose_change_each_one_is(branch: Project) -> None:
    edit_live(branch, "RunaiEnvironment.stays", second)
    branch.write(environment(image="busybox:2"), environment("stays"))
    made = commit(branch, "Use the `second`\x1b[2J")

    async def use(client: Client) -> None:
        plain = await call(client, "plan")
        assert all("cause" not in item for item in plain.value["changes"])
        said = await call(client, "plan", since="main")
        assert not said.failed
        assert said.value["digest"] == plain.value["digest"]
        causes = {item["address"]: item["cause"] for item in said.value["changes"]}
        mine = causes[TRAIN]
        assert (mine["origin"], mine["author"]) == ("branch", "Ada Lovelace")
        assert mine["commit"].startswith(made)
        assert mine["file"] == "manifests/all.yaml"
        assert "\x1b" not in said.raw
        drift = causes["RunaiEnvironment.stays"]
        assert drift["origin"] == "drift"
        assert set(drift["live_change"]) == {"by", "at"}
        document = await read_plan(client, said.uri)
        assert document["reconciler"]["review"]["since"] == "main"

    branch.server.requests.clear()
    in_process(branch.directory, use)
    assert not branch.server.requests.writes()


def test_an_explanation_names_the_commit_only_if_asked(branch: Project) -> None:
    branch.write(environment(image="busybox:2"), environment("stays"))
    made = commit(branch, "Use the second")

    async def use(client: Client) -> None:
        said = await call(client, "explain", address=TRAIN, since="main")
        assert any(f"changed by commit {made}" in sentence for sentence in said.value["why"])
        plain = await call(client, "explain", address=TRAIN)
        assert not any("changed by commit" in sentence for sentence in plain.value["why"])

    in_process(branch.directory, use)


@pytest.mark.parametrize("tool", ["plan", "explain"])
@pytest.mark.parametrize(
    ("since", "words"),
    [
        ("nowhere", "there is no commit 'nowhere'"),
        ("--output=here", "there is no commit"),
        ("main:manifests", "there is no commit"),
        ("", "must not be empty"),
        ("m" * 301, "at most 300 characters"),
        (1, "text"),
    ],
)
def test_a_wrong_ref_is_an_error_and_no_plan(
    branch: Project, tool: str, since: object, words: str
) -> None:
    arguments = {"address": TRAIN} if tool == "explain" else {}

    async def use(client: Client) -> None:
        said = await call(client, tool, since=since, **arguments)
        assert said.failed
        assert words in said.value["error"]
        assert "digest" not in said.value
        assert not (await client.list_resources()).resources

    in_process(branch.directory, use)


@pytest.mark.parametrize("tool", ["plan", "explain", "get", "list_objects", "propose_removal"])
def test_no_tool_takes_a_configuration(branch: Project, tool: str) -> None:
    async def use(client: Client) -> None:
        said = await call(client, tool, address=TRAIN, config_from="work")
        assert said.failed
        assert "config_from" in said.value["error"]

    in_process(branch.directory, use)


def test_the_configuration_is_that_of_the_ref_for_every_tool(branch: Project) -> None:
    branch.go_by(NOWHERE)
    branch.configure(guards={"max_deletes": 100})
    branch.write(environment(image="busybox:2"), environment("stays"))
    commit(branch, "Another address")

    async def use(client: Client) -> None:
        planned = await call(client, "plan", since="main")
        assert not planned.failed
        assert planned.value["configuration_of"] == "main"
        assert planned.value["overridden"] == ["targets", "guards"]
        assert not (await call(client, "explain", address=TRAIN)).failed
        got = await call(client, "get", address=TRAIN)
        assert got.value["live"][0]["spec"]["image"] == "busybox:1"
        assert not (await call(client, "propose_removal", address=TRAIN)).failed
        done = await call(client, "apply_plan", digest=planned.value["digest"])
        assert not done.failed

    in_process(branch.directory, use, allow_writes=True, config_from="main")
    assert named(branch, "train")["spec"]["image"] == "busybox:2"

    async def untrusted(client: Client) -> None:
        assert (await call(client, "plan")).failed

    in_process(branch.directory, untrusted)


def test_a_base_reads_no_variable_that_the_ref_does_not_permit(branch: Project) -> None:
    variable = {"KEY": {"env": "DEPLOY_KEY"}}
    branch.configure(env_allow=["DEPLOY_*"])
    branch.write(environment(environment_variables=variable), environment("stays"))
    commit(branch, "Read it")
    branch.configure()
    branch.write(environment(image="busybox:2"), environment("stays"))
    commit(branch, "As if nothing had been")

    async def use(client: Client) -> None:
        said = await call(client, "plan", since="HEAD~1")
        assert not said.failed
        assert "cause" not in said.value["changes"][0]
        assert "DEPLOY_KEY" in said.value["not_attributed"]
        assert SECRET not in said.raw

    in_process(branch.directory, use, config_from="main")


def test_the_command_takes_the_ref_and_refuses_a_wrong_one(branch: Project) -> None:
    ran = branch.reconcile("mcp", "--config-from", "nowhere")
    assert ran.code == 1
    assert "there is no commit 'nowhere'" in ran.err
    branch.go_by(NOWHERE)
    commit(branch, "Another address")
    git(branch.directory, "tag", "first", "main")

    async def use(client: Client) -> str:
        said = await call(client, "plan")
        assert not said.failed, said.raw
        return str(said.value["configuration_of"])

    assert over_stdio(branch.directory, use, "--config-from", "first") == "first"
