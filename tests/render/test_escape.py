import json
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.header import Header
from reconciler.core.plan import Plan
from reconciler.render.escape import literal, literal_name, log_safe, log_safe_json, visible
from reconciler.render.text import render_plan
from reconciler.support.printable import printable
from reconciler.support.terminal import Style
from tests.core.builders import live, plan_of, resource
from tests.examples import examples
from tests.render.github import commands
from tests.render.hostile import hostile_plan as trickier_plan
from tests.render.hostile import hostile_review, texts

UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
hostile = st.text(
    st.characters() | st.sampled_from('\x1b\x07\x00\x9b\u202e\u2028\ue000\U000e0001"\\`#:\r\n'),
    max_size=30,
)


def unsafe(text: str) -> set[str]:
    return {c for c in text if c != "\n" and unicodedata.category(c) in UNSAFE}


@settings(max_examples=examples(5000))
@given(hostile)
def test_nothing_unsafe_is_printed(text: str) -> None:
    assert not unsafe(printable(text))
    assert "\n" not in printable(text)
    assert not unsafe(literal(text))
    assert "\n" not in literal(text)


@given(hostile, hostile)
def test_different_data_prints_differently(one: str, two: str) -> None:
    assert (literal(one) == literal(two)) == (one == two)


def hostile_plan(text: str) -> Plan:
    return plan_of(
        [
            resource(
                "RunaiEnvironment.a",
                {"image": text, text or "x": text, "list": [text], "env": {text: text}},
                warnings=(text,),
            ),
            resource("RunaiEnvironment.b", {"name": text, "image": text}),
        ],
        [
            live("RunaiEnvironment.b", {"name": "b"}, notes=(text,), unknown_fields=(text,)),
            live("RunaiEnvironment.c", {"name": text}, uid=text),
            live("RunaiEnvironment.d", owner=None, detached=text, uid=text),
        ],
    )


@settings(max_examples=examples(1000))
@given(hostile)
def test_no_plan_lets_data_reach_the_terminal(text: str) -> None:
    printed = render_plan(hostile_plan(text), Header(text, text, text), Style())
    assert not unsafe(printed)
    for line in printed.splitlines():
        assert line.lstrip(" ").startswith(
            (
                "Target:",
                "Resource",
                "#",
                "+",
                "-",
                "~",
                "resource",
                "}",
                "RunaiEnvironment",
                "Not ",
                "Warning",
                "Plan:",
                "",
            )
        )


def test_literals_look_like_terraforms() -> None:
    assert literal({"b": 1, "a b": [True, None]}) == '{"a b" = [true, null], b = 1}'
    assert literal_name("NCCL_DEBUG") == "NCCL_DEBUG"
    assert literal_name("é") == '"é"'


def test_colour_only_if_asked_for() -> None:
    assert Style().paint("x", "red") == "x"
    assert Style(colour=True).paint("x", "bold", "red") == "\x1b[1;31mx\x1b[0m"
    assert Style(colour=True).paint("", "red") == ""


@settings(max_examples=examples(5000))
@given(texts)
def test_no_line_is_a_command_to_a_runner(text: str) -> None:
    assert commands(log_safe(text)) == []
    assert commands(log_safe(f"  {printable(text)}\n\u2003{printable(text)}: {text}")) == []
    written = json.dumps({"a": text})
    assert json.loads(log_safe_json(written)) == {"a": text}
    assert commands(log_safe_json(json.dumps([text], indent=2))) == []
    shown = visible(text)
    assert not unsafe(shown)
    assert not {c for c in shown if unicodedata.bidirectional(c) in ("R", "AL", "AN")}


@settings(max_examples=300)
@given(texts)
def test_no_text_plan_forges_a_command(text: str) -> None:
    header = Header(text, text, text, hostile_review(text))
    assert commands(render_plan(trickier_plan(text), header, Style())) == []


def test_what_has_no_shape_is_shown() -> None:
    assert printable("a\u3164b\ufe0f\u00a0c\u034f") == "a\\u3164b\\ufe0f\\xa0c\\u034f"
    assert printable("\u05d0") == "\u05d0"
    assert visible("\u05d0") == "\\u05d0"
    assert visible("abc" * 5, 4) == "abca... (11 more characters)"
