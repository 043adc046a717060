"""The outline of Dockerfiles: bases, BuildKit, and pins that keep line numbers."""

import time

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
        ("FROM\tgolang:1.24 as build\nFROM alpine", ["golang:1.24", "alpine"]),
        ("FROM\v\fa\tAs\v x\nfrom\tX", ["a"]),
        ("FROM \t --platform=linux/amd64\ta", ["a"]),
        ('FROM "a:1"', ["a:1"]),
        ("FROM 'a':1", ["a:1"]),
        ("\t FROM a", ["a"]),
        ("FROM \\\r\n a\r\n", ["a"]),
        ("FROM a\nRUN x \\\n\n\n  # c\n  && FROM\nFROM b", ["a", "b"]),
        ("FROM a\nRUN x \\\\\nFROM b", ["a", "b"]),  # an escaped backslash joins no lines
        ("FROM a\nRUN x \\ \t\nFROM y\nFROM b", ["a", "b"]),
        ("\\\nFROM a", ["a"]),
        ("# syntax=docker/dockerfile:1\n# check=skip=all\n# escape=`\nFROM `\n a", ["a"]),
        ("# a comment\n# escape=`\nFROM \\\n a", ["a"]),  # no directive behind a comment
        ("#escape = `\nARG A=b\nFROM a`\n:$A", ["a:b"]),
        ("ARG A='x y' B=b\nFROM $B", ["b"]),
        ('ARG A="b:1"\nFROM ${A}', ["b:1"]),
        ("ARG A=1\nARG A\nFROM a:$A", ["a:1"]),
        ("FROM a\nARG B=b\nFROM ${B:-c}", ["a", "c"]),  # an ARG of a stage is none of a FROM
        ("ARG A=\nFROM a${A-b}c", ["ac"]),
        ("FROM a${A-b}c", ["abc"]),
        ("FROM ${A:-${B:-a}}", ["a"]),
        ("FROM a:${V:-'1'}", ["a:1"]),
        ("ARG V=1.2.3\nFROM a:${V%.*}-${V##*.}", ["a:1.2-3"]),
        ("ARG V=1.2.3\nFROM a:${V//./-}", ["a:1-2-3"]),
        ("FROM scratch", []),
        ("FROM a AS scratch\nFROM scratch", ["a"]),
        ("FROM alpine AS alpine\nFROM alpine", ["alpine"]),
        ("FROM a AS x\nFROM 0", ["a", "0"]),  # a FROM names stages, it does not count them
        ("FROM a AS X\nFROM b\nCOPY --from=x a b\nCOPY --FROM=y a b", ["a", "b"]),
        ('FROM a\nCOPY --chown="1 2" --from="c:1" a b', ["a", "c:1"]),
        ("FROM a\nCOPY -- --from=c:1 b", ["a"]),
        ("FROM a\nCOPY x --from=c:1 b", ["a"]),
        ("FROM a\nRUN echo --from=c:1", ["a"]),
        ("FROM a AS b\nONBUILD COPY --from=c:1 x y\nFROM b", ["a", "c:1"]),
        ("FROM a AS b\nONBUILD COPY --from=c:1 x y\nFROM d", ["a", "d"]),
        ("FROM z AS c\nFROM a AS b\nONBUILD COPY --from=c x y\nFROM b\nFROM b", ["z", "a"]),
        ('FROM a\nRUN ["cat", "<<EOF"]\nFROM b', ["a", "b"]),
    ],
)
def test_bases_are_found(text: str, expected: list[str]) -> None:
    assert bases(text) == expected


def test_build_arguments_decide_a_base() -> None:
    assert bases("ARG B=a\nFROM $B", B="b") == ["b"]
    assert bases("FROM $B:1", B="b") == [":1"]  # not declared: not known, as to the engine
    assert bases("ARG B=a\nARG C=$B:1\nFROM $C", B="b") == ["b:1"]
    assert bases("ARG B\nFROM $B", B="$A") == ["$A"]  # what is given is taken as it is


@pytest.mark.parametrize("text", ["", "RUN x", "# nothing"])
def test_no_from_is_an_error(text: str) -> None:
    with pytest.raises(BuildError, match="no FROM"):
        Dockerfile(text.encode(), "D")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("FROM\u00a0a", 1, "U+00A0"),
        ("FROM a\nFORM b", 2, "`FROM`"),
        ("RUN a\nFROM b", 1, "before the first FROM"),
        ("FROM a # the base", 1, "comment"),
        ("FROM a b", 1, "FROM IMAGE AS NAME"),
        ("FROM a AS 1", 1, "name of a stage"),
        ("FROM", 1, "names no image"),
        ("FROM --platform linux/amd64 a", 1, "--platform=OS/ARCHITECTURE"),
        ("FROM --plattform=x a", 1, "does not understand --plattform=x"),
        ("FROM a\nCOPY --from x a b", 2, "without a blank"),
        ("FROM a\nCOPY --from=$X a b", 2, "variables are not put"),
        ("FROM a\nCOPY --from=1 a b", 2, "no stage 1"),
        ("FROM a AS x\nCOPY --from=X a b", 2, "not built before"),
        ("FROM a\nCOPY --from=x a b\nFROM b AS x", 2, "not built before"),
        ("FROM a\nRUN y\nFROM ${A", 3, "no substitution"),
        ("FROM ${A:-b", 1, "is missing"),
        ("FROM ${A:?give-A}", 1, "give-A"),
        ("FROM ${A:=b}", 1, "no substitution"),
        ("FROM 'a", 1, "not closed"),
        ('ARG A="x\nFROM a', 1, "not closed"),
        ("ARG A=aaa\nFROM ${A#\\x}", 2, "backslash"),
        ("FROM " + "${A:-" * 60 + "}" * 60, 1, "too deeply"),
        ("ARG A=" + "a" * 300 + "\nFROM ${A#a}", 2, "longer than 256"),
        ("# escape=^\nFROM a", 1, "escape character"),
        ("# escape=`\n# escape=`\nFROM a", 2, "twice"),
        ("FROM a\nRUN <<EOF\nx\n", 2, "has no end"),
        ("FROM a\nRUN <<EOF\n\tEOF\n", 2, "has no end"),
        ("FROM a\n<<<<<<< HEAD\nRUN b\n=======\nRUN c\n>>>>>>> d", 2, "conflict markers"),
        ("FROM a\nRUN b \\\n<<<<<<< HEAD\n c\n=======\n d\n>>>>>>> d", 3, "conflict markers"),
        ("FROM a\n\xff", 2, "UTF-8"),
    ],
)
def test_what_docker_refuses_is_refused_at_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(BuildError) as raised:
        Dockerfile(text.encode("latin-1" if "\xff" in text else "utf-8"), "D").bases({})
    assert raised.value.where == f"D:{line}"
    assert message in str(raised.value)


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
        ('FROM a\nRUN cat <<-EOF 3<<"X Y"\nx\n\tEOF\nX Y', "D:2: RUN <<"),
        ("FROM a\nRUN x << EOF\nEOF", "D:2: RUN <<"),
        ("FROM a\nONBUILD RUN <<EOF\nEOF", "D:2: ONBUILD <<"),
        ("FROM a\nONBUILD RUN --mount=x y", "D:2: ONBUILD --mount"),
        ("FROM --platform=$BUILDPLATFORM a", "D:1: FROM --platform=$BUILDPLATFORM"),
        (
            "ARG TARGETPLATFORM\nFROM --platform=$TARGETPLATFORM a",
            "D:2: FROM --platform=$TARGETPLATFORM",
        ),
        ("FROM --platform=linux/${TARGETARCH} a", "D:1: FROM --platform=linux/${TARGETARCH}"),
        ("FROM a-$TARGETARCH", "D:1: FROM a-$TARGETARCH"),
        ("# syntax=me/mine:1\nFROM a", "D:1: # syntax=me/mine:1"),
        ("# syntax=me/mine:1\nINCLUDE+ b\nFROM a", "D:1: # syntax=me/mine:1"),
        ("# syntax=docker/dockerfile:1\nFROM a", None),
        ("ARG BUILDPLATFORM=linux/amd64\nFROM --platform=$BUILDPLATFORM a", None),
        ("FROM --platform=${TARGETPLATFORM:-linux/amd64} a", None),
        ("FROM --platform=${TARGETPLATFORM-linux/amd64} a-${TARGETARCH:-amd64}", None),
        ("FROM a\nCOPY --chown=1 --from=x a b\nHEALTHCHECK --interval=5s CMD x", None),
        ("FROM a\nRUN echo --mount=x", None),
        ("FROM a\n# RUN --mount=x\n", None),
        ('FROM a\nRUN sed -i "s/<<NAME>>/x/" f', None),
        ("FROM a\nRUN sed -i 's/<<NAME>>/x/' f", None),
        ("FROM a\nRUN echo $((1<<20)) x<<EOF", None),
        ("FROM a\nRUN echo $(( 1 << 20 )) && test 1 << 2", None),
        ("FROM a\nRUN cat <<<EOF", None),
        ("FROM a\nRUN echo \\<<EOF", None),
        ("FROM a\nENV A=<<EOF\nCMD cat <<EOF", None),
        ("FROM a\nRUN echo 'it <<EOF", None),  # Docker leaves a quote that is open to the shell
    ],
)
def test_what_needs_buildkit_is_named(text: str, need: str | None) -> None:
    if need is None:
        bases(text)
        return
    where, _, what = need.rpartition(": ")
    with pytest.raises(BuildError, match="needs BuildKit") as raised:
        bases(text)
    assert (raised.value.where, raised.value.what.rpartition(": ")[2]) == (where, what)


def test_a_platform_that_is_given_needs_no_default() -> None:
    text = "ARG TARGETPLATFORM\nFROM --platform=$TARGETPLATFORM a"
    assert bases(text, TARGETPLATFORM="linux/arm64") == ["a"]


def test_pins_keep_every_other_line() -> None:
    text = (
        "# one\nFROM --platform=linux/amd64 \\\n  a:1 AS x\nRUN y\n"
        "COPY --chown='1 2' --from=b:1 c d\n"
        "ONBUILD\tCOPY --from=b:1 e f\nFROM\tx\n"
    )
    pinned = Dockerfile(text.encode(), "D").pin({"a:1": "a@sha", "b:1": "b@sha"}, {})
    assert pinned.decode().split("\n") == [
        "# one",
        "FROM --platform=linux/amd64 a@sha AS x",
        "#",
        "RUN y",
        "COPY --chown='1 2' --from=b@sha c d",
        "ONBUILD COPY --from=b@sha e f",
        "FROM\tx",
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
        parsed.bases({})
    except ReconcileError:
        pass


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("FROM a\nRUN " + "<< a1 " * 9_000 + "\n" + "RUN x\n" * 10_000, ""),
        (
            "ARG A=" + "x" * 60_000 + "\n" + "ARG B=${A}y\n" * 5_000 + "FROM a",
            "ARGs have more than",
        ),
        (
            "FROM a AS x\n" + "ONBUILD COPY --from=q a b\n" * 2_000 + "FROM x AS y\n" * 5_000,
            "more than 20,000 steps",
        ),
        (
            "ARG A=" + "a" * 256 + "\n" + "ARG B=${A//a*a*a*a/b}\n" * 3_000 + "FROM a",
            "more than 100 substitutions with patterns",
        ),
    ],
    ids=["here-documents", "arguments", "triggers", "patterns"],
)
@pytest.mark.no_cover
def test_a_file_of_any_content_costs_linear_time(text: str, words: str) -> None:
    """Each took minutes, or hundreds of MB."""
    begin = time.process_time()
    if words:
        with pytest.raises(BuildError, match=words):
            bases(text)
    else:
        assert bases(text) == ["a"]
    assert time.process_time() - begin < 20
