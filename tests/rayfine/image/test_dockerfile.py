"""The outline of Dockerfiles: bases, BuildKit, and pins that keep line numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import BuildError, ReconcileError
from reconciler.rayfine.image.dockerfile import Dockerfile


def bases(text: str, **arguments: str) -> list[str]:
    return [use.reference for use in Dockerfile(text.encode(), "D").bases(arguments)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a", ["a"]),
        ("from a:1 as x\nFROM x\nfrom b", ["a:1", "b"]),
        ("FROM scratch\nCOPY --from=b:1 /x /y", ["b:1"]),
        (
            "FROM a AS x\nFROM b\nCOPY --from=x a b\nCOPY --from=0 a b\nCOPY --from=c:1 a b",
            ["a", "b", "c:1"],
        ),
        ("ARG V=3\nFROM a:${V}\nARG V\nRUN x", ["a:3"]),
        ("ARG R=reg\nARG B=$R/a\nFROM $B:1", ["reg/a:1"]),
        ("ARG V\nFROM a:${V:-9}", ["a:9"]),
        ("ARG V=1\nFROM a${V:+:yes}", ["a:yes"]),
        ("FROM --platform=linux/amd64 a", ["a"]),
        ("# escape=`\nFROM `\n  a", ["a"]),
        ("FROM \\\n# comment\n\n  a \\\n AS x\nFROM x", ["a"]),
        ("\ufeffFROM a", ["a"]),
        ("FROM a\r\nRUN x\r\n", ["a"]),
        ("RUN <<FROM\nFROM inner\nFROM\nFROM outer", ["outer"]),
    ],
)
def test_bases_are_found(text: str, expected: list[str]) -> None:
    assert bases(text) == expected


def test_build_arguments_decide_a_base() -> None:
    assert bases("ARG B=a\nFROM $B", B="b") == ["b"]
    assert bases("FROM $B:1", B="b") == [":1"]  # not declared: not known, as to the engine


@pytest.mark.parametrize("text", ["", "RUN x", "# nothing"])
def test_no_from_is_an_error(text: str) -> None:
    with pytest.raises(BuildError, match="no FROM"):
        Dockerfile(text.encode(), "D")


def test_a_from_without_a_value_names_its_line() -> None:
    with pytest.raises(BuildError, match="names no image") as raised:
        bases("ARG B\n\nFROM ${B}")
    assert raised.value.where == "D:3"


@pytest.mark.parametrize(
    ("text", "need"),
    [
        ("FROM a\nRUN --mount=type=cache,target=/x y", "D:2: RUN --mount"),
        ("FROM a\nRUN --network=none y", "D:2: RUN --network"),
        ("FROM a\nCOPY --chmod=755 a b", "D:2: COPY --chmod"),
        ("FROM a\nCOPY --link a b", "D:2: COPY --link"),
        ("FROM a\nADD --checksum=sha256:x a b", "D:2: ADD --checksum"),
        ("FROM a\nRUN <<EOF\nx\nEOF\n", "D:2: RUN <<"),
        ("FROM a\n# c\n  # d\nRUN --mount=x y", "D:4: RUN --mount"),
        ("FROM a\n\nCOPY <<-'E' /x\nx\nE\n", "D:3: COPY <<"),
        ("FROM --platform=$BUILDPLATFORM a", "D:1: FROM --platform=$BUILDPLATFORM"),
        ("# syntax=me/mine:1\nFROM a", "D:1: # syntax=me/mine:1"),
        ("# syntax=docker/dockerfile:1\nFROM a", None),
        ("ARG BUILDPLATFORM=linux/amd64\nFROM --platform=$BUILDPLATFORM a", None),
        ("FROM a\nCOPY --chown=1 --from=x a b\nHEALTHCHECK --interval=5s CMD x", None),
        ("FROM a\nRUN echo --mount=x", None),
        ("FROM a\n# RUN --mount=x\n", None),
    ],
)
def test_what_needs_buildkit_is_named(text: str, need: str | None) -> None:
    assert Dockerfile(text.encode(), "D").buildkit_need() == need


def test_pins_keep_every_other_line() -> None:
    text = (
        "# one\nFROM --platform=linux/amd64 \\\n  a:1 AS x\nRUN y\nCOPY --chown=1 --from=b:1 c d\n"
    )
    pinned = Dockerfile(text.encode(), "D").pin({"a:1": "a@sha", "b:1": "b@sha"}, {})
    assert pinned.decode().split("\n") == [
        "# one",
        "FROM --platform=linux/amd64 a@sha AS x",
        "#",
        "RUN y",
        "COPY --chown=1 --from=b@sha c d",
        "",
    ]


def test_variables_that_double_are_refused_before_they_fill_the_memory() -> None:
    lines = ["ARG V0=xx", *(f"ARG V{n}=$V{n - 1}$V{n - 1}" for n in range(1, 40)), "FROM $V39"]
    with pytest.raises(BuildError, match="longer than 65,536 characters"):
        Dockerfile("\n".join(lines).encode(), "D").bases({})


@given(st.text(st.sampled_from("FROM ARGCOPY--from=ab:${}\\\n#<E \t`'\""), max_size=200))
def test_anything_else_is_an_error_of_ours(text: str) -> None:
    try:
        parsed = Dockerfile(text.encode(), "D")
        parsed.buildkit_need()
        parsed.bases({})
    except ReconcileError:
        pass
