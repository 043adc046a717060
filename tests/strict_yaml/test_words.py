from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.errors import ManifestError
from reconciler.strict_yaml import load
from reconciler.strict_yaml.decoding import Fault, SourceError, explain_syntax

CASES = yaml.safe_load((Path(__file__).parent / "words.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_words_of_a_refusal(case: dict[str, Any]) -> None:
    with pytest.raises(ManifestError) as caught:
        load(case["input"].encode("latin-1"), "f.yaml")
    assert str(caught.value) == case["says"]


def test_the_words_for_a_file_that_is_too_large() -> None:
    with pytest.raises(ManifestError) as caught:
        load(b"x" * ((1 << 20) + 1), "f.yaml")
    words = "f.yaml:1:1: the file is larger than 1 MiB\n  split it into several files"
    assert str(caught.value) == words


def test_an_error_of_the_parser_without_a_place() -> None:
    """libyaml always names one; the pure parser may not."""
    fault = explain_syntax(yaml.YAMLError("x"), "a: 1\nb: 2")
    assert fault == Fault(
        1,
        1,
        "this is not valid YAML: it cannot be read",
        "check the indentation and the quotes, here and on the line before",
    )
    assert explain_syntax(yaml.YAMLError("x"), "\ta").message == "a tab is used for indentation"
    assert str(SourceError(fault)) == fault.message
