"""Words of a Dockerfile with their variables put in, as the engine's parser does it. Pure.

The rules are those of https://docs.docker.com/reference/dockerfile/#environment-replacement and of
BuildKit's `frontend/dockerfile/shell`, on which classic builder and BuildKit rest alike: quotes,
escapes, `${NAME:-word}` with `-`, `+` and `?`, and the patterns of `#`, `%` and `/`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

LONGEST_VALUE = 65_536
_LONGEST_PATTERN = 256
"""Characters of a value that a pattern is matched with, of the pattern, of what replaces it."""
_DEEPEST = 50
SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B)))
SPACE += "\u2028\u2029\u202f\u205f\u3000"
"""What Go's `unicode.IsSpace` takes for a blank; `str.isspace` takes some more."""
_ANY, _STAR = object(), object()
"""What `?` and `*` are in a pattern."""


class SubstitutionError(ValueError):
    """A word that the engine would refuse; the text says why."""


class Expansion(NamedTuple):
    """A word with its variables put in, and those that had no value where one was needed."""

    text: str
    unset: frozenset[str]


def expand(word: str, values: Mapping[str, str], escape: str = "\\") -> Expansion:
    """Put variables into a word and take its quotes away. Raises `SubstitutionError`."""
    lexer = _Lexer(word, escape, values)
    text = "".join(piece for piece, _ in lexer.read())
    return Expansion(text, frozenset(lexer.unset))


def split(line: str, *, raw: bool = False) -> list[str]:
    """The words of a line, variables as they are written; `raw` keeps quotes and escapes, too.

    Raises `SubstitutionError`.
    """
    words, word = [], ""
    for piece, solid in _Lexer(line, "\\", None, raw_quotes=raw).read(raw=raw):
        for sign in [piece] if solid else piece:
            if solid or sign not in SPACE:
                word += sign
            elif word:
                words.append(word)
                word = ""
    return [*words, word] if word else words


class _Lexer:
    """One pass over a text. Without `values`, variables stay as they are written."""

    def __init__(
        self,
        text: str,
        escape: str,
        values: Mapping[str, str] | None,
        *,
        raw_quotes: bool = False,
    ) -> None:
        self._text = text
        self._at = 0
        self._escape = escape
        self._values = values
        self._raw_quotes = raw_quotes
        self._room = LONGEST_VALUE
        self._depth = 0
        self.unset: set[str] = set()

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        found = self._peek()
        self._at += 1
        return found

    def read(self, stop: str = "", *, raw: bool = False) -> list[tuple[str, bool]]:
        """The pieces up to `stop`, each with whether blanks in it are part of a word.

        `raw` keeps escapes.
        """
        found: list[tuple[str, bool]] = []
        while sign := self._next():
            if sign == stop:
                return found
            if sign == "'":
                found.append((self._single(), True))
            elif sign == '"':
                found.append((self._double(raw=raw), True))
            elif sign == "$":
                found.append((self._dollar(), False))
            elif sign == "<" and self._peek() == "<":
                found.append((self._arrows(), True))
            elif sign == self._escape:
                found.append(((sign if raw else "") + self._next(), True))
            else:
                found.append((sign, False))
        if stop:
            raise SubstitutionError(f"a `{stop}` is missing")
        return found

    def _word(self, stop: str, *, raw: bool) -> str:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise SubstitutionError("its variables are nested too deeply")
        text = "".join(piece for piece, _ in self.read(stop, raw=raw))
        self._depth -= 1
        return text

    def _quoted(self, text: str, quote: str) -> str:
        return f"{quote}{text}{quote}" if self._raw_quotes else text

    def _single(self) -> str:
        end = self._text.find("'", self._at)
        if end < 0:
            raise SubstitutionError("a single quote is not closed")
        text, self._at = self._text[self._at : end], end + 1
        return self._quoted(text, "'")

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
        return self._quoted(text, '"')

    def _arrows(self) -> str:
        """`<<` and the blanks behind it, which part no word."""
        start = self._at - 1
        self._at += 1
        while self._peek() in ("\t", "\r", " "):
            self._at += 1
        return self._text[start : self._at]

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
        if self._values is None:
            return self._text[start : self._at]
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
        if self._values is None:
            return self._text[self._text.rindex("$", 0, self._at) : self._at]
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
        return _each(value, list(_tokens(words[0])), words[1], every=every)
    greedy = words[0].startswith(sign)
    tokens = list(_tokens(words[0].removeprefix(sign)))
    if sign == "#":
        return value[_match(value, tokens, greedy=greedy) or 0 :]
    end = _match(value[::-1], tokens[::-1], greedy=greedy) or 0
    return value[: len(value) - end]


def _each(value: str, tokens: list[object], text: str, *, every: bool) -> str:
    found, at = "", 0
    while at < len(value):
        end = _match(value[at:], tokens, greedy=True)
        if end:
            found, at = found + text, at + end
            if not every:
                break
        else:
            found, at = found + value[at], at + 1
    return found + value[at:]


def _tokens(pattern: str) -> Iterator[object]:
    at = 0
    while at < len(pattern):
        sign, at = pattern[at], at + 1
        if sign == "\\":
            sign, at = pattern[at : at + 1], at + 1
            if sign not in ("*", "?", "\\", "}", "/"):
                raise SubstitutionError(f"a backslash before `{sign}` means nothing in a pattern")
            yield sign
        elif sign != "*" or pattern[at : at + 1] != "*":
            yield {"*": _STAR, "?": _ANY}.get(sign, sign)


def _match(value: str, tokens: list[object], *, greedy: bool) -> int | None:
    """Where the shortest (or longest) start of the value ends that the pattern matches, if any.

    The pattern's automaton is followed, so that no pattern takes more than its length times the
    value's.
    """
    states, found = _skip_stars(tokens, {0}), None
    for end in range(len(value) + 1):
        if len(tokens) in states:
            found = end
            if not greedy:
                break
        if end < len(value):
            after = {
                state if tokens[state] is _STAR else state + 1
                for state in states
                if state < len(tokens) and tokens[state] in (_STAR, _ANY, value[end])
            }
            states = _skip_stars(tokens, after)
    return found


def _skip_stars(tokens: list[object], states: set[int]) -> set[int]:
    reached = set()
    for start in states:
        state = start
        reached.add(state)
        while state < len(tokens) and tokens[state] is _STAR:
            state += 1
            reached.add(state)
    return reached
