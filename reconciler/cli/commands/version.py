"""`reconcile version`."""

import platform
from importlib.metadata import PackageNotFoundError, version

import click

from reconciler import __version__
from reconciler.kinds.plugins import describe_plugin, find_plugins

_PARTS = ("runapy", "docker", "pydantic", "PyYAML", "deepdiff", "GitPython", "aiohttp", "ray")


@click.command
def command() -> None:
    """Print the versions of reconcile and of what it uses, and kinds of other packages."""
    click.echo(f"reconcile {__version__}")
    click.echo(f"python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for part in _PARTS:
        try:
            click.echo(f"{part} {version(part)}")
        except PackageNotFoundError:
            click.echo(f"{part} not installed")
    for point in find_plugins():
        click.echo(f"kind {point.name} of {describe_plugin(point)}")
