"""What strict YAML makes of scalars, keys and documents, and what it refuses."""

from typing import Any

import pytest
import yaml

from reconciler.errors import ManifestError, Problem
from reconciler.strict_yaml import MAX_DEPTH, WrittenFloat, YamlDocument, load


def value_of(text: str) -> Any:
    (document,) = load(text.encode(), "a.yaml")
    return document.data


def problems_of(data: str | bytes) -> tuple[Problem, ...]:
    with pytest.raises(ManifestError) as caught:
        load(data if isinstance(data, bytes) else data.encode(), "a.yaml")
    return caught.value.problems


@pytest.fixture(params=["libyaml", "python"])
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parsers: PyYAML's own stands in where libyaml is missing."""
    if request.param == "python":
        monkeypatch.delattr(yaml, "cyaml")
    else:
        assert hasattr(yaml, "cyaml"), "PyYAML was built without libyaml"


pytestmark = pytest.mark.usefixtures("_parser")

TYPED = {
    "true": True,
    "false": False,
    "null": None,
    "~": None,
    "": None,
    "0": 0,
    "7": 7,
    "-12": -12,
    "123456789012345678": 123456789012345678,
    "0.5": 0.5,
    "-0.5": -0.5,
    "-0.0": 0.0,
    "10.25": 10.25,
}
TEXT = [
    *("True", "TRUE", "False", "Null", "NULL", "yes", "Yes", "no", "on", "off", "y", "n"),
    *("012", "0x1F", "0b1", "0o7", "1_000", "+1", "-0", "1:30", "190:20:30"),
    *(".5", "5.", "-x", "1e3", "1.5e3", ".inf", "-.inf", ".nan", "1.2.3", "01.5", "2001-12-14"),
    *("1234567890123456789", "0." + "1" * 18, "-", "=", "1,000", "64Gi", "nvcr.io/a:24.01-py3"),
]


@pytest.mark.parametrize(("text", "value"), TYPED.items())
def test_only_unmistakable_scalars_have_a_type(text: str, value: Any) -> None:
    loaded = value_of(f"a: {text}\n")["a"]
    assert loaded == value
    assert isinstance(loaded, type(value))


@pytest.mark.parametrize("text", TEXT)
def test_everything_else_is_text_as_written(text: str) -> None:
    if text == "-":
        assert value_of(f"a: ['{text}']") == {"a": ["-"]}
    else:
        assert value_of(f"a: {text}\n") == {"a": text}


@pytest.mark.parametrize("style", ["'{}'", '"{}"', "|-\n  {}", ">-\n  {}"])
@pytest.mark.parametrize("text", ["true", "null", "1", "1.10", "~"])
def test_quoted_scalars_are_text(style: str, text: str) -> None:
    assert value_of("a: " + style.format(text)) == {"a": text}


def test_a_float_keeps_its_spelling() -> None:
    number = value_of("a: 1.10")["a"]
    assert isinstance(number, WrittenFloat)
    assert number == 1.1
    assert str(number) == number.text == "1.10"


def test_keys_are_text_whatever_they_look_like() -> None:
    assert value_of("1: a\ntrue: b\n1.10: c\nnull: d\n'': e\n'<<': f\n") == {
        "1": "a",
        "true": "b",
        "1.10": "c",
        "null": "d",
        "": "e",
        "<<": "f",
    }


def test_nested_collections() -> None:
    text = "a:\n- b: [1, {c: d}]\n  e:\n- []\n- {}\nf: {g: [h]}\n"
    assert value_of(text) == {
        "a": [{"b": [1, {"c": "d"}], "e": None}, [], {}],
        "f": {"g": ["h"]},
    }


def test_documents_and_their_lines() -> None:
    text = "# comment\n\na: 1\n---\n---\n# c\n\nb: 2\n...\n---\n- x\n--- text\n"
    assert load(text.encode(), "a.yaml") == [
        YamlDocument({"a": 1}, 3),
        YamlDocument(None, 5),
        YamlDocument({"b": 2}, 8),
        YamlDocument(["x"], 11),
        YamlDocument("text", 12),
    ]


@pytest.mark.parametrize("data", [b"", b"\n", b"# only a comment\n", b"\xef\xbb\xbf"])
def test_nothing_is_no_document(data: bytes) -> None:
    assert load(data, "a.yaml") == []


def test_a_byte_order_mark_is_dropped() -> None:
    assert load(b"\xef\xbb\xbfa: 1\n", "a.yaml") == [YamlDocument({"a": 1}, 1)]


def test_windows_line_ends() -> None:
    assert load(b"a: 1\r\nb: |\r\n  x\r\n  y\r\n", "a.yaml")[0].data == {"a": 1, "b": "x\ny\n"}


@pytest.mark.parametrize("line", ["--", "----", " ---", "\u2014", "\u2013-", "\u2011\u2011\u2011 "])
def test_a_line_that_was_meant_as_a_separator(line: str) -> None:
    with pytest.raises(ManifestError) as caught:
        load(f"a: {{b: 1}}\n{line}\na: 2\n".encode(), "f.yaml")
    assert str(caught.value).startswith("f.yaml:2:1: this line separates no documents\n")


def test_a_text_may_hold_lines_of_hyphens() -> None:
    assert value_of("a: |\n  ----\n  ---\nb: --\n") == {"a": "----\n---\n", "b": "--"}


REFUSED = {
    "anchor": ("a: &x 1", 1, 4, "an anchor"),
    "anchor on a mapping": ("a: &x {b: 1}", 1, 4, "an anchor"),
    "anchor on a sequence": ("a:\n  - &x [b]", 2, 5, "an anchor"),
    "anchor on a key": ("&x a: 1", 1, 1, "an anchor"),
    "alias": ("a: *x", 1, 4, "an alias"),
    "alias as an item": ("- *x", 1, 3, "an alias"),
    "alias as a key": ("? *x\n: 1", 1, 3, "an alias"),
    "alias alone": ("*x", 1, 1, "an alias"),
    "tag": ("a: !!str 1", 1, 4, "a tag"),
    "python tag": ("a: !!python/object/apply:os.system [ls]", 1, 4, "a tag"),
    "non-specific tag": ("a: ! b", 1, 4, "a tag"),
    "tag on a mapping": ("a: !x {}", 1, 4, "a tag"),
    "merge key": ("a: {<<: {b: 1}}", 1, 5, "a merge key"),
    "duplicate key": ("a: 1\nb: 2\na: 3", 3, 1, "the key `a` is there twice"),
    "duplicate key, written in another way": ("{1: a, '1': b}", 1, 8, "the key `1` is there"),
    "empty key": ("?\n: 1", 1, 2, "a key is missing"),
    "mapping as a key": ("? {a: b}\n: 1", 1, 3, "a key must be plain text"),
    "sequence as a key": ("? [a]\n: 1", 1, 3, "a key must be plain text"),
    "directive": ("%YAML 1.1\n---\na: 1", 1, 1, "a line that starts with `%`"),
    "tag directive": ("a: 1\n...\n%TAG ! tag:x,2000:\n---\na: 1", 3, 1, "a line that starts"),
    "NUL": ("a: b\0", 1, 5, "the character U+0000"),
    "escape": ("a: b\n c\x1b[0m", 2, 3, "the character U+001B"),
    "next line": ("a: b\x85", 1, 5, "the character U+0085"),
    "line separator": ("a: é\u2028x", 1, 5, "the character U+2028"),
    "second byte order mark": ("a: 1\nb: \ufeff", 2, 4, "the character U+FEFF"),
    "escaped NUL": ('a: "b\\0"', 1, 4, "the text contains a NUL"),
    "colon in a value": ("a: b: c", 1, 5, "this is not valid YAML: mapping values"),
    "unclosed quote": ("a: 1\nb: 'x\n\nc: 2\n", 5, 1, "this is not valid YAML"),
    "tab": ("a:\n\tb: 1", 2, 1, "a tab is used for indentation"),
    "at sign": ("a: @b", 1, 4, "this is not valid YAML"),
    "star in a value": ("a: *.py", 1, 5, "this is not valid YAML"),
    "unknown escape": ('a: "x\n \\q"', 2, 2, "this is not valid YAML: found unknown escape"),
}


@pytest.mark.parametrize(("text", "line", "column", "message"), REFUSED.values(), ids=REFUSED)
def test_refusals_say_where_what_and_how_to_fix(
    text: str, line: int, column: int, message: str
) -> None:
    (problem,) = problems_of(text)
    assert (problem.file, problem.line) == ("a.yaml", line)
    assert problem.column - column in ((0, 1) if "escape" in message else (0,))
    assert problem.message.startswith(message)
    assert problem.fix


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_are_named_as_such(encoding: str) -> None:
    (problem,) = problems_of("apiVersion: reconciler/v1\n".encode(encoding))
    assert problem.message == "the file is not UTF-8 text"


def test_a_byte_that_is_no_utf_8_has_a_position() -> None:
    (problem,) = problems_of("a: ü\nbß: ".encode() + b"\xff\n")
    assert (problem.line, problem.column) == (2, 5)


def test_all_faults_that_leave_the_parser_going_are_reported() -> None:
    problems = problems_of("a: &x 1\nb: *x\na: !t 2\nc: 'x\n")
    assert [problem.line for problem in problems] == [1, 2, 3, 3, 5]


def test_a_long_key_is_cut_in_the_message() -> None:
    (problem,) = problems_of("{" + f"? {'k' * 500} : 1, " * 2 + "}")
    assert len(problem.message) < 120


def test_the_number_of_faults_is_bounded() -> None:
    problems = problems_of("a: *x\n---\n" * 50)
    assert len(problems) == 21
    assert problems[-1].message == "there are too many faults to go on"


def test_depth() -> None:
    assert value_of("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    (problem,) = problems_of("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    assert problem.message == "it is nested more than 64 levels deep"
    assert problem.column == MAX_DEPTH + 1
    (problem,) = problems_of("- " * (MAX_DEPTH + 1) + "x")
    assert "levels deep" in problem.message


def test_an_escape_beyond_unicode() -> None:
    (problem,) = problems_of('a: "\\UFFFFFFFF"')
    assert problem.fix


def test_half_a_character() -> None:
    (problem,) = problems_of('a: "\\ud800"')
    assert problem.fix
