"""`env.py` -> names and signatures of its methods, by parsing. Nothing in it is ever executed."""

import ast
import warnings
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from reconciler.errors import BuildError

ENTRY_POINT = "env.py"
MAX_BYTES = 1 << 20
MAX_SIGNATURE = 400
MAX_METHODS = 200

Methods: TypeAlias = Mapping[str, str]
"""By name, a signature such as `async Actor.evaluate(task_type='sat', **kwargs)`."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def read_methods(source: bytes, where: str) -> Methods:
    """The public methods of class `Actor` and the public functions of the module.

    A name that both have stands for the method of `Actor`. Raises `BuildError` with file and line
    for what is not Python, as the Python that runs this knows it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except SyntaxError as error:
        place = f"{where}:{error.lineno}" if error.lineno else where
        raise BuildError(
            f"not valid Python: {error.msg}", where=place, fix="correct the file"
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise BuildError(
            "not Python source that can be parsed", where=where, fix="correct the file"
        ) from error
    found: dict[str, str] = {}
    for name, signature in (*_of_actor(tree), *_of_module(tree)):
        if len(found) < MAX_METHODS:
            found.setdefault(name, signature)
    return dict(sorted(found.items()))


def _of_actor(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Actor":
            for item in node.body:
                if isinstance(item, _Function) and not item.name.startswith("_"):
                    yield item.name, _signature(item, "Actor.")


def _of_module(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, _Function) and not node.name.startswith("_"):
            yield node.name, _signature(node, "")


def _signature(node: _Function, owner: str) -> str:
    arguments = node.args
    decorators = {item.id for item in node.decorator_list if isinstance(item, ast.Name)}
    if owner and "staticmethod" not in decorators:
        taken = arguments.posonlyargs or arguments.args
        del taken[:1]
    try:
        text = ast.unparse(arguments)
    except (RecursionError, ValueError):
        text = "..."
    if len(text) > MAX_SIGNATURE:
        text = text[: MAX_SIGNATURE - 3] + "..."
    prefix = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    return f"{prefix}{owner}{node.name}({text})"
