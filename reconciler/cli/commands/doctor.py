"""`reconcile doctor`."""

import os
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import TypeVar

import click

from reconciler import __version__
from reconciler.cli.options import target_option
from reconciler.cli.place import ExitCode, Globals
from reconciler.config import Config, Target, resolve_target
from reconciler.core.resource import Resource
from reconciler.errors import ReconcileError
from reconciler.kinds.plugins import describe_plugin, find_plugins
from reconciler.providers.systems import Check, check_systems
from reconciler.support.printable import printable
from reconciler.workflow.session import read_config
from reconciler.workflow.target_manifests import read_manifests, read_stated

Found = TypeVar("Found")


@click.command(epilog="Examples:\n\n\b\n  reconcile doctor\n  reconcile doctor --target production")
@target_option
@click.pass_context
def command(ctx: click.Context, /, target: str | None) -> ExitCode:
    """Say what is reachable, which versions answer, and what is missing. Changes nothing.

    Checks the configuration, the manifests, the Run:ai control plane and the Docker engine of a
    target, and says what to do about each failure. For the control plane it names the proxy, the
    login that worked and the version, and tries every right to read that a plan needs. Exit code 1
    if anything fails that these manifests need.
    """
    report = _Report(ctx.obj)
    report.good("reconcile", f"{__version__}, runapy {version('runapy')}")
    for point in find_plugins():
        report.good("kind", f"{point.name} of {describe_plugin(point)}")
    config = report.check("configuration", lambda: read_config(ctx.obj), lambda c: c.path.name)
    if config is None:
        return ExitCode.ERROR
    chosen = report.check("target", lambda: resolve_target(config, target, os.environ), _describe)
    stated = report.check("manifests", lambda: _manifests(config, chosen), _count)
    if chosen is not None:
        _systems(report, chosen, config, stated or ())
    return ExitCode.ERROR if report.failed else ExitCode.OK


def _systems(
    report: "_Report", target: Target, config: Config, resources: Sequence[Resource]
) -> None:
    for check in check_systems(target, config.root, resources):
        if check.optional:
            report.attempt(check)
        else:
            report.check(check.name, check.run, "; ".join)
    if target.runai is None:
        report.note("Run:ai", f"target {target.name} has no `runai`: nothing to reach")
    if target.docker is None:
        report.note("Docker engine", f"target {target.name} has no `docker`: nothing to reach")


def _manifests(config: Config, target: Target | None) -> Sequence[Resource]:
    return read_manifests(config, target) if target else read_stated(config, None)


def _describe(target: Target) -> str:
    return f"{target.name}, stack {target.stack}"


def _count(resources: Sequence[object]) -> str:
    return f"{len(resources)} resources"


class _Report:
    """Prints one line per check and remembers whether any failed."""

    def __init__(self, place: Globals) -> None:
        self._style = place.style
        self.failed = False

    def good(self, name: str, words: str) -> None:
        click.echo(f"{self._style.paint('ok', 'green')}    {name}: {printable(words)}")

    def note(self, name: str, words: str) -> None:
        click.echo(f"-     {name}: {printable(words)}")

    def check(
        self, name: str, action: Callable[[], Found], words: Callable[[Found], str]
    ) -> Found | None:
        """Run one check; say how it went; None if it failed."""
        try:
            found = action()
        except ReconcileError as error:
            self.failed = True
            click.echo(f"{self._style.paint('FAIL', 'red')}  {name}:")
            for line in str(error).splitlines():
                click.echo(f"        {printable(line)}")
            return None
        self.good(name, words(found))
        return found

    def attempt(self, check: Check) -> None:
        """Run a check whose failure matters to no manifest; say how it went."""
        try:
            self.good(check.name, "; ".join(check.run()))
        except ReconcileError as error:
            self.note(check.name, f"no, which only {check.optional} needs: {error.what}")
