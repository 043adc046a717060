"""Kinds of other packages: found by their entry points; what is wrong with one is said."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.packages import install_metadata

EXAMPLE = ROOT / "examples" / "kinds"
MANIFEST = """
apiVersion: reconciler/v1
kind: RunaiConfigMapDataSource
metadata: {name: settings}
spec: {scope: tenant, config_map: settings, mount_path: /settings}
"""
CONFIG = """
apiVersion: reconciler/v1
stack: ml
default_target: sandbox
targets: {sandbox: {runai: {sandbox: sandbox.db}}}
"""
KIND = """
from reconciler.core.resource import KindTraits
from reconciler.kinds.base import Kind, Strict
from reconciler.kinds.compute import RunaiCompute


class Odd(RunaiCompute):
    traits = KindTraits("Odd", frozenset(), ("name",), 30)
"""


class Project:
    """A directory with manifests, and one that packages are installed in."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.packages = directory / "packages"
        self.packages.mkdir()
        (directory / "manifests").mkdir()
        (directory / "reconciler.yaml").write_text(CONFIG)

    def install(self, module: str, **kinds: str) -> None:
        """A package `odd` of one module, with these entry points."""
        (self.packages / "odd.py").write_text(module)
        points = "\n".join(f'{name} = "{value}"' for name, value in kinds.items())
        pyproject = self.directory / "pyproject.toml"
        pyproject.write_text(
            f'[project]\nname = "odd"\nversion = "2.0"\n'
            f'[project.entry-points."reconciler.kinds"]\n{points}\n'
        )
        install_metadata(pyproject, self.packages)

    def run(self, *command: str) -> tuple[int, str]:
        """A command with these packages; its exit code, and all that it says."""
        ran = subprocess.run(
            [sys.executable, "-m", *command],
            check=False,
            cwd=self.directory,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{self.packages}", "CI": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        return ran.returncode, ran.stdout


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def install_example(project: Project) -> None:
    shutil.copy(EXAMPLE / "runai_config_maps.py", project.packages)
    install_metadata(EXAMPLE / "pyproject.toml", project.packages)


def test_a_kind_of_another_package_is_one_like_ours(project: Project) -> None:
    install_example(project)
    (project.directory / "manifests" / "a.yaml").write_text(MANIFEST)
    assert (
        "kind RunaiConfigMapDataSource of runai-config-maps 1.0"
        in project.run("reconciler", "version")[1]
    )
    assert project.run("reconciler", "validate") == (
        0,
        "Valid: 1 resources (1 RunaiConfigMapDataSource).\n",
    )
    code, said = project.run("reconciler", "apply", "--apply")
    assert code == 0, said
    assert "1 added" in said
    assert "No changes" in project.run("reconciler", "plan")[1]
    assert "config map data sources: 1 seen" in project.run("reconciler", "doctor")[1]
    assert '"RunaiConfigMapDataSource"' in project.run("reconciler", "schema")[1]
    assert (
        "bears its mark"
        in project.run("reconciler", "explain", "RunaiConfigMapDataSource.settings")[1]
    )


@pytest.mark.slow
def test_its_package_reruns_the_suite(project: Project) -> None:
    install_example(project)
    shutil.copy(EXAMPLE / "tests" / "test_config_maps.py", project.directory)
    code, said = project.run("pytest", "-q", "-p", "no:cacheprovider", "test_config_maps.py")
    assert code == 0, said
    assert "25 passed" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "instead", "test"),
    [
        ("    since:", "    later:", "test_a_field_that_a_server_lacks_is_an_error_of_the_plan"),
        ('path}/config-map"', 'path}/git"', "is_what_is_read and plain"),
        ('    nested = "config_map"', "", "test_it_lives_in_every_scope"),
    ],
)
def test_the_suite_finds_what_is_wrong_with_a_kind(
    project: Project, line: str, instead: str, test: str
) -> None:
    install_example(project)
    module = project.packages / "runai_config_maps.py"
    text = module.read_text()
    assert text.count(line) == 1
    module.write_text(text.replace(line, instead))
    shutil.copy(EXAMPLE / "tests" / "test_config_maps.py", project.directory)
    code, said = project.run("pytest", "-q", "-p", "no:cacheprovider", "-k", test)
    assert code == 1, said


@pytest.mark.parametrize(
    ("name", "value", "module", "words"),
    [
        (
            "Odd",
            "odd:Odd",
            "raise RuntimeError('no luck')",
            "could not be loaded: RuntimeError: no",
        ),
        ("Odd", "odd:Missing", KIND, "could not be loaded: AttributeError"),
        ("Odd", "nowhere:Odd", KIND, "could not be loaded: ModuleNotFoundError"),
        ("Odd", "odd:KindTraits", KIND, "it is no subclass of reconciler.kinds.base.Kind"),
        (
            "Odd",
            "odd:Odd",
            f"{KIND}    def __init__(self, a): ...\n",
            "could not be made: TypeError",
        ),
        ("Odd", "odd:Kind", KIND, "could not be made: TypeError"),
        ("Other", "odd:Odd", KIND, "its traits name it 'Odd'"),
        ("Odd", "odd:Odd", f"{KIND}    model = dict\n", "its model is no subclass of"),
        ("Odd", "odd:Odd", f"{KIND}    system = 'disk'\n", "its system is none of docker, runai"),
        ("Odd", "odd:Odd", f"{KIND}    words = ''\n", "it does not state words"),
        ("RunaiCompute", "odd:Odd", KIND, "the name is taken by reconciler itself"),
    ],
)
def test_what_is_wrong_with_a_plugin_is_said(
    project: Project, name: str, value: str, module: str, words: str
) -> None:
    project.install(module, **{name: value})
    code, said = project.run("reconciler", "validate")
    assert code == 1
    assert said.startswith(f"Error: kind {name} of odd 2.0 ({value}): ")
    assert words in said
    assert said.endswith("or uninstall the package\n")
    assert "Traceback" not in said
    code, said = project.run("reconciler", "version")
    assert code == 0
    assert f"kind {name} of odd 2.0" in said


def test_a_kind_may_bring_its_own_provider(project: Project) -> None:
    shutil.copy(ROOT / "tests" / "kinds" / "notes_kind.py", project.packages)
    project.install("", Note="notes_kind:Note")
    note = "apiVersion: reconciler/v1\nkind: Note\nmetadata: {name: a}\nspec: {text: TEXT}\n"
    manifest = project.directory / "manifests" / "a.yaml"
    for text, sign in (("one", "1 added"), ("two", "1 changed")):
        manifest.write_text(note.replace("TEXT", text))
        code, said = project.run("reconciler", "apply", "--apply")
        assert (code, sign in said) == (0, True), said
        assert f'"text": "{text}"' in (project.directory / "notes.json").read_text()
        assert "No changes" in project.run("reconciler", "plan")[1]
    manifest.unlink()
    assert "Reconcile-Allow: destroy=Note.a" in project.run("reconciler", "plan")[1]
