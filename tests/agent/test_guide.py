"""The Run:ai environment guide, section by section; README.md maps each section to its tests.

Where the guide contradicts itself or the API, the test's name says what was chosen.
"""

import asyncio
from typing import Any

import pytest

from reconciler.agent import (
    runai_create_environment,
    runai_create_environment_async,
    runai_delete_environment,
    runai_delete_environment_async,
    runailabs_environment_info,
    runailabs_environment_info_async,
)
from tests.agent.site import Site, title
from tests.kinds.test_guide import EXAMPLES, PYTORCH

CREATED = "✅ Environment Created Successfully!"
BY_NAME = {spec["name"]: spec for spec in EXAMPLES}
KEYS = {
    "dry_run_default": True,
    "require_confirmation": True,
    "allowed_scopes": ("tenant", "cluster", "project"),
    "max_cpu_cores": 32.0,
    "max_memory_gb": 256,
    "max_gpus": 8,
}
"""The guide's configuration of the function."""


def create(spec: Any, **flags: Any) -> str:
    return runai_create_environment(env_spec=spec, **flags)


def really(spec: Any) -> str:
    return runai_create_environment(env_spec=spec, dry_run=False, confirmed=True)


@pytest.mark.parametrize("spec", EXAMPLES, ids=list(BY_NAME))
def test_an_example_is_previewed_and_then_created(site: Site, spec: dict[str, Any]) -> None:
    with site.calls(**KEYS):
        shown = create(spec)
        assert title(shown) == "🔍 Environment Preview (Dry Run)"
        assert f"Name: {spec['name']}" in shown
        assert f"Image: {spec['image']}" in shown
        assert "`dry_run=False` and `confirmed=True`" in shown
        assert site.names() == []
        made = really(spec)
    asset = site.asset(spec["name"])
    assert title(made) == CREATED
    assert f"Environment ID: {asset['meta']['id']}" in made
    assert f"Scope: {spec['scope']}" in made
    assert asset["meta"]["scope"] == spec["scope"]
    assert asset["spec"]["image"] == spec["image"]
    assert site.names("RunaiCompute") == ([spec["name"]] if "compute" in spec else [])
    variables = asset["spec"].get("environmentVariables") or ()
    sent = {item["name"]: item["value"] for item in variables}
    assert sent == spec.get("environment_variables", {})


def test_the_success_block_is_the_fuller_one_of_the_two(site: Site) -> None:
    """Example 1 and "Success Response" show it differently; usage lists the types supported."""
    spec = {"name": "busybox-test", "scope": "cluster", "image": "busybox"}
    with site.calls():
        made = really({**spec, "workload_types": ["workspace", "training"]})
    asset = site.asset("busybox-test")
    assert made == (
        f"""✅ Environment Created Successfully!

Environment ID: {asset["meta"]["id"]}
Name: busybox-test
Scope: cluster
Image: busybox
Image Pull Policy: Always
Status: Created

Supported Workload Types:
  ✓ workspace
  ✓ training

🔧 Usage:
This environment can now be used as a template when creating:
- Training jobs
- Interactive workspaces

🌐 View in UI:
{site.endpoint.base_url}/assets/environments"""
    )


def test_the_pull_policy_of_an_image_without_a_tag_is_the_api_s_always(site: Site) -> None:
    """The guide says IfNotPresent by default; the API documents Always for no tag and latest."""
    with site.calls():
        assert "Image Pull Policy: Always" in create({"name": "a", "image": "busybox"})
        assert "Image Pull Policy: IfNotPresent" in create({"name": "a", "image": "busybox:1"})
        stated = {"name": "a", "image": "busybox", "image_pull_policy": "IfNotPresent"}
        assert "Image Pull Policy: IfNotPresent" in create(stated)


def test_a_cluster_s_id_is_found_by_itself(site: Site) -> None:
    """It is required in one table of the guide and found by itself everywhere else."""
    with site.calls():
        really(BY_NAME["ml-training-env"])
        really({**BY_NAME["ml-training-env"], "name": "named", "scope_id": "prod-cluster"})
    found = {site.asset(name)["meta"]["clusterId"] for name in ("ml-training-env", "named")}
    assert len(found) == 1


def test_an_absent_scope_is_cluster(site: Site) -> None:
    """Required in the table of fields, and the default in Quick Start and Use Case 1."""
    with site.calls():
        assert title(really({"name": "my-env", "image": "busybox"})) == CREATED
    assert site.asset("my-env")["meta"]["scope"] == "cluster"


def test_absent_workload_types_are_workspace_and_training(site: Site) -> None:
    """As Use Case 1 promises; the inference examples, which state none, say what they want."""
    with site.calls():
        made = really(BY_NAME["standard-inference-env"])
    assert "✓ workspace" in made
    assert "✓ training" in made
    types = site.asset("standard-inference-env")["meta"]["workloadSupportedTypes"]
    assert {name for name, on in types.items() if on is True} == {"workspace", "training"}


def test_a_project_needs_its_id_and_a_name_will_do(site: Site) -> None:
    spec = {key: value for key, value in BY_NAME["team-ml-env"].items() if key != "scope_id"}
    with site.calls():
        refused = really(spec)
        assert title(refused) == "❌ Environment Validation Failed"
        assert "Missing required field: 'scope_id'" in refused
        assert "show projects" in refused
        assert title(really(BY_NAME["team-ml-env"])) == CREATED


@pytest.mark.parametrize("framework", ["PyTorch", "TensorFlow", "MPI"])
def test_distributed_training_needs_its_framework(site: Site, framework: str) -> None:
    """The guide's TensorFlow is TF to the API: both are accepted."""
    types = {"workspace": True, "distributed": True}
    spec = {"name": "dist", "scope": "cluster", "image": PYTORCH}
    with site.calls():
        assert "framework" in really({**spec, "workload_types": types})
        assert site.names() == []
        made = really({**spec, "workload_types": {**types, "distFramework": framework}})
    word = {"TensorFlow": "TF"}.get(framework, framework)
    assert f"  ✓ distributed ({word})" in made
    assert site.asset("dist")["meta"]["workloadSupportedTypes"]["distFramework"] == word


@pytest.mark.parametrize("memory", ["64Gi", "64G", "32Mi", "32M", "0.2Ti", "0.2T"])
def test_units_of_memory(site: Site, memory: str) -> None:
    """The guide's 1Ti and 1T are units as well, though above its own limit of 256 GB."""
    spec = {"name": "m", "scope": "cluster", "image": "a:1", "compute": {"memory": memory}}
    with site.calls():
        assert title(create(spec)) == "🔍 Environment Preview (Dry Run)"
        spec["compute"] = {"memory": "1Ti"}
        assert "exceeds maximum allowed (256Gi)" in create(spec)


def test_tools_become_connections(site: Site) -> None:
    with site.calls():
        made = really(BY_NAME["data-science-standard"])
    assert title(made) == CREATED
    sent = site.asset("data-science-standard")["spec"]["connections"]
    assert sorted(item["name"] for item in sent) == ["Jupyter", "TensorBoard"]


def test_validation_errors_come_as_a_list(site: Site) -> None:
    """The limits of the guide; its list of scopes where the configuration is the guide's."""
    with site.calls(**KEYS):
        said = really({"scope": "invalid", "image": "a:1", "compute": {"gpu": 16}})
    assert said == (
        """❌ Environment Validation Failed

**Validation Errors:**
  • Missing required field: 'name'
  • Scope 'invalid' not in allowed list: ['tenant', 'cluster', 'project']
  • GPU count (16) exceeds maximum allowed (8)
    to fix it: ask for less, or raise max_gpus in the settings of these functions """
        """(workflow.yaml, configure) and limits.max_gpus in reconciler.yaml

Nothing was changed."""
    )
    assert site.names() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "Missing required field: 'name'"),
        ({"image": ""}, "Missing required field: 'image'"),
        ({"image": None}, "Missing required field: 'image'"),
        ({"compute": {"cpu_cores": 33}}, "CPU core count (33) exceeds maximum allowed (32)"),
        ({"compute": {"memory": "257Gi"}}, "memory (257Gi) exceeds maximum allowed (256Gi)"),
        ({"compute": {"memory": "64GB"}}, "write 64G "),
        ({"scope": "department", "scope_id": "default"}, "Scope 'department' not in allowed list"),
        ({"tools": ["jupiter"]}, "did you mean 'jupyter'?"),
        ({"workload_types": ["distributed"]}, "distributed workloads need a framework"),
        ({"enviroment_variables": {}}, "did you mean 'environment_variables'?"),
    ],
)
def test_validation_rules(site: Site, change: dict[str, Any], words: str) -> None:
    before = site.writes()
    with site.calls(**KEYS):
        said = really({**BY_NAME["my-env"], **change})
    assert title(said) == "❌ Environment Validation Failed"
    assert words in said
    assert site.writes() == before


def test_limits_of_the_settings_only_narrow_those_of_reconciler_yaml(site: Site) -> None:
    site.configure(limits={"max_gpus": 4})
    spec = {"name": "a", "scope": "cluster", "image": "a:1"}
    with site.calls(max_gpus=8):
        assert "maximum allowed (4)" in create({**spec, "compute": {"gpu": 5}})
    with site.calls(max_gpus=2):
        assert "maximum allowed (2)" in create({**spec, "compute": {"gpu": 3}})


def test_a_scope_id_that_is_not_there(site: Site) -> None:
    with site.calls():
        said = really({**BY_NAME["team-ml-env"], "scope_id": "project-02-id"})
        assert "Scope ID not found: `there is no project 'project-02-id'`" in said
        assert "project-01-id" in said
        listed = runailabs_environment_info(input_message="show projects")
    assert title(listed) == "ℹ️ Run:AI Environment Information"  # noqa: RUF001
    assert "  • `project-01-id` (id `1`, cluster `prod-cluster`)" in listed
    assert "Clusters:" not in listed


@pytest.mark.parametrize(
    ("message", "lists"),
    [
        ("show projects", ["Projects"]),
        ("which clusters are there?", ["Clusters"]),
        ("list departments and environments", ["Departments", "Environments"]),
        ("", ["Clusters", "Departments", "Projects", "Environments", "Compute Assets"]),
    ],
)
def test_what_information_is_asked_for(site: Site, message: str, lists: list[str]) -> None:
    with site.calls():
        said = runailabs_environment_info(message)
    known = ["Clusters", "Departments", "Projects", "Environments", "Compute Assets"]
    assert [name for name in known if f"\n{name}:" in said] == lists


def test_nothing_is_written_without_both_words(site: Site) -> None:
    """`confirmed=True` alone is no real run, whatever `dry_run_default` says."""
    spec = BY_NAME["ml-training-env"]
    before = site.writes()
    with site.calls():
        assert title(create(spec, confirmed=True)) == "🔍 Environment Preview (Dry Run)"
        assert title(create(spec, dry_run=True, confirmed=True)).startswith("🔍")
        asked = create(spec, dry_run=False)
        assert title(asked) == "⚠️ Confirm Environment Creation"
        assert asked.endswith("call this function again with `confirmed=True`.")
    with site.calls(dry_run_default=False):
        asked = create(spec, confirmed=True)
        assert title(asked) == "⚠️ Confirm Environment Creation"
        assert asked.endswith("call this function again with `dry_run=False`.")
    assert site.writes() == before


def test_a_preview_shows_exactly_what_is_created(site: Site) -> None:
    with site.calls():
        shown = create({**BY_NAME["data-science-standard"], "working_dir": "/data"})
    cluster_and_project = ("Scope: project", "Scope ID: 2, named ds-team-project")
    for line in (
        *cluster_and_project,
        "Image: jupyter/datascience-notebook:latest",
        "  • GPUs: 1",
        "  • CPU cores: 4",
        "  • Memory: 32Gi",
        "  • working_dir: `/data`",
        "Plan: 2 to add, 0 to change, 0 to destroy.",
        "  • RunaiCompute.data-science-standard: create",
        "  • RunaiEnvironment.data-science-standard: create",
    ):
        assert f"\n{line}\n" in shown, line
    assert "  • Jupyter: " in shown


def test_deleting_in_two_steps(site: Site) -> None:
    """The block shows the details as well, as the guide's workflow has it and its example not."""
    with site.calls():
        really(BY_NAME["prod-inference"])
        asset = site.asset("prod-inference")
        asked = runai_delete_environment(environment_name="prod-inference")
        assert title(asked) == "⚠️ Confirm Environment Deletion"
        for line in (
            "You are about to permanently delete the following environment:",
            "- Environment Name: `prod-inference`",
            f"- Environment ID: `{asset['meta']['id']}`",
            "- Image: `nvcr.io/nvidia/tritonserver:24.01-py3`",
            "  • RunaiCompute `prod-inference`",
            "⚠️ This action cannot be undone.",
            "Note: Deleting an environment does not affect existing workloads created from it,",
        ):
            assert f"\n{line}\n" in asked, line
        assert "`confirmed=True`" in asked
        assert site.names() == ["prod-inference"]
        done = runai_delete_environment(environment_name="prod-inference", confirmed=True)
    assert title(done) == "✅ Environment Deleted Successfully"
    assert f"- Environment ID: `{asset['meta']['id']}`" in done
    assert "- Scope: cluster (" in done
    assert "Note: Existing workloads created from this environment are not affected," in done
    assert done.count(f"🌐 Verify in UI:\n{site.endpoint.base_url}/assets/environments") == 1
    assert (site.names(), site.names("RunaiCompute")) == ([], [])


def test_what_uses_an_environment_is_shown_before_it_goes(site: Site) -> None:
    with site.calls():
        really({**BY_NAME["my-env"], "name": "used"})
        asked = runai_delete_environment("used")
    assert "  • `workspace notebook-1 (Running)`" in asked
    assert "  • `template starter`" in asked
    assert "notebook-2" not in asked


def test_what_uses_the_compute_asset_that_goes_with_it_is_shown_too(site: Site) -> None:
    with site.calls():
        really({**BY_NAME["my-env"], "name": "used", "compute": {"gpu": 1}})
        asked = runai_delete_environment("used")
    assert (
        "RunaiCompute `used` Used By:\n  • `workspace notebook-2 (Running)`\n"
        "  • `template starter-2`"
    ) in asked
    assert asked.index("notebook-1") < asked.index("RunaiCompute `used` Used By:")


def test_a_name_that_is_not_there_lists_those_that_are(site: Site) -> None:
    with site.calls():
        for number in range(12):
            site.make(f"env-{number:02}")
        said = runai_delete_environment("env-03x", confirmed=True)
    assert title(said) == "❌ Environment Not Found"
    assert "Could not find environment `env-03x`" in said
    assert said.index("  • `env-03`") < said.index("  • `env-01`")
    assert "  ... and 2 more" in said
    assert "- Environment name is spelled correctly" in said
    assert len(site.names()) == 12


def test_a_lifecycle_leaves_nothing_behind(site: Site) -> None:
    spec = {"name": "test-env", "scope": "cluster", "image": "busybox"}
    with site.calls():
        really({**spec, "workload_types": ["workspace", "training"]})
        assert site.names() == ["test-env"]
        runai_delete_environment("test-env", confirmed=True)
        assert title(runai_delete_environment("test-env")) == "❌ Environment Not Found"
    assert site.names() == []


CHEAT_SHEET: dict[str, dict[str, Any]] = {
    "basic": {"name": "my-env", "image": "busybox"},
    "workspace only": {
        "name": "jupyter",
        "image": "jupyter/scipy-notebook",
        "workload_types": ["workspace"],
    },
    "training only": {"name": "training", "image": PYTORCH, "workload_types": ["training"]},
    "both": {"name": "dev-env", "image": "ubuntu", "workload_types": ["workspace", "training"]},
    "data science": {
        "name": "ds-jupyter",
        "image": "jupyter/datascience-notebook",
        "workload_types": ["workspace"],
    },
    "tools of operations": {
        "name": "devops-tools",
        "image": "ubuntu:22.04",
        "workload_types": ["workspace"],
    },
    "TensorFlow": {"name": "tf", "image": "nvcr.io/nvidia/tensorflow:24.01-tf2-py3"},
}
"""What a model makes of the guide's sentences; the sentences themselves run through `nat run`."""


@pytest.mark.parametrize("spec", CHEAT_SHEET.values(), ids=list(CHEAT_SHEET))
def test_the_cheat_sheet(site: Site, spec: dict[str, Any]) -> None:
    with site.calls(**KEYS):
        made = really({"scope": "cluster", **spec})
        assert title(made) == CREATED
        types = spec.get("workload_types", ["workspace", "training"])
        assert all(f"  ✓ {word}" in made or word in made for word in types)
        assert title(runai_delete_environment(spec["name"], confirmed=True)).startswith("✅")
    assert site.names() == []


def test_the_asynchronous_twins_do_the_same(site: Site) -> None:
    async def life() -> list[str]:
        spec = BY_NAME["my-env"]
        return [
            await runai_create_environment_async(spec),
            await runai_create_environment_async(spec, dry_run=False, confirmed=True),
            await runailabs_environment_info_async("environments"),
            await runai_delete_environment_async("my-env"),
            await runai_delete_environment_async("my-env", confirmed=True),
        ]

    with site.calls():
        said = asyncio.run(life())
    assert [title(text)[0] for text in said] == ["🔍", "✅", "ℹ", "⚠", "✅"]  # noqa: RUF001
    assert site.names() == []
