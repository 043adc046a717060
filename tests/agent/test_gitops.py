"""Gitops mode: a branch with exactly the asked change, and nothing else touched."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from reconciler.agent import (
    AgentSettings,
    propose_manifest,
    propose_removal,
    runai_create_environment,
    runai_delete_environment,
    using,
)
from reconciler.cli.main import run
from reconciler.config import load_config
from reconciler.errors import ConfigError
from tests.agent.repository import MANIFESTS, SPEC, Repo, really
from tests.agent.site import Site, title


def test_the_plan_of_the_branch_is_exactly_the_asked_change(
    repo: Repo, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-C", str(repo.infra), "apply", "--apply"]) == 0
    assert repo.plan(capsys, "main") == {}
    really(SPEC)
    created = repo.proposed()
    assert repo.plan(capsys, created) == {
        "RunaiCompute.new": "create",
        "RunaiEnvironment.new": "create",
    }
    repo.git("branch", "--delete", "--force", created)
    runai_delete_environment("one", confirmed=True)
    removed = repo.proposed()
    assert repo.plan(capsys, removed) == {
        "RunaiCompute.one": "delete",
        "RunaiEnvironment.one": "delete",
    }
    repo.git("branch", "--delete", "--force", removed)
    really({"name": "two", "scope": "tenant", "image": "b:2"})
    assert repo.plan(capsys, repo.proposed()) == {"RunaiEnvironment.two": "update"}


def test_the_answer_names_branch_commit_and_the_way_to_a_pull_request(repo: Repo) -> None:
    repo.git("remote", "add", "origin", "git@git.example.com:acme/infra.git")
    said = really(SPEC)
    branch = repo.proposed()
    assert title(said) == "✅ Environment Change Proposed"
    assert f"Branch: {branch}" in said
    assert f"Commit: {repo.git('rev-parse', branch)}" in said
    assert "File: manifests/new.yaml" in said
    assert f"  1. git push -u origin {branch}" in said
    url = f"https://git.example.com/acme/infra/compare/main...{branch.replace('/', '%2F')}"
    assert url in said
    assert repo.git("log", "-1", "--format=%s|%an|%P", branch) == (
        f"Create RunaiEnvironment.new|Tester|{repo.git('rev-parse', 'main')}"
    )
    assert repo.git("diff", "--name-only", "main", branch) == "infra/manifests/new.yaml"


def test_nothing_of_the_caller_s_is_touched(repo: Repo) -> None:
    (repo.infra / "manifests" / "staged.yaml").write_text("garbage: [")
    repo.git("add", "--all")
    (repo.infra / "manifests" / "all.yaml").write_text("# half an edit\n")
    (repo.root / "untracked").write_text("mine")
    before = repo.traces()
    assert title(really(SPEC)).startswith("✅")
    assert title(runai_delete_environment("two", confirmed=True)).startswith("✅")
    assert repo.traces() == before
    assert len(repo.branches()) == 3


def test_nothing_is_committed_without_both_words(repo: Repo) -> None:
    before = repo.traces()
    assert title(runai_create_environment(SPEC)) == "🔍 Proposal Preview (Dry Run)"
    assert title(runai_create_environment(SPEC, confirmed=True)).startswith("🔍")
    said = runai_create_environment(SPEC, dry_run=False)
    assert title(said) == "⚠️ Confirm Proposal"
    assert "`confirmed=True`" in said
    assert title(runai_delete_environment("two")) == "⚠️ Confirm Proposal"
    assert repo.branches() == ["main"]
    assert repo.traces() == before


def test_proposing_the_same_twice_is_one_branch(repo: Repo) -> None:
    first, second = really(SPEC), really(SPEC)
    assert "It was proposed before: this is the same branch." in second
    assert "It was proposed before" not in first
    assert len(repo.branches()) == 2


def test_the_other_documents_of_the_file_keep_their_bytes(repo: Repo) -> None:
    runai_delete_environment("two", confirmed=True)
    left = repo.git("show", f"{repo.proposed()}:infra/manifests/all.yaml") + "\n"
    start, end = MANIFESTS.index("---\n# The second"), MANIFESTS.index("--- # the last")
    assert left == MANIFESTS[:start] + MANIFESTS[end:]


def test_a_file_whose_last_document_goes_is_removed(repo: Repo) -> None:
    (repo.infra / "manifests" / "single.yaml").write_text(
        MANIFESTS.split("--- # the last")[1].split("\n", 1)[1].replace("kept, protect: true", "x")
    )
    repo.commit("Add one more")
    runai_delete_environment("x", confirmed=True)
    changed = repo.git("diff", "--name-status", "main", repo.proposed())
    assert changed == "D\tinfra/manifests/single.yaml"


def test_a_change_keeps_what_metadata_says(repo: Repo) -> None:
    said = really({"name": "kept", "scope": "tenant", "image": "c:2"})
    assert "Asked For: `change the manifest`" in said
    text = repo.git("show", f"{repo.proposed()}:infra/manifests/all.yaml")
    last = list(yaml.safe_load_all(text))[-1]
    assert last["metadata"] == {"name": "kept", "protect": True}
    assert last["spec"]["image"] == "c:2"


def test_what_is_stated_already_needs_no_branch(repo: Repo) -> None:
    said = really({"name": "two", "scope": "tenant", "image": "b:1"})
    assert title(said) == "✅ Manifests Already Say So"
    assert repo.branches() == ["main"]


def test_a_protected_manifest_and_an_unknown_one_are_refused(repo: Repo) -> None:
    said = runai_delete_environment("kept", confirmed=True)
    assert "is protected" in said
    said = runai_delete_environment("tow", confirmed=True)
    assert title(said) == "❌ Environment Not Found"
    assert said.index("`two`") < said.index("`one`")
    assert repo.branches() == ["main"]


def test_a_name_in_several_scopes_is_refused_and_listed(repo: Repo) -> None:
    twin = MANIFESTS.split("---\n")[1].split("--- #", maxsplit=1)[0]
    twin = twin.replace("{name: two}", "{name: two, id: two-b}").replace("tenant", "cluster")
    (repo.infra / "manifests" / "twin.yaml").write_text(twin)
    repo.commit("Add a twin")
    said = runai_delete_environment("two", confirmed=True)
    assert title(said) == "❌ Environment Name Is Not Unique"
    assert "environment_name=`RunaiEnvironment.two-b`" in said
    assert title(runai_delete_environment("RunaiEnvironment.two-b", confirmed=True))[0] == "✅"


@pytest.mark.parametrize(
    "name",
    ["../../evil", "--force", "-x", "a/b", "$(touch pwned)", "`x`", "\u202egnp", "..", "a" * 200],
)
def test_a_name_never_becomes_a_path_or_an_option(repo: Repo, name: str) -> None:
    before = repo.traces()
    said = really({**SPEC, "name": name})
    if title(said).startswith("✅"):
        changed = repo.git("diff", "--name-only", "main", repo.proposed())
        assert changed.startswith("infra/manifests/")
        assert changed.endswith(".yaml")
        assert ".." not in changed
        assert changed.count("/") == 2
        assert len(changed) < 200
    else:
        assert title(said) == "❌ Environment Validation Failed"
    assert repo.traces() == before


def test_a_base_that_is_no_commit_is_refused(repo: Repo) -> None:
    for base in ("no-such", "--all", "HEAD:infra", "main..HEAD"):
        with using(base=base):
            assert "is no commit of this repository" in really(SPEC)
    assert repo.branches() == ["main"]


def test_another_base_than_the_one_checked_out(repo: Repo) -> None:
    repo.git("branch", "release")
    (repo.infra / "manifests" / "all.yaml").unlink()
    repo.commit("Drop everything")
    with using(base="release"):
        runai_delete_environment("two", confirmed=True)
    (branch,) = set(repo.branches()) - {"main", "release"}
    assert repo.git("rev-parse", f"{branch}^") == repo.git("rev-parse", "release")


def test_the_author_may_be_stated(repo: Repo) -> None:
    with using(author="Run:ai agent <agent@example.com>"):
        really(SPEC)
    said = repo.git("log", "-1", "--format=%an <%ae>, %cn", repo.proposed())
    assert said == "Run:ai agent <agent@example.com>, Run:ai agent"


def test_nobody_to_commit_as_is_said(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.git("config", "--unset", "user.name")
    repo.git("config", "--unset", "user.email")
    repo.git("config", "user.useConfigOnly", "true")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    said = really(SPEC)
    assert title(said) == "❌ Proposal Failed"
    assert "git config user.name" in said
    assert repo.branches() == ["main"]


def test_outside_of_a_repository_it_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(site.directory.parent))
    with site.calls(mode="gitops"):
        said = really(SPEC)
    assert "it is in no Git repository" in said


def test_variables_of_a_hook_lead_to_no_other_repository(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert title(really(SPEC)).startswith("✅")
    monkeypatch.undo()
    assert len(repo.branches()) == 2


def test_manifests_of_any_kind_can_be_proposed(repo: Repo) -> None:
    config = load_config(repo.infra / "reconciler.yaml")
    settings = AgentSettings(directory=repo.infra)
    document = {
        "apiVersion": "reconciler/v1",
        "kind": "RunaiCompute",
        "metadata": {"name": "half-gpu"},
        "spec": {"scope": "tenant", "cpu_core_request": 2},
    }
    made = propose_manifest(config, document, settings)
    assert made.addresses == ("RunaiCompute.half-gpu",)
    assert made.file == "manifests/half-gpu.yaml"
    repo.git("merge", "--quiet", "--ff-only", made.branch)
    with pytest.raises(ConfigError, match="exactly so already"):
        propose_manifest(config, document, settings)
    gone = propose_removal(config, "RunaiCompute.half-gpu", settings)
    assert gone.addresses == ("RunaiCompute.half-gpu",)
    with pytest.raises(ConfigError, match=r"did you mean RunaiCompute\.half-gpu"):
        propose_removal(config, "RunaiCompute.half-gpus", settings)
    with pytest.raises(ConfigError, match="follows from the RunaiEnvironment"):
        propose_removal(config, "RunaiCompute.one", settings)


def test_a_manifest_that_an_overlay_patches_does_not_go_alone(repo: Repo) -> None:
    overlay = repo.infra / "overlays" / "live" / "two.yaml"
    overlay.parent.mkdir(parents=True)
    overlay.write_text(
        "apiVersion: reconciler/v1\nkind: RunaiEnvironment\n"
        "metadata: {name: two}\nspec: {image: 'b:live'}\n"
    )
    repo.commit("Patch it")
    said = runai_delete_environment("two", confirmed=True)
    assert title(said) == "❌ Proposal Failed"
    assert "with the overlays of target live" in said
    assert repo.branches() == ["main"]
    assert title(runai_delete_environment("one", confirmed=True)).startswith("✅")


RICH = """\
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {name: rich, protect: true}
spec:
  scope: tenant
  image: "a:1"
  description: "Ours `x`"
  compute: {gpu: 1, memory: 8G}
  environment_variables: {A: "1", B: "2"}
  tools: [jupyter]
"""


def add_rich(repo: Repo) -> None:
    (repo.infra / "manifests" / "rich.yaml").write_text(RICH)
    repo.commit("Add one that says much")


@pytest.mark.parametrize("words", [{}, {"dry_run": False}, {"dry_run": False, "confirmed": True}])
def test_what_a_change_drops_is_shown_before_and_after(repo: Repo, words: dict[str, bool]) -> None:
    add_rich(repo)
    spec = {"name": "rich", "scope": "cluster", "image": "a:2", "environment_variables": {"B": "3"}}
    said = runai_create_environment(spec, **words)
    start = said.index("What Changes in the Manifests:")
    assert said[start:].split("\n\n")[0] == (
        """What Changes in the Manifests:
  • RunaiCompute.rich: removed
    - cpu_memory_request: `"8G"`
    - gpu_devices_request: `1`
    - gpu_portion_request: `1`
    - gpu_request_type: `"portion"`
    - metadata.protect: `true`
    - name: `"rich"`
    - scope: `"tenant"`
  • RunaiEnvironment.rich: changed
    - connections.Jupyter.connection_type: `"ExternalUrl"` is removed
    - connections.Jupyter.container_port: `8888` is removed
    - connections.Jupyter.tool_type: `"jupyter-notebook"` is removed
    - description: `"Ours \\x60x\\x60"` is removed
    - environment_variables.A: `"1"` is removed
    - environment_variables.B: `"2"` -> `"3"`
    - image: `"a:1"` -> `"a:2"`
    - scope: `"tenant"` -> `"cluster"` (the live object is replaced: its id changes)
What the specification leaves out is removed: state it there to keep it."""
    )


def test_what_a_removal_drops_is_shown(repo: Repo) -> None:
    said = runai_delete_environment("one")
    assert "  • RunaiCompute.one: removed\n    - gpu_devices_request: `1`\n" in said
    assert "  • RunaiEnvironment.one: removed\n" in said
    assert "leaves out" not in said


def test_what_is_added_is_named(repo: Repo) -> None:
    said = runai_create_environment(SPEC)
    assert "  • RunaiCompute.new: added\n  • RunaiEnvironment.new: added\n" in said
    assert "removed" not in said
    really(SPEC)
    body = repo.git("log", "-1", "--format=%b", repo.proposed())
    assert body.endswith("- RunaiCompute.new: added\n- RunaiEnvironment.new: added")


SIGNER = """\
#!/bin/sh
echo "$@" >> "$0.calls"
cat > /dev/null
echo '-----BEGIN PGP SIGNATURE-----'
echo '-----END PGP SIGNATURE-----'
echo '[GNUPG:] SIG_CREATED ' >&2
"""


def test_a_commit_is_not_signed_and_a_person_can_sign_it(repo: Repo) -> None:
    """commit.gpgsign: a signature is the word of whoever holds the key, and nobody else's."""
    signer = repo.root.parent / "signer"
    signer.write_text(SIGNER)
    signer.chmod(0o755)
    for name, value in (("commit.gpgsign", "yes"), ("gpg.program", str(signer))):
        repo.git("config", name, value)
    repo.git("config", "log.showSignature", "true")
    said = really(SPEC)
    branch = repo.proposed()
    step = f"git switch {branch} && git commit --amend --no-edit -S"
    assert f"  1. {step}  (the commit is not signed: read it, then sign it)" in said
    assert "gpgsig" not in repo.git("cat-file", "commit", branch)
    assert not signer.with_suffix(".calls").exists()
    subprocess.run(step, shell=True, check=True, cwd=repo.root, capture_output=True)
    assert "gpgsig " in repo.git("cat-file", "commit", branch)
    repo.git("switch", "--quiet", "main")
    again = really(SPEC)
    assert "It was proposed before: this is the same branch." in again
    assert "--amend" not in again
