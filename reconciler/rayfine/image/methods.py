"""`env.py` -> names and signatures of its methods, by parsing. Nothing in it is ever executed."""

import ast
import sys
import warnings
from collections.abc import Mapping
from itertools import islice
from typing import TypeAlias

from reconciler.errors import BuildError
from reconciler.rayfine.in_container.outline import functions
from reconciler.support.merge_markers import CONFLICT, FINISH_MERGE, conflict_line

ENTRY_POINT = "env.py"
MAX_BYTES = 1 << 20
MAX_SIGNATURE = 400
MAX_METHODS = 200

Methods: TypeAlias = Mapping[str, str]
"""By name, a signature such as `async Actor.evaluate(task_type='sat', **kwargs)`."""

_PYTHON = "Python {}.{}".format(*sys.version_info)
_FIX = "correct the file; if it is written for a newer Python, run reconcile with that one"


def read_methods(source: bytes, where: str) -> Methods:
    """The public methods of class `Actor` and the public functions of the module.

    A name that both have stands for the method of `Actor`. Raises `BuildError` with file and line
    for what is not Python, as the Python that runs this knows it.
    """
    found = {}
    for name, (owner, kind, text, _) in islice(
        functions(_parse(source, where)).items(), MAX_METHODS
    ):
        shown = text if len(text) <= MAX_SIGNATURE else f"{text[: MAX_SIGNATURE - 3]}..."
        found[name] = f"{kind}{owner}{name}({shown})"
    return found


def _parse(source: bytes, where: str) -> ast.Module:
    """The tree of a module that compiles. Nothing of it runs."""
    nul = source.find(b"\0")
    if nul >= 0:
        place = f"{where}:{_line(source, nul)}"
        raise BuildError("it contains a NUL byte", where=place, fix="save it as UTF-8 text")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
            compile(tree, ENTRY_POINT, "exec", dont_inherit=True)
    except SyntaxError as error:
        place = f"{where}:{error.lineno or _badly_encoded(source)}"
        if "codec can't decode" in error.msg:
            what, fix = "it is not text in its encoding", "save it in UTF-8"
            raise BuildError(what, where=place, fix=fix) from error
        if conflict_line((error.text or "").rstrip()):
            raise BuildError(CONFLICT, where=place, fix=FINISH_MERGE) from error
        raise BuildError(f"not valid {_PYTHON}: {error.msg}", where=place, fix=_FIX) from error
    except (ValueError, RecursionError, MemoryError) as error:
        what = "it is nested too deeply to be parsed"
        raise BuildError(what, where=where, fix="take it apart") from error
    return tree


def _badly_encoded(source: bytes) -> int:
    """The line that is not UTF-8; if all of it is, the one that states some other encoding."""
    try:
        source.decode()
    except UnicodeDecodeError as error:
        return _line(source, error.start)
    return 1 if b"coding" in source.partition(b"\n")[0] else 2


def _line(source: bytes, at: int) -> int:
    return source.count(b"\n", 0, at) + 1
