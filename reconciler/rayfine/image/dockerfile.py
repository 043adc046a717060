"""Dockerfiles: the generated one, and what a given one says of its bases and of BuildKit. Pure.

Only the outline is read (instructions, their flags and lines); the engine parses the rest. The
syntax is that of https://docs.docker.com/reference/dockerfile/.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.errors import BuildError

BASE_ARGUMENT = "BASE_IMAGE"
"""The build argument that carries `base_image`, in the generated Dockerfile and in given ones."""

DEFAULT_DOCKERFILE = "Dockerfile"
REQUIREMENTS = "requirements.txt"
MAX_BYTES = 128 * 1024

_ELSEWHERE = re.compile(
    r"^[ \t]*(?:-[rcef]|--requirement|--constraint|--editable|--find-links|[./]|file:)"
    r"|@[ \t]*file:",
    re.MULTILINE,
)
_VARIABLE = re.compile(
    r"\\(?P<escaped>.)|\$(?:\{(?P<name>\w+)(?:(?P<operator>:[-+])(?P<word>[^{}]*))?\}|(?P<bare>\w+))"
)
_LONGEST_VALUE = 65_536
_AUTOMATIC = frozenset(
    f"{where}{what}"
    for where in ("BUILD", "TARGET")
    for what in ("PLATFORM", "OS", "ARCH", "VARIANT")
)
_BUILDKIT_FLAGS = {
    "RUN": ("mount", "network", "security", "device"),
    "COPY": ("link", "chmod", "parents", "exclude"),
    "ADD": ("link", "chmod", "checksum", "keep-git-dir", "unpack", "exclude"),
}


class Instruction(NamedTuple):
    """One instruction. Lines count from 0; `end` is the first line that is no part of it."""

    keyword: str
    flags: Mapping[str, str]
    text: str
    start: int
    end: int


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
        self.where = where
        try:
            self.text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise BuildError("not UTF-8 text", where=where, fix="save it as UTF-8") from error
        self._lines = self.text.split("\n")
        self.directives = _directives(self._lines)
        self.heredoc: Instruction | None = None
        self.instructions = tuple(self._parse())
        if not any(item.keyword == "FROM" for item in self.instructions):
            raise BuildError("there is no FROM in it", where=where, fix="start it with FROM BASE")

    def _parse(self) -> Iterator[Instruction]:
        escape = self.directives.get("escape", "\\")
        continued = re.compile(rf"{re.escape(escape)}[ \t\r]*$")
        number = 0
        while number < len(self._lines):
            start, text = number, ""
            while number < len(self._lines):
                line = self._lines[number]
                number += 1
                if line.lstrip().startswith("#"):
                    start = start if text else number
                    continue
                match = continued.search(line)
                text += line[: match.start()] if match else line
                if match is None and (line.strip() or not text.strip()):
                    break
            if text.strip():
                instruction = _instruction(text.strip(), start, number)
                closing = _heredocs(instruction)
                if closing:
                    self.heredoc = self.heredoc or instruction
                    number = self._skip_heredocs(closing, number)
                yield instruction

    def _skip_heredocs(self, names: Sequence[str], number: int) -> int:
        for name in names:
            while number < len(self._lines) and self._lines[number].strip("\t\r") != name:
                number += 1
            number += 1
        return number

    def declares(self, argument: str) -> bool:
        """Whether an ARG before the first FROM has this name."""
        return argument in self._global_arguments({})

    def default(self, argument: str) -> str:
        """The default of an ARG before the first FROM, empty if it has none."""
        return self._global_arguments({}).get(argument, "")

    def bases(self, arguments: Mapping[str, str]) -> tuple[BaseUse, ...]:
        """The images from outside that it builds on or copies from, in order.

        `arguments` are the build arguments. Raises `BuildError` where a FROM has no value.
        """
        values = self._global_arguments(arguments)
        stages: set[str] = set()
        count = 0
        found = []
        for item in self.instructions:
            if item.keyword == "FROM":
                words = item.text.split()
                reference = self._expand(words[0], values) if words else ""
                if not reference:
                    raise self.error("FROM names no image", item, "give its ARG a default or value")
                if reference.lower() not in stages and reference != "scratch":
                    found.append(BaseUse(reference, item))
                count += 1
                if len(words) == 3 and words[1].upper() == "AS":
                    stages.add(words[2].lower())
            elif item.keyword == "COPY" and (source := item.flags.get("from", "")):
                stages.update(str(number) for number in range(count))
                if source.lower() not in stages:
                    found.append(BaseUse(source, item))
        return tuple(found)

    def pin(self, pins: Mapping[str, str], arguments: Mapping[str, str]) -> bytes:
        """The same file with these references replaced, line numbers kept."""
        lines = list(self._lines)
        for use in self.bases(arguments):
            pinned = pins.get(use.reference)
            item = use.instruction
            if pinned is None:
                continue
            flags = {**item.flags, "from": pinned} if item.keyword == "COPY" else item.flags
            words = [f"--{name}={value}" for name, value in flags.items()]
            rest = item.text
            if item.keyword == "FROM":
                rest = " ".join([pinned, *item.text.split()[1:]])
            lines[item.start] = " ".join([item.keyword, *words, rest])
            lines[item.start + 1 : item.end] = ["#"] * (item.end - item.start - 1)
        return "\n".join(lines).encode()

    def buildkit_need(self) -> str | None:
        """What in it only BuildKit understands, as `LINE: what`; None if nothing is."""
        syntax = self.directives.get("syntax", "")
        if syntax and not re.match(r"(docker\.io/)?docker/dockerfile(:|@|$)", syntax):
            return f"{self.where}:1: # syntax={syntax}"
        for item in self.instructions:
            names = _BUILDKIT_FLAGS.get(item.keyword, ())
            flag = next((f"--{name}" for name in names if name in item.flags), None)
            if item.keyword == "FROM" and not self._platform_known(item):
                flag = f"--platform={item.flags['platform']}"
            if flag is None and item is self.heredoc:
                flag = "<<"
            if flag is not None:
                return f"{self.where}:{item.start + 1}: {item.keyword} {flag}"
        return None

    def _platform_known(self, item: Instruction) -> bool:
        declared = self._global_arguments({})
        names = {
            found["name"] or found["bare"]
            for found in _VARIABLE.finditer(item.flags.get("platform", ""))
        }
        return not (names & _AUTOMATIC) - declared.keys()

    def _global_arguments(self, given: Mapping[str, str]) -> dict[str, str]:
        values: dict[str, str] = {}
        for item in self.instructions:
            if item.keyword == "FROM":
                break
            for word in item.text.split() if item.keyword == "ARG" else ():
                name, _, default = word.partition("=")
                text = given.get(name, default.strip("\"'"))
                values[name] = self._expand(text, values)
        return values

    def _expand(self, text: str, values: Mapping[str, str]) -> str:
        def value(found: re.Match[str]) -> str:
            if found["escaped"] is not None:
                return found["escaped"]
            known = values.get(found["name"] or found["bare"], "")
            if found["operator"] == ":-":
                return known or found["word"]
            if found["operator"] == ":+":
                return found["word"] if known else ""
            return known

        room = _LONGEST_VALUE

        def counted(found: re.Match[str]) -> str:
            nonlocal room
            put = value(found)
            room -= len(put)
            if room < 0:
                raise BuildError(
                    f"with its variables a value is longer than {_LONGEST_VALUE:,} characters",
                    where=self.where,
                    fix="shorten its ARG instructions",
                )
            return put

        return _VARIABLE.sub(counted, text.strip("\"'"))

    def error(self, what: str, item: Instruction, fix: str) -> BuildError:
        """An error at an instruction."""
        return BuildError(what, where=f"{self.where}:{item.start + 1}", fix=fix)


def _directives(lines: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        match = re.match(r"#\s*(\w+)\s*=\s*(\S.*)", line.strip())
        if match is None or match[1].lower() not in ("syntax", "escape", "check"):
            break
        found[match[1].lower()] = match[2]
    return found


def _instruction(text: str, start: int, end: int) -> Instruction:
    keyword, _, rest = text.partition(" ") if " " in text else text.partition("\t")
    flags: dict[str, str] = {}
    rest = rest.strip()
    while rest.startswith("--") and (match := re.match(r"--([a-z-]+)(?:=(\S*))?(?:\s+|$)", rest)):
        flags[match[1]] = match[2] or ""
        rest = rest[match.end() :]
    return Instruction(keyword.upper(), flags, rest, start, end)


def _heredocs(item: Instruction) -> list[str]:
    if item.keyword not in ("RUN", "COPY", "ADD"):
        return []
    return [match[2] for match in re.finditer(r"<<-?\s*(['\"]?)([A-Za-z_]\w*)\1", item.text)]
