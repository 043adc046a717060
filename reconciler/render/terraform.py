"""What Terraform's tools read of a plan beside `resource_changes`. Pure.

Policy tools look at `planned_values`, parsers at `terraform_version`, and both join resources by
their address. Everything here is said of the same changes once more, in the places where
`terraform show -json` of Terraform 1.11 has it: no Terraform was run, and there is no state.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reconciler.core.plan import Change

FORMAT_OF = "1.11.4"
"""The version of Terraform whose plan this has the form of."""
PROVIDER = "reconciler"

Entry = Mapping[str, Any]


def identity(change: Change) -> dict[str, Any]:
    """What names a resource in every part of a plan. A leftover has its successor's address."""
    return {
        "address": change.key.address,
        "mode": "managed",
        "type": change.key.kind,
        "name": change.key.id,
        "provider_name": PROVIDER,
    }


def planned_values(entries: Iterable[Entry]) -> dict[str, Any]:
    """What the manifests ask for: the `after` of every change that has one, refused ones too."""
    return _module(_resource(item, "after") for item in entries if item["change"]["after"])


def prior_state(entries: Iterable[Entry]) -> dict[str, Any]:
    """What is live: the `before` of every change that has one, leftovers by their `deposed_key`."""
    resources = (_resource(item, "before") for item in entries if item["change"]["before"])
    head = {"format_version": "1.0", "terraform_version": FORMAT_OF}
    return {**head, "values": _module(resources)}


def configuration(changes: Sequence[Change]) -> dict[str, Any]:
    """The manifests: the fields that each states, and what it depends on.

    Expressions are empty, as Terraform writes values that are not constant: a manifest may write a
    value in another form than the plan.
    """
    resources = [
        {
            **{name: item for name, item in identity(change).items() if name != "provider_name"},
            "provider_config_key": PROVIDER,
            "expressions": {name: {} for name in sorted(change.desired.spec)},
            "schema_version": 0,
            "depends_on": [key.address for key in change.desired.depends_on],
        }
        for change in changes
        if change.desired is not None
    ]
    return {
        "provider_config": {PROVIDER: {"name": PROVIDER, "full_name": PROVIDER}},
        "root_module": {"resources": resources},
    }


def _module(resources: Iterable[Entry]) -> dict[str, Any]:
    return {"root_module": {"resources": list(resources)}}


def _resource(entry: Entry, side: str) -> dict[str, Any]:
    names = ("address", "mode", "type", "name", "provider_name")
    resource = {
        **{name: entry[name] for name in names},
        "schema_version": 0,
        "values": entry["change"][side],
        "sensitive_values": entry["change"][f"{side}_sensitive"],
    }
    if side == "before" and "deposed" in entry:
        resource["deposed_key"] = entry["deposed"]
    return resource
