"""The documentation says what is there: links, tables, examples and sessions."""

import ast
import functools
import importlib.util
import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
import yaml

from reconciler.cli.main import _COMMANDS, root
from reconciler.cli.place import ExitCode
from reconciler.config import load_config
from reconciler.kinds.base import Limits, LoadContext
from reconciler.kinds.connections import TOOLS
from reconciler.manifest import load
from reconciler.sandbox.switches import settings_help
from tests.docs.pages import PAGES, ROOT, Block, anchors, as_pattern, blocks, links, prose, tables
from tests.packages import install_metadata

README = ROOT / "README.md"
BLOCKS = [block for page in PAGES for block in blocks(page)]
YAML = [block for block in BLOCKS if block.language == "yaml"]
ENV_ALLOW = ("RECONCILE_VAR_*",)


def where(block: Block) -> str:
    return f"{block.page.name}:{block.line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link}"


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in links(README)}
    assert set(PAGES) - {README} <= linked


@pytest.fixture(scope="module")
def reference_tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "reference_tables", ROOT / "scripts" / "reference_tables.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_of_fields_are_current(page: Path, reference_tables: ModuleType) -> None:
    """Renew them with `.venv/bin/python scripts/reference_tables.py`."""
    text = page.read_text(encoding="utf-8")
    assert reference_tables.current(text) == text


def test_every_field_has_its_table(reference_tables: ModuleType) -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    tabled = set(re.findall(r"<!-- table: (\w+) ([\w-]+) -->", text))
    models = {
        (schema, name)
        for schema, content in reference_tables.SCHEMAS.items()
        for name, model in content["$defs"].items()
        if "properties" in model
    }
    assert models - tabled == set()


def test_the_table_of_tools() -> None:
    rows = tables(ROOT / "docs" / "manifests.md", "### tools")
    assert [[cell.strip("`") for cell in row] for row in rows] == [
        [word, tool.name, tool.tool_type, str(tool.port)] for word, tool in TOOLS.items()
    ]


@pytest.mark.parametrize("block", YAML, ids=where)
def test_yaml_examples_are_accepted(block: Block, tmp_path: Path) -> None:
    for name in ("affine", "hello"):
        shutil.copytree(ROOT / "environments" / name, tmp_path / "environments" / name)
    content = [item for item in yaml.safe_load_all(block.text) if item is not None]
    if content and isinstance(content[0], list):
        assert "uses" in content[0][0]  # steps of a workflow: tests/workflows runs them
        return
    if block.page.name == "adding-a-kind.md":
        return  # of a kind that its session installs
    if block.note == "fragment of":
        content = [_completed(block.subject, content[0])]
    if not content or any(word in block.subject for word in ("mistakes", "seed", "overlays/")):
        return
    if "targets" in content[0]:
        (tmp_path / "reconciler.yaml").write_text(yaml.safe_dump(content[0]))
        assert load_config(tmp_path / "reconciler.yaml").sections
        return
    assert content[0].get("apiVersion") == "reconciler/v1", f"say what {where(block)} is"
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    (manifests / "example.yaml").write_text(yaml.safe_dump_all(content))
    assert load(manifests, LoadContext(tmp_path, "ml-platform", Limits(), ENV_ALLOW))


def _completed(kind: str, fragment: dict[str, Any]) -> dict[str, Any]:
    if kind == "reconciler.yaml":
        targets = {"a": {"runai": {"sandbox": "x.db"}}}
        return {"apiVersion": "reconciler/v1", "stack": "a", "targets": targets, **fragment}
    least = {
        "RunaiEnvironment": {"scope": "cluster", "image": "busybox"},
        "RunaiCompute": {"scope": "cluster"},
        "RayfineImage": {"path": "environments/hello", "tag": "hello"},
    }[kind]
    head = {"apiVersion": "reconciler/v1", "kind": kind, "metadata": {"name": "example"}}
    return {**head, "spec": {**least, **fragment}}


def _sessions() -> Iterator[Any]:
    """Each page with console sessions; those that need jq where it is there."""
    for page, group in itertools.groupby(BLOCKS, key=lambda block: block.page):
        steps = [block for block in group if block.note in ("file", "remove", "tested")]
        if any(block.note == "tested" for block in steps):
            yield pytest.param(steps, id=page.name)


@pytest.mark.parametrize("steps", list(_sessions()))
def test_sessions_print_what_the_page_says(steps: list[Block], tmp_path: Path) -> None:
    shutil.copytree(ROOT / "environments", tmp_path / "environments")
    commands = tmp_path / ".bin"
    commands.mkdir()
    for name, module in (("reconcile", "reconciler"), ("pytest", "pytest")):
        (commands / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        (commands / name).chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RECONCILE_")}
    environment = {
        **kept,
        "PATH": f"{commands}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",  # both streams in the order of a terminal
        "GIT_CEILING_DIRECTORIES": str(tmp_path.parent),
    }
    environment.pop("CI", None)
    example = next(block for block in BLOCKS if block.subject == "reconciler.yaml")
    (tmp_path / "reconciler.yaml").write_text(example.text)  # the README's, unless a page has one
    for step in steps:
        path = tmp_path / step.subject
        if step.note == "file":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.text)
            if path.name == "pyproject.toml":
                install_metadata(path, tmp_path)
        elif step.note == "remove":
            path.unlink()
        elif step.language == "python":
            subprocess.run(
                [sys.executable, "-c", step.text],
                check=True,
                cwd=tmp_path,
                env=environment,
                timeout=120,
            )
        else:
            _run(step, tmp_path, environment)


def _run(step: Block, directory: Path, environment: dict[str, str]) -> None:
    for part in re.split(r"^\$ ", step.text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        if "jq " in command and shutil.which("jq") is None:
            continue
        ran = subprocess.run(
            ["bash", "-c", command],
            check=False,
            cwd=directory,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert as_pattern(expected).fullmatch(ran.stdout), (
            f"{where(step)}: $ {command}\n{ran.stdout}\ndoes not fit\n{expected}"
        )


def test_the_command_table_is_complete() -> None:
    rows = tables(README, "## Commands")
    assert [re.findall(r"reconcile (\w+)", row[0])[0] for row in rows] == list(_COMMANDS)


def _options(command: click.Command) -> set[str]:
    found = {"--help", "-h"}
    for parameter in command.params:
        found.update(parameter.opts)
    return found


def test_every_option_that_is_named_exists() -> None:
    context = click.Context(root)
    every = _options(root)
    for name in _COMMANDS:
        command = root.get_command(context, name)
        assert command is not None
        every |= _options(command)
    foreign = {"--force", "--rm", "--arg"}
    for page in PAGES:
        for option in re.findall(r"(?<![\w`-])`(--[a-z-]+|-[a-zA-Z])\b", prose(page)):
            assert option in every | foreign, f"{page.name}: {option}"


def test_every_option_is_on_a_page() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    context = click.Context(root)
    for name in _COMMANDS:
        command = root.get_command(context, name)
        assert command is not None
        for parameter in command.params:
            spellings = "|".join(re.escape(word) for word in parameter.opts)
            if isinstance(parameter, click.Option):
                assert re.search(rf"(?<![\w-])({spellings})(?![\w-])", text), f"{name}: {spellings}"


def test_options_of_commands_in_examples_exist() -> None:
    context = click.Context(root)
    for block in BLOCKS:
        for line in block.text.splitlines():
            words = line.removeprefix("$ ").split(" #")[0].split()
            if words[:1] != ["reconcile"] or block.language not in ("console", "bash"):
                continue
            name = next((word for word in words if word in _COMMANDS), None)
            command = root.get_command(context, name) if name else root
            assert command is not None, f"{where(block)}: {line}"
            known = _options(root) | _options(command)
            for word in words[1 : words.index("|") if "|" in words else None]:
                if word.startswith("-"):
                    option = word.partition("=")[0]
                    assert option in known, f"{where(block)}: {line}"


def test_the_exit_codes_are_the_documented_ones() -> None:
    rows = tables(README, "## Exit codes")
    found = {row[1].strip("`"): int(row[0]) for row in rows}
    assert found == {code.name: code.value for code in ExitCode}


def test_every_switch_of_the_sandbox_is_described() -> None:
    rows = tables(ROOT / "docs" / "sandbox.md", "## Switches")
    names = re.findall(r"^  ([a-z-]+)=", settings_help(), re.MULTILINE)
    assert [row[0].strip("`") for row in rows] == names


def test_no_page_names_a_path_of_the_machine_that_it_was_written_on() -> None:
    """The absolute paths of the pages: in an image, of devices, of an API, and an example."""
    address = re.compile(r"\b(?:https?|ssh|git|tcp|reconcile)://\S+")
    first = re.compile(r"(?<![\w.~<>)\]}*$-])/(\w+)/")
    for page in PAGES:
        found = set(first.findall(address.sub("", page.read_text(encoding="utf-8"))))
        assert found <= {"api", "app", "dev", "assets", "path", "run"}, page.name


@functools.cache
def _templates() -> list[re.Pattern[str]]:
    """Every text of the package that could be a message, as a pattern of what it may become."""
    found = set()
    for path in (ROOT / "reconciler").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            texts = [
                part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else ""
                for part in parts
            ]
            if sum(map(len, texts)) >= 8:
                found.add(".+".join(re.escape(text.replace("`", "")) for text in texts if text))
    return [re.compile(pattern) for pattern in sorted(found)]


@pytest.mark.parametrize("page", ["troubleshooting.md", "environments.md"])
def test_the_messages_of_tables_of_errors_are_real(page: str) -> None:
    """Every message is one of ours, or a part of one; `...` stands for what differs."""
    templates = _templates()
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for row in re.findall(r"^\| (.*?) \| .* \|$", text, re.MULTILINE):
        for message in re.findall(r"`([^`]+)`", row):
            parts = [part.strip(" :,.") for part in message.split("...")]
            escaped = [re.escape(part) for part in parts if part]
            known = any(
                template.search(message) or any(part in template.pattern for part in escaped)
                for template in templates
            )
            assert known, message


def test_the_example_of_many_samples_is_the_program_that_is_tested() -> None:
    page = (ROOT / "docs" / "environments.md").read_text(encoding="utf-8")
    program = (ROOT / "examples" / "rayfine" / "evaluate_many.py").read_text(encoding="utf-8")
    assert f"```python\n{program}```\n" in page


def test_the_errors_of_environments_have_the_classes_that_the_table_says() -> None:
    from reconciler import errors  # noqa: PLC0415
    from reconciler.rayfine.runtime import errors as runtime  # noqa: PLC0415

    page = (ROOT / "docs" / "environments.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| .*? \| `(\w+Error)`", page, re.MULTILINE))
    assert len(named) >= 8
    for name in named:
        found = getattr(runtime, name, None) or getattr(errors, name)
        assert issubclass(found, errors.ReconcileError)
