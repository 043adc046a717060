"""`reconcile inputs`."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import click

from reconciler.cli.formats import Output
from reconciler.cli.options import output_option, target_option
from reconciler.cli.place import ExitCode, Globals
from reconciler.config import Config, offline_target, parse_config
from reconciler.errors import ConfigError
from reconciler.git.process import find_top
from reconciler.git.repository import Repository, open_repository
from reconciler.support.printable import printable
from reconciler.workflow.session import read_config
from reconciler.workflow.target_manifests import inputs_of, read_stated


@dataclass(frozen=True, slots=True)
class _Range:
    """What lies between a ref and HEAD: the files that changed, and whether the target is new."""

    ref: str
    changed: tuple[str, ...]
    is_new: bool


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile inputs --target production\n"
    "  reconcile inputs --since origin/main    # nothing printed: this branch changes no plan\n"
    "  reconcile inputs --since origin/main -o json --detailed-exitcode"
)
@target_option
@click.option(
    "--since",
    metavar="REF",
    help="Only the files that were committed differently since this branch left REF.",
)
@output_option(
    "text: one path a line; json. To standard output or to PATH, repeatable.", ("text", "json")
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when --since finds any file.")
@click.pass_obj
def command(
    place: Globals,
    target: str | None,
    since: str | None,
    outputs: tuple[Output, ...],
    detailed_exitcode: bool,
) -> ExitCode:
    """List the files that a plan is made of: no network, no credentials.

    Paths are relative to the top of the repository: reconciler.yaml, manifests, the target's
    overlays, the contexts of images and their lock. With --since a pipeline learns whether there is
    anything to plan.
    """
    config = read_config(place)
    if find_top(config.root) is None:
        raise ConfigError("this is no Git repository", where=str(config.root), fix="use a clone")
    name = offline_target(config, target).name
    inputs = inputs_of(config, name, read_stated(config, name))
    between = _look(config, name, since, inputs) if since is not None else None
    for output in outputs:
        output.put((_json if output.format == "json" else _text)(inputs, between))
    found = between is not None and bool(between.changed)
    return ExitCode.CHANGES if detailed_exitcode and found else ExitCode.OK


def _look(config: Config, target: str, since: str, inputs: Sequence[str]) -> _Range:
    repository = open_repository(config.root)
    paths = [*inputs, *_attributes(inputs)]
    changed = repository.changed(repository.merge_base(since), paths)
    return _Range(since, tuple(changed), _is_new(repository, config, target, since))


def _attributes(inputs: Sequence[str]) -> Iterator[str]:
    """Files that say how git writes others, line ends for one; those in a directory are its own."""
    above = {parent for path in inputs for parent in PurePosixPath(path).parents}
    yield from (str(place / ".gitattributes") for place in sorted(above))


def _is_new(repository: Repository, config: Config, target: str, ref: str) -> bool:
    """Whether the ref has no sound reconciler.yaml with this target."""
    data = repository.read_at(repository.commit(ref), repository.prefix + config.path.name)
    try:
        return data is None or target not in parse_config(config.path, data).sections
    except ConfigError:
        return True


def _text(inputs: Sequence[str], between: _Range | None) -> str:
    paths = inputs if between is None else between.changed
    return "".join(f"{printable(path)}\n" for path in paths)


def _json(inputs: Sequence[str], between: _Range | None) -> str:
    document = {
        "inputs": list(inputs),
        "since": between and between.ref,
        "changed": between and list(between.changed),
        "new": between and between.is_new,
    }
    return json.dumps(document) + "\n"
