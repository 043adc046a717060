"""A mistaken command line -> the command that was probably meant, in words."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import click

from reconciler.kinds.registry import KIND_TRAITS

_OTHER_TOOLS = {
    **dict.fromkeys(("diff", "preview", "refresh", "status"), "that is: reconcile plan"),
    **dict.fromkeys(("sync", "deploy", "up"), "that is: reconcile apply --apply"),
    **dict.fromkeys(("lint", "check"), "that is: reconcile validate"),
    **dict.fromkeys(
        ("destroy", "delete", "down"),
        "remove the manifests of what is to go, then: reconcile apply --apply",
    ),
    **dict.fromkeys(
        ("state", "taint", "unlock", "force-unlock"),
        "there is no state and no lock: what is owned is marked on the live objects",
    ),
}
"""Commands of other tools, and what does the same here."""
_OTHER_OPTIONS = {
    **dict.fromkeys(("-t", "-e", "--context", "--env", "--environment", "--stack"), "--target"),
    **dict.fromkeys(("-f", "-d", "-k", "-chdir", "--chdir", "--dir", "--filename"), "-C"),
    **dict.fromkeys(("-v", "--verbose"), "--debug"),
    "-c": "--config",
}
"""Options of other tools, and what they are called here."""
_STRAY = re.compile(r"unexpected extra arguments? \((\S+)[ )]")
_APPLY_ANYWAY = ("--auto-approve", "-auto-approve", "--yes", "-y", "--force", "--no-dry-run")


def may_be_address(word: str) -> bool:
    """Whether this is written like `KIND.ID`, or like an id and not like a file."""
    return word.partition(".")[0] in KIND_TRAITS or not re.search(r"[./]", word)


def suggest(
    error: click.UsageError, arguments: Sequence[str], root: click.Group, commands: Sequence[str]
) -> str | None:
    """What to write instead; None if nothing can be said."""
    if arguments[:1] == ["help"]:
        return f"that is: {_line([*arguments[1:2], '--help'])}"
    context = click.Context(root)
    name = _find_command(arguments, root, commands)
    if name is None:
        unknown = next((word for word in arguments if word in _OTHER_TOOLS), None)
        return _OTHER_TOOLS[unknown] if unknown and "No such command" in error.message else None
    command = root.get_command(context, name)
    assert command is not None
    if isinstance(error, click.NoSuchOption):
        return _about_option(error.option_name, arguments, name, command, root)
    found = _STRAY.search(error.message)
    if found and "--only" in _options(command):
        return f"an address goes with --only: {_line([name, '--only', found[1]])}"
    return None


def _about_option(
    option: str, arguments: Sequence[str], name: str, command: click.Command, root: click.Group
) -> str | None:
    at = arguments.index(name)
    option = _whole(option, arguments)
    if option in ("--apply", *_APPLY_ANYWAY) and name == "plan":
        apply = root.get_command(click.Context(root), "apply")
        assert apply is not None
        others = [word for word in arguments if word not in ("plan", option)]
        early, late = _part(others, root)
        kept = late if all(_is_option_of(word, apply) for word in late) else []
        return (
            f"plan never changes anything; to do so: {_line([*early, 'apply', *kept, '--apply'])}"
        )
    if option in _APPLY_ANYWAY and name == "apply":
        return f"it is carried out with --apply: {_line(['apply', '--apply'])}"
    if option == "--dry-run" and name in ("apply", "plan"):
        return f"leave it out: without --apply nothing is changed: {_line([name])}"
    early, late = _part(arguments[:at], root)
    moved, own = _part(arguments[at + 1 :], root, unless=command)
    if (late or moved) and all(_is_option_of(word, command) for word in late):
        place = "behind" if late else "before"
        return f"it goes {place} the command: {_line([*early, *moved, name, *late, *own])}"
    if f"-{option}" in _options(command):
        return f"options begin with two dashes: -{option}"
    if option not in [word.partition("=")[0] for word in arguments]:
        return None
    return _renamed(option, arguments, command, root) or _left_out(option, arguments, name, root)


def _renamed(
    option: str, arguments: Sequence[str], command: click.Command, root: click.Group
) -> str | None:
    """The same with our name of an option that other tools call like this."""
    meant = _OTHER_OPTIONS.get(option)
    known = {**_options(root), **_options(command)}
    if meant is None or meant not in known:
        return None
    before, value, after = _split_at(option, arguments, flag=known[meant].is_flag)
    if meant in _options(command):
        return f"that is {meant}: {_line([*before, meant, *value, *after])}"
    if meant == "-C" and value and value[0].endswith((".yaml", ".yml")):
        value = ["DIR"]
    return f"that is {meant}, before the command: {_line([meant, *value, *before, *after])}"


def _left_out(option: str, arguments: Sequence[str], name: str, root: click.Group) -> str | None:
    """The same without an option that only other commands have."""
    context = click.Context(root)
    others = (root.get_command(context, other) for other in root.list_commands(context))
    known = (_options(other).get(option) for other in others if other is not None)
    found = next((one for one in known if one is not None), None)
    if found is None:
        return None
    before, _, after = _split_at(option, arguments, flag=found.is_flag)
    return f"{name} has no {option}; without it: {_line([*before, *after])}"


def _split_at(
    option: str, arguments: Sequence[str], *, flag: bool
) -> tuple[Sequence[str], list[str], Sequence[str]]:
    """What stands before an option, its value if it has one, and what stands behind."""
    at = next(n for n, word in enumerate(arguments) if word.partition("=")[0] == option)
    _, equals, text = arguments[at].partition("=")
    if equals or flag:
        return arguments[:at], [text] if equals else [], arguments[at + 1 :]
    return arguments[:at], list(arguments[at + 1 : at + 2]), arguments[at + 2 :]


def _whole(option: str, arguments: Sequence[str]) -> str:
    """The whole of `-target=x`, of which click reads the first letter alone."""
    whole = next((word for word in arguments if word.startswith(option)), option)
    return whole.partition("=")[0]


def _find_command(
    arguments: Sequence[str], root: click.Group, commands: Sequence[str]
) -> str | None:
    values = _options(root)
    skip = False
    found: list[tuple[str, str]] = []
    for before, word in pairwise(["", *arguments]):
        if not skip and word in commands:
            found.append((before, word))
        skip = not skip and word in values and not values[word].is_flag
    for (before, word), (_, following) in pairwise(found):
        command = root.get_command(click.Context(root), following)
        option = _options(command).get(before) if command else None
        if option is None or option.is_flag:  # else it is the option's value: --target sandbox
            return word
    return found[-1][1] if found else None


def _part(
    words: Sequence[str], root: click.Group, unless: click.Command | None = None
) -> tuple[list[str], list[str]]:
    """The root command's options, with their values, and everything else."""
    known = _options(root)
    own = _options(unless) if unless else {}
    parts: tuple[list[str], list[str]] = ([], [])
    rest: Iterator[str] = iter(words)
    for word in rest:
        name = word.partition("=")[0]
        mine = name in known and name not in own
        parts[not mine].append(word)
        if mine and not known[name].is_flag and "=" not in word:
            parts[0].append(next(rest, "..."))
    return parts


def _is_option_of(word: str, command: click.Command) -> bool:
    return not word.startswith("-") or word.partition("=")[0] in _options(command)


def _options(command: click.Command) -> Mapping[str, click.Option]:
    """The options of a command by each of their spellings."""
    return {
        spelling: option
        for option in command.params
        if isinstance(option, click.Option)
        for spelling in (*option.opts, *option.secondary_opts)
    }


def _line(words: Sequence[str]) -> str:
    return f"reconcile {shlex.join(words)}"
