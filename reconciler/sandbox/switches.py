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
UnknownParameters = Literal["ignore", "refuse"]
MissingPaths = Literal["404", "405"]
ClusterVersion = Literal["same", "older", "absent"]
TokenExpiry = Literal["stated", "jwt", "unstated"]
DeletedEntries = Literal["gone", "listed"]
Version = Literal["2.18", "2.19", "2.20", "2.21", "2.22", "2.23", "2.24", "3.0"]
Right = Literal[
    "environment",
    "compute",
    "datasource",
    "credentials",
    "clusters",
    "clusters-minimal",
    "projects",
    "departments",
    "ranks",
    "writes",
]

ENVIRONMENT_PREFIX = "RECONCILE_SANDBOX_"


def _about(text: str, *choices: str) -> dict[str, object]:
    return {"help": text, "choices": choices}


@dataclass(frozen=True)
class Behaviour:
    """How the sandbox answers where the contract leaves it open. Times are in seconds.

    Each field's metadata has `help` (one sentence) and `choices` (empty for switches and numbers),
    from which a command line can make its options.
    """

    version: Version = field(
        default="3.0",
        metadata=_about("the Run:ai version that the server is", *get_args(Version)),
    )
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
    unknown_parameters: UnknownParameters = field(
        default="ignore",
        metadata=_about(
            "whether query parameters that the version does not know are ignored or refused",
            *get_args(UnknownParameters),
        ),
    )
    missing_paths: MissingPaths = field(
        default="404",
        metadata=_about(
            "how a path that the version does not have is answered", *get_args(MissingPaths)
        ),
    )
    cluster_version: ClusterVersion = field(
        default="same",
        metadata=_about(
            "the version that clusters state, which may be behind the control plane",
            *get_args(ClusterVersion),
        ),
    )
    deleted_entries: DeletedEntries = field(
        default="gone",
        metadata=_about(
            "whether deleted assets are still read, with meta.deletedAt (since 2.21)",
            *get_args(DeletedEntries),
        ),
    )
    denied: tuple[Right, ...] = field(
        default=(),
        metadata=_about("what the account has no right to (403)", *get_args(Right)),
    )
    latency: float = field(
        default=0.0, metadata=_about("seconds that every answer is held back at least")
    )
    token_lifetime: float = field(
        default=3600.0, metadata=_about("seconds until an access token expires")
    )
    token_expiry: TokenExpiry = field(
        default="stated",
        metadata=_about(
            "where the end of a token's life can be read: in the answer, in the JWT alone, nowhere",
            *get_args(TokenExpiry),
        ),
    )
    revoke_tokens_every: int = field(
        default=0,
        metadata=_about("number of requests after which all tokens become invalid; 0: never"),
    )

    def __post_init__(self) -> None:
        """Refuse values that no server could have (the type checker does not see text settings)."""
        for each in fields(self):
            value = getattr(self, each.name)
            choices = each.metadata["choices"]
            for one in value if isinstance(value, tuple) else (value,):
                if choices and one not in choices:
                    raise _wrong(each.name, one, f"give one of {', '.join(choices)}")
            if isinstance(value, float) and (not math.isfinite(value) or value < 0):
                raise _wrong(each.name, value, "give a number of seconds, 0 or more")
        if self.token_lifetime == 0:
            raise _wrong("token_lifetime", 0, "give more than 0 seconds")
        if self.revoke_tokens_every < 0:
            raise _wrong("revoke_tokens_every", self.revoke_tokens_every, "give 0 or more")


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
    """Make a Behaviour from variables like `RECONCILE_SANDBOX_ABSENT=null`; all must be known."""
    given = {name for name in environment if name.startswith(ENVIRONMENT_PREFIX)}
    return parse_behaviour(
        {
            variable.removeprefix(ENVIRONMENT_PREFIX).lower(): environment[variable]
            for variable in sorted(given)
        }
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


def _count(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise _wrong(name, text, "give a whole number") from None


def _words(_name: str, text: str) -> tuple[str, ...]:
    return tuple(filter(None, (word.strip() for word in text.split(","))))


def _wrong(name: str, value: object, fix: str) -> SandboxError:
    what = f"sandbox setting {_written(name)} cannot be {value!r}"
    return SandboxError(what, fix=fix.capitalize() + ".")


def _written(name: str) -> str:
    """A setting's name as people write it."""
    return name.replace("_", "-")


_PARSERS: Mapping[str, Callable[[str, str], object]] = MappingProxyType(
    {"bool": _switch, "float": _seconds, "int": _count, "tuple[Right, ...]": _words}
)


def settings_help() -> str:
    """One line for each setting, with its choices and default: the body of a help text."""
    lines = []
    kinds = {"bool": "true|false", "float": "SECONDS", "int": "NUMBER"}
    for each in fields(Behaviour):
        choices = "|".join(each.metadata["choices"]) or kinds[str(each.type)]
        default = f"{each.default:g}" if isinstance(each.default, float) else str(each.default)
        several = ", several with commas" if isinstance(each.default, tuple) else ""
        default = "nothing" if several else default.lower()
        lines.append(
            f"  {_written(each.name)}={choices}\n"
            f"      {each.metadata['help']}{several} (default: {default})"
        )
    return "\n".join(lines)
