"""An address or pattern that a client gave -> what it means, or those that may have been meant."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.core.mark import hash_id
from reconciler.core.plan import Plan
from reconciler.core.resource import (
    LiveResource,
    Resource,
)
from reconciler.core.selection import known_addresses
from reconciler.errors import ConfigError, ReconcileError
from reconciler.render.model_text import quoted, sentence
from reconciler.strict_yaml import MAX_BYTES
from reconciler.strict_yaml import load as load_yaml
from reconciler.support.plain_file import read_plain
from reconciler.support.suggest import similar


@dataclass(frozen=True, slots=True)
class Objects:
    """Both sides of the target, as they are now."""

    root: Path
    stack: str
    desired: tuple[Resource, ...]
    live: tuple[LiveResource, ...]


def document_of(root: Path, resource: Resource) -> Any:
    """The document that states a resource, as it stands in its file."""
    documents = load_yaml(read_plain(root / resource.source.file, MAX_BYTES), resource.source.file)
    return next(item.data for item in documents if item.line == resource.source.line)


def desired_and_live(
    address: str, objects: Objects
) -> tuple[Resource | None, tuple[LiveResource, ...]]:
    """The manifest's side of an address, and every live object that bears its mark or name."""
    kind, _, resource_id = address.partition(".")
    desired = next((item for item in objects.desired if item.key.address == address), None)
    name = desired.name if desired is not None else resource_id
    wanted = hash_id(kind, resource_id)
    live = tuple(
        item
        for item in objects.live
        if item.kind == kind
        and (item.name == name or (item.mark is not None and item.mark.id_hash == wanted))
    )
    return desired, live


def require_planned(plan: Plan, address: str) -> None:
    """Raise `ReconcileError` for an address that the plan lacks, and say if it is not known."""
    if address in {each for item in plan.changes for each in (item.address, item.key.address)}:
        return
    for failure in plan.failures:
        if address in failure.addresses or address.partition(".")[0] in failure.kinds:
            raise ReconcileError(
                f"this address is not planned, because the system could not be read: "
                f"{quoted(sentence(failure.reason))}",
                where=failure.system,
                fix=failure.fix,
            )
    raise no_such_address(address, known_addresses(plan))


def no_such_address(given: str, known: Collection[str], what: str = "") -> ConfigError:
    """The error for an unknown address, with close ones. `what` replaces its words."""
    otherwise = (
        "call list_objects for what there is; an address is KIND.ID, such as "
        "RunaiEnvironment.ml-training-env"
    )
    return ConfigError(
        what or f"no manifest and no live object has the address {given!r}",
        where="address",
        fix=similar(given, known, otherwise, quoted),
    )
