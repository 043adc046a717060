import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from reconciler.cli.formats import tool_page
from reconciler.cli.main import run
from reconciler.errors import Problem
from reconciler.render.sarif import RULES, render_sarif
from tests.examples import examples
from tests.render.hostile import texts

_TEXT = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string", "minLength": 1}},
}
_COUNT = {"type": "integer", "minimum": 1}
# What GitHub asks of a SARIF 2.1.0 file, from the specification (OASIS) and GitHub's list of the
# properties that it reads.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name", "version", "informationUri", "rules"],
                                "properties": {
                                    "informationUri": {"pattern": "^https://"},
                                    "rules": {
                                        "type": "array",
                                        "items": {
                                            "type": "object",
                                            # GH2012 of sarif-multitool
                                            "required": [
                                                "id", "shortDescription", "fullDescription", "help",
                                            ],
                                            "properties": {
                                                "shortDescription": _TEXT,
                                                "fullDescription": _TEXT,
                                                "help": {**_TEXT, "required": ["text", "markdown"]},
                                            },
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["ruleId", "message", "locations", "partialFingerprints"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"enum": list(RULES)},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": _TEXT,
                                "partialFingerprints": {
                                    "type": "object",
                                    "additionalProperties": {"type": "string", "minLength": 1},
                                },
                                "locations": {
                                    "type": "array",
                                    "minItems": 1,
                                    "items": {
                                        "type": "object",
                                        "required": ["physicalLocation"],
                                        "properties": {
                                            "physicalLocation": {
                                                "type": "object",
                                                "required": ["artifactLocation", "region"],
                                                "properties": {
                                                    "artifactLocation": {
                                                        "type": "object",
                                                        "required": ["uri"],
                                                        "properties": {
                                                            "uri": {
                                                                "type": "string",
                                                                "pattern": "^(file://)?[A-Za-z0-9._~/%-]*$",
                                                            }
                                                        },
                                                    },
                                                    "region": {
                                                        "type": "object",
                                                        "required": ["startLine"],
                                                        "properties": {
                                                            "startLine": _COUNT,
                                                            "startColumn": _COUNT,
                                                        },
                                                    },
                                                },
                                            }
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}  # fmt: skip


def rendered(problems: list[Problem], directory: str = "") -> dict[str, Any]:
    log: dict[str, Any] = json.loads(render_sarif(problems, "1.2.3", directory))
    Draft202012Validator(SCHEMA).validate(log)
    return log


def test_a_result() -> None:
    log = rendered([Problem("m/a b.yaml", 3, 9, "no", "write it", rule="unknown-field")], "infra")
    (result,) = log["runs"][0]["results"]
    assert result["ruleId"] == "unknown-field"
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert rules[result["ruleIndex"]]["id"] == "unknown-field"
    assert result["message"] == {"text": "no. To correct it: write it."}
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "infra/m/a%20b.yaml", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 3, "startColumn": 9}


@pytest.mark.parametrize(
    ("directory", "file", "place"),
    [
        ("", "m/c:d.yaml", {"uri": "m/c%3Ad.yaml", "uriBaseId": "%SRCROOT%"}),
        ("infra", "../overlays/a.yaml", {"uri": "overlays/a.yaml", "uriBaseId": "%SRCROOT%"}),
        ("", "\udcff.yaml", {"uri": "%FF.yaml", "uriBaseId": "%SRCROOT%"}),
        ("infra", "/etc/r.yaml", {"uri": "file:///etc/r.yaml"}),
        ("infra", "", {"uri": "infra/reconciler.yaml", "uriBaseId": "%SRCROOT%"}),
    ],
)
def test_every_result_has_a_place(directory: str, file: str, place: dict[str, str]) -> None:
    (result,) = rendered([Problem(file, 0, 0, "no")], directory)["runs"][0]["results"]
    found = result["locations"][0]["physicalLocation"]
    assert found["artifactLocation"] == place
    assert found["region"] == {"startLine": 1, "startColumn": 1}


def test_the_tool_names_the_repository_of_its_action(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://g.example")
    monkeypatch.delenv("GITHUB_ACTION_REPOSITORY", raising=False)
    assert not tool_page()
    monkeypatch.setenv("GITHUB_ACTION_REPOSITORY", "a/b")
    page = tool_page()
    assert page == "https://g.example/a/b"
    (run,) = json.loads(render_sarif([], "1", page=page))["runs"]
    assert run["tool"]["driver"]["informationUri"] == page


def test_columns_count_characters(tmp_path: Path) -> None:
    (tmp_path / "reconciler.yaml").write_text(
        "apiVersion: reconciler/v1\nstack: s\ntargets: {t: {runai: {sandbox: s.db}}}\n"
    )
    (tmp_path / "manifests").mkdir()
    head = "apiVersion: reconciler/v1\nkind: RunaiEnvironment\nmetadata: {name: a}\n"
    line = 'spec: {description: "🙂ü", imag: x, scope: tenant}\n'
    (tmp_path / "manifests" / "ä.yaml").write_text(head + line, encoding="utf-8")
    assert run(["-C", str(tmp_path), "validate", "-o", f"sarif={tmp_path / 's'}"]) == 1
    log = json.loads((tmp_path / "s").read_text())
    assert log["runs"][0]["columnKind"] == "unicodeCodePoints"
    (result,) = log["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 4, "startColumn": line.index("imag") + 1}
    assert place["artifactLocation"]["uri"] == "manifests/%C3%A4.yaml"


def test_a_fingerprint_outlives_a_move() -> None:
    def prints(*problems: Problem) -> list[str]:
        results = rendered(list(problems))["runs"][0]["results"]
        return [result["partialFingerprints"]["reconcile/v1"] for result in results]

    one, moved = Problem("a.yaml", 3, 9, "no"), Problem("a.yaml", 30, 1, "no")
    assert prints(one) == prints(moved)
    assert prints(one, moved)[0] == prints(one)[0]
    assert len(set(prints(one, moved, Problem("b.yaml", 3, 9, "no")))) == 3


def test_a_file_as_a_whole_and_hostile_names() -> None:
    rendered([Problem("ü ::x\n##[error].yaml", 0, 0, "##[error]x", "\ud800")])
    assert "##[" not in render_sarif([Problem("a", 1, 1, "##[error]x")], "1")


@settings(max_examples=examples(1000))
@given(texts)
def test_no_text_is_a_link(text: str) -> None:
    """SARIF 3.11.6: a pair of brackets and one of parentheses would be one."""
    (result,) = rendered([Problem("a", 1, 1, text, f"[click](https://evil.example) {text}")])[
        "runs"
    ][0]["results"]
    said = re.sub(r"\\.", "", result["message"]["text"], flags=re.DOTALL)
    assert "[" not in said
    assert "]" not in said


def test_no_problems_close_the_alerts() -> None:
    assert rendered([])["runs"][0]["results"] == []
