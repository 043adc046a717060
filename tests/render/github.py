"""Reads a log and an output file as a GitHub runner does.

Written from ActionCommand.cs and FileCommandManager.cs of actions/runner.
"""

import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Command:
    name: str
    data: str
    properties: dict[str, str] = field(default_factory=dict)


def commands(log: str) -> list[Command]:
    """Every command that a runner would carry out."""
    found = []
    for line in re.split(r"\r\n|\r|\n", log):
        command = _second(line) or _first(line)
        if command is not None:
            found.append(command)
    return found


def _second(line: str) -> Command | None:
    """`::name key=value,...::data`, after white space."""
    line = line.lstrip()
    end = line.find("::", 2)
    if not line.startswith("::") or end < 0:
        return None
    name, _, rest = line[2:end].partition(" ")
    pairs = [pair.partition("=") for pair in rest.strip().split(",") if pair]
    properties = {
        key: value.replace("%0D", "\r").replace("%0A", "\n").replace("%3A", ":")
        .replace("%2C", ",").replace("%25", "%")
        for key, _, value in pairs if value
    }  # fmt: skip
    data = line[end + 2 :].replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
    return Command(name, data, properties)


def _first(line: str) -> Command | None:
    """`##[name]data`, anywhere in the line."""
    found = re.search(r"##\[([^\]]*)\](.*)", line)
    return Command(found[1].split(" ")[0], found[2]) if found else None


def outputs(text: str) -> dict[str, str]:
    """The outputs that a runner reads from an output file; a malformed one raises."""
    found = {}
    lines = iter(re.split(r"\r\n|\r|\n", text))
    for line in lines:
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            found[line[:equals]] = line[equals + 1 :]
            continue
        assert heredoc > 0, line
        name, delimiter = line[:heredoc], line[heredoc + 2 :]
        value = []
        for inner in lines:
            if inner == delimiter:
                break
            value.append(inner)
        else:
            raise AssertionError(f"{name} has no end")
        found[name] = "\n".join(value)
    return found
