"""An answer -> JSON of a bounded size, with exact counts of what is left out of it. Pure.

Texts are data of others: each stands in a JSON string of one line, with every control, format and
separator character escaped. Long texts are cut, of long lists and mappings a part is shown, and an
answer that is still too large is fitted with fewer items and shorter texts. A manifest that is
there to be altered is exact, or is not shown at all. Whatever was left out stands in the whole
answer, which is exact throughout and kept beside it as a resource.
"""

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.render.model_text import one_line

LARGEST = 16_000
"""Characters of an answer, at most."""
MOST_ITEMS = 50
"""Items of a list or mapping that an answer shows, at most."""
LARGEST_MANIFEST = 4_000
ANSWER_SCHEME = "reconcile://answer/"
_LEVELS = ((MOST_ITEMS, 500), (25, 500), (12, 300), (6, 200), (3, 100), (1, 60))
"""Items of each list and mapping, and characters of each text: the first that are small enough."""
_FEWEST_NAMES = 12
"""Names of a mapping that are always shown: as many as the mappings of our own words have."""
_LONGEST_NAME = 100
_LONGEST_SENTENCE = 500
_EXACT = "\ue000exact\ue000"  # in no cleaned text: private characters are escaped there


@dataclass(frozen=True, slots=True)
class Exact:
    """A value of an answer that is to be read back without loss; left out where it is large."""

    value: Any

    def text(self) -> str:
        """As JSON of printable ASCII alone."""
        return _ascii(self.value)


@dataclass(frozen=True, slots=True)
class Part:
    """A list of which at most so many items are shown; `NAME_not_shown` counts the others."""

    items: Sequence[Any]
    most: int = MOST_ITEMS


@dataclass(frozen=True, slots=True)
class Fitted:
    """An answer as it is sent. `uri` names where the rest is, `whole` is what stands there."""

    text: str
    uri: str = ""
    whole: str = ""


def fit(answer: Mapping[str, Any], rest: str = "") -> Fitted:
    """The answer as JSON of at most `LARGEST` characters.

    `rest` is a resource that holds all of it in another form. Without one, and if anything is left
    out, the whole answer comes back under a name of its own.
    """
    text, complete = _fitted(answer)
    if complete:
        return Fitted(text, rest)
    whole = "" if rest else _ascii(_plain(answer), indent=1)
    uri = rest or ANSWER_SCHEME + hashlib.sha256(whole.encode()).hexdigest()
    text, _ = _fitted({**answer, "rest": f"what is left out here stands in the resource {uri}"})
    return Fitted(text, uri, whole)


def _fitted(answer: Mapping[str, Any]) -> tuple[str, bool]:
    """The JSON, and whether all of the answer stands in it."""
    for items, longest in _LEVELS:
        cleaner = _Cleaner(items, longest)
        text = cleaner.text(cleaner.mapping(answer, whole=True))
        if len(text) <= LARGEST:
            return text, cleaner.complete
    return _without_largest(answer), False


def _without_largest(answer: Mapping[str, Any]) -> str:
    """The answer at its smallest, without as many of its largest values as it takes."""
    texts = {}
    for name, item in answer.items():
        cleaner = _Cleaner(*_LEVELS[-1])
        texts[name] = cleaner.text(cleaner.mapping({name: item}, whole=True))[1:-1].strip("\n")
    while sum(len(text) + 2 for text in texts.values()) + 2 > LARGEST:
        largest = max(texts, key=lambda name: len(texts[name]))
        size = len(_ascii(_plain(answer[largest])))
        texts[largest] = f' {json.dumps(largest)}: "left out: it has {size} characters"'
    return "{\n" + ",\n".join(texts.values()) + "\n}"


class _Cleaner:
    """One level of cutting; `complete` as long as nothing had to be left out."""

    def __init__(self, items: int, longest: int) -> None:
        self.items = items
        self.longest = longest
        self.complete = True
        self._exact: list[str] = []

    def text(self, cleaned: Any) -> str:
        """What was cleaned as JSON, with the exact values put in."""
        parts = json.dumps(cleaned, ensure_ascii=False, indent=1).split(f'"{_EXACT}"')
        exact, self._exact = self._exact, []
        return "".join(itertools.chain(*itertools.zip_longest(parts, exact, fillvalue="")))

    def mapping(self, value: Mapping[Any, Any], *, whole: bool = False) -> dict[str, Any]:
        """A mapping; `whole`: its names are ours, and all of them are shown."""
        found: dict[str, Any] = {}
        most = len(value) if whole else max(self.items, _FEWEST_NAMES)
        shown = 0
        for name, item in itertools.islice(value.items(), most):
            label = one_line(name, _LONGEST_NAME)
            if label in found or label == "...":
                continue
            shown += 1
            self.complete &= len(str(name)) <= _LONGEST_NAME
            if whole and isinstance(item, str):  # a sentence of ours
                self.complete &= len(item) <= _LONGEST_SENTENCE
                found[label] = one_line(item, _LONGEST_SENTENCE)
            else:
                self._put(found, label, item)
        if more := len(value) - shown:
            self.complete = False
            found["..."] = f"{more} more"
        return found

    def _put(self, found: dict[str, Any], name: str, item: Any) -> None:
        if isinstance(item, Exact) and (size := len(item.text())) > LARGEST_MANIFEST:
            self.complete = False
            found[name] = None
            found[f"{name}_left_out"] = f"it has {size} characters, and is exact in `rest`"
        elif isinstance(item, Part):
            most = min(item.most, self.items)
            found[name] = [self._any(each) for each in item.items[:most]]
            if (more := len(item.items) - most) > 0:
                self.complete = False
                found[f"{name}_not_shown"] = f"{more} more"
        else:
            found[name] = self._any(item)

    def _any(self, value: Any) -> Any:
        if isinstance(value, str):
            self.complete &= len(value) <= self.longest
            return one_line(value, self.longest)
        if isinstance(value, Exact):
            self._exact.append(value.text())
            return _EXACT
        if isinstance(value, Mapping):
            return self.mapping(value)
        if isinstance(value, list | tuple):
            items = [self._any(item) for item in value[: self.items]]
            more = len(value) - len(items)
            self.complete &= more == 0
            return [*items, f"... {more} more"] if more else items
        return value


def _plain(value: Any) -> Any:
    """The value without wrappings, nothing left out."""
    if isinstance(value, Exact):
        return value.value
    if isinstance(value, Part):
        return [_plain(item) for item in value.items]
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _ascii(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=True, indent=indent).replace("\x7f", "\\u007f")
