"""How much work a .dockerignore may make, and that shortcuts change no verdict."""

import random

import pytest

from reconciler.errors import BuildError
from reconciler.rayfine.image.dockerignore import IgnoreRules

ATOMS = (
    *("a", "b", "a/b", "*", "a*", "**/a", "**/b", "a/**", "**", "*/b", "?", "[ab]", "a/*"),
    *("*a*b*c*", "**/a/**", "b**"),
)


def one_by_one(lines: list[str], path: str) -> bool:
    """Docker's own loop: every pattern in turn, and what a parent matched counts."""
    singles = [(line.startswith("!"), IgnoreRules(line.lstrip("!"))) for line in lines]
    parent, ignored = [False] * len(lines), False
    parts = path.split("/")
    for count in range(1, len(parts) + 1):
        place, ignored = "/".join(parts[:count]), False
        for index, (negated, rules) in enumerate(singles):
            if not parent[index] and negated == ignored:
                parent[index] = rules.judge(place).ignored
            if parent[index]:
                ignored = not negated
    return ignored


def test_shortcuts_change_no_verdict() -> None:
    chance = random.Random(1)
    for _ in range(300):
        lines = [
            chance.choice(("", "", "!")) + chance.choice(ATOMS) for _ in range(chance.randint(1, 7))
        ]
        rules = IgnoreRules("\n".join(lines))
        for _ in range(20):
            names = chance.choices(("a", "b", "ab", "c", "abc"), k=chance.randint(1, 4))
            path = "/".join(names)
            assert rules.ignores(path) == one_by_one(lines, path), (lines, path)


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"a{number}" for number in range(36_000)),
        "**/a\n" * 30_000,
        "\n".join("**/" + "a" * length for length in range(1, 700)),
        "\n".join("!" + "a/" * 500 for _ in range(250)),
    ],
    ids=["names", "same", "endings", "exceptions"],
)
def test_names_cost_no_more_with_their_number(text: str) -> None:
    """256 KiB of patterns and a thousand files: 36 million comparisons, if each was made."""
    rules = IgnoreRules(text, most_steps=2_000)
    for number in range(1_000):
        rules.ignores(f"d/f{number}")


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("[" * 3_000, "a", "more than 2,048 characters"),
        ("!/", "a", 'illegal exclusion pattern "!"'),
        ("[" * 2_000, "a", r"malformed pattern '\[{64} \[and 1,936 more characters\]'"),
        ("*a*\n" * 1_001, "a", "more than 1,000 patterns with wildcards"),
        ("*a*b*c*d\n" * 900, "a" * 1_000, "too many for the files"),
        ("a\n!a\n" * 40_000, "a", "too many for the files"),
    ],
    ids=["long", "empty", "brackets", "wildcards", "stars", "turns"],
)
def test_what_would_cost_too_much_is_refused(text: str, path: str, words: str) -> None:
    with pytest.raises(BuildError, match=words):  # noqa: PT012  (the end of a loop)
        rules = IgnoreRules(text, most_steps=1_000_000)
        while True:
            rules.judge(path)


def test_the_line_of_a_long_pattern_is_named() -> None:
    with pytest.raises(BuildError) as raised:
        IgnoreRules("a\nb\n" + "x" * 3_000, "x/.dockerignore")
    assert raised.value.where == "x/.dockerignore:3"
