"""`reconcile get`."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import click
import yaml

from reconciler.cli.options import target_option
from reconciler.cli.place import ExitCode, Globals, show
from reconciler.support.printable import printable
from reconciler.workflow.live_objects import LiveObject, kind_of, live_objects
from reconciler.workflow.plan_request import PlanRequest

_COLUMNS = ("NAME", "SCOPE", "OWNER", "CHANGED")
_WIDE = (*_COLUMNS, "BY", "ID", "USED BY")


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile get environments\n"
    "  reconcile get environment train -o yaml\n"
    "  reconcile get RunaiCompute -o wide"
)
@click.argument("kind")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@target_option
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(["table", "wide", "json", "yaml"]),
    default="table",
    show_default=True,
    help="wide adds who changed it, its id and what uses it; json and yaml add its fields.",
)
@click.pass_obj
def command(
    place: Globals, kind: str, names: tuple[str, ...], target: str | None, form: str
) -> ExitCode:
    """List the live objects of a KIND, whoever owns them.

    KIND is a kind of manifests, such as RunaiEnvironment, or its short name, such as environment.
    OWNER is this stack, the name of another stack, or none.
    """
    wanted = kind_of(kind)
    found = live_objects(PlanRequest(place, target), wanted, names)
    if form in ("json", "yaml"):
        text = json.dumps([asdict(item) for item in found], indent=2) + "\n"
        show(text if form == "json" else yaml.safe_dump(json.loads(text), sort_keys=False))
    else:
        show(_table(found, wide=form == "wide") if found else f"There is no {wanted}.\n")
    return ExitCode.OK


def _table(found: Sequence[LiveObject], *, wide: bool) -> str:
    rows: list[tuple[str, ...]] = [_WIDE if wide else _COLUMNS]
    for item in found:
        row = (item.name, item.scope, item.owner, item.changed_at)
        more = (item.changed_by, item.id, ", ".join(item.used_by))
        rows.append(tuple(printable(cell) for cell in (row + more if wide else row)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "".join(f"{line}\n" for line in lines)
