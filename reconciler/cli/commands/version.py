"""`reconcile version`."""

import platform
from importlib.metadata import PackageNotFoundError, version

import click

from reconciler import __version__

_PARTS = ("runapy", "docker", "pydantic", "PyYAML", "deepdiff", "GitPython", "aiohttp", "ray")


@click.command
def command() -> None:
    """Print the versions of reconcile and of what it uses."""
    click.echo(f"reconcile {__version__}")
    click.echo(f"python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for part in _PARTS:
        try:
            click.echo(f"{part} {version(part)}")
        except PackageNotFoundError:
            click.echo(f"{part} not installed")
