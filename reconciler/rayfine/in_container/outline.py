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
    found: dict[str, Any] = {}
    for name, (_, kind, text, node) in functions(tree).items():
        doc = (ast.get_docstring(node) or "")[:2000]
        found[name] = {"signature": "%s(%s)" % (kind, text[:400]), "doc": doc}
    return found


def functions(tree: ast.Module) -> dict[str, tuple[str, str, str, Any]]:
    """By name: `Actor.` or nothing, `async ` or nothing, the arguments and the node.

    A name that both have stands for the method of `Actor`.
    """
    found = dict(_of_body(tree.body, ""))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Actor":
            found.update(_of_body(node.body, "Actor."))
    return dict(sorted(found.items()))


def _of_body(body: list[ast.stmt], owner: str) -> Iterator[tuple[str, tuple[str, str, str, Any]]]:
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name[:1] != "_":
            decorators = {_last_name(item) for item in node.decorator_list}
            if decorators & _ATTRIBUTES:
                continue
            if owner and "staticmethod" not in decorators:  # leave out `self`
                del (getattr(node.args, "posonlyargs", None) or node.args.args)[:1]
            kind = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
            yield node.name, (owner, kind, _text(node.args), node)


def _text(arguments: ast.arguments) -> str:
    try:
        return ast.unparse(arguments) if hasattr(ast, "unparse") else "..."
    except (RecursionError, ValueError):
        return "..."


def _last_name(node: ast.expr) -> str:
    """`c` of a decorator `a.b.c`."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
