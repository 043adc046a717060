"""Gitops mode: what a function is asked for -> a proposal on a new branch, in the guide's manner.

Needs no control plane and no credentials: the plan of the pull request tells what is there.
"""

from difflib import get_close_matches
from typing import Any

from reconciler.agent import headings, messages
from reconciler.agent.base import Base, read_base
from reconciler.agent.consent import Consent
from reconciler.agent.description import asset_lines
from reconciler.agent.differences import difference_lines
from reconciler.agent.proposal import Draft, commit_draft, draft_manifest, draft_removal
from reconciler.agent.request import ADDRESS_KIND, Asked
from reconciler.agent.settings import AgentSettings
from reconciler.config import Config
from reconciler.core.resource import Resource
from reconciler.render.model_text import NOTICE, quoted


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
        names = sorted({item.name for item in stated})
        close = get_close_matches(name, names, n=3)
        available = [*close, *(item for item in names if item not in close)]
        return messages.not_found(name, available, "in the manifests")
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
