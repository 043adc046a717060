"""env.py -> what it will offer, by parsing it: asked before anything of it has run."""

from __future__ import annotations

import ast
from typing import Any, Iterator

_ATTRIBUTES = {"property", "cached_property", "setter", "deleter"}


def outline(file: str) -> dict[str, Any]:
    """Signature and text of every public method; empty where the file cannot be parsed."""
    try:
        with open(file, "rb") as stream:
            tree = ast.parse(stream.read())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found: dict[str, Any] = dict(_functions(tree.body, 0))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Actor":
            found.update(_functions(node.body, 1))
    return dict(sorted(found.items()))


def _functions(body: list[ast.stmt], skip: int) -> Iterator[tuple[str, dict[str, str]]]:
    """The public functions in a body. The first `skip` parameters are `self`."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name[:1] != "_":
            decorators = {_last_name(item) for item in node.decorator_list}
            if decorators & _ATTRIBUTES:
                continue
            arguments = node.args
            if skip and "staticmethod" not in decorators:
                del (arguments.args or [])[:1]
            text = ast.unparse(arguments) if hasattr(ast, "unparse") else "..."
            kind = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
            yield (
                node.name,
                {
                    "signature": "%s(%s)" % (kind, text[:400]),
                    "doc": (ast.get_docstring(node) or "")[:2000],
                },
            )


def _last_name(node: ast.expr) -> str:
    """`c` of a decorator `a.b.c`."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
