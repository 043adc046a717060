"""References, lock files, methods and reduced context tables."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.errors import BuildError, ConfigError
from reconciler.rayfine.image.context import Entry
from reconciler.rayfine.image.digest import context_table
from reconciler.rayfine.image.lockfile import LockFile, read_lock, write_lock
from reconciler.rayfine.image.methods import read_methods
from reconciler.rayfine.image.reference import normalise_tag, parse_reference

SHA = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "host", "path", "familiar"),
    [
        ("affine", "docker.io", "library/affine", "affine:latest"),
        ("docker.io/library/affine:v1", "docker.io", "library/affine", "affine:v1"),
        ("index.docker.io/me/x", "docker.io", "me/x", "me/x:latest"),
        ("me/x:v1", "docker.io", "me/x", "me/x:v1"),
        ("localhost/x", "localhost", "x", "localhost/x:latest"),
        ("127.0.0.1:5000/t/x:v1", "127.0.0.1:5000", "t/x", "127.0.0.1:5000/t/x:v1"),
        ("host:5000/x", "host:5000", "x", "host:5000/x:latest"),
        ("[::1]:5000/x", "[::1]:5000", "x", "[::1]:5000/x:latest"),
        (f"a.b/x@{SHA}", "a.b", "x", f"a.b/x@{SHA}"),
        (f"a.b/x:v@{SHA}", "a.b", "x", f"a.b/x:v@{SHA}"),
    ],
)
def test_references(text: str, host: str, path: str, familiar: str) -> None:
    found = parse_reference(text)
    assert (found.host, found.path, found.text) == (host, path, familiar)


@pytest.mark.parametrize(
    "text", ["", "A", "a b", "a:", "-a", "a//b", "http://a/b", "a@sha256:1", "a:\n"]
)
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(BuildError, match="not an image reference"):
        parse_reference(text)


def test_tags_of_ours() -> None:
    assert normalise_tag("affine") == "affine:latest"
    with pytest.raises(BuildError, match="cannot have a digest"):
        normalise_tag(f"a@{SHA}")
    with pytest.raises(BuildError, match="src-"):
        normalise_tag("a:src-1")


def test_a_lock_file_round_trips(tmp_path: Path) -> None:
    lock = LockFile({"b:v1": SHA, "a:latest": "local"})
    path = tmp_path / "reconciler.lock"
    path.write_text(write_lock(lock))
    assert read_lock(path) == lock
    assert write_lock(lock).splitlines()[2].strip().startswith('"a:latest"')
    assert read_lock(tmp_path / "none") == LockFile()


def test_what_a_lock_says_of_a_base() -> None:
    lock = LockFile({"b:latest": SHA, "a:latest": "local"})
    assert lock.base("docker.io/library/b").pull == f"b@{SHA}"
    assert lock.base("b").identity == f"b:latest@{SHA}"
    assert lock.base("a").pinned
    assert lock.base("a").digest == ""
    assert not lock.base("c").pinned
    assert lock.base(f"c@{SHA}").pinned


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 2, "bases": {}}',
        '{"version": 1, "bases": {"a": "x"}}',
        '{"version": 1, "bases": {"A": "local"}}',
        '{"version": 1, "bases": {}, "more": 1}',
        '{"version": 1, "bases": {"a": "local", "a": "local"}}',
        json.dumps({"version": 1, "bases": {f"a@{SHA}": SHA}}),
        "[" * 100_000,
        "x" * (2 << 20),
    ],
)
def test_a_malformed_lock_file_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "reconciler.lock"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_lock(path)
    assert raised.value.where == str(path)


def test_a_lock_file_with_conflict_markers_names_their_line(tmp_path: Path) -> None:
    path = tmp_path / "reconciler.lock"
    path.write_text('{\n"version": 1,\n<<<<<<< HEAD\n"bases": {}\n=======\n>>>>>>> a\n}')
    with pytest.raises(ConfigError, match="conflict markers") as raised:
        read_lock(path)
    assert raised.value.where == f"{path}:3"


def test_methods_of_actor_and_module() -> None:
    source = b"""
import os
from json import dumps
class Actor:
    def __init__(self): ...
    async def evaluate(self, task="sat", *, n: int = 1, **kwargs): ...
    @staticmethod
    def plain(x, /, y): ...
    def _hidden(self): ...
class Other:
    def no(self): ...
def evaluate(): ...
async def hello(name="World"): ...
def _private(): ...
raise SystemExit("never executed")
"""
    assert read_methods(source, "env.py") == {
        "evaluate": "async Actor.evaluate(task='sat', *, n: int=1, **kwargs)",
        "hello": "async hello(name='World')",
        "plain": "Actor.plain(x, /, y)",
    }


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        (b"def x(:", 1, f"not valid Python {sys.version_info[0]}.{sys.version_info[1]}: "),
        (b"a = 1\nprint 'two'\n", 2, "run reconcile with that one"),
        (b"def f():\n    pass\nreturn 1\n", 3, "outside function"),
        (b"def f(a, a): ...\n", 1, "duplicate argument"),
        (b"a = 1\nb = '\xff'\n", 2, "save it in UTF-8"),
        (b"# coding: ascii\n\nb = '\xff'\n", 3, "save it in UTF-8"),
        (b"# coding: utf-7-or-so\n", 1, "encoding"),
        (b"#!/usr/bin/python\n# -*- coding: nope -*-\n", 2, "encoding"),
        (b"a = 1\nb = '\0'\n", 2, "NUL byte"),
        (b"(" * 5000, None, "Python"),
        (b"-" * 100_000 + b"1", None, "nested too deeply"),
        (b"a = 1\n<<<<<<< HEAD\nb = 1\n=======\nb = 2\n>>>>>>> c\n", 2, "conflict markers"),
        (b'"""\n=======\n"""\nprint 1', 4, "not valid"),  # an underline is no marker
    ],
)
def test_what_is_no_python_is_named_with_its_line(
    source: bytes, line: int | None, message: str
) -> None:
    with pytest.raises(BuildError) as raised:
        read_methods(source, "env.py")
    assert message in str(raised.value)
    if line is not None:
        assert raised.value.where == f"env.py:{line}"


def test_long_signatures_are_cut_and_odd_escapes_are_quiet() -> None:
    (found,) = read_methods(b"def f(x='" + b"a" * 999 + b"'): '\\d'", "env.py").values()
    assert len(found) < 450


def entries(count: int, folder: Callable[[int], str]) -> list[Entry]:
    return [Entry(f"{folder(n)}f{n:05}.py", "644", 1, f"{n:064x}") for n in range(count)]


def test_small_tables_name_every_file() -> None:
    assert len(context_table(entries(1500, lambda n: "src/"))) == 1500


def test_large_directories_are_reduced_first() -> None:
    many = [*entries(5000, lambda n: "data/"), Entry("env.py", "644", 1, "0" * 64)]
    table = context_table(many)
    assert table.keys() == {"data/", "env.py"}
    assert table["data/"].startswith("5000 files:")
    changed = [*many[:-2], Entry("data/f04999.py", "755", 1, many[-2].digest), many[-1]]
    after = context_table(changed)
    assert after["env.py"] == table["env.py"]
    assert after["data/"] != table["data/"]


def test_many_directories_are_reduced_by_depth() -> None:
    table = context_table(entries(20_000, lambda n: f"a{n % 3}/b{n}/"))
    assert table.keys() == {"a0/", "a1/", "a2/"}
    assert context_table(entries(20_000, lambda n: "")).keys() == {"./"}
