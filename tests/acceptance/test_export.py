"""Export what people have made: the next plan imports it, and changes nothing."""

import json
import re
import shutil
import time
import urllib.error
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cli.main import run
from reconciler.sandbox import Behaviour, SandboxServer
from tests.acceptance.live_side import PATHS, assets, call
from tests.acceptance.project import Project, environment, project
from tests.acceptance.random_assets import random_assets

NOBODY = {"host": "unix:///nowhere/docker.sock"}
EXAMPLE = Path(__file__).parents[2] / "examples/brownfield"
MARK = re.compile(r" ?\[reconcile:[^]]*\]$")


def places(world: Project) -> list[dict[str, Any]]:
    projects = call(world, "GET", "/api/v1/org-unit/projects")["projects"]
    (department, *_) = call(world, "GET", "/api/v1/org-unit/departments")["departments"]
    return [
        {"scope": "tenant"},
        {"scope": "cluster", "clusterId": projects[0]["clusterId"]},
        {"scope": "department", "departmentId": department["id"]},
        *({"scope": "project", "projectId": int(item["id"])} for item in projects[:2]),
    ]


def make(world: Project, word: str, name: str, spec: dict[str, Any], **meta: Any) -> str:
    body = {"meta": {"name": name, "scope": "tenant", **meta}, "spec": spec}
    uid: str = call(world, "POST", f"/api/v1/asset/{word}", body)["meta"]["id"]
    return uid


def make_any(world: Project, seed: int, count: int) -> int:
    """Random assets, as many as the server takes of `count`."""
    made = 0
    version = world.server._setup.behaviour.version
    for word, body in random_assets(version, seed, count, places(world)):
        try:
            call(world, "POST", f"/api/v1/asset/{word}", body)
            made += 1
        except urllib.error.HTTPError as error:
            assert error.code in (400, 409)  # noqa: PT017
    return made


_ABSENT: tuple[Any, ...] = (None, "", [], {}, False)


def live(world: Project) -> dict[str, Any]:
    """Every asset by id, without marks and times."""
    found = {}
    for kind in PATHS:
        for entry in assets(world, kind):
            meta = {
                name: value
                for name, value in entry["meta"].items()
                if value and name in ("name", "scope", "description", "workloadSupportedTypes")
            }
            text = MARK.sub("", meta.pop("description", "") or "")
            found[entry["meta"]["id"]] = (meta, text.strip(), _present(entry["spec"]))
    return found


def _present(value: Any) -> Any:
    """The value without what equals its absence: an update may leave that out, or fill it in."""
    if isinstance(value, dict):
        return {k: v for k, item in value.items() if (v := _present(item)) not in _ABSENT}
    if isinstance(value, list):
        return [_present(item) for item in value]
    return value


def exported(world: Project, *options: str) -> Any:
    ran = world.reconcile("export", "-o", "json", *options)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def files(world: Project) -> dict[str, str]:
    root = world.directory / "manifests"
    return {str(p.relative_to(root)): p.read_text() for p in sorted(root.rglob("*.yaml"))}


def test_whatever_is_exported_is_imported_without_a_change(any_world: Project) -> None:
    world = any_world
    made = make_any(world, seed=7, count=200)
    assert made > 40
    time.sleep(2 * world.lag)
    before = live(world)
    found = exported(world, "--secrets", "keep")
    fates = [item["fate"] for item in found["exported"]]
    ready = [uid for item in found["exported"] if item["fate"] == "ready" for uid in item["ids"]]
    assert len(ready) > 15, found
    assert all(item["reasons"] for item in found["exported"] if item["fate"] != "ready")
    assert sum(len(item["ids"]) for item in found["exported"]) == made, fates
    assert world.reconcile("validate").code == 0
    assert set(world.plan().values()) == {"adopt"}
    assert len(world.plan()) == len(ready)
    world.apply("--parallelism", "1")
    time.sleep(2 * world.lag)
    assert world.plan() == {}
    after = live(world)
    changed = {uid: (before[uid], after[uid]) for uid in before if before[uid] != after[uid]}
    assert changed == {}
    again = exported(world, "--secrets", "keep")
    assert not [item for item in again["exported"] if item["fate"] == "ready"]


JUPYTER = {
    "name": "Jupyter",
    "isExternal": False,
    "internalToolInfo": {
        "toolType": "jupyter-notebook",
        "connectionType": "ExternalUrl",
        "containerPort": 8888,
    },
}


def in_project(world: Project, name: str) -> dict[str, Any]:
    projects = call(world, "GET", "/api/v1/org-unit/projects")["projects"]
    (found,) = [item for item in projects if item["name"] == name]
    return {"scope": "project", "projectId": int(found["id"])}


def test_a_manifest_says_what_a_person_would_write(world: Project) -> None:
    place = in_project(world, "team-a")
    make(
        world,
        "environment",
        "train",
        {
            "image": "nvcr.io/nvidia/pytorch:24.01-py3",
            "imagePullPolicy": "IfNotPresent",
            "connections": [JUPYTER],
            "environmentVariables": [{"name": "NCCL_DEBUG", "value": "INFO"}],
            "hostIpc": False,
        },
        workloadSupportedTypes={"workspace": True, "training": True},
        **place,
    )
    compute = {
        "gpuDevicesRequest": 1,
        "gpuRequestType": "portion",
        "gpuPortionRequest": 1,
        "cpuCoreRequest": 8,
        "cpuMemoryRequest": "65536Mi",
    }
    make(world, "compute", "train", compute, **place)
    ran = world.reconcile("export")
    assert ran.code == 0
    assert "Wrote 1 file for 2 objects:" in ran.out
    assert files(world) == {
        "project/team-a/train.yaml": (
            "apiVersion: reconciler/v1\n"
            "kind: RunaiEnvironment\n"
            "metadata:\n"
            "  name: train\n"
            "spec:\n"
            "  scope: project\n"
            "  scope_id: team-a\n"
            "  workload_types:\n"
            "  - workspace\n"
            "  - training\n"
            "  image: nvcr.io/nvidia/pytorch:24.01-py3\n"
            "  environment_variables:\n"
            "    NCCL_DEBUG: INFO\n"
            "  compute:\n"
            "    gpu: 1\n"
            "    cpu_cores: 8\n"
            "    memory: 64Gi\n"
            "  tools:\n"
            "  - jupyter\n"
        )
    }
    assert set(world.plan().values()) == {"adopt"}


def test_ids_files_and_scopes(world: Project) -> None:
    make(world, "environment", "My Env", {"image": "a"})
    make(world, "environment", "my-env", {"image": "a"})
    make(world, "environment", "my env", {"image": "a"}, **in_project(world, "team-a"))
    make(world, "compute", "my-env", {"cpuCoreRequest": 1, "cpuCoreLimit": 2})
    found = exported(world)
    assert {(item["address"], item["file"]) for item in found["exported"]} == {
        ("RunaiEnvironment.my-env", "manifests/tenant/my-env.yaml"),
        ("RunaiEnvironment.my-env-2", "manifests/tenant/my-env-2.yaml"),
        ("RunaiEnvironment.my-env-3", "manifests/project/team-a/my-env-3.yaml"),
        ("RunaiCompute.my-env", "manifests/tenant/my-env.compute.yaml"),
    }
    assert set(world.plan().values()) == {"adopt"}
    assert len(world.plan()) == 4


def test_a_second_run_changes_no_file(world: Project) -> None:
    make(world, "environment", "train", {"image": "a"})
    assert world.reconcile("export", "--check").code == 2
    assert files(world) == {}
    exported(world)
    path = world.directory / "manifests" / "tenant" / "train.yaml"
    path.write_text("# by hand\n" + path.read_text().replace("image: a", "image: 'a'"))
    before = files(world)
    assert exported(world) == {
        "exported": [],
        "variables": [],
        "left_out": {"stated by a manifest": 1},
        "notes": [],
    }
    assert files(world) == before
    assert world.reconcile("export", "--check").code == 0
    make(world, "environment", "other", {"image": "a"})
    assert world.reconcile("export", "--check").code == 2
    exported(world, "--out", str(world.directory / "elsewhere"))
    assert (world.directory / "elsewhere" / "tenant" / "other.yaml").is_file()


def test_what_is_chosen(world: Project) -> None:
    place = in_project(world, "team-a")
    for name in ("train-1", "train-2", "serve"):
        make(world, "environment", name, {"image": "a"}, **place)
    make(world, "compute", "train-1", {"cpuCoreRequest": 1, "cpuCoreLimit": 1}, **place)
    make(world, "environment", "shared", {"image": "a"})
    make(world, "environment", "odd[1]*", {"image": "a"}, **place)

    def chosen(*options: str) -> list[str]:
        ran = world.reconcile("export", "--check", "-o", "json", *options)
        assert ran.code == 2
        return sorted(item["address"] for item in json.loads(ran.out)["exported"])

    one, two = "RunaiEnvironment.train-1", "RunaiEnvironment.train-2"
    assert chosen("--only", "train-*") == ["RunaiCompute.train-1", one, two]
    assert chosen("--only", one) == [one]
    assert chosen("--only", "odd[1]*") == ["RunaiEnvironment.odd-1"]
    assert chosen("--kind", "RunaiCompute") == ["RunaiCompute.train-1"]
    assert chosen("--scope", "tenant") == ["RunaiEnvironment.shared"]
    assert len(chosen("--scope", "project/team-a")) == 5
    ran = world.reconcile("export", "--check", "--scope", "project/nowhere")
    assert ran.code == 0
    assert "Left out: 6 not chosen." in ran.out


def test_what_belongs_to_somebody_is_left_out(world: Project) -> None:
    world.write(environment("ours"), environment("gone"))
    world.apply()
    world.write(environment("ours"))
    world.configure(stack="another")
    world.write(environment("theirs"))
    world.apply()
    world.configure()
    world.write(environment("ours"))
    assert exported(world)["left_out"] == {
        "of this stack": 1,
        "of another stack": 1,
        "stated by a manifest": 1,
    }


@pytest.mark.parametrize(
    ("spec", "meta", "reason"),
    [
        ({"image": "a"}, {"description": "x" * 230}, "the description has 230 characters"),
        ({"image": "a"}, {"description": "[reconciler:..] [reconcile:x"}, "ownership mark"),
        ({"image": "a", "tty": True}, {}, "tty needs stdin"),
        ({"command": "bash"}, {}, "spec.image"),
        (
            {"image": "a", "environmentVariables": [{"name": "A", "value": "1"}] * 2},
            {},
            "A#2",
        ),
    ],
)
def test_what_no_manifest_can_say(
    world: Project, spec: dict[str, Any], meta: dict[str, Any], reason: str
) -> None:
    uid = make(world, "environment", "odd", spec, **meta)
    make(world, "environment", "even", {"image": "a"})
    ran = world.reconcile("export")
    assert ran.code == 0
    (line,) = [line for line in ran.out.splitlines() if uid in line]
    assert reason in line
    assert list(files(world)) == ["tenant/even.yaml"]


def test_values_that_look_secret_come_from_variables(
    world: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "hf_" + "a1B2" * 8
    variables = [
        {"name": "HF_TOKEN", "value": token},
        {"name": "MODE", "value": "fast"},
        {"name": "DB_PASSWORD", "value": "swordfish", "description": "of the database"},
    ]
    make(world, "environment", "one", {"image": "a", "environmentVariables": variables})
    other = [{"name": "HF_TOKEN", "value": "another-token-1"}]
    make(world, "environment", "two", {"image": "a", "environmentVariables": other})
    ran = world.reconcile("export")
    names = ["RECONCILE_VAR_DB_PASSWORD", "RECONCILE_VAR_HF_TOKEN", "RECONCILE_VAR_HF_TOKEN_2"]
    assert [line.strip() for line in ran.out.splitlines() if "  RECONCILE_VAR" in line] == names
    written = "".join(files(world).values())
    for secret in (token, "swordfish", "another-token-1"):
        assert secret not in written + ran.out + ran.err
    assert "MODE: fast" in written
    for name, text in zip(names, ("swordfish", token, "another-token-1"), strict=True):
        monkeypatch.setenv(name, text)
    world.configure(env_allow=["RECONCILE_VAR_*"])
    assert set(world.plan().values()) == {"adopt"}
    assert len(world.plan()) == 2


@pytest.mark.parametrize(("mode", "shown"), [("keep", True), ("mask", False)])
def test_values_of_variables(world: Project, mode: str, shown: bool) -> None:
    variables = [{"name": "HF_TOKEN", "value": "hf_abc"}, {"name": "MODE", "value": "fast"}]
    make(world, "environment", "one", {"image": "a", "environmentVariables": variables})
    found = exported(world, "--secrets", mode)
    text = files(world)["tenant/one.yaml"]
    assert ("hf_abc" in text, "fast" in text) == (shown, shown)
    assert bool(found["variables"]) == (not shown)


def test_a_secret_elsewhere_is_kept_out_unless_it_is_wanted(world: Project) -> None:
    args = "--token hf_q3Zk8VtLw0bXe7RmYcPsAuJd"
    uid = make(world, "environment", "one", {"image": "a", "args": args})
    ran = world.reconcile("export")
    (line,) = [line for line in ran.out.splitlines() if uid in line]
    assert "args looks like a secret" in line
    assert "--secrets keep" in line
    assert "hf_q3" not in ran.out + "".join(files(world).values())
    exported(world, "--secrets", "keep")
    assert args in files(world)["tenant/one.yaml"]
    assert world.plan() == {"RunaiEnvironment.one": "adopt"}


def test_what_yaml_cannot_hold_stops_no_other(world: Project) -> None:
    uid = make(world, "environment", "odd", {"image": "a", "command": "x\u0000y"})
    make(world, "environment", "even", {"image": "a"})
    ran = world.reconcile("export")
    assert ran.code == 0
    assert len([line for line in ran.out.splitlines() if uid in line]) == 1
    assert list(files(world)) == ["tenant/even.yaml"]


def test_names_that_differ_in_case_share_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = tmp_path / "seed.yaml"
    assets = [
        {"kind": "environment", "name": "one", "scope": "project", "project": unit, "spec": spec}
        for unit, spec in (("vision", {"image": "a"}), ("VISION", {"image": "b"}))
    ]
    units = [{"name": "default", "projects": ["vision", "VISION"]}]
    clusters = [{"name": "main", "departments": units}]
    seed.write_text(json.dumps({"clusters": clusters, "assets": assets}))
    server = SandboxServer(tmp_path / "sandbox.db", seed=seed)
    with server as endpoint:
        world = Project(tmp_path / "project", server, endpoint, capsys)
        exported(world, "--group")
        assert list(files(world)) == ["project-VISION.yaml"]
        assert list(world.plan().values()) == ["adopt", "adopt"]


def test_what_nobody_sees_is_written_as_escapes(world: Project) -> None:
    make(world, "environment", "rtl\u202eabc", {"image": "a", "command": "日本\u200b"})
    exported(world)
    (text,) = files(world).values()
    assert '"rtl\\u202Eabc"' in text
    assert text.isascii()
    assert set(world.plan().values()) == {"adopt"}


SOURCES = """\
clusters: [{name: main, departments: [{name: default, projects: [vision]}]}]
assets:
  - {kind: nfs, name: data, scope: tenant, spec: {server: h, path: /e, mountPath: /m}}
  - {kind: hostPath, name: data, scope: tenant, spec: {path: /e, mountPath: /m}}
  - {kind: git, name: data, scope: tenant, spec: {repository: "https://x.example/a", path: /m}}
  - kind: s3
    name: data
    scope: project
    project: vision
    spec: {bucket: b, path: /m, url: "https://key:swordfish-77@s3.example.com"}
"""


def test_data_sources_of_a_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "seed.yaml").write_text(SOURCES)
    server = SandboxServer(tmp_path / "sandbox.db", seed=tmp_path / "seed.yaml")
    with server as endpoint:
        world = Project(tmp_path / "project", server, endpoint, capsys)
        ran = world.reconcile("export")
        assert "url looks like a secret" in ran.out
        assert "swordfish" not in ran.out + world.reconcile("get", "s3", "-o", "json").out
        assert sorted(files(world)) == [
            "tenant/data.host-path.yaml",
            "tenant/data.nfs.yaml",
            "tenant/data.yaml",
        ]
        assert set(world.plan().values()) == {"adopt"}


def test_no_file_is_written_behind_a_link(world: Project) -> None:
    make(world, "environment", "one", {"image": "a"})
    elsewhere = world.directory.parent / "elsewhere"
    elsewhere.mkdir()
    (world.directory / "manifests" / "tenant").symlink_to(elsewhere)
    ran = world.reconcile("export")
    assert ran.code == 1
    assert "leads" in ran.err
    assert list(elsewhere.iterdir()) == []


def test_one_file_for_each_scope(world: Project) -> None:
    for name in ("a", "b"):
        make(world, "environment", name, {"image": "x"})
    make(world, "environment", "c", {"image": "x"}, **in_project(world, "team-a"))
    exported(world, "--group")
    assert sorted(files(world)) == ["project-team-a.yaml", "tenant.yaml"]
    assert len(list(yaml.safe_load_all(files(world)["tenant.yaml"]))) == 2
    make(world, "environment", "d", {"image": "x"})
    before = files(world)["tenant.yaml"]
    exported(world, "--group")
    after = files(world)["tenant.yaml"]
    assert after.startswith(before)
    assert len(list(yaml.safe_load_all(after))) == 3
    assert set(world.plan().values()) == {"adopt"}


@pytest.mark.parametrize("end", ["", "\n", "\n...\n", "\n---\n", "\n# the end"])
def test_documents_are_added_whatever_a_file_ends_with(world: Project, end: str) -> None:
    make(world, "environment", "one", {"image": "a"})
    make(world, "environment", "two", {"image": "a"})
    path = world.directory / "manifests" / "tenant.yaml"
    before = json.dumps(environment("mine")) + end
    path.write_text(before)
    exported(world, "--group")
    assert path.read_text().startswith(before)
    assert world.plan() == {
        "RunaiEnvironment.mine": "create",
        "RunaiEnvironment.one": "adopt",
        "RunaiEnvironment.two": "adopt",
    }


@pytest.mark.parametrize("data", [b"\x94\xff", b"a: [", b"\0"])
def test_nothing_is_added_to_what_is_no_yaml(world: Project, data: bytes) -> None:
    make(world, "environment", "one", {"image": "a"})
    path = world.directory / "mine.yaml"
    path.write_bytes(data)
    ran = world.reconcile("import", "RunaiEnvironment.one", "--to", str(path))
    assert ran.code == 1
    assert "mine.yaml: this file is no YAML that documents can be added to" in ran.err
    assert path.read_bytes() == data


@pytest.mark.parametrize("file", ["mine.txt", "mine", "/dev/null"])
def test_a_file_that_no_plan_reads_is_refused(world: Project, file: str) -> None:
    make(world, "environment", "one", {"image": "a"})
    to = str(world.directory / "manifests" / file)
    ran = world.reconcile("import", "RunaiEnvironment.one", "--to", to)
    assert ran.code == 1
    assert "manifests are read from no such file" in ran.err
    assert files(world) == {}


def test_files_elsewhere_are_said_to_be_read_by_no_plan(world: Project) -> None:
    make(world, "environment", "one", {"image": "a"})
    words = "No plan reads these files there"
    assert words in world.reconcile("export", "--out", str(world.directory / "elsewhere")).out
    assert words not in world.reconcile("export", "--out", str(world.directory / "manifests/a")).out


def test_a_variable_of_another_manifest_keeps_its_value(
    world: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.configure(env_allow=["RECONCILE_VAR_*"])
    for name in ("one", "two"):
        variables = [{"name": "DB_PASSWORD", "value": f"swordfish-{name}"}]
        make(world, "environment", name, {"image": "a", "environmentVariables": variables})
    assert exported(world, "--only", "one")["variables"] == ["RECONCILE_VAR_DB_PASSWORD"]
    monkeypatch.setenv("RECONCILE_VAR_DB_PASSWORD", "swordfish-one")
    assert exported(world)["variables"] == ["RECONCILE_VAR_DB_PASSWORD_2"]
    monkeypatch.setenv("RECONCILE_VAR_DB_PASSWORD_2", "swordfish-two")
    assert set(world.plan().values()) == {"adopt"}
    assert len(world.plan()) == 2


def test_an_id_that_the_stack_has_given_away_is_not_free(world: Project) -> None:
    world.write(environment("train"), environment("other"))
    world.apply()
    world.write(environment("other"))
    make(world, "environment", "Train!", {"image": "a"})
    (found,) = exported(world)["exported"]
    assert (found["address"], found["fate"]) == ("RunaiEnvironment.train-2", "ready")


def test_an_id_that_has_moved_is_not_free(world: Project) -> None:
    moved = environment("other")
    moved["metadata"]["moved_from"] = "train"
    world.write(moved)
    make(world, "environment", "train", {"image": "a"})
    exported(world)
    assert world.plan() == {
        "RunaiEnvironment.other": "create",
        "RunaiEnvironment.train-2": "adopt",
    }


def test_a_target_without_a_control_plane_has_nothing_to_export(world: Project) -> None:
    world.configure(targets={"live": {"docker": NOBODY}})
    for words in (["export"], ["export", "--check"], ["import", "RunaiEnvironment.one"]):
        ran = world.reconcile(*words)
        assert ran.code == 1
        assert "has no control plane" in ran.err


def test_an_engine_is_needed_only_where_images_are_stated(world: Project) -> None:
    make(world, "environment", "one", {"image": "a"})
    world.target = {"docker": NOBODY}
    world.configure()
    exported(world)
    assert list(files(world)) == ["tenant/one.yaml"]
    (world.directory / "hello").mkdir()
    (world.directory / "hello" / "env.py").write_text("def hello():\n    return 1\n")
    (world.directory / "hello" / "Dockerfile").write_text("FROM scratch\nCOPY . /app/\n")
    image = {"apiVersion": "reconciler/v1", "kind": "RayfineImage", "metadata": {"name": "hello"}}
    world.write({**image, "spec": {"path": "hello", "tag": "hello:1"}})
    ran = world.reconcile("export")
    assert ran.code == 1
    assert "start Docker" in ran.err


@pytest.mark.parametrize(
    ("scope", "fix"),
    [
        ("projct/team-a", "did you mean `project`?"),
        ("team-a", "it may be: tenant, cluster, department, project"),
        ("project/", "write project/NAME"),
    ],
)
def test_a_scope_that_cannot_be(world: Project, scope: str, fix: str) -> None:
    ran = world.reconcile("export", "--check", "--scope", scope)
    assert ran.code == 1
    assert fix in ran.err


def test_what_may_not_be_viewed_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with project(tmp_path, capsys, Behaviour(denied=("datasource",))) as world:
        ran = world.reconcile("export", "--check")
        assert ran.code == 0
        assert "NFS data sources were not looked at" in ran.out
        assert len(exported(world)["notes"]) == 4


def test_a_secret_in_a_connection_is_kept_out(world: Project) -> None:
    url = "https://user:swordfish-77@wandb.ai/team"
    tool = {"toolType": "wandb", "externalUrl": url}
    connections = [{"name": "Runs", "isExternal": True, "externalToolInfo": tool}]
    make(world, "environment", "one", {"image": "a", "connections": connections})
    ran = world.reconcile("export")
    assert "connections.Runs.external_url looks like a secret" in ran.out
    seen = ran.out + world.reconcile("get", "environments", "-o", "yaml").out
    assert "swordfish" not in seen + "".join(files(world).values())
    exported(world, "--secrets", "keep")
    assert url in files(world)["tenant/one.yaml"]
    assert world.plan() == {"RunaiEnvironment.one": "adopt"}
    assert "swordfish" not in world.reconcile("plan").out


def test_a_name_of_two_projects_is_written_by_its_id(world: Project) -> None:
    place = in_project(world, "team-a")
    make(world, "environment", "train", {"image": "a"}, **place)
    exported(world)
    assert "scope_id: team-a" in files(world)["project/team-a/train.yaml"]


SEED = """\
clusters: [{name: main, departments: [{name: default, projects: [vision]}]}]
credentials: [{name: hf, type: generic-secret, scope: tenant, keys: [K]}]
"""


def test_a_credential_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "seed.yaml").write_text(SEED)
    server = SandboxServer(tmp_path / "sandbox.db", seed=tmp_path / "seed.yaml")
    with server as endpoint:
        _export_a_credential(Project(tmp_path / "project", server, endpoint, capsys))


def _export_a_credential(world: Project) -> None:
    (credential,) = call(world, "GET", "/api/v1/asset/credentials")["entries"]
    meta = credential["meta"]
    source = {"assetId": meta["id"], "key": "K"}
    make(
        world,
        "environment",
        "train",
        {"image": "a", "environmentVariables": [{"name": "A", "credential": source}]},
    )
    exported(world)
    (text,) = files(world).values()
    assert f"name: {meta['name']}" in text
    assert set(world.plan().values()) == {"adopt"}


def test_unknown_fields_are_comments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with project(tmp_path, capsys, Behaviour(unknown_fields="keep")) as world:
        odd = {"image": "a", "newField": {"token": "hf_x"}, "a\nspec": {"image": "b"}}
        make(world, "environment", "train", odd)
        exported(world)
        text = files(world)["tenant/train.yaml"]
        assert "# not managed: newField\n" in text
        assert "# not managed: a\\x0aspec\n" in text
        assert "hf_x" not in text
        world.apply()
        assert assets(world)[0]["spec"]["newField"] == {"token": "hf_x"}


def test_single_objects_are_imported(world: Project) -> None:
    make(world, "environment", "train", {"image": "a"})
    make(world, "compute", "train", {"cpuCoreRequest": 1, "cpuCoreLimit": 2})
    make(world, "environment", "other", {"image": "a"})
    to = world.directory / "manifests" / "mine.yaml"
    ran = world.reconcile("import", "RunaiEnvironment.train", "RunaiCompute.train", "--to", str(to))
    assert ran.code == 0, ran.err
    assert list(files(world)) == ["mine.yaml"]
    assert world.plan() == {"RunaiEnvironment.train": "adopt", "RunaiCompute.train": "adopt"}
    world.apply()
    ran = world.reconcile("import", "RunaiEnvironment.train")
    assert ran.code == 1
    assert "no live object RunaiEnvironment.train is outside of a stack" in ran.err


def test_an_import_names_one_object_that_can_be_imported(world: Project) -> None:
    place = in_project(world, "team-a")
    uid = make(world, "environment", "train", {"image": "a"}, **place)
    make(world, "environment", "train", {"image": "a"})
    make(world, "environment", "odd", {"image": "a", "tty": True})
    for address, reason in (
        ("RunaiEnvironment.train", "2 objects are named RunaiEnvironment.train\n  name one: "),
        ("RunaiEnvironment.trian", "did you mean RunaiEnvironment.train"),
        ("RunaiEnvironment.odd", "RunaiEnvironment.odd cannot be expressed: "),
    ):
        ran = world.reconcile("import", address)
        assert ran.code == 1
        assert reason in ran.err
        assert files(world) == {}
    assert world.reconcile("import", uid).code == 0
    assert list(files(world)) == ["project/team-a/train.yaml"]


def test_the_example_of_forty_assets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the README has it."""
    place = tmp_path / "brownfield"
    shutil.copytree(EXAMPLE, place)

    def ran(*words: str) -> str:
        capsys.readouterr()
        assert run(["-C", str(place), *words]) == 0
        return capsys.readouterr().out

    assert "Wrote 33 files for 37 objects:" in ran("export")
    monkeypatch.setenv("RECONCILE_VAR_HF_TOKEN", "hf_q3Zk8VtLw0bXe7RmYcPsAuJd")
    assert "Plan: 37 to import, 0 to add, 0 to change, 0 to destroy." in ran("plan")
    assert "Resources: 37 imported, 0 added, 0 changed" in ran(
        "apply", "--apply", "--target", "sandbox"
    )
    assert "No changes." in ran("plan")
