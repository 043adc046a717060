"""No test patches our code: what it has to state is a parameter of what it makes."""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
OURS = ("reconciler", "rayfine_env")
UNAVOIDABLE = {
    "laws/test_secrets.py": "what a whole command waits for has no option, and needs none",
}
"""The file, and why there is no other way."""


def patches(source: str) -> Iterator[int]:
    """The lines that set an attribute of a module or class of ours, or import `mock`."""
    tree = ast.parse(source)
    ours = set(_imported(tree))
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names) if any("mock" in each.name for each in names):
                yield node.lineno
            case ast.ImportFrom(module=str(module), names=names) if "mock" in (
                *module.split("."),
                *(each.name for each in names),
            ):
                yield node.lineno
            case (
                ast.Call(func=ast.Attribute(attr="setattr" | "delattr"), args=[first, *_])
                | ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[first, *_])
            ) if _is_ours(first, ours):
                yield node.lineno
            case ast.Assign(targets=targets):
                if any(
                    isinstance(each, ast.Attribute) and _is_ours(each, ours) for each in targets
                ):
                    yield node.lineno


def _imported(tree: ast.Module) -> Iterator[str]:
    """The names by which a file knows what is ours."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in OURS:
                yield from (each.asname or each.name for each in node.names)
            case ast.Import():
                tops = (each for each in node.names if each.name.split(".")[0] in OURS)
                yield from (each.asname or each.name.split(".")[0] for each in tops)


def _is_ours(place: ast.expr, ours: set[str]) -> bool:
    while isinstance(place, ast.Attribute):
        place = place.value
    match place:
        case ast.Name(id=name):
            return name in ours
        case ast.Constant(value=str(path)):
            return path.split(".")[0] in OURS
    return False


def test_no_test_patches_our_code() -> None:
    found = {
        file.relative_to(TESTS).as_posix(): lines
        for file in sorted(TESTS.rglob("*.py"))
        if (lines := list(patches(file.read_text(encoding="utf-8"))))
    }
    assert found.keys() == UNAVOIDABLE.keys(), found


def test_every_way_to_patch_is_seen() -> None:
    source = """
from unittest import mock
import unittest.mock
import reconciler.support.deadline as limits
from reconciler import deadline
from reconciler.core.mark import Mark
import reconciler.core.plan
import time
def test(monkeypatch, patch):
    monkeypatch.setattr("reconciler.support.deadline._SLICE", 1)
    monkeypatch.setattr(limits, "_SLICE", 1)
    patch.setattr(Mark, "stack", "x")
    patch.delattr(deadline.socket, "x")
    setattr(reconciler.core.plan, "x", 1)
    deadline._SLICE = 1
    Mark.stack = "x"
    monkeypatch.setattr(time, "sleep", print)
    monkeypatch.setenv("reconciler", "x")
    made = Mark("x", "y")
    made.stack = "x"
"""
    assert sorted(patches(source)) == [2, 3, *range(10, 17)]
