"""Problems in manifests -> SARIF 2.1.0, for code scanning: one result each, with a stable rule."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from reconciler.errors import Problem
from reconciler.render.escape import log_safe_json

RULES = {
    "duplicate": "Two manifests state one object",
    "invalid-value": "A value is not accepted",
    "missing-field": "A field that has to be there is missing",
    "out-of-bounds": "A value is too short, too long, too small or too large",
    "unknown-field": "A field is not known",
    "unknown-reference": "A reference leads nowhere",
    "unknown-value": "A value is none of those that the field may have",
    "unreadable": "A file cannot be read",
    "wrong-type": "A value has the wrong type",
    "yaml": "The file is no YAML that is accepted",
}
"""Ids never change: code scanning recognises an alert by them."""
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render_sarif(problems: Iterable[Problem], version: str, directory: str = "") -> str:
    """A log of one run, also without problems: that closes the alerts of the run before.

    `directory` leads from the root of the repository to what files are relative to.
    """
    ids = list(RULES)
    driver = {
        "name": "reconcile",
        "version": version,
        "rules": [
            {
                "id": rule,
                "shortDescription": {"text": words},
                "defaultConfiguration": {"level": "error"},
            }
            for rule, words in RULES.items()
        ],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": _results(list(problems), ids, directory),
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return log_safe_json(json.dumps(log, indent=2)) + "\n"


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
    path = f"{directory}/{problem.file}" if directory else problem.file
    region = {"startLine": max(problem.line, 1), "startColumn": max(problem.column, 1)}
    return {
        "artifactLocation": {"uri": quote(path), "uriBaseId": "%SRCROOT%"},
        "region": region,
    }


def _fingerprint(same: str, number: int) -> str:
    """What stays the same when lines move: rule, file, words, and which of several it is."""
    text = f"{same}\0{number}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
