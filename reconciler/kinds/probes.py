"""The readiness probe of an environment asset: as written -> canonical form <-> the API's."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt

from reconciler.kinds.api_fields import Codec, api_name, as_mapping, read_number, shape, written
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


_HTTP_DEFAULTS = {"path": "/", "scheme": "HTTP"}
_HTTP_FIELDS = tuple(HttpGet.model_fields)
_TIMES = tuple(name for name in Probe.model_fields if name != "handler")


def canonical_probes(probes: Probes) -> dict[str, Any]:
    """The probes with defaults (path `/`, scheme HTTP) left out."""
    if probes.readiness is None:
        return {}
    readiness = probes.readiness.model_dump(exclude_none=True)
    request = _without_defaults(readiness.pop("handler")["http_get"])
    return _canonical(readiness, request) or {}


def _without_defaults(request: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: request[name]
        for name in _HTTP_FIELDS
        if request.get(name) not in (None, "", _HTTP_DEFAULTS.get(name))
    }


def _canonical(readiness: dict[str, Any], request: dict[str, Any]) -> dict[str, Any] | None:
    if request:
        readiness["handler"] = {"http_get": request}
    return {"readiness": readiness} if readiness else None


def _read(value: Any) -> dict[str, Any] | None:
    probe = as_mapping(as_mapping(value).get("readiness") or {})
    found = {name: probe.get(api_name(name)) for name in _TIMES}
    readiness = {name: read_number(item) for name, item in found.items() if item is not None}
    request = as_mapping(as_mapping(probe.get("handler") or {}).get("httpGet") or {})
    return _canonical(readiness, _without_defaults(request))


def _write(probes: Mapping[str, Any]) -> dict[str, Any]:
    readiness = probes["readiness"]
    request = readiness.get("handler", {}).get("http_get", {})
    handler = {"httpGet": dict(request) or {"path": "/"}}
    return {"readiness": {**written(readiness, *_TIMES), "handler": handler}}


def _state(probes: Mapping[str, Any]) -> dict[str, Any]:
    return {"readiness": {"handler": {"http_get": {}}, **probes["readiness"]}}


PROBES = Codec(
    _read,
    _write,
    shape(readiness=shape(*_TIMES, handler=shape(http_get=shape(*_HTTP_FIELDS)))),
    state=_state,
)
