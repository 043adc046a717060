"""The switches for what is not known about a real Run:ai control plane.

The published API description leaves some behaviour open. Each field below is one such question; the
reconciler has to work with every answer, so that the tests can run with each of them. This module
turns text settings (command line, environment variables) into a `Behaviour` and does nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Literal, get_args

from reconciler.errors import SandboxError

Absent = Literal["absent", "null", "empty"]
NameFilter = Literal["exact", "partial"]
UnknownFields = Literal["ignore", "keep", "reject"]
UnfilteredList = Literal["all", "refuse"]

ENVIRONMENT_PREFIX = "RECONCILE_SANDBOX_"


def _about(text: str, *choices: str) -> dict[str, object]:
    return {"help": text, "choices": choices}


@dataclass(frozen=True)
class Behaviour:
    """How the sandbox answers where the contract leaves it open. Times are in seconds.

    Each field's metadata has `help` (one sentence) and `choices` (empty for switches and numbers),
    from which a command line can make its options.
    """

    fill_defaults: bool = field(
        default=False,
        metadata=_about("answers state the documented defaults of fields that were not sent"),
    )
    absent: Absent = field(
        default="absent",
        metadata=_about("how optional fields without a value come back", *get_args(Absent)),
    )
    visibility_lag: float = field(
        default=0.0,
        metadata=_about("seconds until a create, update or delete shows in reads"),
    )
    name_filter: NameFilter = field(
        default="exact",
        metadata=_about("whether the name filter matches in part", *get_args(NameFilter)),
    )
    unknown_fields: UnknownFields = field(
        default="ignore",
        metadata=_about(
            "unknown fields of a body are dropped, stored and returned as a newer server would, "
            "or refused",
            *get_args(UnknownFields),
        ),
    )
    unfiltered_list: UnfilteredList = field(
        default="all",
        metadata=_about(
            "whether a list without scope and scope id is answered", *get_args(UnfilteredList)
        ),
    )
    latency: float = field(
        default=0.0, metadata=_about("seconds that every answer is held back at least")
    )
    token_lifetime: float = field(
        default=3600.0, metadata=_about("seconds until an access token expires")
    )

    def __post_init__(self) -> None:
        """Refuse values that no server could have (the type checker does not see text settings)."""
        for each in fields(self):
            value = getattr(self, each.name)
            choices = each.metadata["choices"]
            if choices and value not in choices:
                raise _wrong(each.name, value, f"give one of {', '.join(choices)}")
            if isinstance(value, float) and (not math.isfinite(value) or value < 0):
                raise _wrong(each.name, value, "give a number of seconds, 0 or more")
        if self.token_lifetime == 0:
            raise _wrong("token_lifetime", 0, "give more than 0 seconds")


def parse_behaviour(settings: Mapping[str, str]) -> Behaviour:
    """Make a Behaviour from text, e.g. `{"absent": "null", "visibility_lag": "0.5"}`.

    Names may be written with `-` or `_`. A name or value that is not known is a SandboxError.
    """
    known = {each.name: each for each in fields(Behaviour)}
    values: dict[str, object] = {}
    for given, text in settings.items():
        name = given.replace("-", "_")
        if name not in known:
            raise SandboxError(
                f"there is no sandbox setting {given!r}",
                fix=f"The settings are {', '.join(map(_written, known))}.",
            )
        values[name] = _PARSERS.get(str(known[name].type), _text)(name, text)
    return Behaviour(**values)  # type: ignore[arg-type] # each value has just been parsed for its field


def behaviour_from_environment(environment: Mapping[str, str]) -> Behaviour:
    """Make a Behaviour from variables like `RECONCILE_SANDBOX_ABSENT=null`."""
    names = {ENVIRONMENT_PREFIX + each.name.upper(): each.name for each in fields(Behaviour)}
    return parse_behaviour(
        {name: environment[variable] for variable, name in names.items() if variable in environment}
    )


def _text(_name: str, text: str) -> str:
    return text


def _switch(name: str, text: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    try:
        return words[text.lower()]
    except KeyError:
        raise _wrong(name, text, "give true or false") from None


def _seconds(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _wrong(name, text, "give a number of seconds") from None


def _wrong(name: str, value: object, fix: str) -> SandboxError:
    what = f"sandbox setting {_written(name)} cannot be {value!r}"
    return SandboxError(what, fix=fix.capitalize() + ".")


def _written(name: str) -> str:
    """A setting's name as people write it."""
    return name.replace("_", "-")


_PARSERS: Mapping[str, Callable[[str, str], object]] = MappingProxyType(
    {"bool": _switch, "float": _seconds}
)


def settings_help() -> str:
    """One line for each setting, with its choices and default: the body of a help text."""
    lines = []
    for each in fields(Behaviour):
        choices = "|".join(each.metadata["choices"]) or str(each.type).replace("float", "SECONDS")
        name = f"{_written(each.name)}={choices}".replace("=bool", "=true|false")
        default = f"{each.default:g}" if isinstance(each.default, float) else str(each.default)
        lines.append(f"  {name}\n      {each.metadata['help']} (default: {default.lower()})")
    return "\n".join(lines)
