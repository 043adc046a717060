"""The map in CONTRIBUTING is that of the package; the core is pure; kinds name themselves."""

import ast
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch

from reconciler.kinds.registry import KIND_TRAITS
from tests.docs.pages import ROOT

PURE = {
    *("base64", "collections", "dataclasses", "difflib", "enum", "fnmatch", "functools", "hashlib"),
    *("hmac", "itertools", "json", "re", "shlex", "typing"),
    *("deepdiff", "reconciler"),
}
"""No files, no network, no clock, no chance. What of `reconciler`, `.importlinter` says."""
PACKAGE = ROOT / "reconciler"
MAP = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Layout")[2]
MAP = MAP.partition("\n## ")[0]


def test_the_map_has_a_row_for_each_folder() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", MAP, re.MULTILINE)
    assert sorted(rows) == sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def test_each_file_on_the_way_is_there() -> None:
    named = re.findall(r"`((?:\w+/)+\w+\.py)`", MAP)
    assert len(named) > 15
    missing = [
        name for name in named if not (PACKAGE / name).exists() and not (ROOT / name).exists()
    ]
    assert missing == []


def test_nothing_but_the_public_modules_is_at_the_top() -> None:
    found = {path.name for path in PACKAGE.glob("*.py")}
    assert found == {"__init__.py", "__main__.py", "errors.py", "json_schema.py"}


def test_the_core_imports_only_what_is_pure() -> None:
    found = set()
    for path in (PACKAGE / "core").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").partition(".")[0])
    assert found <= PURE


SHOWN: Mapping[str, str] = {
    "cli/commands/*.py": "--help, and what `init` writes, show what an address looks like",
    "core/selection.py": "an error about an address shows what one looks like",
    "mcp_server/*.py": "so do the descriptions for models",
}
"""Where a text that people or models read may hold the name of a kind, and why."""


def test_only_the_kinds_name_a_kind() -> None:
    named = re.compile(rf"\b({'|'.join(KIND_TRAITS)})\b")
    address = re.compile(rf"({'|'.join(KIND_TRAITS)})\.?")
    found = []
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE).as_posix()
        if path.parent.name == "kinds":
            continue
        shown = any(fnmatch(place, pattern) for pattern in SHOWN)
        found += [
            f"{place}: {text}"
            for text in _texts(ast.parse(path.read_text(encoding="utf-8")))
            if address.fullmatch(text) or (named.search(text) and not shown)
        ]
    assert found == []


def _texts(tree: ast.AST) -> Iterator[str]:
    """The literals of a module, without its documentation and what is shown as an example."""
    documentation = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.iter_child_nodes(tree):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if (is_text and isinstance(tree, documentation)) or (
            isinstance(node, ast.keyword) and node.arg == "examples"
        ):
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            yield node.value if isinstance(node.value, str) else node.value.decode("latin-1")
        yield from _texts(node)
