"""Environment variables of an environment asset: as written -> canonical form <-> the API's.

A variable is plain text, or a mapping that names one source of its value. `{env: NAME}` takes the
value from a variable of the reconciler's own environment, only where `env_allow` permits it; such
a value is a `Secret` from then on and is shown nowhere.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StrictBool, model_validator

from reconciler.core.resource import Secret
from reconciler.kinds.api_fields import as_mapping, named_list, present, shape, written
from reconciler.kinds.base import LoadContext, Strict, field_fault
from reconciler.kinds.named_lists import ByName
from reconciler.kinds.runai_asset import Fault
from reconciler.strict_yaml import WrittenFloat

VARIABLES_SINCE: Mapping[str, tuple[int, int]] = {
    "environment_variables.*.credential": (2, 20),
    "environment_variables.*.description": (2, 20),
    "environment_variables.*.config_map": (2, 21),
    "environment_variables.*.pod_field": (2, 21),
}
SOURCES = ("value", "credential", "config_map", "pod_field", "env")


class Credential(Strict):
    """One key of a credential asset in Run:ai."""

    name: str = Field(min_length=1, description="Name or id of the credential asset.")
    key: str = Field(min_length=1, description="Key in it.", examples=["POSTGRES_PASSWORD"])


class ConfigMap(Strict):
    """One key of a config map in the cluster."""

    name: str = Field(
        pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", description="Name of the config map."
    )
    key: str = Field(min_length=1, description="Key in it.", examples=["MY_POSTGRES_SCHEMA"])


class Variable(Strict):
    """A variable with a source other than plain text, or with more to say about it."""

    value: str | None = Field(default=None, description="The value as plain text.")
    credential: Credential | None = Field(default=None, description="From a credential asset.")
    config_map: ConfigMap | None = Field(default=None, description="From a config map.")
    pod_field: str | None = Field(
        default=None, min_length=1, description="From a pod's field.", examples=["metadata.name"]
    )
    env: str | None = Field(
        default=None,
        min_length=1,
        description="From a variable of the reconciler's environment, as far as env_allow in "
        "reconciler.yaml permits it. The value is never shown.",
        examples=["RECONCILE_VAR_TOKEN"],
    )
    exclude: StrictBool = Field(
        default=False, description="Leave out a variable that a policy sets by default."
    )
    description: str | None = Field(default=None, description="What it is for.")

    @model_validator(mode="after")
    def _check_one_source(self) -> "Variable":
        given = [name for name in SOURCES if getattr(self, name) is not None]
        if len(given) > 1:
            raise field_fault(
                f"a variable has one source, but this has {' and '.join(given)}",
                "keep one of them",
            )
        if not given and not self.exclude:
            raise field_fault(
                "this variable has no value", f"give one of {', '.join(SOURCES)}, or exclude: true"
            )
        return self


_KUBERNETES = {
    "secretKeyRef": "credential: {name: ..., key: ...}, with a credential asset of Run:ai",
    "configMapKeyRef": "config_map: {name: ..., key: ...}",
    "fieldRef": "pod_field: PATH",
}
"""What Kubernetes has below `valueFrom`, as it is written here."""


def _text_to_mapping(value: Any) -> Any:
    if isinstance(value, dict) and "valueFrom" in value:
        inner = value["valueFrom"]
        known = next((_KUBERNETES[name] for name in inner or () if name in _KUBERNETES), "")
        fix = f"write {known}" if known else f"write one of {', '.join(SOURCES[1:])}"
        raise field_fault("this is how Kubernetes writes it", fix, ("valueFrom",))
    if isinstance(value, str):
        return {"value": value}
    if isinstance(value, bool):
        raise field_fault(
            f"an environment variable is text, not {str(value).lower()}",
            f'put it in quotes: "{str(value).lower()}"',
        )
    if isinstance(value, int):
        return {"value": str(value)}
    if isinstance(value, WrittenFloat):
        return {"value": value.text}
    if isinstance(value, float):
        raise field_fault(
            "an environment variable is text, and this number may not be kept as it is written",
            "put it in quotes",
        )
    if value is None:
        raise field_fault("this variable has no value", 'write "" for an empty one')
    return value


def _check_name(name: str) -> str:
    if "=" in name or "\0" in name:
        raise field_fault(f"{name!r} cannot be a variable's name", "remove the '='")
    return name


def _read_entry(entry: Mapping[str, Any]) -> tuple[str, Any]:
    name, value = entry.get("name") or "", entry.get("value") or ""
    if len(entry) == 2 and value:
        return name, value
    canonical: dict[str, Any] = {"value": value} if value else {}
    if source := entry.get("credential"):
        canonical["credential"] = present(as_mapping(source), "asset_id", "key")
    if source := entry.get("secret"):  # up to 2.19; no manifest can state it, so it has to differ
        canonical["secret"] = present(as_mapping(source), "name", "key")
    if source := entry.get("configMap"):
        canonical["config_map"] = present(as_mapping(source), "name", "key")
    if (source := entry.get("podFieldRef")) and (path := as_mapping(source).get("path")):
        canonical["pod_field"] = path
    if entry.get("exclude"):
        canonical["exclude"] = True
    if (text := entry.get("description")) and (text := text.strip()):
        canonical["description"] = text
    canonical = {key: item for key, item in canonical.items() if item != {}}
    return name, value if canonical.keys() <= {"value"} else canonical


def _write_entry(name: str, variable: Any) -> dict[str, Any]:
    if not isinstance(variable, Mapping):
        return {"name": name, "value": variable}
    entry: dict[str, Any] = {"name": name}
    if source := variable.get("credential"):
        entry["credential"] = written(source, "asset_id", "key")
    elif source := variable.get("config_map"):
        entry["configMap"] = dict(source)
    elif path := variable.get("pod_field"):
        entry["podFieldRef"] = {"path": path}
    elif "value" in variable or not variable.get("exclude"):
        entry["value"] = variable.get("value", "")
    return {**entry, **written(variable, "exclude", "description")}


def _state_entry(variable: Any) -> Any:
    """A `Secret` stands for a variable of the reconciler's environment: its text is the name."""
    if isinstance(variable, Secret):
        return {"env": variable.reveal()}
    if not isinstance(variable, Mapping):
        return variable
    stated = dict(variable)
    if isinstance(value := stated.get("value"), Secret):
        stated["env"] = value.reveal()
        del stated["value"]
    if source := stated.get("credential"):
        stated["credential"] = {"name": source.get("asset_id"), "key": source.get("key")}
    return stated


VARIABLES = named_list(
    "name",
    _read_entry,
    _write_entry,
    shape(
        *("name", "value", "exclude", "description"),
        credential=shape("asset_id", "key"),
        secret=shape("name", "key"),
        config_map=shape("name", "key"),
        pod_field_ref=shape("path"),
    ),
    _state_entry,
)
Variables = Annotated[
    dict[
        Annotated[str, Field(min_length=1), BeforeValidator(_check_name)],
        Annotated[
            Variable, BeforeValidator(_text_to_mapping, json_schema_input_type=str | int | Variable)
        ],
    ]
    | None,
    ByName("name"),
    VARIABLES,
    Field(
        description="By name. A value is text, or a mapping with credential, config_map, "
        "pod_field or env, and optionally exclude and description.",
        examples=[{"NCCL_DEBUG": "INFO", "TOKEN": {"env": "RECONCILE_VAR_TOKEN"}}],
    ),
]


def expand_variables(
    variables: Mapping[str, Variable], context: LoadContext, faults: list[Fault]
) -> dict[str, Any]:
    """The canonical mapping: text or `Secret` where only a value is there, a mapping otherwise."""
    return {
        name: _canonical(variable, name, context, faults) for name, variable in variables.items()
    }


def _canonical(
    variable: Variable, name: str, context: LoadContext, faults: list[Fault]
) -> str | Secret | dict[str, Any]:
    value: str | Secret | None = variable.value
    if variable.env is not None:
        value = _read(variable.env, ("spec", "environment_variables", name, "env"), context, faults)
    description = variable.description.strip() if variable.description else ""
    if value is not None and not variable.exclude and not description:
        return value
    canonical: dict[str, Any] = {}
    if value:
        canonical["value"] = value
    if variable.credential is not None:
        credential = variable.credential
        canonical["credential"] = {"asset_id": credential.name, "key": credential.key}
    if variable.config_map is not None:
        canonical["config_map"] = variable.config_map.model_dump()
    if variable.pod_field is not None:
        canonical["pod_field"] = variable.pod_field
    if variable.exclude:
        canonical["exclude"] = True
    if description:
        canonical["description"] = description
    return canonical


def _read(
    name: str, at: tuple[str | int, ...], context: LoadContext, faults: list[Fault]
) -> Secret:
    if not any(fnmatchcase(name, pattern) for pattern in context.env_allow):
        fix = f'permit it in reconciler.yaml: env_allow: ["{name}"]'
        if context.env_allow:
            allowed = ", ".join(context.env_allow)
            fix = f"env_allow in reconciler.yaml permits {allowed}; rename it, or add it there"
        faults.append((at, f"manifests may not read the variable {name}", fix))
        return Secret("")
    if context.variables is None:
        return Secret("")
    if name not in context.variables:
        fix = "set it where reconcile runs, or remove the reference"
        faults.append((at, f"the variable {name} is not set", fix))
        return Secret("")
    return Secret(context.variables[name])
