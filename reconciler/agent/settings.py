"""How the agent functions work and for whom: the settings in force.

Settings come from `using(...)` for a block of code (and whatever it starts: threads of
`asyncio.to_thread`, tasks), else from `configure(...)` for the whole process, else from the
variables `RECONCILE_AGENT_*`; what nobody states has the default below. Settings narrow what
`reconciler.yaml` allows and never widen it.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt, ValidationError, field_validator

from reconciler.errors import ConfigError
from reconciler.field_errors import explain
from reconciler.kinds.base import SCOPES, Limits, Scope, Strict, field_fault

Mode = Literal["direct", "gitops"]
VARIABLES = {
    "RECONCILE_AGENT_DIRECTORY": "directory",
    "RECONCILE_AGENT_TARGET": "target",
    "RECONCILE_AGENT_MODE": "mode",
    "RECONCILE_AGENT_STACK": "stack",
    "RECONCILE_AGENT_BASE": "base",
    "RECONCILE_AGENT_CONFIG_FROM": "config_from",
}
"""Environment variable -> the setting that it states."""


class AgentSettings(Strict):
    """What the functions may do. The keys of the Run:ai guide's `workflow.yaml` are among them."""

    mode: Mode = Field(
        default="direct",
        description="direct: apply at once. gitops: commit the manifest to a new branch.",
    )
    directory: Path | None = Field(
        default=None,
        description="Directory with reconciler.yaml, which has to be there; by default the current "
        "one.",
    )
    target: str | None = Field(
        default=None,
        min_length=1,
        description="Target of reconciler.yaml; its default_target, unless that is a sandbox, "
        "which has to be named.",
        examples=["production"],
    )
    config_from: str | None = Field(
        default=None,
        min_length=1,
        description="Take targets, stack, env_allow and guards from this ref's reconciler.yaml; in "
        "direct mode the limits, too.",
        examples=["origin/main"],
    )
    stack: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9-]{1,32}$",
        description="Stack of what is made in direct mode; the target's with -agent behind it.",
        examples=["ml-platform-agent"],
    )
    allow_unowned: StrictBool = Field(
        default=False, description="Permit deleting assets that bear no mark of any stack."
    )
    base: str = Field(
        default="HEAD",
        min_length=1,
        description="gitops: the commit that a proposal starts from.",
        examples=["origin/main"],
    )
    author: str | None = Field(
        default=None,
        pattern=r"^[^<>\x00-\x1f]+ <[^<>\s]+>$",
        description="gitops: author of the commit; the user of Git's configuration by default.",
        examples=["Run:ai agent <agent@example.com>"],
    )
    dry_run_default: StrictBool = Field(
        default=True,
        description="What dry_run=None shows: a preview, or (false) what is missing to a real run."
        " A write always needs dry_run=False in the call.",
    )
    require_confirmation: StrictBool = Field(
        default=True, description="Always true: a write needs confirmed=True in the call."
    )
    allowed_scopes: tuple[Scope, ...] | None = Field(
        default=None, min_length=1, description="Scopes, of those that reconciler.yaml allows."
    )
    max_cpu_cores: Annotated[float, Field(gt=0, strict=True)] | None = Field(
        default=None, description="CPU cores, at most what reconciler.yaml allows."
    )
    max_memory_gb: Annotated[float, Field(gt=0, strict=True)] | None = Field(
        default=None, description="CPU memory in GiB, at most what reconciler.yaml allows."
    )
    max_gpus: Annotated[StrictInt, Field(ge=0)] | None = Field(
        default=None, description="GPUs, at most what reconciler.yaml allows."
    )

    @field_validator("require_confirmation")
    @classmethod
    def _always(cls, value: bool) -> bool:
        if not value:
            raise field_fault(
                "confirmation cannot be switched off",
                "remove require_confirmation: a write always needs dry_run=False and "
                "confirmed=True in the call itself",
            )
        return value

    def limits(self, outer: Limits) -> Limits:
        """The limits that hold: of each, the stricter one of these settings and `outer`."""
        scopes = outer.allowed_scopes
        if self.allowed_scopes is not None:
            scopes = tuple(scope for scope in self.allowed_scopes if scope in scopes)
        return Limits(
            max_cpu_cores=_least(self.max_cpu_cores, outer.max_cpu_cores),
            max_memory_gb=_least(self.max_memory_gb, outer.max_memory_gb),
            max_gpus=int(_least(self.max_gpus, outer.max_gpus)),
            allowed_scopes=scopes,
            sources=tuple(self._sources(outer)),
        )

    def _sources(self, outer: Limits) -> Iterator[tuple[str, str]]:
        """Where to change each limit, and each scope, that these settings hold down."""
        for name in ("max_cpu_cores", "max_memory_gb", "max_gpus"):
            mine, most = getattr(self, name), getattr(outer, name)
            if mine is not None and mine < most:
                yield name, f"{name} in {_SETTINGS}, up to the {most:g} of reconciler.yaml"
            elif mine == most:
                yield name, f"{name} in {_SETTINGS} and {outer.source(name)}"
        for scope in SCOPES:
            if self.allowed_scopes is None or scope in self.allowed_scopes:
                continue
            where = f"allowed_scopes in {_SETTINGS}"
            if scope not in outer.allowed_scopes:
                where += f" and {outer.source('allowed_scopes')}"
            yield scope, where


_SETTINGS = "the settings of these functions (workflow.yaml, configure)"


def _least(mine: float | None, outer: float) -> float:
    return outer if mine is None else min(mine, outer)


class _Process:
    """What `configure` stated for the process."""

    settings: AgentSettings | None = None


_process = _Process()
_block: ContextVar[AgentSettings | None] = ContextVar("agent_settings", default=None)


def configure(**stated: Any) -> AgentSettings:
    """State the settings of this process, over those of the variables. Raises `ConfigError`.

    Each call starts anew: `configure()` goes back to variables and defaults.
    """
    _process.settings = make_settings(stated) if stated else None
    return current()


@contextmanager
def using(settings: AgentSettings | None = None, /, **changes: Any) -> Iterator[AgentSettings]:
    """Let other settings hold within a block: these, with `changes`. Raises `ConfigError`."""
    base = settings or current()
    made = make_settings({**base.model_dump(), **changes}, {}) if changes else base
    token = _block.set(made)
    try:
        yield made
    finally:
        _block.reset(token)


def current() -> AgentSettings:
    """The settings in force here. Raises `ConfigError` if a variable is wrong."""
    return _block.get() or _process.settings or make_settings({})


def make_settings(
    stated: Mapping[str, Any], environ: Mapping[str, str] | None = None
) -> AgentSettings:
    """Settings from what is stated, over the variables. Raises `ConfigError` in words."""
    environ = os.environ if environ is None else environ
    found = {field: environ[name] for name, field in VARIABLES.items() if environ.get(name)}
    given = {**found, **stated}
    try:
        return AgentSettings.model_validate(given)
    except ValidationError as error:
        faults = explain(error, given, AgentSettings)
        said = "; ".join(fault.message for fault in faults)
        fixes = "; ".join(fault.fix for fault in faults if fault.fix)
        raise ConfigError(said, where="settings of the agent functions", fix=fixes) from None
