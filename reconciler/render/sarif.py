"""Problems in manifests -> SARIF 2.1.0, for code scanning: one result each, with a stable rule."""

import hashlib
import json
import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from reconciler.errors import Problem
from reconciler.render.escape import log_safe_json


class Rule(NamedTuple):
    """What a rule finds, as a title and as a sentence, and what to do about it."""

    title: str
    finds: str
    help: str


RULES = {
    "duplicate": Rule(
        "Two manifests state one object",
        "Two manifests have the same kind and id, or the same kind, name and scope.",
        "Remove one of them, or give it another name, scope or `metadata.id`.",
    ),
    "invalid-value": Rule(
        "A value is not accepted",
        "A value has the right type, and a form or a meaning that is not accepted.",
        "Write it as the message says. docs/manifests.md has an example of every field.",
    ),
    "missing-field": Rule(
        "A field that has to be there is missing",
        "A manifest leaves out a field without which the object cannot be made.",
        "Add the field. `reconcile schema` prints a schema with which an editor completes it.",
    ),
    "out-of-bounds": Rule(
        "A value is too short, too long, too small or too large",
        "A text or a number is outside of what the field or `limits` in reconciler.yaml allow.",
        "Choose a value within the bounds that the message names.",
    ),
    "unknown-field": Rule(
        "A field is not known",
        "A manifest has a field that its kind does not have; it is most likely misspelt.",
        "Correct the name, or remove the field.",
    ),
    "unknown-reference": Rule(
        "A reference leads nowhere",
        "A manifest refers to a resource that no manifest states, or to a file that is not there.",
        "Correct the address or the path, or add what it refers to.",
    ),
    "unknown-value": Rule(
        "A value is none of those that the field may have",
        "A field that allows a fixed set of values has another one.",
        "Choose one of the values that the message names.",
    ),
    "unreadable": Rule(
        "A file cannot be read",
        "A manifest, an overlay or the configuration is missing, or may not be read.",
        "Check the path and the rights to the file.",
    ),
    "wrong-type": Rule(
        "A value has the wrong type",
        "A value is a number, a text, a list or a mapping where the field wants something else.",
        "Write a value of the type that the message names; quote what is meant as text.",
    ),
    "yaml": Rule(
        "The file is no YAML that is accepted",
        "The file is no YAML, or has what could be misread, such as a key that stands twice.",
        "Correct the line that the message names.",
    ),
}
"""Ids never change: code scanning recognises an alert by them."""
_INFORMATION = "https://run-ai-docs.nvidia.com"
"""The vendor's documentation of what manifests state, where no page of this tool is known."""
_WHOLE = "reconciler.yaml"
"""Where a fault is shown that no file can be named for: an alert without a file is dropped."""
_ROOT = "%SRCROOT%"
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render_sarif(
    problems: Iterable[Problem], version: str, directory: str = "", page: str = ""
) -> str:
    """A log of one run; without problems it closes the alerts of the run before.

    `directory` leads from the root of the repository to the files. `page` is the address of the
    repository that this tool is used from, if known.
    """
    ids = list(RULES)
    driver = {
        "name": "reconcile",
        "version": version,
        "informationUri": page or _INFORMATION,
        "rules": [_rule(name, rule) for name, rule in RULES.items()],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": _results(list(problems), ids, directory),
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return log_safe_json(json.dumps(log, indent=2)) + "\n"


def _rule(name: str, rule: Rule) -> dict[str, Any]:
    return {
        "id": name,
        "shortDescription": {"text": f"{rule.title}."},
        "fullDescription": {"text": rule.finds},
        "help": {
            "text": f"{rule.finds} {rule.help.replace('`', '')}",
            "markdown": f"{rule.finds}\n\n**To correct it:** {rule.help}",
        },
        "defaultConfiguration": {"level": "error"},
        "properties": {"precision": "very-high", "problem.severity": "error", "tags": ["manifest"]},
    }


def _results(problems: Sequence[Problem], ids: list[str], directory: str) -> list[dict[str, Any]]:
    seen: Counter[str] = Counter()
    results = []
    for problem in problems:
        same = f"{problem.rule}\0{problem.file}\0{problem.message}"
        text = (
            f"{problem.message}. To correct it: {problem.fix}." if problem.fix else problem.message
        )
        results.append(
            {
                "ruleId": problem.rule,
                "ruleIndex": ids.index(problem.rule),
                "level": "error",
                "message": {"text": _plain(text)},
                "locations": [{"physicalLocation": _location(problem, directory)}],
                "partialFingerprints": {"reconcile/v1": _fingerprint(same, seen[same])},
            }
        )
        seen[same] += 1
    return results


def _plain(text: str) -> str:
    """Plain text for SARIF 3.11.5 and 3.11.6: no embedded link, as brackets would make one."""
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _location(problem: Problem, directory: str) -> dict[str, Any]:
    """A file below the root of the repository, by a relative path; elsewhere by its whole one."""
    path = posixpath.normpath(posixpath.join(directory, problem.file or _WHOLE))
    uri = quote(path, errors="surrogateescape")
    place = {"uri": f"file://{uri}"} if uri.startswith("/") else {"uri": uri, "uriBaseId": _ROOT}
    region = {"startLine": max(problem.line, 1), "startColumn": max(problem.column, 1)}
    return {"artifactLocation": place, "region": region}


def _fingerprint(same: str, number: int) -> str:
    """What stays the same when lines move: rule, file, words, and which of several it is."""
    text = f"{same}\0{number}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
