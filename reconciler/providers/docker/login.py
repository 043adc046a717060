"""Logins for registries, from Docker's own configuration and its credential helpers."""

from dataclasses import dataclass, field

from reconciler.errors import AccessError
from reconciler.rayfine.image.reference import DOCKER_HUB

_HUB_KEY = "https://index.docker.io/v1/"


@dataclass(frozen=True, slots=True)
class Login:
    """A user and password, or an identity token in place of both."""

    user: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


def find_login(host: str) -> Login | None:
    """The login for a registry, None if there is none. Raises `AccessError` for a broken helper.

    Reads `config.json` in `$DOCKER_CONFIG` or `~/.docker`, as the Docker CLI does.
    """
    from docker.auth import load_config  # noqa: PLC0415
    from docker.errors import DockerException  # noqa: PLC0415

    key = _HUB_KEY if host == DOCKER_HUB else host
    try:
        found = load_config().resolve_authconfig(key)
    except DockerException as error:
        raise AccessError(
            f"Docker's configuration gives no login: {error}",
            where=host,
            fix=f"run `docker login {host}` again, or correct its credential helper",
        ) from error
    if not found:
        return None
    token = found.get("IdentityToken") or ""
    user = found.get("username") or found.get("Username") or ""
    password = found.get("password") or found.get("Password") or ""
    return Login(user, password, token) if token or user else None
