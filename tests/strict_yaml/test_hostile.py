"""Any input up to 1 MiB is decided within 2 s and 512 MB, and only manifest errors escape."""

import functools
import gc
import json
import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.errors import ManifestError, Problem
from reconciler.strict_yaml import MAX_BYTES, MAX_EVENTS, Positions, YamlDocument, load

SECONDS = 2.0
ORDINARY = 0.015
"""Seconds of CPU for 5,000 keys, where 1 MiB is decided within `SECONDS`."""
MEMORY = 512 * 1024 * 1024

ATOMS = ["[", "]", "{", "}", ",", ":", ": ", "-", "- ", "?", "? ", "&a", "*a", "!t", "|", ">"]
ATOMS += ["'", '"', "#", "%", "@", "`", "\n", "\r", "\t", " ", "  ", "<<: ", "---\n", "...\n"]
ATOMS += ["a", "a: ", "1", "1.10", "true", "~", "\\", "\\x00", "\0", "\ufeff", "é", "\U0001f600"]


def nested_merges() -> str:
    lines = ["a0: &a0 {k0: v}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 9)]
    return "\n".join(lines)


def laughs() -> str:
    lines = ["a0: &a0 [lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20)]
    return "\n".join(lines)


HOSTILE = {
    "brackets": "[" * 30_000,
    "a megabyte of brackets": "[" * MAX_BYTES,
    "a megabyte of braces": "{" * MAX_BYTES,
    "a megabyte of keys in braces": "{a: " * (MAX_BYTES // 4),
    "nested sequences on one line": "- " * (MAX_BYTES // 2),
    "nested question marks": "? " * (MAX_BYTES // 2),
    "a staircase": "\n".join(" " * n + "a:" for n in range(1_400)),
    "nested merge keys": nested_merges(),
    "a billion laughs": laughs(),
    "a huge plain scalar": "a" * MAX_BYTES,
    "a huge plain scalar of many lines": "a\n" * (MAX_BYTES // 2),
    "a huge folded scalar": "a: >\n" + " b\n\n" * (MAX_BYTES // 5),
    "a huge literal scalar": "a: |\n" + " b\n" * (MAX_BYTES // 4),
    "a huge quoted scalar": "'" + "a\n\n" * (MAX_BYTES // 3 - 1) + "'",
    "a quoted scalar of escapes": '"' + "\\x41" * (MAX_BYTES // 4 - 1) + '"',
    "an open quote": '"' + "a " * (MAX_BYTES // 2 - 1),
    "a huge number": "a: " + "9" * (MAX_BYTES - 4),
    "a huge key": "? " + "k" * (MAX_BYTES - 8) + "\n: v",
    "many documents": "---\n" * (MAX_BYTES // 4),
    "many small documents": "--- a\n" * (MAX_BYTES // 6),
    "many items": "[" + "a," * (MAX_BYTES // 2 - 1) + "]",
    "many keys": "\n".join(f"k{n}: v" for n in range(90_000)),
    "many different keys": "\n".join(f"k{n}: v" for n in range(48_000)),
    "many same keys": "k: v\n" * (MAX_BYTES // 5),
    "many anchors": "\n".join(f"- &a{n} x" for n in range(80_000)),
    "many tag directives": "\n".join(f"%TAG !{n}! x" for n in range(70_000)) + "\n--- a\n",
    "many comments": "#\n" * (MAX_BYTES // 2),
    "many blank lines": "\n" * MAX_BYTES,
    "many spaces": " " * MAX_BYTES,
    "many carriage returns": "\r" * MAX_BYTES,
    "one long comment": "#" * MAX_BYTES,
    "an unclosed flow over many lines": "[\n" + "a,\n" * (MAX_BYTES // 3 - 1),
    "colons": ":" * MAX_BYTES,
    "colons in a flow": "[" + ": " * (MAX_BYTES // 2 - 1),
    "exclamation marks": "!" * MAX_BYTES,
    "a tag without an end": "!<" + "a" * (MAX_BYTES - 2),
    "a tag of escapes": "!" + "%41" * (MAX_BYTES // 3 - 1),
    "wide characters": "\U0001f600" * (MAX_BYTES // 4),
    "keys without values": "? a\n" * (MAX_BYTES // 4),
    "quoted keys in a flow": "{" + "'a',\n" * (MAX_BYTES // 6) + "}",
}


def load_or_refuse(data: bytes) -> tuple[list[YamlDocument], tuple[Problem, ...]]:
    try:
        return load(data, "a.yaml"), ()
    except ManifestError as error:
        return [], error.problems


@functools.cache
def slowness() -> float:
    """How many times longer this takes than where the limit was set; 1 or more."""
    data = "\n".join(f"k{n}: v" for n in range(5_000)).encode()
    times = []
    for _ in range(5):
        started = time.thread_time()
        load_or_refuse(data)
        times.append(time.thread_time() - started)
    return max(1.0, min(times) / ORDINARY)


@pytest.mark.no_cover  # tracing takes longer than what is traced
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.no_cover
def test_hostile_text_is_decided_in_time(text: str) -> None:
    data = text.encode()
    assert len(data) <= MAX_BYTES
    gc.freeze()  # what other tests have left is no part of it
    limit = SECONDS * slowness()
    started = time.thread_time()
    problems = load_or_refuse(data)[1]
    assert len(problems) <= 22
    assert all(problem.line and problem.fix for problem in problems)
    Positions(data).at(0, ("a", 0))
    assert time.thread_time() - started < limit


@pytest.mark.no_cover
def test_hostile_text_is_decided_within_its_memory() -> None:
    """All of it in one process whose address space is limited."""
    program = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))\n"
        "from reconciler.errors import ManifestError\n"
        "from reconciler.strict_yaml import Positions, load\n"
        "from tests.strict_yaml.test_hostile import HOSTILE\n"
        "for text in HOSTILE.values():\n"
        "    try:\n"
        "        load(text.encode(), 'a.yaml')\n"
        "    except ManifestError:\n"
        "        pass\n"
        "    Positions(text.encode())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_too_large() -> None:
    with pytest.raises(ManifestError) as caught:
        load(b"#" * (MAX_BYTES + 1), "a.yaml")
    assert caught.value.problems[0].message == "the file is larger than 1 MiB"
    assert load(b"#" * MAX_BYTES, "a.yaml") == []


def test_too_many_events() -> None:
    """Start and end of stream, document and sequence take six."""
    load(b"[" + b"a," * (MAX_EVENTS - 6) + b"]", "a.yaml")
    with pytest.raises(ManifestError) as caught:
        load(b"[" + b"a," * (MAX_EVENTS - 5) + b"]", "a.yaml")
    assert "100,000 YAML events" in caught.value.problems[0].message


def is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(type(key) is str for key in value) and all(map(is_plain, value.values()))
    if isinstance(value, list):
        return all(map(is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def check(data: bytes) -> None:
    documents, problems = load_or_refuse(data)
    lines = data.count(b"\n") + data.count(b"\r") + 2
    assert all(1 <= problem.line <= lines for problem in problems)
    assert all(problem.column >= 1 for problem in problems)
    assert all(is_plain(document.data) for document in documents)
    Positions(data).at(0, ("a", 0, "b"), key=True)


@given(st.binary(max_size=300))
@example(b"\x00\x00\xfe\xffa")
@example(b"\xed\xa0\x80")
def test_arbitrary_bytes(data: bytes) -> None:
    check(data)


@given(st.text(max_size=300))
def test_arbitrary_text(text: str) -> None:
    check(text.encode("utf-8", "surrogatepass"))


@given(st.lists(st.sampled_from(ATOMS), max_size=60).map("".join))
def test_text_like_yaml(text: str) -> None:
    check(text.encode())


@given(st.lists(st.sampled_from(ATOMS), min_size=1, max_size=4).map("".join), st.integers(1, 5000))
def test_repetitions_of_text_like_yaml(text: str, times: int) -> None:
    check((text * times).encode())


plain_text = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2000, exclude_categories=("Cs", "Cc")),
    max_size=12,
)
trees = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | plain_text,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(plain_text.filter(bool), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(trees)
def test_json_means_itself(tree: Any) -> None:
    text = json.dumps(tree, ensure_ascii=True)
    (document,) = load(text.encode(), "a.yaml")
    assert document.data == tree
