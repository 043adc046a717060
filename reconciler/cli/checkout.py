"""`--repo URL --ref REF`: a temporary clone in place of the directory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from reconciler.cli.place import Globals
from reconciler.cli.plan_options import PlanOptions
from reconciler.config import CONFIG_NAME
from reconciler.errors import ConfigError


@contextmanager
def checkout(options: PlanOptions) -> Iterator[Globals]:
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
        yield replace(options.place, directory=clone, config=path)
