"""The map in CONTRIBUTING is that of the package, and the core imports nothing that has effects."""

import ast
import re

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
