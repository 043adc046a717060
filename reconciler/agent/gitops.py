"""Gitops mode: what a function is asked for -> a proposal on a new branch, in the guide's manner.

Needs no control plane and no credentials: the plan of the pull request tells what is there.
"""

from collections.abc import Iterable
from typing import Any

from reconciler.agent import headings, messages
from reconciler.agent.base_commit import Base, read_base
from reconciler.agent.description import asset_lines
from reconciler.agent.proposal import Draft, commit_draft, draft_manifest, draft_removal
from reconciler.agent.request import ADDRESS_KIND, Asked, Consent
from reconciler.agent.settings import AgentSettings
from reconciler.config import Config
from reconciler.core.diff import FieldChange, diff_specs
from reconciler.core.resource import Resource, ResourceKey, Secret, redact
from reconciler.kinds.registry import KIND_TRAITS
from reconciler.render.escape import literal
from reconciler.render.model_text import NOTICE, plain, quoted


def propose_creation(
    asked: Asked, config: Config, settings: AgentSettings, consent: Consent
) -> str:
    """Propose the manifest of a specification, or show it."""
    base = read_base(config, settings)
    draft = draft_manifest(base, _with_metadata(asked, base))
    if not draft.addresses:
        stated = ("Address", draft.key.address), ("File", draft.file)
        return messages.proposal(headings.ALREADY_STATED, stated, ())
    compute = asked.compute.spec if asked.compute is not None else None
    lines = asset_lines(asked.environment.spec, compute)
    return _finish(draft, settings, consent, lines)


def _with_metadata(asked: Asked, base: Base) -> dict[str, Any]:
    """The document asked for; what the present one says beside its spec (protection) stays."""
    stated = base.find(asked.environment.key)
    if stated is None:
        return dict(asked.document)
    present = base.document_of(stated)[2]["metadata"]
    return {**asked.document, "metadata": {**present, **asked.document["metadata"]}}


def propose_deletion(name: str, config: Config, settings: AgentSettings, consent: Consent) -> str:
    """Propose that the manifest of this environment goes, or show that."""
    base = read_base(config, settings)
    stated = [item for item in base.resources if item.key.kind == ADDRESS_KIND]
    found = _matching(stated, name)
    if not found:
        return messages.not_found(name, [item.name for item in stated], "in the manifests")
    if len(found) > 1:
        return messages.ambiguous(name, [_place(item) for item in found])
    draft = draft_removal(base, found[0].key.address)
    return _finish(draft, settings, consent, asset_lines(found[0].spec, None))


def _matching(stated: list[Resource], name: str) -> list[Resource]:
    named = [item for item in stated if item.name == name]
    return named or [item for item in stated if name in (item.key.address, item.key.id)]


def _place(item: Resource) -> tuple[str, str]:
    return (
        f"{quoted(item.source)}, scope {quoted(item.spec.get('scope', ''))}",
        f"environment_name={quoted(item.key.address)}",
    )


def _finish(draft: Draft, settings: AgentSettings, consent: Consent, lines: list[str]) -> str:
    facts = [
        ("Address", draft.key.address),
        ("Asked For", f"{draft.verb} the manifest"),
        ("File", draft.file),
        ("Base", draft.base.commit[:12]),
    ]
    differing = _differing(draft)
    if not consent.given:
        heading = headings.PROPOSAL_PREVIEW if consent.dry_run else headings.CONFIRM_PROPOSAL
        text = messages.proposal(heading, facts, ())
        ask = consent.ask("To commit it to a new branch")
        return headings.block(text, lines, differing, ask, NOTICE)
    made = commit_draft(draft, settings)
    facts += [("Branch", made.branch), ("Commit", made.commit)]
    note = "It was proposed before: this is the same branch." if made.existed else ""
    text = messages.proposal(headings.PROPOSED, facts, made.open_with)
    ending = "Nothing is changed on the control plane until the branch is merged and applied."
    return headings.block(text, differing, note, ending, NOTICE)


def _differing(draft: Draft) -> list[str]:
    """What becomes of each address, and of what the manifest said that was not asked about."""
    lines = difference_lines(draft.differing, draft.base.resources, draft.resources)
    if draft.verb == "change":
        lines.append("The document is written anew: comments between its fields are not kept.")
    return ["What Differs From the Base:", *lines]


_MOST = 60
"""Fields shown of all addresses together; of the rest, the number is told."""


def difference_lines(
    keys: Iterable[ResourceKey], before: Iterable[Resource], after: Iterable[Resource]
) -> list[str]:
    """Each address with what is to happen to it, and below it the fields that differ."""
    old = {item.key: item for item in before}
    new = {item.key: item for item in after}
    lines, room = [], _MOST
    for key in keys:
        action, fields = _compare(old.get(key), new.get(key))
        lines.append(f"  • {plain(key.address)}: {action}")
        lines += [f"    - {field}" for field in fields[:room]]
        if len(fields) > room:
            lines.append(f"    - and {len(fields) - room} more fields that differ")
        room = max(0, room - len(fields))
    return lines


def _compare(old: Resource | None, new: Resource | None) -> tuple[str, list[str]]:
    if old is None:
        return "create", []
    if new is None:
        return "delete (no manifest states it any more)", []
    immutable = KIND_TRAITS[new.key.kind].immutable & new.spec.keys()
    fields = diff_specs(old.spec, new.spec, frozenset())
    forced = any(field.path[0] in immutable for field in fields)
    action = "replace (its id changes)" if forced else "change"
    return action, [*_metadata(old, new), *(_field(item) for item in _removed_first(fields))]


def _removed_first(fields: Iterable[FieldChange]) -> list[FieldChange]:
    return sorted(fields, key=lambda field: field.after is not None)


def _field(field: FieldChange) -> str:
    name = plain(field.name)
    if field.after is None:
        return f"{name}: {_value(field.before)} is removed"
    if field.before is None:
        return f"{name}: {_value(field.after)} is added"
    return f"{name}: {_value(field.before)} becomes {_value(field.after)}"


def _metadata(old: Resource, new: Resource) -> list[str]:
    """What differs beside the spec. It protects, so it comes first."""
    names = ("protect", "adopt", "moved_from")
    found = ((f"metadata.{name}", getattr(old, name), getattr(new, name)) for name in names)
    return [
        f"{name}: {_value(before)} becomes {_value(after)}"
        for name, before, after in found
        if before != after
    ]


def _value(value: Any) -> str:
    if isinstance(value, Secret):
        return "(sensitive value)"
    return quoted(literal(redact(value)))
