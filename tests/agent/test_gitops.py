"""Gitops mode: a branch with exactly the asked change, and nothing else touched."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.agent import (
    AgentSettings,
    commit_draft,
    draft_removal,
    propose_manifest,
    propose_removal,
    read_base,
    runai_create_environment,
    runai_delete_environment,
    using,
)
from reconciler.cli.main import run
from reconciler.config import load_config
from reconciler.errors import ConfigError, ReconcileError
from reconciler.render.model_text import NOTICE
from tests.agent.site import Site, title

MANIFESTS = """\
# yaml-language-server: $schema=x

# The first one.
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {name: one, protect: false}
spec: {scope: tenant, image: "a:1", compute: {gpu: 1}}
---
# The second one, with   its own spacing.
apiVersion:   reconciler/v1
kind: RunaiEnvironment
metadata: {name: two}
spec: {scope: tenant, image: 'b:1'}   # on purpose
--- # the last
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {name: kept, protect: true}
spec: {scope: tenant, image: 'c:1'}
"""
SPEC = {"name": "new", "scope": "cluster", "image": "busybox:1", "compute": {"cpu_cores": 2}}


class Repo:
    """A repository whose directory `infra` holds the configuration."""

    def __init__(self, root: Path, site: Site) -> None:
        self.root = root
        self.infra = root / "infra"
        (self.infra / "manifests").mkdir(parents=True)
        site.directory = self.infra
        site.configure()
        (self.infra / "manifests" / "all.yaml").write_text(MANIFESTS)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "Tester")
        self.git("config", "user.email", "tester@example.com")
        self.commit("Begin")

    def git(self, *words: str) -> str:
        ran = subprocess.run(
            ["git", *words], cwd=self.root, check=True, capture_output=True, text=True
        )
        return ran.stdout.strip()

    def commit(self, subject: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", subject)

    def branches(self) -> list[str]:
        return self.git("branch", "--format=%(refname:short)").split()

    def proposed(self) -> str:
        (branch,) = [name for name in self.branches() if name != "main"]
        return branch

    def traces(self) -> dict[str, Any]:
        """All that a caller would notice: files, index, branch, and what is not committed."""
        return {
            "status": self.git("status", "--porcelain=v2", "--branch", "--untracked-files=all"),
            "index": (self.root / ".git" / "index").read_bytes(),
            "head": (self.root / ".git" / "HEAD").read_bytes(),
            "files": {
                str(path): path.read_bytes()
                for path in self.root.rglob("*")
                if path.is_file() and ".git" not in path.parts
            },
        }

    def plan(self, capsys: pytest.CaptureFixture[str], branch: str) -> dict[str, str]:
        """What `reconcile plan` shows of a branch, in a work tree of its own: address -> action."""
        place = self.root.parent / branch.replace("/", "-")
        self.git("worktree", "add", "--quiet", "--detach", str(place), branch)
        capsys.readouterr()
        assert run(["-C", str(place / "infra"), "plan", "-o", "json"]) == 0
        changes = json.loads(capsys.readouterr().out)["resource_changes"]
        self.git("worktree", "remove", "--force", str(place))
        return {
            item["address"]: item["reconciler"]["action"]
            for item in changes
            if item["reconciler"]["action"] != "unchanged"
        }


@pytest.fixture
def repo(site: Site, tmp_path: Path) -> Iterator[Repo]:
    made = Repo(tmp_path / "repository", site)
    with using(AgentSettings(directory=made.infra, mode="gitops")):
        yield made


def really(spec: dict[str, Any]) -> str:
    return runai_create_environment(spec, dry_run=False, confirmed=True)


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
            assert f"there is no commit {base!r} in this repository" in really(SPEC)
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
    assert "this is no Git repository" in said


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


def _link(place: Path, leads_to: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(leads_to)


def _linked_directory(repo: Repo) -> str:
    (repo.infra / "manifests").rename(repo.infra / "real")
    _link(repo.infra / "manifests", "real")
    return "infra/manifests"


def _linked_parent(repo: Repo) -> str:
    (repo.infra / "manifests").rename(repo.infra / "real")
    (repo.infra / "reconciler.yaml").write_text(
        (repo.infra / "reconciler.yaml").read_text() + "manifests: deploy/manifests\n"
    )
    (repo.infra / "there").mkdir()
    (repo.infra / "real").rename(repo.infra / "there" / "manifests")
    _link(repo.infra / "deploy", "there")
    return "infra/deploy"


def _linked_file(repo: Repo) -> str:
    hidden = repo.infra / "manifests" / ".v" / "1.yaml"
    hidden.parent.mkdir()
    (repo.infra / "manifests" / "all.yaml").rename(hidden)
    _link(repo.infra / "manifests" / "all.yaml", ".v/1.yaml")
    return "infra/manifests/all.yaml"


def _linked_subdirectory(repo: Repo) -> str:
    hidden = repo.infra / "manifests" / ".v"
    hidden.mkdir()
    (repo.infra / "manifests" / "all.yaml").rename(hidden / "all.yaml")
    _link(repo.infra / "manifests" / "team", ".v")
    return "infra/manifests/team"


def _linked_overlays(repo: Repo) -> str:
    (repo.infra / "real").mkdir()
    (repo.infra / "real" / ".keep").touch()
    _link(repo.infra / "overlays", "real")
    return "infra/overlays"


def _submodule(repo: Repo, path: str) -> None:
    """Record a submodule, as `git submodule add` does; its commit need not be here."""
    head = repo.git("rev-parse", "HEAD")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{head},{path}")
    repo.git("commit", "--quiet", "--message", f"Add {path}")


def _manifests_as_submodule(repo: Repo) -> str:
    repo.git("rm", "--quiet", "-r", "infra/manifests")
    _submodule(repo, "infra/manifests")
    return "infra/manifests"


def _submodule_below(repo: Repo) -> str:
    _submodule(repo, "infra/manifests/team")
    return "infra/manifests/team"


@pytest.mark.parametrize(
    "arrange",
    [
        *(_linked_directory, _linked_parent, _linked_file, _linked_subdirectory),
        *(_linked_overlays, _manifests_as_submodule, _submodule_below),
    ],
)
def test_links_and_submodules_among_the_manifests_are_refused(
    repo: Repo, arrange: Callable[[Repo], str]
) -> None:
    place = arrange(repo)
    if "submodule" not in arrange.__name__:
        repo.commit("Rearrange")
        assert run(["-C", str(repo.infra), "validate"]) == 0
    for said in (really(SPEC), really({**SPEC, "name": "two"}), really({**SPEC, "name": "all"})):
        assert title(said) == "❌ Proposal Failed"
        kind = "submodule" if "submodule" in arrange.__name__ else "symbolic link"
        assert f"{place}: this is a {kind} in the commit" in said
        assert "What to do: " in said
    assert title(runai_delete_environment("two", confirmed=True)) == "❌ Proposal Failed"
    assert repo.branches() == ["main"]


def test_links_that_are_no_manifests_do_not_count(repo: Repo) -> None:
    _link(repo.infra / "manifests" / ".#all.yaml", "user@host.1")
    _link(repo.infra / "docs" / "manifests", "../manifests")
    repo.commit("Leave a lock of an editor behind")
    assert title(really(SPEC)) == "✅ Environment Change Proposed"


def test_a_manifests_directory_that_is_a_file_is_refused(repo: Repo) -> None:
    repo.git("rm", "--quiet", "-r", "infra/manifests")
    (repo.infra / "manifests").write_text("no directory\n")
    repo.commit("Put a file there")
    said = really(SPEC)
    assert "infra/manifests: this is a file in the commit" in said
    assert repo.branches() == ["main"]


def test_a_new_manifest_takes_no_name_that_is_taken_by_anything(repo: Repo) -> None:
    (repo.infra / "manifests" / "NEW.yaml").mkdir()
    (repo.infra / "manifests" / "NEW.yaml" / "readme.txt").write_text("a directory\n")
    (repo.infra / "manifests" / "new-2.yaml").write_text("# only a comment\n")
    repo.commit("Take names")
    assert "File: manifests/new-3.yaml" in really(SPEC)
    assert repo.git("diff", "--name-status", "main", repo.proposed()) == (
        "A\tinfra/manifests/new-3.yaml"
    )


def test_what_was_written_is_compared_with_what_was_meant(repo: Repo) -> None:
    config, settings = load_config(repo.infra / "reconciler.yaml"), AgentSettings()
    draft = draft_removal(read_base(config, settings), "RunaiEnvironment.two")
    for data in (None, MANIFESTS.encode(), MANIFESTS.replace("a:1", "a:2").encode()):
        with pytest.raises(ReconcileError, match="state something else"):
            commit_draft(replace(draft, data=data), settings)
    assert repo.branches() == ["main"]
    assert commit_draft(draft, settings).addresses == ("RunaiEnvironment.two",)


RICH = """\
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {name: rich}
spec:
  scope: tenant
  image: "a:1"
  description: "text of others `and a backtick`"
  compute: {gpu: 1}
  environment_variables: {A: "1", B: {credential: {name: x, key: y}}}
  tools: [jupyter]
"""


def test_a_change_shows_all_that_it_drops(repo: Repo) -> None:
    (repo.infra / "manifests" / "rich.yaml").write_text(RICH)
    repo.commit("Add a rich one")
    spec = {"name": "rich", "scope": "cluster", "image": "a:2", "environment_variables": {"A": "2"}}
    preview = runai_create_environment(spec)
    assert repo.branches() == ["main"]
    said = really(spec)
    assert repo.proposed()
    for text in (preview, said):
        shown = text.partition("What Differs From the Base:\n")[2].partition("\n\n")[0]
        assert shown.splitlines() == [
            "  • RunaiCompute.rich: delete (no manifest states it any more)",
            "  • RunaiEnvironment.rich: replace (its id changes)",
            '    - connections.Jupyter.connection_type: `"ExternalUrl"` is removed',
            "    - connections.Jupyter.container_port: `8888` is removed",
            '    - connections.Jupyter.tool_type: `"jupyter-notebook"` is removed',
            '    - description: `"text of others \\x60and a backtick\\x60"` is removed',
            '    - environment_variables.B.credential.asset_id: `"x"` is removed',
            '    - environment_variables.B.credential.key: `"y"` is removed',
            '    - environment_variables.A: `"1"` becomes `"2"`',
            '    - image: `"a:1"` becomes `"a:2"`',
            '    - scope: `"tenant"` becomes `"cluster"`',
            "The document is written anew: comments between its fields are not kept.",
        ]
        assert NOTICE in text


def test_a_creation_and_a_removal_show_each_address(repo: Repo) -> None:
    said = runai_create_environment(SPEC)
    assert "  • RunaiCompute.new: create\n  • RunaiEnvironment.new: create\n" in said
    said = runai_delete_environment("one")
    for kind in ("RunaiCompute", "RunaiEnvironment"):
        assert f"  • {kind}.one: delete (no manifest states it any more)\n" in said


def test_fields_beyond_a_number_are_counted(repo: Repo) -> None:
    variables = {f"V{number:03}": "x" for number in range(100)}
    wide = {"name": "two", "scope": "tenant", "image": "b:1", "environment_variables": variables}
    said = runai_create_environment(wide)
    assert said.count("is added") == 60
    assert "    - and 40 more fields that differ\n" in said


def test_a_commit_that_ought_to_be_signed_is_signed_by_a_person(repo: Repo) -> None:
    repo.git("config", "commit.gpgSign", "true")
    repo.git("config", "gpg.program", "false")
    said = really(SPEC)
    branch = repo.proposed()
    assert f"  1. git switch {branch} && git commit --amend --no-edit -S" in said
    assert "gpgsig" not in repo.git("cat-file", "commit", branch)


def test_a_branch_in_the_way_is_named_with_what_helps(repo: Repo) -> None:
    repo.git("branch", "reconcile")
    said = really(SPEC)
    assert title(said) == "❌ Proposal Failed"
    assert "the branch reconcile is in the way of reconcile/create-new-" in said
    assert "What to do: `rename it: git branch -m reconcile OTHER-NAME`" in said


def test_a_repository_of_another_user_is_named_with_what_helps(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    said = really(SPEC)
    assert title(said) == "❌ Proposal Failed"
    assert "it belongs to another user" in said
    assert f"git config --global --add safe.directory {repo.root}" in said


SIGNER = """\
#!/bin/sh
cat > /dev/null
echo '-----BEGIN PGP SIGNATURE-----'
echo '-----END PGP SIGNATURE-----'
case "$*" in
  *--verify*) echo 'gpg: Good signature' >&2 ;;
  *) echo '[GNUPG:] SIG_CREATED ' >&2 ;;
esac
"""


def test_what_a_person_has_signed_is_the_same_proposal(repo: Repo) -> None:
    """Also where `git log` is told to show signatures before what it is asked for."""
    signer = repo.root.parent / "signer"
    signer.write_text(SIGNER)
    signer.chmod(0o755)
    for name, value in (
        ("commit.gpgsign", "yes"),
        ("gpg.program", str(signer)),
        ("log.showSignature", "yes"),
    ):
        repo.git("config", name, value)
    said = really(SPEC)
    branch = repo.proposed()
    step = f"git switch {branch} && git commit --amend --no-edit -S"
    assert f"  1. {step}  (" in said
    subprocess.run(step, shell=True, check=True, cwd=repo.root, capture_output=True)
    assert "\ngpgsig" in repo.git("cat-file", "commit", branch)
    repo.git("switch", "--quiet", "main")
    again = really(SPEC)
    assert "It was proposed before: this is the same branch." in again
    assert "--amend" not in again
