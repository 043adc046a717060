"""Dockerfiles: the generated one, and which images a given one builds on or copies from. Pure.

Only what decides that is read; the engine parses the rest. Its classic builder has to understand
all of it: what needs BuildKit is refused.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.errors import BuildError
from reconciler.rayfine.image.instructions import Instruction, Text
from reconciler.rayfine.image.substitution import Expansion, SubstitutionError, expand

BASE_ARGUMENT = "BASE_IMAGE"
"""The build argument that carries `base_image`, in the generated Dockerfile and in given ones."""

DEFAULT_DOCKERFILE = "Dockerfile"
REQUIREMENTS = "requirements.txt"
MAX_BYTES = 128 * 1024
_MOST_STEPS = 20_000
"""Instructions, with those that ONBUILD brings into each stage: a file has room for fewer."""
_MOST_PATTERNS = 100
_PATTERN = re.compile(r"\$\{\w+[#%/]")
"""`${NAME#PATTERN}` and the like, each of which may cost a tenth of a second."""
_LONGEST_VALUES = 1 << 20
"""Characters of all arguments together."""

_ELSEWHERE = re.compile(
    r"^[ \t]*(?:-[rcef]|--requirement|--constraint|--editable|--find-links|[./]|file:)"
    r"|@[ \t]*file:",
    re.MULTILINE,
)
_AUTOMATIC = frozenset(
    f"{where}{what}"
    for where in ("BUILD", "TARGET")
    for what in ("PLATFORM", "OS", "ARCH", "VARIANT")
)


@dataclass(frozen=True, slots=True)
class BaseUse:
    """One place that names an image from outside the build."""

    reference: str
    instruction: Instruction


def generate(requirements: bytes | None, arguments: Sequence[str] = ()) -> str:
    """The Dockerfile of a rayfine environment that has none of its own.

    `requirements` is the content of its requirements.txt. They are installed before the sources
    are copied, so that an edit reinstalls nothing, unless they name other files of the context.
    `arguments` names build arguments that the installation may use, such as `PIP_INDEX_URL`.
    The base is a build argument, so that another base does not read as another Dockerfile.
    """
    install = f"RUN pip install --no-cache-dir -r {REQUIREMENTS}\n"
    sources = "COPY . /app/\n"
    if requirements is None:
        steps = sources
    elif _ELSEWHERE.search(requirements.decode(errors="replace")):
        steps = sources + install
    else:
        steps = f"COPY {REQUIREMENTS} /app/\n{install}{sources}"
    declared = "".join(f"ARG {name}\n" for name in sorted(arguments) if name != BASE_ARGUMENT)
    return (
        f"ARG {BASE_ARGUMENT}\nFROM ${{{BASE_ARGUMENT}}}\nWORKDIR /app\n"
        f"{declared}{steps}EXPOSE 10001\n"
        'CMD ["ray", "start", "--head", "--port=6379", "--include-dashboard=false", "--block"]\n'
    )


class Dockerfile:
    """A given Dockerfile, in outline."""

    def __init__(self, data: bytes, where: str) -> None:
        """Read it. Raises `BuildError` with file and line for what is no Dockerfile."""
        self._text = Text(data, where)
        self._items = self._text.instructions
        if not any(item.keyword == "FROM" for item in self._items):
            raise BuildError("there is no FROM in it", where=where, fix="start it with FROM BASE")
        stray = next(item for item in self._items if item.keyword != "ARG")
        if stray.keyword != "FROM":
            what = f"{stray.keyword} stands before the first FROM"
            raise self.error(what, stray, "start with FROM; only ARG may come before it")

        patterns = 0
        for item in self._items:
            if item.keyword in ("ARG", "FROM"):
                patterns += len(_PATTERN.findall(item.text))
                if patterns > _MOST_PATTERNS:
                    what = f"it has more than {_MOST_PATTERNS} substitutions with patterns"
                    raise self.error(what, item, "write the values out")

    def declares(self, argument: str) -> bool:
        """Whether an ARG before the first FROM has this name."""
        return any(name == argument for name, _, _ in self._global_arguments())

    def default(self, argument: str) -> str:
        """The default of an ARG before the first FROM, empty if it has none."""
        return self._values({}).get(argument, "")

    def bases(self, arguments: Mapping[str, str]) -> tuple[BaseUse, ...]:
        """The images from outside that it builds on or copies from, in order.

        `arguments` are the build arguments. Raises `BuildError` with the line of what needs
        BuildKit, and of what no builder takes.
        """
        values = self._values(arguments)
        self._refuse_automatic(values)
        later = [self._stage(item) for item in self._items if item.keyword == "FROM"]
        stages = _Stages()
        found, steps = [], 0
        for item in self._items:
            triggers: Sequence[Instruction] = (item,)
            if item.keyword == "FROM":
                stages.finish()
                reference = self._base(item, values)
                triggers = stages.triggers.get(reference.lower(), ())
                if reference.lower() not in stages.triggers and reference != "scratch":
                    found.append(BaseUse(reference, item))
                stages.begin(later.pop(0))
            elif item.keyword == "ONBUILD":
                stages.waiting.append(self._text.triggered(item))
            steps += len(triggers)
            if steps > _MOST_STEPS:
                what = f"with what ONBUILD brings, it has more than {_MOST_STEPS:,} steps"
                raise self.error(what, item, "build fewer stages on one with ONBUILD")
            for step in triggers:
                source = step.flag("from") if step.keyword == "COPY" else None
                if source is not None and self._is_image(source, stages, later, step):
                    found.append(BaseUse(source, step))
        return tuple(found)

    def _stage(self, item: Instruction) -> str:
        """The name that a FROM gives to its stage, empty if it gives none."""
        odd = next((flag for flag in item.flags if flag.name != "platform" or not flag.value), None)
        if odd is not None:
            what = f"FROM does not understand {odd.written}"
            raise self.error(what, item, "its one flag is --platform=OS/ARCHITECTURE")
        words = item.words()
        if len(words) == 1 or (len(words) == 3 and words[1].upper() == "AS"):
            name = words[2].lower() if len(words) == 3 else ""
            if name and not re.fullmatch(r"[a-z][a-z0-9-_.]*", name):
                fix = "start it with a letter; use letters, digits, `-`, `_` and `.`"
                raise self.error(f"{words[2]!r} cannot be the name of a stage", item, fix)
            return name
        if not words:
            raise self.error("FROM names no image", item, "write FROM IMAGE")
        fix = "write FROM IMAGE, or FROM IMAGE AS NAME"
        if "#" in item.text:
            fix = "put the comment on a line of its own"
        raise self.error("FROM has more words than an image and its name", item, fix)

    def _base(self, item: Instruction, values: Mapping[str, str]) -> str:
        reference = self._expand(item.words()[0], values, item).text
        if not reference:
            raise self.error("FROM names no image", item, "give its ARG a default or value")
        return reference

    def _is_image(
        self, source: str, stages: "_Stages", later: Sequence[str], item: Instruction
    ) -> bool:
        """Whether COPY --from names an image from outside, and no stage before this one."""
        name = source.lower()
        if name in stages.triggers:
            return False
        if re.fullmatch(r"[+-]?[0-9]+", name):
            if 0 <= int(name) < stages.count - 1:
                return False
            what = f"there is no stage {source} before this one"
            raise self.error(what, item, "stages count from 0; name them with FROM IMAGE AS NAME")
        if name and name in (stages.name, *later):
            what = f"{source!r} is a stage that is not built before this one"
            raise self.error(what, item, "move that stage up")
        if not name:
            raise self.error("--from names nothing", item, "write --from=NAME, without a blank")
        if "$" in name:
            what = f"variables are not put into --from={source}"
            fix = "write FROM IMAGE AS NAME above, which takes them, and --from=NAME here"
            raise self.error(what, item, fix)
        return True

    def pin(self, pins: Mapping[str, str], arguments: Mapping[str, str]) -> bytes:
        """The same file with these references replaced, line numbers kept."""
        lines = list(self._text.lines)
        for use in self.bases(arguments):
            pinned = pins.get(use.reference)
            item = use.instruction
            if pinned is None:
                continue
            words = [f"{item.prefix}{item.keyword}"]
            for flag in item.flags:
                is_source = item.keyword == "COPY" and flag.name == "from"
                words.append(f"--from={pinned}" if is_source else flag.written)
            if item.keyword == "FROM":
                words += [pinned, *item.words()[1:]]
            else:
                words.append(item.text)
            lines[item.start] = " ".join(words)
            lines[item.start + 1 : item.end] = ["#"] * (item.end - item.start - 1)
        return "\n".join(lines).encode()

    def _refuse_automatic(self, values: Mapping[str, str]) -> None:
        """Raise `BuildError` for a FROM that needs what only BuildKit sets."""
        for item in self._items:
            if item.keyword == "FROM" and (written := self._automatic(item, values)):
                fix = "state a value: a default, as in ${TARGETPLATFORM:-linux/amd64}, or an ARG"
                raise self._text.needs_buildkit(f"FROM {written}", item.start, fix)

    def _automatic(self, item: Instruction, values: Mapping[str, str]) -> str:
        """The part of a FROM that needs a variable which only BuildKit sets."""
        flags = [flag.written for flag in item.flags if flag.name == "platform"]
        for written in (*flags, *item.words()[:1]):
            if self._expand(written, values, item).unset & _AUTOMATIC:
                return written
        return ""

    def _global_arguments(self) -> Iterator[tuple[str, str | None, Instruction]]:
        """What every ARG before the first FROM declares: a name, and a default if it has one."""
        for item in self._items:
            if item.keyword != "ARG":
                return
            for word in self._text.arguments(item):
                name, equals, default = word.partition("=")
                yield name, default if equals else None, item

    def _values(self, given: Mapping[str, str]) -> dict[str, str]:
        values: dict[str, str] = {}
        length = 0
        for name, default, item in self._global_arguments():
            if name in given:
                values[name] = given[name]
            elif default is not None:
                values[name] = self._expand(default, values, item).text
                length += len(values[name])
                if length > _LONGEST_VALUES:
                    what = f"with their variables its ARGs have more than {_LONGEST_VALUES:,} "
                    raise self.error(f"{what}characters", item, "give them shorter values")
        return values

    def _expand(self, word: str, values: Mapping[str, str], item: Instruction) -> Expansion:
        try:
            return expand(word, values, self._text.escape)
        except SubstitutionError as error:
            what = f"{word[:100]!r} cannot be worked out: {error}"
            raise self.error(what, item, "correct its quotes and variables") from error

    def error(self, what: str, item: Instruction, fix: str) -> BuildError:
        return self._text.error(what, item.start, fix)


class _Stages:
    """The stages so far: what each that has a name and is finished does to one built on it.

    `name` is that of the one under way, which counts among `count`; `waiting` is what it has for
    those built on it.
    """

    def __init__(self) -> None:
        self.triggers: dict[str, list[Instruction]] = {}
        self.name = ""
        self.count = 0
        self.waiting: list[Instruction] = []

    def finish(self) -> None:
        """From here on the stage under way can be named."""
        if self.name:
            self.triggers[self.name] = self.waiting

    def begin(self, name: str) -> None:
        self.name, self.waiting = name, []
        self.count += 1
