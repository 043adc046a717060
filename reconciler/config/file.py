"""The authoring models of `reconciler.yaml`: what may be written there, field by field."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    SecretStr,
    StrictBool,
    model_validator,
)

from reconciler.config.text_source import KeyText, Source
from reconciler.kinds.base import SCOPES, Scope, Strict, field_fault
from reconciler.kinds.registry import RunaiKindName
from reconciler.support.hosts import has_login, is_host, is_loopback


def _check_url(value: str | Source) -> str | Source:
    if isinstance(value, Source):
        return value
    value = value.strip()
    if "://" not in value:
        raise field_fault("it is not a URL: it does not begin with https://", _URL_FORM)
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise field_fault("it is not a URL", _URL_FORM) from None
    named = parts.scheme in ("http", "https") and is_host(parts.hostname or "")
    if not named or re.search(r"\s", value):
        raise field_fault("it is not a URL", _URL_FORM)
    if parts.username or parts.password:
        fix = "use client_id and client_secret"
        raise field_fault("a user or password in it is not accepted", fix)
    if parts.query or parts.fragment:
        raise field_fault("it must not have a `?` or `#` part", "delete that part")
    return value


def _check_proxy(value: str | Source) -> str | Source:
    if not isinstance(value, Source) and not re.match(r"https?://[^/\s]", value):
        raise field_fault("it is not the URL of a proxy", "write http://HOST:PORT")
    return value


def _check_host(value: str | Source) -> str | Source:
    if isinstance(value, Source):
        return value
    fix = "write unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST; without it, the context"
    schemes = ("unix://", "tcp://", "ssh://", "http://", "https://", "npipe://")
    if not value.startswith(schemes):
        raise field_fault("it is not the address of a Docker engine", fix)
    if has_login(value):
        raise field_fault("a user or password in it is not accepted", fix)
    return value


def _check_literal(value: Any) -> Any:
    """Refuse text for a shell or for GitHub to fill in: it would be sent as it stands.

    Only text that cannot be anything else: a secret may begin with `$`, and no message may repeat
    one.
    """
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str):
        return value
    if found := _VARIABLE.fullmatch(text.strip()):
        fix = f"did you mean {{env: {found[1] or found[2]}}}?"
        raise field_fault("variables of a shell are not filled in here", fix)
    if _EXPRESSION.fullmatch(text.strip()):
        fix = "write {env: NAME}, and set the variable of that name under `env:` of the step"
        raise field_fault("expressions of a workflow are not filled in here", fix)
    return value


def _check_directory(value: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or "\0" in value:
        raise field_fault("it must lie in the directory of reconciler.yaml", "write a path in it")
    if not path.parts:
        raise field_fault(
            "it is the directory of reconciler.yaml itself", "give the manifests one of their own"
        )
    return value


def _check_pattern(value: str) -> str:
    if not re.search(r"[A-Za-z0-9]", re.sub(r"\[[^]]*\]", "", value)):
        raise field_fault("it would match any variable", 'write a prefix: "RECONCILE_VAR_*"')
    return value


_VARIABLE = re.compile(r"\$(?:([A-Z_][A-Z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_EXPRESSION = re.compile(r"\$\{\{.*\}\}")
_URL_FORM = "write https://HOST"
Written = Annotated[str, Field(min_length=1)]
Text = Annotated[Written | Source, AfterValidator(_check_literal)]
SecretText = Annotated[
    Annotated[SecretStr, Field(min_length=1)] | Source, AfterValidator(_check_literal)
]
Url = Annotated[Text, AfterValidator(_check_url)]
SECRETS = ("client_secret", "token", "mark_key")
"""The fields of a control plane that hold a secret."""
TARGET_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
Stack = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$", examples=["ml-platform"])]


class Section(Strict):
    """A part of a target: its texts may come from variables and files."""

    def written(self) -> dict[str, Any]:
        """The fields that were stated, as they are."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class RunaiSection(Section):
    """A Run:ai control plane: the sandbox, or a URL with credentials."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["sandbox"]}, {"required": ["base_url"]}],
            "dependentRequired": {"seed": ["sandbox"]},
        }
    )

    sandbox: Text | None = Field(
        default=None,
        description="The embedded control plane, kept in this file and started on demand.",
        examples=[".reconcile/sandbox.db"],
    )
    seed: Text | None = Field(
        default=None,
        description="Clusters, projects and credentials that a new sandbox file starts with.",
        examples=["sandbox-seed.yaml"],
    )
    base_url: Url | None = Field(
        default=None,
        description="URL of the control plane.",
        examples=["https://example.run.ai", {"env": "RUNAI_BASE_URL"}],
    )
    client_id: Text | None = Field(
        default=None,
        description="Of the service account (application).",
        examples=[{"env": "RUNAI_CLIENT_ID"}],
    )
    client_secret: SecretText | None = Field(
        default=None,
        description="Of the service account.",
        examples=[{"env": "RUNAI_CLIENT_SECRET"}],
    )
    token: SecretText | None = Field(
        default=None,
        description="A bearer token, instead of client_id and client_secret.",
        examples=[{"env": "RUNAI_TOKEN"}],
    )
    mark_key: Annotated[SecretStr, Field(min_length=16)] | Source | None = Field(
        default=None,
        description="Key that makes ownership marks unforgeable, the same for everybody who "
        "applies: 16 characters or more.",
        examples=[{"env": "RECONCILE_MARK_KEY"}],
    )
    allow_http: StrictBool = Field(
        default=False, description="Permit http:// to another host: credentials go unencrypted."
    )
    server_defaults: Mapping[RunaiKindName, Mapping[str, Any]] = Field(
        default_factory=dict,
        description="By kind and field, values that this server fills in: they count as absent.",
        examples=[{"RunaiEnvironment": {"image_pull_policy": "IfNotPresent"}}],
    )

    @model_validator(mode="after")
    def _check_endpoint(self) -> "RunaiSection":
        credentials = ("base_url", "client_id", "client_secret", "token")
        stated = [name for name in credentials if getattr(self, name) is not None]
        if self.sandbox is not None:
            if stated:
                fix = "keep `sandbox`, or the others"
                raise field_fault(
                    f"sandbox does not go with {', '.join(stated)}", fix, ("sandbox",)
                )
            return self
        if self.seed is not None:
            raise field_fault("seed is for a sandbox", "delete it, or add `sandbox`", ("seed",))
        if self.base_url is None:
            fix = "add `base_url: https://HOST`, or `sandbox: .reconcile/sandbox.db`"
            raise field_fault("it needs a base_url or a sandbox", fix)
        pair = [name for name in ("client_id", "client_secret") if name in stated]
        if self.token is not None and pair:
            raise field_fault(
                f"token does not go with {' and '.join(pair)}", "keep one", ("token",)
            )
        if self.token is None and len(pair) < 2:
            fix = "add client_id and client_secret, for example as {env: RUNAI_CLIENT_ID}, or token"
            raise field_fault("it needs client_id and client_secret, or a token", fix)
        self._check_encrypted()
        return self

    def _check_encrypted(self) -> None:
        if isinstance(self.base_url, Source) or self.base_url is None or self.allow_http:
            return
        parts = urlsplit(self.base_url)
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise field_fault(
                "http:// would send credentials unencrypted",
                "write https://, or add `allow_http: true` beside it if that is really meant",
                ("base_url",),
            )


class DockerSection(Section):
    """A Docker engine; `{}` is the ordinary Docker context."""

    host: Annotated[Text, AfterValidator(_check_host)] | None = Field(
        default=None,
        description="Address of the engine.",
        examples=["unix:///var/run/docker.sock", {"env": "DOCKER_HOST"}],
    )
    base_image: Text | None = Field(
        default=None,
        description="Base of images whose manifest states none, instead of rayproject/ray:latest.",
        examples=["rayproject/ray:2.49.0-py311"],
    )


class TargetSection(Section):
    """A named pair of endpoints. Without `docker` it has no engine."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["runai"]}, {"required": ["docker"]}]}
    )

    runai: RunaiSection | None = Field(default=None, description="The Run:ai control plane.")
    docker: DockerSection | None = Field(
        default=None, description="The Docker engine; {} is the ordinary Docker context."
    )
    stack: Stack | None = Field(
        default=None,
        description="A stack of its own for this target.",
        examples=["ml-platform-staging"],
    )
    fingerprint_key: KeyText | None = Field(
        default=None,
        description="Key that lets plans see that a write-only value, such as a password, changed; "
        "the same for everybody who applies: 16 characters or more.",
        examples=[{"env": "RECONCILE_FINGERPRINT_KEY"}],
    )
    ca_bundle: Text | None = Field(
        default=None,
        description="PEM file of certificate authorities, relative to this file.",
        examples=["certificates/company-ca.pem"],
    )
    proxy: Annotated[Text, AfterValidator(_check_proxy)] | None = Field(
        default=None,
        description="Proxy for the control plane and registries, before HTTPS_PROXY and the like.",
        examples=["http://proxy.example.com:3128"],
    )
    timeout: Annotated[float, Field(strict=True, gt=0, le=3600)] = Field(
        default=30.0,
        description="Seconds to wait for each piece of an answer; ten times that for all of it.",
        examples=[30],
    )

    @model_validator(mode="before")
    @classmethod
    def _check_not_empty(cls, data: Any) -> Any:
        if isinstance(data, dict):
            if "docker" in data and data["docker"] is None:
                fix = "write `docker: {}` for the ordinary Docker context, or delete the line"
                raise field_fault("docker is empty", fix, ("docker",))
            if not {"runai", "docker"} & data.keys():
                fix = "add `runai:`, `docker:` or both"
                raise field_fault("this target has no system", fix)
        return data


class LimitsSection(Strict):
    """What manifests may ask for at most."""

    max_cpu_cores: Annotated[float, Field(strict=True, gt=0)] = Field(
        default=32, description="CPU cores."
    )
    max_memory_gb: Annotated[float, Field(strict=True, gt=0)] = Field(
        default=256, description="CPU memory in GiB (2^30 bytes)."
    )
    max_gpus: Annotated[int, Field(strict=True, ge=0)] = Field(default=8, description="GPUs.")
    allowed_scopes: tuple[Scope, ...] = Field(
        default=SCOPES,
        min_length=1,
        description="Scopes that manifests may use.",
    )


class GuardsSection(Strict):
    """How much one apply may destroy."""

    max_deletes: Annotated[int, Field(strict=True, ge=0)] = Field(
        default=10, description="More destroyed objects than this are refused."
    )
    max_delete_percent: Annotated[float, Field(strict=True, ge=0, le=100)] = Field(
        default=30, description="So are more than this part of the owned objects ..."
    )
    free_deletes: Annotated[int, Field(strict=True, ge=0)] = Field(
        default=2, description="... as long as they are more than this many."
    )


class ConfigFile(Strict):
    """reconciler.yaml: where the manifests are, and which systems they are applied to."""

    apiVersion: Literal["reconciler/v1"] = Field(  # noqa: N815  (as in the manifests)
        description="Always reconciler/v1."
    )
    stack: Stack = Field(
        description="Ownership namespace of this repository, written on every object it owns."
    )
    manifests: Annotated[Written, AfterValidator(_check_directory)] = Field(
        default="manifests", description="Directory of the manifests, relative to this file."
    )
    overlays: Annotated[Written, AfterValidator(_check_directory)] = Field(
        default="overlays",
        description="Directory of the overlays, one directory per target, relative to this file.",
    )
    default_target: str | None = Field(
        default=None, description="Target without --target.", examples=["sandbox"]
    )
    targets: Annotated[
        dict[Annotated[str, Field(pattern=TARGET_NAME)], TargetSection],
        Field(min_length=1),
    ] = Field(description="Named pairs of a Run:ai control plane and a Docker engine.")
    limits: LimitsSection = Field(
        default_factory=LimitsSection, description="What manifests may ask for at most."
    )
    guards: GuardsSection = Field(
        default_factory=GuardsSection, description="How much one apply may destroy."
    )
    env_allow: tuple[Annotated[Written, AfterValidator(_check_pattern)], ...] = Field(
        default=(),
        description="Patterns of the only environment variables that manifests may read.",
        examples=[["RECONCILE_VAR_*"]],
    )
