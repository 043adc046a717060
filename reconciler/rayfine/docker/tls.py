"""TLS towards a Docker engine: what the Docker SDK takes, in a form that can be passed on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.errors import ConfigError

_FIELDS = ("ca_cert", "client_cert", "verify")


@dataclass(frozen=True, slots=True)
class DockerTls:
    """Paths of PEM files. Without `ca_cert` the system's authorities count."""

    ca_cert: str = ""
    client_cert: tuple[str, str] | None = None
    verify: bool = True

    def for_sdk(self) -> Any:
        """The SDK's own object."""
        from docker.tls import TLSConfig  # noqa: PLC0415  (heavy SDK)

        return TLSConfig(
            client_cert=self.client_cert, ca_cert=self.ca_cert or None, verify=self.verify
        )


def read_tls(given: Any) -> DockerTls | None:
    """What the SDK takes as `tls`: its `TLSConfig`, the arguments of one, True, or nothing."""
    if not given:
        return None
    if given is True:
        return DockerTls()
    stated: dict[str, Any]
    if not isinstance(given, Mapping):
        stated = {
            "client_cert": getattr(given, "cert", None),
            "ca_cert": getattr(given, "ca_cert", None),
            "verify": getattr(given, "verify", True),
        }
    else:
        stated = dict(given)
    unknown = sorted(set(stated) - set(_FIELDS))
    pair = stated.get("client_cert") or None
    if unknown or (pair is not None and len(pair) != 2):
        raise ConfigError(
            f"not the TLS settings of an engine: {', '.join(unknown) or 'client_cert'}",
            where="tls",
            fix="give {'ca_cert': FILE, 'client_cert': (CERT_FILE, KEY_FILE), 'verify': True}",
        )
    return DockerTls(
        ca_cert=_absolute(stated["ca_cert"]) if stated.get("ca_cert") else "",
        client_cert=None if pair is None else (_absolute(pair[0]), _absolute(pair[1])),
        verify=stated.get("verify") is not False,
    )


def _absolute(path: str) -> str:
    return str(Path(path).absolute())
