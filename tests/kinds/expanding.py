"""Short ways to take a spec through a kind, as the loader does."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reconciler.core.resource import Resource, Source
from reconciler.field_errors import explain
from reconciler.kinds.base import Document, FieldError, Kind, Limits, LoadContext, Metadata
from reconciler.kinds.compute import RunaiCompute
from reconciler.kinds.environment import RunaiEnvironment
from reconciler.support.suggest import label

CONTEXT = LoadContext(Path(), "ml-platform", env_allow=("RECONCILE_VAR_*",), variables={})
SOURCE = Source("manifests/a.yaml", 1)


def expand(
    kind: Kind, spec: dict[str, Any], context: LoadContext = CONTEXT, **metadata: Any
) -> list[Resource]:
    """The resources that a document with this spec states."""
    meta = Metadata.model_validate({"name": "train", **metadata})
    model = kind.model.model_validate(spec, context=context)
    return list(kind.expand(Document(meta, model, SOURCE), context))


def environment(context: LoadContext = CONTEXT, /, **spec: Any) -> dict[str, Any]:
    """The canonical spec of an environment; scope and image are added where they are not given."""
    spec = {"scope": "tenant", "image": "busybox:1", **spec}
    return dict(expand(RunaiEnvironment(), spec, context)[-1].spec)


def compute(context: LoadContext = CONTEXT, /, **spec: Any) -> dict[str, Any]:
    """The canonical spec of a compute asset."""
    return dict(expand(RunaiCompute(), {"scope": "tenant", **spec}, context)[0].spec)


def faults(
    kind: Kind, spec: dict[str, Any], context: LoadContext = CONTEXT, **metadata: Any
) -> dict[str, str]:
    """What is wrong with a spec: by path, the words and the fix on one line."""
    try:
        expand(kind, spec, context, **metadata)
    except ValidationError as error:
        found = explain(error, spec, kind.model, ("spec",))
        return {label(fault.path): f"{fault.message} | {fault.fix}" for fault in found}
    except FieldError as error:
        return {label(path): f"{what} | {fix}" for path, what, fix in error.faults}
    return {}


def environment_faults(context: LoadContext = CONTEXT, /, **spec: Any) -> dict[str, str]:
    spec = {"scope": "tenant", "image": "busybox:1", **spec}
    return faults(RunaiEnvironment(), spec, context)


def compute_faults(context: LoadContext = CONTEXT, /, **spec: Any) -> dict[str, str]:
    return faults(RunaiCompute(), {"scope": "tenant", **spec}, context)


def limited(**limits: Any) -> LoadContext:
    return LoadContext(Path(), "ml-platform", limits=Limits(**limits), variables={})
