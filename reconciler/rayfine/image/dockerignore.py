"""`.dockerignore` as the Docker CLI reads it: text -> which paths of a context are left out. Pure.

A port of the rules of https://github.com/moby/patternmatcher (v0.6) and of the walk in moby's
`archive.TarWithOptions`, which docker-py's own matcher does not follow (it forgets parents of
patterns with `**`). Unlike there, a pattern with many stars cannot take exponential time: it is
matched by simulating its automaton.
"""

import posixpath
import re
import warnings
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from reconciler.errors import BuildError

IGNORE_FILE = ".dockerignore"
MAX_BYTES = 256 * 1024
_REGEX_STARS = 2
"""More stars than this in one pattern are not left to a backtracking regular expression."""

_TOKENS = re.compile(r"\*\*/?|\*|\?|\[(?:\\.|[^\]\\])(?:\\.|[^\]\\])*\]|\\.|.", re.DOTALL)


class _Pattern:
    """One line. `negated` is the `!` in front of it."""

    def __init__(self, text: str) -> None:
        self.negated = text.startswith("!")
        self.text = text.removeprefix("!")
        self._tokens = _TOKENS.findall(self.text)
        stars = sum(piece.startswith("*") for piece in self._tokens)
        wild = any(piece[0] in "*?[" or len(piece) > 1 for piece in self._tokens)
        self._exact: str | None = None
        self._prefix: str | None = None
        self._suffix: str | None = None
        self._regex: re.Pattern[str] | None = None
        self._steps: list[tuple[str, re.Pattern[str] | None]] | None = None
        if not wild:
            self._exact = self.text
        elif self._tokens[0].startswith("**") and self._plain(self._tokens[1:]):
            slash = "/" if self._tokens[0] == "**/" else ""
            self._suffix = slash + "".join(self._tokens[1:])
        elif self._tokens[-1] == "**" and self._plain(self._tokens[:-1]):
            self._prefix = "".join(self._tokens[:-1])
        elif stars <= _REGEX_STARS:
            self._regex = _compile("".join(self._translate()), text)
        else:
            self._steps = [*self._automaton(text)]

    @staticmethod
    def _plain(tokens: Sequence[str]) -> bool:
        return all(len(piece) == 1 and piece not in "*?[" for piece in tokens)

    def _translate(self) -> Iterable[str]:
        for index, piece in enumerate(self._tokens):
            last = index == len(self._tokens) - 1
            if piece.startswith("**"):
                yield ".*" if last else "(?:.*/)?"
            elif piece == "*":
                yield "[^/]*"
            elif piece == "?":
                yield "[^/]"
            elif len(piece) > 1 or piece == "[":
                yield piece
            else:
                yield re.escape(piece)

    def _automaton(self, line: str) -> Iterable[tuple[str, re.Pattern[str] | None]]:
        for piece in self._translate():
            if piece in ("(?:.*/)?", ".*", "[^/]*"):
                yield piece, None
            else:
                yield "one", _compile(piece, line)

    def match(self, path: str) -> bool:
        """Whether the pattern matches the whole path."""
        if self._exact is not None:
            return path == self._exact
        if self._prefix is not None:
            return path.startswith(self._prefix)
        if self._suffix is not None:
            return path.endswith(self._suffix) or path == self._suffix.removeprefix("/")
        if self._steps is not None:
            return _simulate(self._steps, path)
        return self._regex is not None and self._regex.fullmatch(path) is not None


def _compile(expression: str, line: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # "[[" means no more than "[" here
            return re.compile(expression)
    except re.error as error:
        raise BuildError(
            f"malformed pattern {line!r}",
            fix="close every [ and put a backslash before characters that stand for themselves",
        ) from error


def _simulate(steps: Sequence[tuple[str, re.Pattern[str] | None]], path: str) -> bool:
    states = _skip(steps, {0})
    inside: set[int] = set()  # within the `.*` of a `**/` that still needs its slash
    for character in path:
        following: set[int] = set()
        for state in states:
            if state == len(steps):
                continue
            name, one = steps[state]
            if one is not None:
                if one.fullmatch(character):
                    following.add(state + 1)
            elif name == "(?:.*/)?":
                inside.add(state)
            elif name == ".*" or character != "/":
                following.add(state)
        if character == "/":
            following.update(state + 1 for state in inside)
        states = _skip(steps, following)
    return len(steps) in states


def _skip(steps: Sequence[tuple[str, re.Pattern[str] | None]], states: set[int]) -> set[int]:
    reached = set(states)
    for start in states:
        state = start
        while state < len(steps) and steps[state][1] is None:
            state += 1
            reached.add(state)
    return reached


class Verdict(NamedTuple):
    """Whether a path is left out, and which patterns it or a parent of it matched."""

    ignored: bool
    matched: tuple[bool, ...]


class IgnoreRules:
    """The patterns of one `.dockerignore`."""

    def __init__(self, text: str = "", where: str = IGNORE_FILE) -> None:
        """Read the file's text. Raises `BuildError` with the line of a malformed pattern."""
        if len(text) > MAX_BYTES:
            raise BuildError(
                f"it is larger than {MAX_BYTES // 1024} KiB",
                where=where,
                fix="use patterns instead of naming files",
            )
        patterns = []
        for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
            try:
                patterns += [_Pattern(pattern) for pattern in _pattern(line)]
            except BuildError as error:
                place = f"{where}:{number}"
                raise BuildError(error.what, where=place, fix=error.fix) from error
        self._patterns = tuple(patterns)
        self._negations = any(pattern.negated for pattern in self._patterns)

    def judge(self, path: str, parent: Verdict | None = None) -> Verdict:
        """Judge one path; `parent` is the verdict on its directory, None at the top."""
        ignored = False
        matched = []
        for index, pattern in enumerate(self._patterns):
            match = parent is not None and parent.matched[index]
            if not match and pattern.negated == ignored:
                match = pattern.match(path)
            matched.append(match)
            if match:
                ignored = not pattern.negated
        return Verdict(ignored, tuple(matched))

    def may_hold_exceptions(self, directory: str) -> bool:
        """Whether a directory that is left out may hold files that are not."""
        return self._negations and any(
            pattern.negated and f"{pattern.text}/".startswith(f"{directory}/")
            for pattern in self._patterns
        )

    def ignores(self, path: str) -> bool:
        """Whether a path, judged from the top down, is left out."""
        verdict: Verdict | None = None
        parts = path.split("/")
        for count in range(1, len(parts) + 1):
            verdict = self.judge("/".join(parts[:count]), verdict)
        return verdict is not None and verdict.ignored


def _pattern(raw: str) -> Iterable[str]:
    """The pattern of a line, if it has one."""
    line = "" if raw.startswith("#") else raw.strip()
    pattern = line.removeprefix("!").strip()
    if line and not pattern:
        raise BuildError('illegal exclusion pattern "!"', fix="name what to keep after it")
    if pattern:
        yield ("!" if line.startswith("!") else "") + _clean(pattern)


def _clean(pattern: str) -> str:
    """Go's `filepath.Clean`, then without the leading slash."""
    cleaned = posixpath.normpath(pattern)
    if cleaned.startswith("/"):
        cleaned = "/" + cleaned.lstrip("/")
    return cleaned[1:] if len(cleaned) > 1 and cleaned.startswith("/") else cleaned
