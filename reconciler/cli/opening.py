"""Opening a target for a command: a clone in place of the directory, a configuration of a ref."""

from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.cli.checkout import checkout
from reconciler.cli.config_from import config_from
from reconciler.cli.plan_options import PlanOptions
from reconciler.workflow.session import Session, TrustedSources, open_target, read_config


@contextmanager
def open_session(options: PlanOptions) -> Iterator[Session]:
    """Open the target that was asked for; its connections end with the block."""
    with (
        checkout(options) as place,
        config_from(read_config(place), options.config_from) as (config, overridden),
    ):
        trailers, messages = options.allow_from_commit, options.messages
        trust = TrustedSources(options.config_from or "", overridden, trailers, messages)
        with open_target(config, options, trust) as session:
            yield session
