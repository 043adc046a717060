"""The readiness probe of an environment asset: what a person writes -> canonical form."""

from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt

from reconciler.kinds.base import Strict

Positive = Annotated[StrictInt, Field(ge=1)]


class HttpGet(Strict):
    """Ask an HTTP server in the container."""

    path: str | None = Field(
        default=None, pattern=r"^(/[a-zA-Z0-9\-_./]*)?$", description="Path; / by default."
    )
    port: Annotated[StrictInt, Field(ge=1, le=65535)] | None = Field(
        default=None, description="Port in the container.", examples=[8888]
    )
    host: str | None = Field(default=None, min_length=1, description="Host; the pod by default.")
    scheme: Literal["HTTP", "HTTPS"] | None = Field(default=None, description="HTTP by default.")


class Handler(Strict):
    """How to find out."""

    http_get: HttpGet = Field(description="By an HTTP request.")


class Probe(Strict):
    """When the container is ready to accept traffic."""

    handler: Handler = Field(description="How to find out.")
    initial_delay_seconds: Annotated[StrictInt, Field(ge=0)] | None = Field(
        default=None, description="Wait this long after the start."
    )
    period_seconds: Positive | None = Field(default=None, description="Time between probes.")
    timeout_seconds: Positive | None = Field(default=None, description="Time for an answer.")
    success_threshold: Positive | None = Field(
        default=None, description="Successes in a row that mean ready."
    )
    failure_threshold: Positive | None = Field(
        default=None, description="Failures in a row before giving up."
    )


class Probes(Strict):
    """Checks of the container's health."""

    readiness: Probe | None = Field(default=None, description="Whether it accepts traffic.")


def canonical_probes(probes: Probes) -> dict[str, Any]:
    """The probes with defaults (path `/`, scheme HTTP) left out."""
    if probes.readiness is None:
        return {}
    readiness = probes.readiness.model_dump(exclude_none=True)
    request = readiness["handler"]["http_get"]
    if request.get("path") in ("", "/"):
        del request["path"]
    if request.get("scheme") == "HTTP":
        del request["scheme"]
    if not request:
        del readiness["handler"]
    return {"readiness": readiness} if readiness else {}
