"""Opening a target: a clone in place of the directory, a configuration of a ref."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconciler.config import CONFIG_NAME
from reconciler.errors import ConfigError
from reconciler.workflow.plan_request import ConfigLocation, PlanRequest
from reconciler.workflow.session import Session, TrustedSources, open_target, read_config
from reconciler.workflow.trusted_config import config_from


@contextmanager
def open_session(options: PlanRequest) -> Iterator[Session]:
    """Open the target that was asked for; its connections end with the block."""
    with (
        checkout(options) as place,
        config_from(read_config(place), options.config_from) as (config, overridden),
    ):
        trailers, messages = options.allow_from_commit, options.messages
        trust = TrustedSources(options.config_from or "", overridden, trailers, messages)
        with open_target(config, options, trust) as session:
            yield session


@contextmanager
def checkout(options: PlanRequest) -> Iterator[ConfigLocation]:
    """Where reconciler.yaml is looked for: the directory, or a clone that ends with the block.

    `--config` then names a file of the repository. Raises `ConfigError`.
    """
    if options.repo is None:
        if options.ref is not None:
            fix = "add --repo URL, or check the ref out and leave --ref away"
            raise ConfigError("--ref goes with --repo", fix=fix)
        yield options.place
        return
    from reconciler.git.clone import cloned  # noqa: PLC0415  (only if asked for)
    from reconciler.git.head import without_credentials  # noqa: PLC0415

    with cloned(options.repo, options.ref or "HEAD") as clone:
        name = options.place.config
        path = clone / (name or CONFIG_NAME)
        real, root = os.path.realpath(path), os.path.realpath(clone)
        inside = os.path.commonpath((real, root)) == root
        if not inside or not path.is_file():
            raise ConfigError(
                f"{options.ref or 'HEAD'} has no {name or CONFIG_NAME}",
                where=f"--repo {without_credentials(options.repo)}",
                fix="name the file, relative to the repository, with --config",
            )
        yield _Clone(clone, path, options.place.warn)


@dataclass(frozen=True, slots=True)
class _Clone:
    """A clone, as the location of a configuration."""

    directory: Path
    config: Path
    warn: Callable[[str], None]
