"""The live objects of one kind, whoever owns them: for people who look."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from reconciler.config import Target, resolve_target
from reconciler.core.resource import LiveResource, Named, redact
from reconciler.errors import ConfigError
from reconciler.kinds.registry import KIND_NAMED
from reconciler.providers.base import Providers
from reconciler.providers.systems import open_providers
from reconciler.workflow.opening import open_config
from reconciler.workflow.plan_request import PlanRequest

OURS, NOBODY = "this stack", "none"


@dataclass(frozen=True, slots=True)
class LiveObject:
    """One live object. `owner` is `this stack`, the name of another stack, or `none`.

    `changed_at` and `changed_by` say when it changed last, and who did it, as far as the system
    tells. `spec` is in canonical form, without secrets. `used_by` is in words.
    """

    kind: str
    name: str
    id: str
    scope: str
    owner: str
    changed_at: str
    changed_by: str
    used_by: tuple[str, ...]
    spec: dict[str, Any]


def kind_of(word: str) -> str:
    """The kind that a word means: `RunaiEnvironment`, `environment`, `environments`.

    Raises `ConfigError` with what it may be.
    """
    words = {name.lower(): name for name in KIND_NAMED}
    words |= {kind.short: name for name, kind in KIND_NAMED.items()}
    lower = word.lower()
    found = words.get(lower) or words.get(lower.removesuffix("s"))
    if found is None:
        close = get_close_matches(lower, words, n=1)
        known = ", ".join(KIND_NAMED)
        meant = f"did you mean {words[close[0]]}?" if close else f"it may be: {known}"
        raise ConfigError(f"there is no kind {word!r}", fix=meant)
    return found


def live_objects(request: PlanRequest, kind: str, names: Sequence[str] = ()) -> list[LiveObject]:
    """The live objects of a kind by name; `names` chooses some, by name or id.

    No manifest is read. Raises `ConfigError` with close names for one that does not exist, and
    `ProviderError`.
    """
    with open_config(request) as trusted:
        config = trusted.config
        target = resolve_target(config, request.target, os.environ)
        with open_providers(target, config.root, request.parallelism) as providers:
            return _live_objects(target, providers, kind, names)


def _live_objects(
    target: Target, providers: Providers, kind: str, names: Sequence[str]
) -> list[LiveObject]:
    provider = providers.get(kind)
    if provider is None:
        raise ConfigError(
            f"{kind} needs `{KIND_NAMED[kind].system}`, which target {target.name!r} lacks",
            fix="choose another target with --target",
        )
    found = list(provider.read_alone())
    for name in names:
        if not any(name in (item.name, item.uid) for item in found):
            close = get_close_matches(name, [item.name for item in found], n=3)
            fix = (
                f"did you mean {' or '.join(close)}?"
                if close
                else f"reconcile get {kind} lists all"
            )
            raise ConfigError(f"there is no {kind} named {name!r}", fix=fix)
    chosen = [item for item in found if not names or item.name in names or item.uid in names]
    used = provider.usage(chosen) if chosen else {}
    rows = [_row(item, target.stack, used.get(item.uid, ())) for item in chosen]
    return sorted(rows, key=lambda row: (row.scope, row.name, row.id))


def _row(item: LiveResource, stack: str, used_by: tuple[str, ...]) -> LiveObject:
    owner = NOBODY
    if item.mark is not None:
        owner = OURS if item.mark.stack == stack else item.mark.stack
    return LiveObject(
        kind=item.kind,
        name=item.name,
        id=item.uid,
        scope=place_of(item),
        owner=owner,
        changed_at=(item.updated_at or "")[:16].replace("T", " "),
        changed_by=item.updated_by or "",
        used_by=used_by,
        spec=redact(item.spec),
    )


def place_of(item: LiveResource) -> str:
    """The scope of an object, with the name of its unit: `tenant`, `project/vision`."""
    return "/".join(filter(None, (str(item.spec.get("scope", "")), scope_name(item))))


def scope_name(item: LiveResource) -> str:
    """The name of the unit of an object's scope, or its id; empty for the tenant."""
    scope_id = item.spec.get("scope_id", "")
    return scope_id.name if isinstance(scope_id, Named) else str(scope_id)
