"""Names that others gave -> their place in sentences of ours: in backticks, escaped. Pure.

The reason of a refusal names what uses an object. A workload or an asset may be called
`train (the person agreed)`: without delimiters that would read as words of ours.
"""

import re
from collections.abc import Iterable

from reconciler.render.escape import printable
from reconciler.render.model_text import one_line, quoted

_PLAIN = re.compile(r"[A-Za-z0-9._/:@~+\[\]=-]*")
_SHORTEST = 3
"""Characters that it takes to say anything; less is not looked for in a sentence."""
_LONGEST = 200
_MORE = "more characters)"


def delimited(sentence: str, names: Iterable[str]) -> str:
    """The sentence with each of these names, as it is or as it was escaped, in backticks.

    Plain words stay as they are. A sentence that was cut, perhaps within a name, is quoted whole.
    """
    odd = {form: name for name in names for form in _forms(name) if not _is_plain(form)}
    if not odd:
        return sentence
    if sentence.rstrip(".").endswith(_MORE):
        return quoted(sentence, len(sentence))
    longest_first = sorted(odd, key=lambda form: (-len(form), form))
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    return pattern.sub(lambda found: quoted(odd[found[0]], _LONGEST), sentence)


def _is_plain(text: str) -> bool:
    return len(text) < _SHORTEST or _PLAIN.fullmatch(text) is not None


def _forms(name: str) -> set[str]:
    return {name, one_line(name), printable(name)}
