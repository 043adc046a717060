"""Opening a target: a clone in place of the directory, a configuration of a ref."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconciler.config import CONFIG_NAME
from reconciler.errors import ConfigError
from reconciler.workflow.plan_request import ConfigLocation, PlanRequest
from reconciler.workflow.session import Session, open_target, read_config
from reconciler.workflow.trusted_config import TrustedConfig, config_from


@contextmanager
def open_session(request: PlanRequest) -> Iterator[Session]:
    """Open the target that was asked for; its connections end with the block."""
    with open_config(request) as trusted:
        if request.offline:
            from reconciler.workflow import offline_session  # noqa: PLC0415  (rarely)

            opened = offline_session.open_offline_target(trusted, request)
        else:
            opened = open_target(trusted, request)
        with opened as session:
            yield session


@contextmanager
def open_config(request: PlanRequest) -> Iterator[TrustedConfig]:
    """The configuration that counts: of the directory or a clone, or of a ref that is trusted."""
    with (
        _checkout(request) as place,
        config_from(read_config(place), request.config_from) as trusted,
    ):
        yield trusted


@contextmanager
def _checkout(request: PlanRequest) -> Iterator[ConfigLocation]:
    """Where reconciler.yaml is looked for: the directory, or a clone that ends with the block.

    `--config` then names a file of the repository. Raises `ConfigError`.
    """
    if request.repo is None:
        if request.ref is not None:
            fix = "add --repo URL, or check the ref out and leave --ref away"
            raise ConfigError("--ref goes with --repo", fix=fix)
        yield request.place
        return
    from reconciler.git.clone import cloned  # noqa: PLC0415  (only if asked for)
    from reconciler.git.head import without_credentials  # noqa: PLC0415

    with cloned(request.repo, request.ref or "HEAD") as clone:
        name = request.place.config
        path = clone / (name or CONFIG_NAME)
        real, root = os.path.realpath(path), os.path.realpath(clone)
        inside = os.path.commonpath((real, root)) == root
        if not inside or not path.is_file():
            raise ConfigError(
                f"{request.ref or 'HEAD'} has no {name or CONFIG_NAME}",
                where=f"--repo {without_credentials(request.repo)}",
                fix="name the file, relative to the repository, with --config",
            )
        yield _Clone(clone, path, request.place.warn)


@dataclass(frozen=True, slots=True)
class _Clone:
    """A clone, as the location of a configuration."""

    directory: Path
    config: Path
    warn: Callable[[str], None]
