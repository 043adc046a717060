"""Every Python example of the README (readme.md beside this) runs as printed, with real Ray.

The README's base image is `rayproject/ray:latest`. Where the engine does not have it, our own base
of the same make (user ray, uid 1000) gets that name for the time of these tests.
"""

import ast
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import rayfine_env
from reconciler import rayfine
from tests.rayfine.runtime.conftest import RAY_BASE, docker

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[3]
TEXT = (Path(__file__).parent / "readme.md").read_text()
BLOCKS = {
    language: re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    for language in ("python", "dockerfile")
}
CUSTOM = "def custom_method(value=1):\n    return {'custom': value}\n"


def block(start: str) -> str:
    """The one Python block that begins like this, its `...` as no arguments."""
    (found,) = [text for text in BLOCKS["python"] if text.startswith(start)]
    return str(found).replace("(...)", "()")


AFFINE = block("# environments/affine/env.py")
BUILD = block("from rayfine_env import build_image_from_env\n")
LOAD = block("from rayfine_env import load_env")
CONTEXT = block("with load_env(")
SEVERAL = block("# Run multiple environments concurrently")
FUNCTION = block('# env.py\ndef hello(name="World")')
ACTOR = block("# env.py\nimport os")
MIXED = block("# env.py\nclass Actor:\n    def method_a")
IMPORT = "from rayfine_env import build_image_from_env, load_env\n"


@pytest.fixture(scope="module", autouse=True)
def names() -> Iterator[None]:
    """Lend the README's names of images, and give them back."""
    before = tags()
    if "rayproject/ray:latest" not in before:
        docker("tag", RAY_BASE, "rayproject/ray:latest")
    yield
    for tag, image in before.items():
        docker("tag", image, tag)
    if made := sorted(tags().keys() - before.keys()):
        docker("rmi", *made)


def tags() -> dict[str, str]:
    """Image id by tag, of the names that the README uses."""
    lines = docker("images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
    found = dict(line.split() for line in lines.splitlines() if "<none>" not in line)
    names = ("rayproject/ray:latest", "affine:", "custom:")
    return {tag: image for tag, image in found.items() if tag.startswith(names)}


def run(directory: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def environment(directory: Path, **files: str) -> None:
    path = directory / "environments/affine"
    path.mkdir(parents=True)
    for name, text in files.items():
        (path / name.replace("_py", ".py").replace("_txt", ".txt")).write_text(text)


def test_every_example_is_run_by_a_test_here() -> None:
    signatures = [text for text in BLOCKS["python"] if ": str" in text or "env.setup(**" in text]
    listings = [text for text in BLOCKS["python"] if text.startswith("list_active")]
    executed = {AFFINE, BUILD, LOAD, CONTEXT, SEVERAL, FUNCTION, ACTOR, MIXED}
    assert len(BLOCKS["python"]) == len(signatures) + len(listings) + len(executed)
    assert len(BLOCKS["dockerfile"]) == 1


def test_the_signature_blocks_are_the_signatures() -> None:
    for function in (rayfine_env.build_image_from_env, rayfine_env.load_env):
        (text,) = [item for item in BLOCKS["python"] if item.startswith(f"{function.__name__}(\n")]
        (stated,) = ast.parse(f"def {text.rstrip().partition('  # Returns')[0]}: ...").body
        assert isinstance(stated, ast.FunctionDef)
        parameters = inspect.signature(function).parameters
        names = [item.arg for item in stated.args.args] + ["kwargs"] * bool(stated.args.kwarg)
        assert names == list(parameters)
        defaults = [ast.literal_eval(item) for item in stated.args.defaults]
        found = [item.default for item in parameters.values() if item.default is not item.empty]
        assert found == defaults
        for item in stated.args.args:
            assert item.annotation is not None
            annotation = str(inspect.get_annotations(function, eval_str=True)[item.arg])
            assert ast.unparse(item.annotation) in annotation
        assert stated.returns is not None
        returns = inspect.get_annotations(function, eval_str=True)["return"]
        assert ast.unparse(stated.returns) == returns.__name__


def test_the_methods_of_the_wrapper_are_as_stated() -> None:
    (text,) = [item for item in BLOCKS["python"] if "env.setup(**" in item]
    for name, arguments in re.findall(r"env\.(\w+)\((.*?)\)", text):
        found = str(inspect.signature(getattr(rayfine.EnvironmentWrapper, name)))
        assert arguments in found


def test_the_utility_functions(tmp_path: Path) -> None:
    environment(tmp_path, env_py=FUNCTION)
    listed = block("list_active_environments()")
    code = (
        "from rayfine_env import *\n"
        "build_image_from_env('environments/affine', 'affine:latest', quiet=True)\n"
        "env_id = load_env('affine:latest', engine='process').id\n"
        "again = load_env('affine:latest', engine='process').id\n"
        "assert list_active_environments() == [env_id, again]\n"
        "assert get_environment(env_id).id == env_id\n"
    )
    first, cleanup, last = listed.splitlines()
    out = run(tmp_path, f"{code}{first}\n{last}\n{cleanup}\nprint(list_active_environments())")
    assert out == "[]"
    assert docker("ps", "-aq", "--filter", "ancestor=affine:latest") == ""


def test_own_dockerfile_without_requirements(tmp_path: Path) -> None:
    lines = [line for line in BLOCKS["dockerfile"][0].splitlines() if "requirements" not in line]
    environment(tmp_path, env_py=MIXED, Dockerfile="\n".join(lines))
    run(tmp_path, BUILD)
    code = (
        "with load_env(image='affine:latest') as env:\n    env.setup()\n    print(env.method_b())"
    )
    assert run(tmp_path, IMPORT + code) == "from module"


def test_generated_dockerfile_with_requirements(tmp_path: Path) -> None:
    environment(tmp_path, env_py=ACTOR, requirements_txt="numpy\n")
    run(tmp_path, BUILD)
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", "affine:latest")
    assert "-r requirements.txt" in history
    code = (
        "with load_env(image='affine:latest') as env:\n    env.setup()\n    print(env.process(1))"
    )
    assert run(tmp_path, IMPORT + code) == "{'processed': 1, 'config': None}"


def test_generated_dockerfile_and_several_environments(tmp_path: Path) -> None:
    environment(tmp_path, env_py=AFFINE)
    out = run(tmp_path, f"{BUILD}\nprint(image_id)")
    assert out == docker("images", "-q", "--no-trunc", "affine:latest")
    assert run(tmp_path, f"{LOAD}\nprint(result)") == "{'task_name': 'sat', 'total_score': 1.0}"
    custom = tmp_path / "custom"
    custom.mkdir()
    (custom / "env.py").write_text(CUSTOM)
    build = f"{IMPORT}build_image_from_env('custom', 'custom:v1', quiet=True)\n"
    out = run(tmp_path, f"{build}{SEVERAL}\nprint(result1['total_score'], result2)")
    assert out == "1.0 {'custom': 1}"


def test_own_dockerfile_with_requirements(tmp_path: Path) -> None:
    files = {"Dockerfile": BLOCKS["dockerfile"][0], "requirements_txt": "numpy\n"}
    environment(tmp_path, env_py=AFFINE, **files)
    run(tmp_path, BUILD)
    out = run(tmp_path, f"{IMPORT}{CONTEXT}\nprint(result)")
    assert out == "{'task_name': 'sat', 'total_score': 1.0}"
    assert docker("ps", "-aq", "--filter", "ancestor=affine:latest") == ""


@pytest.mark.parametrize(
    ("source", "call", "expected"),
    [
        (FUNCTION, "print(env.hello(), env.hello(name='you'))", "Hello, World! Hello, you!"),
        (ACTOR, "print(env.process(data=[1]))", "{'processed': [1], 'config': 'c'}"),
        (MIXED, "print(env.method_a(), env.method_b())", "from Actor from module"),
    ],
)
def test_the_guide(tmp_path: Path, source: str, call: str, expected: str) -> None:
    environment(tmp_path, env_py=source)
    run(tmp_path, BUILD)
    code = f"with load_env(image='affine:latest') as env:\n    env.setup(MY_CONFIG='c')\n    {call}"
    assert run(tmp_path, IMPORT + code) == expected
