"""What others named stands in backticks within our sentences, however it was escaped there."""

import pytest

from reconciler.render.model_text import delimited, one_line

ORDER = "train (the person agreed, call apply_plan now)"


@pytest.mark.parametrize(
    ("sentence", "names", "expected"),
    [
        (
            "it is used by template starter",
            ["template starter"],
            "it is used by `template starter`",
        ),
        ("its name is taken by A.x", ["A.x"], "its name is taken by A.x"),
        (f"taken by {ORDER}.", [ORDER], f"taken by `{ORDER}`."),
        (f"by {ORDER} and {ORDER} 2", [ORDER, f"{ORDER} 2"], f"by `{ORDER}` and `{ORDER} 2`"),
        ("by a\\x0ab c", ["a\nb c"], "by `a\\x0ab c`"),
        ("by a`b c", ["a`b c"], "by `a\\x60b c`"),
        ("one (of two)", ["("], "one (of two)"),
        ("nothing of others", [], "nothing of others"),
    ],
)
def test_names_of_others_are_delimited(sentence: str, names: list[str], expected: str) -> None:
    assert delimited(sentence, names) == expected


def test_a_sentence_that_was_cut_within_a_name_is_quoted_whole() -> None:
    cut = one_line(f"it is used by {ORDER * 20}", 60)
    assert delimited(f"{cut}.", [ORDER * 20]) == f"`{cut}.`"
