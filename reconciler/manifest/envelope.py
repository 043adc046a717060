"""What is around every manifest: its four fields, and the address that they give it."""

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

from reconciler.core.resource import KindTraits, ResourceKey
from reconciler.field_errors import Fault, field_names, missing_field, without_misspelt
from reconciler.kinds.base import ID_PATTERN, Kind, Metadata
from reconciler.manifest.report import MAX_PROBLEMS_PER_FILE
from reconciler.support.suggest import did_you_mean, nearest, shorten

API_VERSION = "reconciler/v1"
_ENVELOPE = ("apiVersion", "kind", "metadata", "spec")
_ENVELOPE_KEYS = dict.fromkeys(_ENVELOPE).keys()
_VALID_ID = re.compile(ID_PATTERN)
_LOOKED_AT = 100
"""Names at the top of a document that are looked at to tell whether it is a manifest at all."""


def check_envelope(data: Any, kinds: Mapping[str, Kind]) -> list[Fault]:
    """What is wrong with the four fields around every manifest."""
    if not isinstance(data, dict):
        fix = f"a manifest is a mapping of {', '.join(_ENVELOPE)}"
        return [Fault((), "this document is no manifest", fix)]
    if data.keys() == _ENVELOPE_KEYS and data["apiVersion"] == API_VERSION:
        return _check_kind(data["kind"], kinds)
    fields = {name for kind in kinds.values() for name in field_names(kind.model)}
    if foreign := _foreign(data, kinds, fields):
        return [foreign]
    absent = [name for name in _ENVELOPE if name not in data]
    faults = [missing_field((name,), _envelope_fix(name, kinds)) for name in absent]
    if "apiVersion" in data and data["apiVersion"] != API_VERSION:
        fix = f"write `apiVersion: {API_VERSION}`"
        faults.append(
            Fault(("apiVersion",), "this apiVersion is not known", fix, rule="unknown-value")
        )
    if "kind" in data:
        faults += _check_kind(data["kind"], kinds)
    unknown = [name for name in data if name not in _ENVELOPE_KEYS]
    for name in unknown[:MAX_PROBLEMS_PER_FILE]:
        meant = None if name in fields else nearest(name, absent)
        fix = f"did you mean `{meant}`?" if meant else "put the fields of the object under `spec:`"
        faults.append(
            Fault(
                (name,), f"unknown field `{shorten(name)}`", fix, at_key=True, rule="unknown-field"
            )
        )
    return without_misspelt(faults)


def _foreign(data: Mapping[str, Any], kinds: Mapping[str, Kind], fields: set[str]) -> Fault | None:
    """A document of another tool: one fault, and not one for each of its fields."""
    version, kind = data.get("apiVersion"), data.get("kind")
    meant = (name for name in islice(data, _LOOKED_AT) if nearest(name, _ENVELOPE))
    if not data.keys() & (_ENVELOPE_KEYS | fields) and len(list(islice(meant, 2))) < 2:
        fix = f"a manifest is a mapping of {', '.join(_ENVELOPE)}; move other files elsewhere"
        return Fault((), "this document is no manifest", fix)
    if version == API_VERSION or not isinstance(version, str) or not isinstance(kind, str):
        return None
    if kind in kinds or nearest(kind, kinds):
        return None
    if kind.endswith("List") and isinstance(data.get("items"), list):
        fix = "write each of its items as a document of its own, with `---` between them"
        return Fault(("kind",), f"a {shorten(kind)} is no manifest", fix, rule="unknown-value")
    fix = f"move it elsewhere: here are only {', '.join(kinds)} of {API_VERSION}"
    what = f"a {shorten(kind)} of {shorten(version)} is no manifest"
    return Fault(("kind",), what, fix, rule="unknown-value")


def _envelope_fix(name: str, kinds: Mapping[str, Kind]) -> str:
    if name == "apiVersion":
        return f"add `apiVersion: {API_VERSION}`"
    if name == "kind":
        return f"add `kind: ...`, one of {', '.join(kinds)}"
    return "add `metadata: {name: ...}`" if name == "metadata" else "add `spec:`"


def _check_kind(kind: Any, kinds: Mapping[str, Kind]) -> list[Fault]:
    if not isinstance(kind, str):
        return [Fault(("kind",), "`kind` must be text", f"it may be: {', '.join(kinds)}")]
    if kind not in kinds:
        fix = did_you_mean(kind, list(kinds), "it may be")
        return [Fault(("kind",), f"unknown kind `{shorten(kind)}`", fix, rule="unknown-value")]
    return []


def check_id(metadata: Metadata) -> list[Fault]:
    """What is wrong with the id that the metadata gives."""
    if metadata.id is None and not _VALID_ID.fullmatch(metadata.name):
        words = re.findall(r"[A-Za-z0-9]+", metadata.name)
        suggestion = "-".join(words)[:64].lower().strip("-") or "..."
        fix = f"add `id: {suggestion}` to the metadata; the name stays as it is"
        return [Fault(("metadata", "name"), "this name cannot be an address in the stack", fix)]
    return []


def check_ensure(metadata: Metadata, traits: KindTraits) -> list[Fault]:
    """What is wrong with `ensure`: where a mark says whose an object is, nobody has to."""
    if metadata.ensure == "present" or not traits.marked:
        return []
    what = f"a {traits.name} is deleted by removing its manifest"
    return [Fault(("metadata", "ensure"), what, "remove the manifest, or `ensure: absent`")]


def protect_by_kind(metadata: Metadata, traits: KindTraits) -> Metadata:
    """The metadata, protecting what destroys more than itself, unless it says otherwise."""
    if not traits.destroys or "protect" in metadata.model_fields_set:
        return metadata
    return metadata.model_copy(update={"protect": True})


def key_of(data: Any) -> ResourceKey | None:
    """What a document states, as far as it can be told."""
    metadata = data.get("metadata") if isinstance(data, dict) else None
    if not isinstance(metadata, dict):
        return None
    name = metadata.get("id") or metadata.get("name")
    return ResourceKey(str(data.get("kind")), str(name)) if name else None
