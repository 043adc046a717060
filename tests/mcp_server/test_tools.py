"""What each tool answers, through the SDK's client and server, against a real sandbox."""

import json
from typing import Any

import mcp_types as types
import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError

from reconciler.mcp_server.truncation import LARGEST
from tests.acceptance.live_side import assets, create_live, delete_live, edit_live, named
from tests.acceptance.project import Project, environment
from tests.mcp_server.clients import call, in_process, read_plan

READING = {"validate", "plan", "explain", "get", "list_objects"}
PROPOSING = {"propose_manifest", "propose_removal"}


def test_the_tools_say_what_they_do_and_which_one_writes(world: Project) -> None:
    async def names(client: Client) -> dict[str, types.Tool]:
        return {tool.name: tool for tool in (await client.list_tools()).tools}

    reading = in_process(world.directory, names)
    writing = in_process(world.directory, names, allow_writes=True)
    assert set(reading) == READING | PROPOSING
    assert set(writing) == READING | PROPOSING | {"apply_plan"}
    for name, tool in writing.items():
        hints = tool.annotations
        assert hints is not None
        assert hints.read_only_hint == (name in READING)
        assert hints.destructive_hint == (name == "apply_plan")
        assert tool.input_schema["additionalProperties"] is False
        assert tool.description
        assert len(tool.description) < 400


def test_a_plan_is_a_summary_and_the_whole_of_it_a_resource(world: Project) -> None:
    world.write(*(environment(f"train-{number:02}") for number in range(30)))

    async def use(client: Client) -> None:
        made = await call(client, "plan")
        assert made.value["summary"] == "Plan: 30 to add, 0 to change, 0 to destroy."
        assert len(made.value["changes"]) == 20
        assert made.value["changes_not_shown"] == "10 more"
        assert made.uri in made.value["rest"]
        assert made.value["changes"][0] == {
            "address": "RunaiEnvironment.train-00",
            "action": "create",
            "file": "manifests/all.yaml:1",
        }
        assert len(made.raw) < 4000
        document = await read_plan(client, made.uri)
        assert len(document["resource_changes"]) == 30
        assert document["reconciler"]["digest"] == made.value["digest"]
        listed = (await client.list_resources()).resources
        assert [item.uri for item in listed] == [made.uri]
        narrow = await call(client, "plan", only=["RunaiEnvironment.train-0*"])
        assert narrow.value["summary"].startswith("Plan: 10 to add")
        with pytest.raises(MCPError, match="no plan of that digest"):
            await client.read_resource("reconcile://plan/" + "0" * 64)

    in_process(world.directory, use)
    assert not world.server.requests.writes()


def test_destroys_come_first_and_say_what_uses_them(world: Project) -> None:
    world.write(environment("kept"), environment("gone"))
    world.apply()
    world.write(environment("another"), environment("kept", image="busybox:2"))

    async def use(client: Client) -> None:
        made = await call(client, "plan")
        first, *rest = made.value["changes"]
        assert (first["address"], first["action"]) == ("RunaiEnvironment.gone", "delete")
        update = next(item for item in rest if item["action"] == "update")
        assert update["fields"] == ["image"]

    in_process(world.directory, use)


def test_validate_reports_every_problem_with_its_place(world: Project) -> None:
    world.write(environment("a", colour="red"), environment("b", scope="galaxy"))

    async def use(client: Client) -> None:
        done = await call(client, "validate")
        assert done.failed
        assert done.value["error"] == "2 problems in the manifests"
        first, second = done.value["problems"]
        assert first["where"] == "manifests/all.yaml:8:3"
        assert first["error"] == "unknown field `spec.colour`"
        assert second["fix"]
        world.write(environment("a"))
        assert (await call(client, "validate")).value == {
            "valid": True,
            "resources": 1,
            "kinds": {"RunaiEnvironment": 1},
        }

    in_process(world.directory, use)
    assert not world.server.requests.all()


def test_get_shows_both_sides_and_owners(world: Project) -> None:
    world.write(environment("train", environment_variables={"A": "1"}))
    world.apply()
    edit_live(
        world, "RunaiEnvironment.train", lambda body: body["spec"].update(image="busybox:live")
    )
    create_live(world, "theirs", {"image": "busybox:3"})

    async def use(client: Client) -> None:
        got = await call(client, "get", address="RunaiEnvironment.train")
        assert got.value["desired"]["compared"]["image"] == "busybox:1"
        (live,) = got.value["live"]
        assert live["spec"]["image"] == "busybox:live"
        assert live["owner"] == "this stack (ml-platform)"
        theirs = await call(client, "get", address="RunaiEnvironment.theirs")
        assert theirs.value["desired"] is None
        assert theirs.value["live"][0]["owner"].startswith("nobody")
        wrong = await call(client, "get", address="RunaiEnvironment.trian")
        assert wrong.failed
        assert wrong.value["fix"].startswith("did you mean `RunaiEnvironment.train`")
        listed = await call(client, "list_objects", kind="RunaiEnvironment", name_contains="t")
        assert [item["address"] for item in listed.value["desired"]] == ["RunaiEnvironment.train"]
        assert {"theirs", "train"} <= {item["name"] for item in listed.value["live"]}
        unknown = await call(client, "list_objects", kind="Pod")
        assert unknown.failed
        assert "RunaiCompute" in unknown.value["fix"]

    in_process(world.directory, use)


def test_explain_says_why_field_by_field(world: Project) -> None:
    world.write(environment("train", environment_variables={"A": "1"}))
    world.apply()
    world.write(environment("train", image="busybox:2", environment_variables={"A": "1"}))

    async def use(client: Client) -> None:
        got = await call(client, "explain", address="RunaiEnvironment.train")
        assert got.value["action"] == "update"
        (field,) = got.value["fields"]
        assert (field["field"], field["live"], field["manifest"]) == (
            "image",
            '"busybox:1"',
            '"busybox:2"',
        )
        assert got.value["applying"]
        wrong = await call(client, "explain", address="RunaiEnvironment.trian")
        assert wrong.failed
        assert "RunaiEnvironment.train" in wrong.value["fix"]

    in_process(world.directory, use)


def test_apply_carries_out_exactly_the_plan_of_the_digest(world: Project) -> None:
    world.write(environment("train"), environment("other"))

    async def use(client: Client) -> None:
        made = await call(client, "plan", only=["RunaiEnvironment.train"])
        done = await call(client, "apply_plan", digest=made.value["digest"])
        assert not done.failed
        assert done.value["summary"] == (
            "Apply complete! Resources: 1 added, 0 changed, 0 destroyed."
        )
        assert [item["meta"]["name"] for item in assets(world)] == ["train"]
        again = await call(client, "apply_plan", digest=made.value["digest"])
        assert again.failed
        assert "RunaiEnvironment.train: approved create, now unchanged" in again.value["error"]

    in_process(world.directory, use, allow_writes=True)


@pytest.mark.parametrize("moved", ["manifest", "live"])
def test_apply_refuses_what_moved_and_says_what(world: Project, moved: str) -> None:
    world.write(environment("train"))
    world.apply()
    world.write(environment("train", image="busybox:2"))

    async def use(client: Client) -> None:
        made = await call(client, "plan")
        if moved == "manifest":
            world.write(environment("train", image="busybox:3"))
        else:
            delete_live(world, "train")
        world.server.requests.clear()
        done = await call(client, "apply_plan", digest=made.value["digest"])
        assert done.failed
        assert "nothing was applied" in done.value["error"]
        side = "the manifest changed" if moved == "manifest" else "now create"
        assert side in done.value["error"]
        assert done.value["fix"].startswith("call plan again")

    in_process(world.directory, use, allow_writes=True)
    assert not world.server.requests.writes()


def test_a_digest_that_a_person_brings_is_good_for_the_whole_plan(world: Project) -> None:
    """A pull request's plan was reviewed elsewhere: its digest is enough, if it still holds."""
    world.write(environment("train"))
    digest = json.loads(world.reconcile("plan", "-o", "json").out)["reconciler"]["digest"]

    async def use(client: Client) -> None:
        unknown = await call(client, "apply_plan", digest="sha256:" + "0" * 64)
        assert unknown.failed
        assert digest not in unknown.raw
        assert not assets(world)
        assert not (await call(client, "apply_plan", digest=digest)).failed

    in_process(world.directory, use, allow_writes=True)
    assert len(assets(world)) == 1


def test_a_model_cannot_approve_what_a_guard_stops(world: Project) -> None:
    """Naming an address in full approves its deletion at the command line, but not here."""
    world.write(*(environment(f"old-{number}") for number in range(4)), environment("kept"))
    world.apply()
    world.write(environment("kept"))
    everything = [f"RunaiEnvironment.old-{number}" for number in range(4)]

    async def use(client: Client) -> None:
        made = await call(client, "plan", only=everything)
        assert {item["refused"]["as"] for item in made.value["changes"]} == {"blocked"}
        done = await call(client, "apply_plan", digest=made.value["digest"])
        assert len(done.value["refused"]) == 4

    in_process(world.directory, use, allow_writes=True)
    assert len(assets(world)) == 5


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("plan", {"only": "RunaiEnvironment.a"}, "`only` must be a list, but it is text"),
        ("plan", {"onyl": ["x"]}, "unknown field `onyl` (did you mean `only`?)"),
        ("plan", {"only": ["RunaiEnvironment.zzz"]}, "no address matches"),
        ("get", {}, "`address` is missing"),
        ("get", {"address": 3}, "`address` must be text"),
        ("apply_plan", {"digest": "latest"}, "`digest`"),
        ("apply_plan", {}, "`digest` is missing"),
        ("apply_plan", {"digest": "sha256:" + "a" * 64, "confirmed": True}, "`confirmed`"),
        ("applyplan", {}, "there is no tool 'applyplan'"),
    ],
)
def test_a_refusal_says_what_is_wrong(
    world: Project, name: str, arguments: dict[str, Any], says: str
) -> None:
    world.write(environment("a"))

    async def use(client: Client) -> None:
        done = await call(client, name, **arguments)
        assert done.failed
        assert says in done.value["error"]
        assert done.value["fix"]

    in_process(world.directory, use, allow_writes=True)
    assert not world.server.requests.writes()


def test_without_allow_writes_there_is_nothing_to_write_with(world: Project) -> None:
    world.write(environment("train"))

    async def use(client: Client) -> None:
        made = await call(client, "plan")
        assert "--allow-writes" in made.value["next"]
        done = await call(client, "apply_plan", digest=made.value["digest"])
        assert done.failed
        assert done.value["error"] == "this server is read-only: it applies nothing"

    in_process(world.directory, use)
    assert not world.server.requests.writes()


def test_a_system_that_cannot_be_read_is_said_and_nothing_applied(world: Project) -> None:
    world.write(environment("train"))
    world.configure(
        targets={
            "live": {
                "runai": {
                    "base_url": world.endpoint.base_url,
                    "client_id": world.endpoint.client_id,
                    "client_secret": "not the secret",
                }
            }
        }
    )

    async def use(client: Client) -> None:
        made = await call(client, "plan")
        assert made.failed
        assert made.value["unread"][0]["system"] == "Run:ai control plane"
        done = await call(client, "apply_plan", digest=made.value["digest"])
        assert done.failed
        assert "incomplete" in done.value["error"]

    in_process(world.directory, use, allow_writes=True)


def test_a_system_that_became_unreadable_is_said_and_not_taken_for_empty(world: Project) -> None:
    world.write(environment("train"))
    secret = world.endpoint.client_secret.get_secret_value()

    async def use(client: Client) -> None:
        made = await call(client, "plan")
        path = world.directory / "reconciler.yaml"
        path.write_text(path.read_text().replace(secret, "not the secret"))
        done = await call(client, "apply_plan", digest=made.value["digest"])
        assert done.failed
        assert "the plan is incomplete: the control plane refused the login" in done.value["error"]
        assert "gone" not in done.raw

    in_process(world.directory, use, allow_writes=True)
    assert not world.server.requests.writes()


def test_answers_stay_small_and_count_what_they_leave_out(world: Project) -> None:
    variables = {f"VARIABLE_{number:03}": "x" * 300 for number in range(300)}
    world.write(environment("train", environment_variables=variables))
    world.apply()
    marked = named(world, "train")["meta"]["description"]
    for number in range(30):
        create_live(world, f"copy-{number}", {"image": "busybox"}, description=marked)
    world.write(environment("train", image="busybox:2"))

    async def use(client: Client) -> None:
        made = await call(client, "plan", only=["RunaiEnvironment.train"])
        assert len(made.value["not_ours"]) == 20
        assert made.value["not_ours_not_shown"] == "10 more"
        got = await call(client, "get", address="RunaiEnvironment.train")
        spec = got.value["live"][0]["spec"]["environment_variables"]
        assert int(spec["..."].removesuffix(" more")) + len(spec) - 1 == 300
        explained = await call(client, "explain", address="RunaiEnvironment.train")
        fields = explained.value["fields"]
        left_out = int(explained.value["fields_not_shown"].removesuffix(" more"))
        assert left_out + len(fields) == 301
        whole = await read_plan(client, explained.uri)
        assert len(whole["fields"]) == 301
        world.write(environment("train", environment_variables=variables))
        large = await call(client, "get", address="RunaiEnvironment.train")
        assert large.value["desired"]["manifest"] is None
        assert "exact in `rest`" in large.value["desired"]["manifest_left_out"]
        for answer in (made, got, explained, large):
            assert len(answer.raw) <= LARGEST

    in_process(world.directory, use)


def test_an_apply_lists_a_part_of_what_it_did_and_keeps_the_rest(world: Project) -> None:
    world.write(*(environment(f"train-{number:02}") for number in range(30)))

    async def use(client: Client) -> None:
        made = await call(client, "plan")
        done = await call(client, "apply_plan", digest=made.value["digest"])
        assert len(done.value["applied"]) == 20
        assert done.value["applied_not_shown"] == "10 more"
        assert len((await read_plan(client, done.uri))["applied"]) == 30
        listed = await call(client, "list_objects", name_contains="train")
        assert listed.value["found"] == {"desired": 30, "live": 30}
        with pytest.raises(MCPError, match="no answer of that name"):
            await client.read_resource("reconcile://answer/" + "0" * 64)

    in_process(world.directory, use, allow_writes=True)
