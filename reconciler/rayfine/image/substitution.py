"""Words of a Dockerfile with their variables put in, as the engine's parser does it. Pure.

The rules are those of https://docs.docker.com/reference/dockerfile/#environment-replacement and of
BuildKit's `frontend/dockerfile/shell`, on which classic builder and BuildKit rest alike: quotes,
escapes, `${NAME:-word}` with `-`, `+` and `?`, and the patterns of `#`, `%` and `/`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

LONGEST_VALUE = 65_536
_LONGEST_PATTERN = 256
"""Characters of a value that a pattern is matched with, of the pattern, of what replaces it."""
_DEEPEST = 50
SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B)))
SPACE += "\u2028\u2029\u202f\u205f\u3000"
"""What Go's `unicode.IsSpace` takes for a blank; `str.isspace` takes some more."""


class SubstitutionError(ValueError):
    """A word that the engine would refuse; the text says why."""


class Expansion(NamedTuple):
    """A word with its variables put in, and those that had no value where one was needed."""

    text: str
    unset: frozenset[str]


def expand(word: str, values: Mapping[str, str], escape: str = "\\") -> Expansion:
    """Put variables into a word and take its quotes away. Raises `SubstitutionError`."""
    lexer = _Lexer(word, escape, values)
    return Expansion(lexer.read(), frozenset(lexer.unset))


class _Lexer:
    def __init__(self, text: str, escape: str, values: Mapping[str, str]) -> None:
        self._text = text
        self._at = 0
        self._escape = escape
        self._values = values
        self._room = LONGEST_VALUE
        self._depth = 0
        self.unset: set[str] = set()

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        found = self._peek()
        self._at += 1
        return found

    def read(self, stop: str = "", *, raw: bool = False) -> str:
        """What stands before `stop`; `raw` keeps escapes."""
        found = ""
        while sign := self._next():
            if sign == stop:
                return found
            if sign == "'":
                found += self._single()
            elif sign == '"':
                found += self._double(raw=raw)
            elif sign == "$":
                found += self._dollar()
            elif sign == self._escape:
                found += (sign if raw else "") + self._next()
            else:
                found += sign
        if stop:
            raise SubstitutionError(f"a `{stop}` is missing")
        return found

    def _word(self, stop: str, *, raw: bool) -> str:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise SubstitutionError("its variables are nested too deeply")
        text = self.read(stop, raw=raw)
        self._depth -= 1
        return text

    def _single(self) -> str:
        end = self._text.find("'", self._at)
        if end < 0:
            raise SubstitutionError("a single quote is not closed")
        text, self._at = self._text[self._at : end], end + 1
        return text

    def _double(self, *, raw: bool) -> str:
        text = ""
        while (sign := self._next()) != '"':
            if not sign:
                raise SubstitutionError("a double quote is not closed")
            if sign == "$":
                text += self._dollar()
            elif sign == self._escape and self._peek() in ('"', "$", self._escape):
                text += (sign if raw else "") + self._next()
            else:
                text += sign
        return text

    def _dollar(self) -> str:
        start = self._at - 1
        if self._peek() != "{":
            name = self._name()
            return self._value(name) if name else "$"
        self._at += 1
        name = self._name() if self._peek() not in ("", "{", "}", ":") else ""
        sign = self._next()
        strict = bool(name) and sign == ":"
        sign = self._next() if strict else sign
        if sign == "}" and not strict and name:
            return self._value(name)
        if not name or sign not in ("-", "+", "?", "#", "%", "/") or (strict and sign in "#%/"):
            raise SubstitutionError(f"`{self._text[start : self._at]}` is no substitution")
        raw = sign in "#%/"
        longest = sign == "/" and self._peek() == "/"
        self._at += longest
        words = [self._word(end, raw=raw) for end in ("/}" if sign == "/" else "}")]
        if raw:
            return _replaced(sign, self._value(name), words, every=longest)
        has = name in self._values and not (strict and not self._values[name])
        if sign == "?" and not has:
            raise SubstitutionError(words[0] or f"{name} has no value")
        if sign == "+":
            return words[0] if has else ""
        return self._value(name) if has else words[0]

    def _name(self) -> str:
        start = self._at
        first = self._peek()
        if first and first in "@*#?-$!":
            self._at += 1
        elif first.isdecimal():
            while self._peek().isdecimal():
                self._at += 1
        else:
            while self._peek().isalpha() or self._peek().isdecimal() or self._peek() == "_":
                self._at += 1
        return self._text[start : self._at]

    def _value(self, name: str) -> str:
        if name not in self._values:
            self.unset.add(name)
            return ""
        value = self._values[name]
        self._room -= len(value)
        if self._room < 0:
            raise SubstitutionError(
                f"with its variables a value is longer than {LONGEST_VALUE:,} characters"
            )
        return value


def _replaced(sign: str, value: str, words: Sequence[str], *, every: bool) -> str:
    """`${NAME#PATTERN}`, `${NAME%PATTERN}` or `${NAME/PATTERN/TEXT}`; doubled signs are greedy."""
    if max(len(value), *map(len, words)) > _LONGEST_PATTERN:
        raise SubstitutionError(f"a pattern is longer than {_LONGEST_PATTERN:,} characters")
    if sign == "/":
        found = _compiled([*_tokens(words[0])], greedy=True)
        return found.sub(lambda match: words[1] if match[0] else "", value, 0 if every else 1)
    greedy = words[0].startswith(sign)
    tokens = [*_tokens(words[0].removeprefix(sign))]
    if sign == "#":
        start = _compiled(tokens, greedy=greedy).match(value)
        return value[start.end() :] if start else value
    end = _compiled(tokens[::-1], greedy=greedy).match(value[::-1])
    return value[: len(value) - end.end()] if end else value


def _tokens(pattern: str) -> Iterator[str]:
    """The parts of a pattern as regular expressions, aside from `*`."""
    at = 0
    while at < len(pattern):
        sign, at = pattern[at], at + 1
        if sign == "\\":
            sign, at = pattern[at : at + 1], at + 1
            if sign not in ("*", "?", "\\", "}", "/"):
                raise SubstitutionError(f"a backslash before `{sign}` means nothing in a pattern")
            yield re.escape(sign)
        else:
            yield {"*": "*", "?": "."}.get(sign, re.escape(sign))


def _compiled(tokens: list[str], *, greedy: bool) -> re.Pattern[str]:
    """The pattern, which begins with the shortest (or longest) text that it matches.

    What stands between two stars is found where it comes first, and not looked for again, so that
    no pattern takes more than its length times the square of the value's.
    """
    runs = [""]
    for piece in tokens:
        if piece == "*":
            runs.append("")
        else:
            runs[-1] += piece
    first, *others = runs
    last = f".*{'' if greedy else '?'}{others.pop()}" if others else ""
    between = "".join(f"(?>.*?{run})" for run in others)
    return re.compile(f"{first}{between}{last}", re.DOTALL)
