"""A pull request cannot steal: what it edits in reconciler.yaml does not count in its own run."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import certifi
import pytest

from tests.acceptance.git_project import commit, git, start
from tests.acceptance.project import Project, Ran, environment

SECRET = "canary-2f6b"  # the value of a variable that no manifest may read


class Elsewhere:
    """An attacker's server: records every request that reaches it."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers.get("content-length", 0))
                outer.requests.append(f"{self.path} {self.rfile.read(size)!r}")
                self.send_response(503)
                self.end_headers()

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    found = Elsewhere()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.05,))
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


@pytest.fixture
def branch(world: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """`main` is applied, with five objects; `work` is checked out."""
    monkeypatch.setenv("RECONCILE_VAR_COLOUR", "blue")
    monkeypatch.setenv("DEPLOY_KEY", SECRET)
    world.configure(env_allow=["RECONCILE_VAR_*"])
    world.write(*[environment(f"e{number}") for number in range(5)])
    world.apply()
    start(world)
    return world


def plan(world: Project, *options: str) -> Ran:
    ran = world.reconcile("plan", "--config-from", "main", *options)
    assert SECRET not in ran.out + ran.err
    return ran


def notice(what: str) -> str:
    return f"Notice: reconciler.yaml states other {what} than main; those of main count here.\n"


def test_nothing_differs(branch: Project) -> None:
    ran = plan(branch)
    assert ran.code == 0, ran.err
    assert "Notice" not in ran.out
    assert " · configuration of main\n" in ran.out


def test_credentials_are_not_sent_elsewhere(branch: Project, elsewhere: Elsewhere) -> None:
    branch.go_by(elsewhere.url)
    branch.configure(env_allow=["RECONCILE_VAR_*"])
    commit(branch, "Another address")
    ran = plan(branch)
    assert ran.code == 0, ran.err
    assert notice("targets") in ran.out
    assert elsewhere.requests == []
    branch.reconcile("plan")
    assert elsewhere.requests  # without the option it would have been told


@pytest.mark.parametrize("extra", ["proxy", "ca_bundle", "docker"])
def test_other_parts_of_a_target(branch: Project, elsewhere: Elsewhere, extra: str) -> None:
    (branch.directory / "own.pem").write_text("not a certificate")
    value = {"proxy": elsewhere.url, "ca_bundle": "own.pem", "docker": {"host": "tcp://x:1"}}
    branch.target = {extra: value[extra]}
    branch.configure(env_allow=["RECONCILE_VAR_*"])
    commit(branch, "More of a target")
    ran = plan(branch)
    assert ran.code == 0, ran.err
    assert notice("targets") in ran.out
    assert elsewhere.requests == []


def test_a_new_default_target(branch: Project, elsewhere: Elsewhere) -> None:
    other = {"runai": {"base_url": elsewhere.url, "token": "x"}}
    text = (branch.directory / "reconciler.yaml").read_text()
    path = branch.directory / "reconciler.yaml"
    document = json.dumps(other)
    path.write_text(
        text.replace("default_target: live", "default_target: own").replace(
            "targets:\n", f"targets:\n  own: {document}\n"
        )
    )
    commit(branch, "Another default")
    ran = plan(branch)
    assert ran.code == 0, ran.err
    assert notice("targets, default_target") in ran.out
    ran = plan(branch, "--target", "own")
    assert ran.code == 1
    assert "there is no target own" in ran.err
    assert elsewhere.requests == []


def test_a_secret_is_not_put_into_an_asset(branch: Project) -> None:
    branch.configure(env_allow=["RECONCILE_VAR_*", "DEPLOY_*"])
    branch.write(environment("thief", environment_variables={"K": {"env": "DEPLOY_KEY"}}))
    commit(branch, "Read more")
    ran = plan(branch)
    assert ran.code == 1
    assert "DEPLOY_KEY" in ran.err
    branch.write(
        *[environment(f"e{number}") for number in range(5)],
        environment("fair", environment_variables={"K": {"env": "RECONCILE_VAR_COLOUR"}}),
    )
    ran = plan(branch)
    assert ran.code == 0, ran.err
    assert notice("env_allow") in ran.out


def test_guards_hold_as_they_were(branch: Project) -> None:
    guards = {"max_deletes": 1000, "max_delete_percent": 100, "free_deletes": 1000}
    branch.configure(guards=guards, env_allow=["RECONCILE_VAR_*"])
    branch.write(environment("e0"))
    commit(branch, "Delete most")
    ran = plan(branch)
    assert ran.code == 4
    assert "4 blocked" in ran.out
    assert notice("guards") in ran.out
    assert branch.reconcile("plan").code == 0


def test_the_stack_is_not_another(branch: Project) -> None:
    """Another stack would own, and delete, what others have made."""
    branch.configure(stack="somebody-elses", env_allow=["RECONCILE_VAR_*"])
    commit(branch, "Be somebody else")
    ran = plan(branch)
    assert ran.code == 0, ran.err
    assert "stack ml-platform" in ran.out.splitlines()[0]
    assert notice("stack") in ran.out


def test_the_manifests_are_the_branchs(branch: Project) -> None:
    git(branch.directory, "mv", "manifests", "desired")
    branch.configure(manifests="desired", env_allow=["RECONCILE_VAR_*"])
    commit(branch, "Move the manifests")
    ran = plan(branch)
    assert (ran.code, "No changes." in ran.out) == (0, True)
    assert "Notice" not in ran.out


def test_manifests_that_are_a_link_out(branch: Project) -> None:
    outside = branch.directory.parent / "outside"
    outside.mkdir()
    (outside / "secret.yaml").write_text(f"password: {SECRET}\n")
    git(branch.directory, "rm", "-rq", "manifests")
    (branch.directory / "manifests").symlink_to(outside)
    commit(branch, "Look around")
    ran = plan(branch)
    assert ran.code == 1
    assert "leads out of the directory of reconciler.yaml" in ran.err


def test_what_a_link_leads_to_outside_is_not_told(branch: Project) -> None:
    outside = branch.directory.parent / "private"
    outside.mkdir()
    (outside / "merger-with-acme").mkdir()
    (outside / "secrets.yaml").write_text("passwords: {}\n")
    (branch.directory / "overlays").symlink_to(outside)
    ran = branch.reconcile("validate")
    assert ran.code == 1
    assert "`overlays` is a link that leads out" in ran.err
    assert "acme" not in ran.err
    (branch.directory / "reconciler.yaml").unlink()
    (branch.directory / "reconciler.yaml").symlink_to(outside / "secrets.yaml")
    for words in (["validate"], ["plan", "--config-from", "main"]):
        ran = branch.reconcile(*words)
        assert ran.code == 1
        assert "reconciler.yaml is a link that leads out of the repository" in ran.err
        assert "passwords" not in ran.err


def test_certificates_are_those_of_the_base(branch: Project) -> None:
    """A file of the work tree that a target of the base names may be the branch's own."""
    git(branch.directory, "checkout", "--quiet", "main")
    (branch.directory / "ca.pem").write_bytes(Path(certifi.where()).read_bytes())
    branch.target = {"ca_bundle": "ca.pem"}
    branch.configure(env_allow=["RECONCILE_VAR_*"])
    commit(branch, "Name a certificate")
    git(branch.directory, "checkout", "--quiet", "-B", "work")
    (branch.directory / "ca.pem").unlink()
    commit(branch, "Remove it")
    assert plan(branch).code == 0
    assert branch.reconcile("plan").code == 1
    git(branch.directory, "branch", "--force", "main")
    ran = plan(branch)
    assert ran.code == 1
    assert "main has no ca.pem" in ran.err


@pytest.mark.parametrize("bundle", ["ca.pem", "{directory}/ca.pem", "{above}/project/ca.pem"])
def test_certificates_of_a_variable_are_those_of_the_base(
    branch: Project, monkeypatch: pytest.MonkeyPatch, bundle: str
) -> None:
    above = branch.directory.parent / "above"
    above.symlink_to(".")
    named = bundle.format(directory=branch.directory, above=above)
    monkeypatch.setenv("COMPANY_CA", named)
    git(branch.directory, "checkout", "--quiet", "main")
    (branch.directory / "ca.pem").write_bytes(Path(certifi.where()).read_bytes())
    branch.target = {"ca_bundle": {"env": "COMPANY_CA"}}
    branch.configure(env_allow=["RECONCILE_VAR_*"])
    commit(branch, "Name a certificate")
    git(branch.directory, "checkout", "--quiet", "-B", "work")
    (branch.directory / "ca.pem").write_text("not a certificate")
    commit(branch, "Put another in its place")
    ran = plan(branch)
    assert ran.code == 0, ran.err
    assert branch.reconcile("plan").code == 1


def test_a_certificate_is_no_link_to_another_file_of_the_base(branch: Project) -> None:
    git(branch.directory, "checkout", "--quiet", "main")
    (branch.directory / "ca").mkdir()
    (branch.directory / "ca" / "ca.pem").write_bytes(Path(certifi.where()).read_bytes())
    branch.target = {"ca_bundle": "ca/ca.pem"}
    branch.configure(env_allow=["RECONCILE_VAR_*"])
    commit(branch, "Name a certificate")
    git(branch.directory, "checkout", "--quiet", "-B", "work")
    (branch.directory / "ca").rename(branch.directory / "other")
    (branch.directory / "ca").symlink_to("other")
    commit(branch, "Lead elsewhere")
    ran = plan(branch)
    assert ran.code == 1
    assert "ca is a link" in ran.err
    assert "name the certificate by a path without links" in ran.err


def take_from_files(branch: Project, *, outside: bool = False) -> Path:
    """On main and on `work`: address and secret are in files. Gives their directory."""
    place = branch.directory.parent / "secrets" if outside else branch.directory
    place.mkdir(exist_ok=True)
    (place / "url").write_text(f"{branch.endpoint.base_url}\n")
    (place / "secret").write_text(f"{branch.endpoint.client_secret.get_secret_value()}\n")
    stated = place if outside else Path()
    login = {
        "base_url": {"file": str(stated / "url")},
        "client_id": branch.endpoint.client_id,
        "client_secret": {"file": str(stated / "secret")},
    }
    git(branch.directory, "checkout", "--quiet", "main")
    branch.target = {"runai": login}
    branch.configure(env_allow=["RECONCILE_VAR_*"])
    commit(branch, "Take the login from files")
    git(branch.directory, "checkout", "--quiet", "-B", "work")
    return place


def test_files_of_a_target_are_those_of_the_base(branch: Project, elsewhere: Elsewhere) -> None:
    take_from_files(branch)
    (branch.directory / "url").write_text(f"{elsewhere.url}\n")
    commit(branch, "Another address")
    ran = plan(branch)
    assert ran.code == 0, ran.err
    assert elsewhere.requests == []
    branch.reconcile("plan")
    assert elsewhere.requests  # without the option it would have been told


@pytest.mark.parametrize("part", ["file", "directory"])
def test_a_branch_cannot_have_another_file_read(branch: Project, part: str) -> None:
    """A link in place of a file that the base names: what it leads to is never sent."""
    take_from_files(branch)
    private = branch.directory.parent / "private"
    private.mkdir()
    (private / "secret").write_text(SECRET)
    (branch.directory / "secret").unlink()
    if part == "file":
        (branch.directory / "secret").symlink_to(private / "secret")
    else:
        branch.target["runai"]["client_secret"] = {"file": "in/secret"}
        (branch.directory / "in").symlink_to(private)
        branch.configure(env_allow=["RECONCILE_VAR_*"])
    commit(branch, "Lead elsewhere")
    git(branch.directory, "branch", "--force", "main")
    for words in (["plan", "--config-from", "main"], ["plan"]):
        ran = branch.reconcile(*words)
        assert ran.code == 1
        assert "link" in ran.err
        assert SECRET not in ran.out + ran.err


def test_a_branch_cannot_name_another_file(branch: Project, elsewhere: Elsewhere) -> None:
    private = branch.directory.parent / "private"
    private.write_text(SECRET)
    stolen = {"base_url": elsewhere.url, "client_id": "x", "client_secret": {"file": str(private)}}
    branch.target = {"runai": stolen}
    branch.configure(env_allow=["RECONCILE_VAR_*"])
    commit(branch, "Name another file")
    ran = plan(branch)
    assert ran.code == 0, ran.err
    assert notice("targets") in ran.out
    assert elsewhere.requests == []
    assert branch.reconcile("plan", "--offline").code == 0  # as for forks: no file is read
    assert elsewhere.requests == []


def test_files_outside_of_the_repository_are_read(branch: Project) -> None:
    take_from_files(branch, outside=True)
    ran = plan(branch)
    assert ran.code == 0, ran.err


def test_a_file_that_the_base_does_not_have(branch: Project) -> None:
    take_from_files(branch)
    git(branch.directory, "rm", "-q", "--cached", "secret")
    commit_all = ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "Keep it untracked")
    git(branch.directory, *commit_all)
    git(branch.directory, "branch", "--force", "main")
    ran = plan(branch)
    assert ran.code == 1
    assert "main has no secret, the file that a target names" in ran.err
    assert "commit it there, or name an absolute path outside of the repository" in ran.err


@pytest.mark.parametrize("sort", ["remote branch", "branch", "hash"])
def test_a_tag_does_not_pass_for_the_base(branch: Project, sort: str) -> None:
    """git takes `refs/tags/origin/main` for `origin/main`; whoever may push can push it."""
    git(branch.directory, "update-ref", "refs/remotes/origin/main", "main")
    hashed = git(branch.directory, "rev-parse", "--short=10", "main")
    name = {"remote branch": "origin/main", "branch": "main", "hash": hashed}[sort]
    where = {"remote branch": "refs/remotes/origin/main", "branch": "refs/heads/main"}
    assert branch.reconcile("plan", "--config-from", name).code == 0
    branch.configure(guards={"max_deletes": 1000})
    commit(branch, "Loosen")
    git(branch.directory, "tag", name)
    branch.write()
    for option in ("--config-from", "--since"):
        ran = branch.reconcile("plan", option, name)
        assert ran.code == 1
        assert f"'{name}' may be refs/tags/{name} or " in ran.err
        assert where.get(sort, "a full hash") in ran.err
    ran = branch.reconcile("plan", "--config-from", where.get(sort) or git_hash(branch, "main"))
    assert ran.code == 4, ran.err


def git_hash(world: Project, name: str) -> str:
    return git(world.directory, "rev-parse", f"refs/heads/{name}")


def test_a_repository_in_a_commit_is_not_the_one_that_is_read(branch: Project) -> None:
    """git takes any directory with HEAD, objects and refs for one, and its config for its own."""
    infra = branch.directory / "infra"
    git(branch.directory, "checkout", "--quiet", "main")
    infra.mkdir()
    for name in ("reconciler.yaml", "manifests"):
        (branch.directory / name).rename(infra / name)
    commit(branch, "Move it below")
    git(branch.directory, "checkout", "--quiet", "-B", "work")
    below = replace(branch, directory=infra)
    below.configure(guards={"max_deletes": 1000})
    git(branch.directory, "commit", "--quiet", "--all", "--message", "Loosen")
    git(branch.directory.parent, "clone", "--quiet", "--bare", "project", "bare")
    bare = branch.directory.parent / "bare"
    git(bare, "branch", "--force", "main", "work")
    ran = branch.directory.parent / "ran"
    git(bare, "config", "core.bare", "false")
    git(bare, "config", "core.worktree", ".")
    git(bare, "config", "core.fsmonitor", f"touch {ran}; false")
    (bare / "refs" / ".keep").touch()
    for path in bare.iterdir():
        path.rename(infra / path.name)
    commit(branch, "Bring a repository")
    below.write()
    shown = below.reconcile("plan", "--config-from", "main", "--since", "main")
    assert shown.code == 4, shown.err
    assert not ran.exists()


def loose(world: Project, name: str) -> None:
    """Another configuration that is in the base: an example, say."""
    example = world.directory / name
    example.mkdir()
    text = (world.directory / "reconciler.yaml").read_text()
    (example / "reconciler.yaml").write_text(f"{text}guards: {{max_deletes: 1000}}\n")
    (example / "manifests").mkdir()
    commit(world, "Give an example")
    git(world.directory, "branch", "--force", "main")


def test_a_link_does_not_lead_to_another_file_of_the_base(branch: Project) -> None:
    loose(branch, "example")
    (branch.directory / "reconciler.yaml").unlink()
    (branch.directory / "reconciler.yaml").symlink_to("example/reconciler.yaml")
    commit(branch, "Choose the example")
    ran = plan(branch)
    assert ran.code == 1
    assert "reconciler.yaml is a link" in ran.err


@pytest.mark.parametrize("through", ["option", "shell"])
def test_a_linked_directory_does_not_lead_to_another_file_of_the_base(
    branch: Project, monkeypatch: pytest.MonkeyPatch, through: str
) -> None:
    loose(branch, "example")
    (branch.directory / "infra").symlink_to("example")
    commit(branch, "Lead elsewhere")
    infra = branch.directory / "infra"
    if through == "option":
        ran = replace(branch, directory=infra).reconcile("plan", "--config-from", "main")
    else:
        monkeypatch.chdir(infra)
        monkeypatch.setenv("PWD", str(infra))
        ran = replace(branch, directory=Path()).reconcile("plan", "--config-from", "main")
    assert ran.code == 1
    assert "infra is a link" in ran.err


def test_a_link_above_the_repository_is_nobodys_trick(branch: Project) -> None:
    way = branch.directory.parent / "way"
    way.symlink_to(branch.directory)
    ran = replace(branch, directory=way).reconcile("plan", "--config-from", "main")
    assert ran.code == 0, ran.err


def test_a_submodule_is_not_trusted(branch: Project) -> None:
    """Its `main` is that of a repository that the branch of the outer one names."""
    outer = branch.directory.parent / "outer"
    outer.mkdir()
    git(outer, "init", "--quiet", "--initial-branch", "main")
    add = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
    git(outer, *add, str(branch.directory), "infra")
    inner = replace(branch, directory=outer / "infra")
    ran = inner.reconcile("plan", "--config-from", "origin/main")
    assert ran.code == 1
    assert "this is a submodule" in ran.err


def test_a_base_without_a_configuration(world: Project) -> None:
    git(world.directory, "init", "--quiet", "--initial-branch", "main")
    text = (world.directory / "reconciler.yaml").read_text()
    (world.directory / "reconciler.yaml").unlink()
    commit(world, "Begin")
    git(world.directory, "checkout", "--quiet", "-b", "work")
    (world.directory / "reconciler.yaml").write_text(text)
    world.write(environment())
    commit(world, "Add it")
    ran = plan(world)
    assert ran.code == 1
    assert "main has no reconciler.yaml" in ran.err


def test_what_is_no_ref(branch: Project) -> None:
    ran = branch.reconcile("plan", "--config-from=--output=x")
    assert ran.code == 1
    assert "there is no commit" in ran.err


def test_a_json_plan_tells_it(branch: Project) -> None:
    branch.configure(guards={"max_deletes": 1000})
    review = json.loads(plan(branch, "-o", "json").out)["reconciler"]["review"]
    assert (review["config_from"], review["overridden"]) == ("main", ["env_allow", "guards"])
