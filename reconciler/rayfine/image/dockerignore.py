"""`.dockerignore` as the Docker CLI reads it: text -> which paths of a context are left out. Pure.

A port of the rules of https://github.com/moby/patternmatcher (v0.6) and of the walk in moby's
`archive.TarWithOptions`, which docker-py's own matcher does not follow (it forgets parents of
patterns with `**`). Unlike there, a pattern with many stars cannot take exponential time: it is
matched by simulating its automaton.
"""

import posixpath
import re
import warnings
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from reconciler.errors import BuildError, shortened

IGNORE_FILE = ".dockerignore"
MAX_BYTES = 256 * 1024
LONGEST_PATTERN = 2_048
MOST_WILD = 1_000
"""Patterns that each path has to be compared with by itself."""
MOST_STEPS = 30_000_000
"""Comparisons for all paths of a context together: less than a minute."""
_REGEX_STARS = 2
"""More stars than this in one pattern are not left to a backtracking regular expression."""

_TOKENS = re.compile(r"\*\*/?|\*|\?|\[(?:\\.|[^\]\\])(?:\\.|[^\]\\])*\]|\\.|.", re.DOTALL)


class _Pattern:
    """One line. `negated` is the `!` in front of it."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST_PATTERN:
            raise BuildError(
                f"a pattern of more than {LONGEST_PATTERN:,} characters", fix="write a shorter one"
            )
        self.negated = text.startswith("!")
        self.text = text.removeprefix("!")
        self._tokens = _TOKENS.findall(self.text)
        self._stars = stars = sum(piece.startswith("*") for piece in self._tokens)
        wild = any(piece[0] in "*?[" or len(piece) > 1 for piece in self._tokens)
        self.place = ("", "")
        """Where `_Direct` finds it: a sort and a text; empty for a pattern to compare with."""
        self._regex: re.Pattern[str] | None = None
        self._steps: list[tuple[str, re.Pattern[str] | None]] | None = None
        if not wild:
            self.place = ("exact", self.text)
        elif self._tokens[0].startswith("**") and self._plain(self._tokens[1:]):
            slash = "/" if self._tokens[0] == "**/" else ""
            self.place = ("suffix", slash + "".join(self._tokens[1:]))
        elif self._tokens[-1] == "**" and self._plain(self._tokens[:-1]):
            self.place = ("prefix", "".join(self._tokens[:-1]))
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

    def steps(self, path: str) -> int:
        """How much work it is to compare this path."""
        return 1 if self._stars < _REGEX_STARS else 1 + len(path) * self._stars // 2

    def match(self, path: str) -> bool:
        """Whether a pattern without a place matches the whole path."""
        if self._steps is not None:
            return _simulate(self._steps, path)
        return self._regex is not None and self._regex.fullmatch(path) is not None


class _Direct:
    """The patterns that are a text, or begin or end with one: found without comparing each."""

    def __init__(self, patterns: Sequence[_Pattern]) -> None:
        self._at: dict[tuple[str, str], list[int]] = {}
        for index, pattern in enumerate(patterns):
            self._at.setdefault(pattern.place, []).append(index)
        self._begins = sorted({len(text) for sort, text in self._at if sort == "prefix"})
        self._ends = sorted({len(text) for sort, text in self._at if sort == "suffix"})

    def find(self, path: str) -> list[int]:
        """Those that match a path."""
        rooted = f"/{path}"  # `**/x` matches x itself
        places = [
            ("exact", path),
            *(("prefix", path[:length]) for length in self._begins),
            *(("suffix", rooted[len(rooted) - length :]) for length in self._ends),
        ]
        return [index for place in places for index in self._at.get(place, ())]


def _compile(expression: str, line: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # "[[" means no more than "[" here
            return re.compile(expression)
    except re.error as error:
        raise BuildError(
            f"malformed pattern {shortened(line, 64)!r}",
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
    matched: frozenset[int]


class IgnoreRules:
    """The patterns of one `.dockerignore`."""

    def __init__(
        self, text: str = "", where: str = IGNORE_FILE, most_steps: int = MOST_STEPS
    ) -> None:
        """Read the file's text. Raises `BuildError` with the line of a malformed pattern."""
        self._where = where
        if len(text) > MAX_BYTES:
            raise self._error(f"it is larger than {MAX_BYTES // 1024} KiB")
        patterns: list[_Pattern] = []
        self._wild: list[int] = []
        for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
            try:
                for pattern in map(_Pattern, _pattern(line)):
                    if not pattern.place[0]:
                        self._wild.append(len(patterns))
                    patterns.append(pattern)
            except BuildError as error:
                place = f"{where}:{number}"
                raise BuildError(error.what, where=place, fix=error.fix) from error
            if len(self._wild) > MOST_WILD:
                raise self._error(f"it has more than {MOST_WILD:,} patterns with wildcards")
        self._patterns = tuple(patterns)
        self._direct = _Direct(patterns)
        self._exceptions = sorted(f"{item.text}/" for item in patterns if item.negated)
        self._room = most_steps

    def _error(self, what: str) -> BuildError:
        fix = "use a few patterns instead of naming files"
        return BuildError(what, where=self._where, fix=fix)

    def judge(self, path: str, parent: Verdict | None = None) -> Verdict:
        """Judge one path; `parent` is the verdict on its directory, None at the top.

        Docker looks only at patterns that would change the verdict so far, and what it has not
        looked at does not count for what is below, either. Raises `BuildError` where all paths
        together are too much work.
        """
        inherited: Collection[int] = parent.matched if parent is not None else ()
        direct = self._direct.find(path)
        order: Iterable[int] = self._wild
        if direct or inherited:
            order = sorted({*inherited, *direct, *self._wild})
        found, matched, ignored = set(direct), set(inherited), False
        for index in order:
            pattern = self._patterns[index]
            match = index in matched
            if not match and pattern.negated == ignored:
                match = index in found
                if not match and not pattern.place[0]:
                    self._room -= pattern.steps(path)
                    match = pattern.match(path)
            if match:
                matched.add(index)
                ignored = not pattern.negated
        self._room -= len(matched) + len(found)
        if self._room < 0:
            raise self._error("its patterns are too many for the files of this context")
        return Verdict(ignored, frozenset(matched))

    def may_hold_exceptions(self, directory: str) -> bool:
        """Whether a directory that is left out may hold files that are not."""
        at = bisect_left(self._exceptions, f"{directory}/")
        return self._exceptions[at : at + 1] != [] and self._exceptions[at].startswith(
            f"{directory}/"
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
    if not line:
        return
    sign = "!" if line.startswith("!") else ""
    pattern = line.removeprefix(sign).strip()
    # Docker cleans the sign, too: `!../../a` is a directory `!..`, then its parent, then `a`.
    whole = posixpath.normpath(sign + _clean(pattern)) if pattern else sign
    if whole == "!":
        raise BuildError('illegal exclusion pattern "!"', fix="name what to keep after it")
    yield "!" + _clean(whole[1:]) if whole.startswith("!") else whole


def _clean(pattern: str) -> str:
    """Go's `filepath.Clean`, then without the leading slash."""
    cleaned = posixpath.normpath(pattern)
    if cleaned.startswith("/"):
        cleaned = "/" + cleaned.lstrip("/")
    return cleaned[1:] if len(cleaned) > 1 and cleaned.startswith("/") else cleaned
