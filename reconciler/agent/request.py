"""`env_spec` of the Run:ai guide -> a manifest document and its resources, or all that is wrong.

The fields are those of a RunaiEnvironment manifest; limits and rules are the kind's own. Only what
the guide words differently is worded here: missing fields, scopes that are not allowed, and the
words that a write needs. Pure.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from reconciler.agent.plain_data import NotPlainError, plain_data
from reconciler.core.resource import Resource, Source
from reconciler.errors import ReconcileError
from reconciler.field_errors import explain
from reconciler.kinds.base import ID_PATTERN, SCOPES, Document, FieldError, LoadContext, Metadata
from reconciler.kinds.environment import RunaiEnvironment
from reconciler.support.suggest import label

KIND = RunaiEnvironment()
ADDRESS_KIND = KIND.traits.name
SOURCE = Source("env_spec", 0)
_PLACEHOLDER = "placeholder"


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong with a specification, and what to do about it."""

    what: str
    fix: str = ""


class SpecError(ReconcileError):
    """All that is wrong with a specification."""

    def __init__(self, flaws: list[Flaw]) -> None:
        self.flaws = tuple(flaws)
        super().__init__("; ".join(flaw.what for flaw in flaws))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a valid specification asks for: its resources, and the document of a manifest."""

    name: str
    resources: tuple[Resource, ...]
    document: Mapping[str, Any]

    @property
    def environment(self) -> Resource:
        return self.resources[-1]

    @property
    def compute(self) -> Resource | None:
        """The compute asset that it implies, if any."""
        return self.resources[0] if len(self.resources) > 1 else None


def read_request(
    env_spec: object, context: LoadContext, workload_types: Sequence[str] = ()
) -> Asked:
    """Check a specification. Raises `SpecError` with everything that is wrong.

    `workload_types` count if the specification states none.
    """
    if not isinstance(env_spec, Mapping):
        raise SpecError([Flaw("env_spec has to be a mapping", _SHAPE)])
    try:
        fields: dict[str, Any] = plain_data(env_spec)
    except NotPlainError as error:
        raise SpecError([Flaw(f"{label(('env_spec', *error.path))}: {error}", _SHAPE)]) from None
    flaws: list[Flaw] = []
    name = _name(fields, flaws)
    spec = {key: value for key, value in fields.items() if key != "name"}
    spec.setdefault("scope", "cluster")
    if workload_types and _absent(spec.get("workload_types")):
        spec["workload_types"] = list(workload_types)
    stated = dict(spec)
    _check_required(spec, context, flaws)
    if context.variables is not None:  # they would be read, and the values end up on live objects
        _refuse_variables(spec, flaws)
    metadata = Metadata(name=name, id=address_id(name) if address_id(name) != name else None)
    resources = _resources(metadata, spec, context, flaws)
    if flaws:
        raise SpecError(flaws)
    head = {"name": name} if metadata.id is None else {"name": name, "id": metadata.id}
    document = {
        "apiVersion": "reconciler/v1",
        "kind": ADDRESS_KIND,
        "metadata": head,
        "spec": stated,
    }
    return Asked(name, resources, document)


def _absent(value: object) -> bool:
    """Whether nothing is stated: absent, null and an empty list or mapping mean the same.

    `False`, 0 and "" state something, which the kind refuses.
    """
    return value is None or (isinstance(value, (list, dict)) and not value)


_SHAPE = "for example {'name': 'my-env', 'scope': 'cluster', 'image': 'busybox'}"


def address_id(name: str) -> str:
    """The id that stands for a name in addresses: the name, or what is left of it and a digest."""
    if re.fullmatch(ID_PATTERN, name):
        return name
    words = "-".join(re.findall(r"[A-Za-z0-9]+", name))[:64].strip("-").lower()
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{words}-{digest}" if words else f"env-{digest}"


def _name(env_spec: Mapping[str, Any], flaws: list[Flaw]) -> str:
    name = env_spec.get("name")
    if name is None or name == "":
        flaws.append(Flaw("Missing required field: 'name'"))
    elif not isinstance(name, str):
        flaws.append(Flaw("name has to be text"))
    elif not name.strip() or name != name.strip():
        flaws.append(Flaw("name must not be blank, or start or end with blanks"))
    elif len(name) > 253:
        flaws.append(Flaw(f"name has {len(name)} characters; 253 are allowed"))
    elif not name.isprintable():
        flaws.append(Flaw("name holds characters that cannot be seen", "use plain letters"))
    else:
        return name
    return _PLACEHOLDER


def _check_required(spec: dict[str, Any], context: LoadContext, flaws: list[Flaw]) -> None:
    """Word these faults as the guide does, and fill in something valid to check the rest."""
    if spec.get("image") is None or spec.get("image") == "":
        flaws.append(Flaw("Missing required field: 'image'"))
        spec["image"] = _PLACEHOLDER
    scope, allowed = spec["scope"], context.limits.allowed_scopes
    if not isinstance(scope, str) or scope not in allowed:
        known = isinstance(scope, str) and scope in SCOPES
        where = context.limits.source("allowed_scopes", scope) if known else ""
        fix = f"choose another one, or allow it under {where}" if known else ""
        flaws.append(Flaw(f"Scope {scope!r} not in allowed list: {list(allowed)}", fix))
        spec["scope"] = allowed[0] if allowed else "tenant"
        spec.pop("scope_id", None)
        if spec["scope"] in ("department", "project"):
            spec["scope_id"] = _PLACEHOLDER
    elif scope in ("department", "project") and spec.get("scope_id") in (None, ""):
        flaws.append(
            Flaw(
                f"Missing required field: 'scope_id' (scope {scope!r} needs the name or id of the "
                f"{scope})",
                f"list them with runailabs_environment_info('show {scope}s')",
            )
        )
        spec["scope_id"] = _PLACEHOLDER


def _refuse_variables(spec: dict[str, Any], flaws: list[Flaw]) -> None:
    """A model must not read variables of the process that it runs in, whatever `env_allow` says."""
    stated = spec.get("environment_variables")
    if not isinstance(stated, Mapping):
        return
    checked = dict(stated)
    for name, value in stated.items():
        if isinstance(value, Mapping) and value.get("env") is not None:
            flaws.append(
                Flaw(
                    f"environment_variables.{name}: direct mode reads no variable for {{env: ...}}",
                    "write the value, or {credential: {name, key}} for a secret; or use mode "
                    "gitops, where a manifest may read what env_allow permits",
                )
            )
            checked[name] = _PLACEHOLDER
    spec["environment_variables"] = checked


def _resources(
    metadata: Metadata, spec: Mapping[str, Any], context: LoadContext, flaws: list[Flaw]
) -> tuple[Resource, ...]:
    try:
        model = KIND.model.model_validate(spec, context=context)
    except ValidationError as error:
        found = explain(error, spec, KIND.model)
        flaws += [Flaw(_shorter(fault.message), fault.fix) for fault in found]
        return ()
    try:
        return tuple(KIND.expand(Document(metadata, model, SOURCE), context))
    except FieldError as error:
        flaws += [Flaw(what, fix) for _, what, fix in error.faults]
        return ()


def _shorter(message: str) -> str:
    """A message as in the guide: without the path, where the words alone say it all."""
    found = re.match(r"`compute\.\w+`: (.*)", message)
    return found[1] if found and "exceeds maximum" in message else message


DRY_RUN = "dry_run=False"
CONFIRMED = "confirmed=True"


@dataclass(frozen=True, slots=True)
class Consent:
    """The words that a call lacks to write anything.

    `dry_run`: the call is a preview on purpose, and not a real run that lacks something.
    """

    missing: tuple[str, ...]
    dry_run: bool

    @property
    def given(self) -> bool:
        return not self.missing

    def ask(self, purpose: str) -> str:
        """How to get from what was shown to a real run."""
        both = " and ".join(f"`{word}`" for word in self.missing)
        return f"Nothing was changed. {purpose}, call this function again with {both}."


def consent_to_create(dry_run: object, confirmed: object, *, dry_run_default: bool) -> Consent:
    """What `dry_run` and `confirmed` amount to. Raises `SpecError` unless they are booleans.

    A model may send "false" or 1, which Python takes for true.
    """
    _require_booleans(dry_run=dry_run, confirmed=confirmed)
    missing = [] if dry_run is False else [DRY_RUN]
    missing += [] if confirmed is True else [CONFIRMED]
    return Consent(tuple(missing), dry_run is True or (dry_run is None and dry_run_default))


def consent_to_delete(confirmed: object) -> Consent:
    """What `confirmed` amounts to. Raises `SpecError` if it is no boolean."""
    _require_booleans(confirmed=confirmed)
    return Consent(() if confirmed is True else (CONFIRMED,), dry_run=False)


def _require_booleans(**given: object) -> None:
    flaws = []
    for name, value in given.items():
        if isinstance(value, bool) or (name == "dry_run" and value is None):
            continue
        allowed = "True, False or None" if name == "dry_run" else "True or False"
        flaws.append(Flaw(f"{name} has to be {allowed}, not {type(value).__name__}"))
    if flaws:
        raise SpecError(flaws)
