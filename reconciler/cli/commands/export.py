"""`reconcile export`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from reconciler.cli.formats import Output
from reconciler.cli.options import output_option, target_option
from reconciler.cli.place import ExitCode, Globals
from reconciler.kinds.registry import ASSET_KINDS
from reconciler.support.plain_file import write_whole
from reconciler.support.printable import printable
from reconciler.workflow.export import Export, ExportRequest, export
from reconciler.workflow.export_drafts import VARIABLE_PREFIX, Secrets
from reconciler.workflow.export_trial import Exported, Fate
from reconciler.workflow.live_objects import place_of
from reconciler.workflow.opening import open_session
from reconciler.workflow.plan_request import PlanRequest

SECRETS_HELP = (
    "env: take values that look secret from variables; keep: write every value in the clear; "
    "mask: take every value from a variable."
)
_KINDS = [kind.traits.name for kind in ASSET_KINDS]


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile export --check                       # is there anything outside Git?\n"
    "  reconcile export --scope project/vision\n"
    "  reconcile export --only 'train-*' --out manifests/training"
)
@target_option
@click.option("--only", multiple=True, metavar="GLOB", help="Only objects of these names.")
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(_KINDS), help="Only objects of this kind."
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SCOPE[/NAME]",
    help="Only objects of this scope, such as tenant or project/vision.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write below this directory; default: that of the manifests.",
)
@click.option("--group", is_flag=True, help="Write one file for each scope, not for each object.")
@click.option(
    "--secrets",
    type=click.Choice([mode.value for mode in Secrets]),
    default=Secrets.ENV.value,
    show_default=True,
    help=SECRETS_HELP,
)
@click.option(
    "--check", is_flag=True, help="Write nothing; exit with 2 if any object belongs to no stack."
)
@output_option("text or json, to standard output or to PATH; repeatable.", ("text", "json"))
@click.pass_obj
def command(  # noqa: PLR0913  (one for each option)
    place: Globals,
    *,
    target: str | None,
    only: tuple[str, ...],
    kinds: tuple[str, ...],
    scopes: tuple[str, ...],
    out: Path | None,
    group: bool,
    secrets: str,
    check: bool,
    outputs: tuple[Output, ...],
) -> ExitCode:
    """Write manifests for live objects that belong to no stack.

    The next plan imports these objects and changes nothing. Objects of this stack and of others are
    left out. What a file holds stays as it is, so you can run it again at any time.
    """
    request = ExportRequest(
        only=only,
        kinds=kinds,
        scopes=scopes,
        secrets=Secrets(secrets),
        grouped=group,
        directory=str(out.resolve()) if out else "",
    )
    with open_session(PlanRequest(place, target)) as session:
        found = export(session, request)
        if not check:
            for name, data in found.files.items():
                write_whole(session.config.root / name, data.decode())
    for output in outputs:
        output.put(_json(found) if output.format == "json" else text_of(found, written=not check))
    return ExitCode.CHANGES if check and found.items else ExitCode.OK


def text_of(found: Export, *, written: bool) -> str:
    """What was exported, what was not and why, and what comes next."""
    return "".join(f"{printable(line)}\n" for line in _lines(found, written))


def _lines(found: Export, written: bool) -> Iterator[str]:
    if not found.items:
        yield "No live object that was looked at is outside of a stack."
    yield from found.notes
    ready = found.of(Fate.READY)
    if ready:
        objects = sum(len(item.live) for item in ready)
        verb = "Wrote" if written else "Ready to export:"
        files = "1 file" if len(found.files) == 1 else f"{len(found.files)} files"
        yield f"{verb} {files} for {objects} {'object' if objects == 1 else 'objects'}:"
        for item in ready:
            yield f"  {item.file}  {item.key.address}"
    for fate, words in (
        (Fate.DIFFERS, "would be changed by any manifest"),
        (Fate.IMPOSSIBLE, "cannot be expressed in a manifest"),
    ):
        if items := found.of(fate):
            yield f"{len(items)} {words}, and stay as they are:"
            for item in items:
                yield f"  {_named(item)}: {'; '.join(item.reasons)}"
    if found.counts:
        yield f"Left out: {', '.join(f'{n} {why}' for why, n in found.counts.items())}."
    if ready and found.variables:
        yield f"Permit {VARIABLE_PREFIX}* with env_allow in reconciler.yaml. Set these variables"
        yield "wherever a plan is made, to the values that the objects have now:"
        for name in sorted(found.variables):
            yield f"  {name}"
    if ready:
        objects = sum(len(item.live) for item in ready)
        if found.elsewhere:
            yield "No plan reads these files there: put them below the directory of the manifests."
        yield f"Next: reconcile plan    # {objects} to import, 0 to change"


def _named(item: Exported) -> str:
    live = item.live[0]
    return f"{live.kind} {live.name} ({place_of(live)}, {live.uid})"


def _json(found: Export) -> str:
    documents: list[dict[str, Any]] = [
        {
            "address": item.key.address,
            "ids": [live.uid for live in item.live],
            "fate": item.fate.name.lower(),
            "file": item.file if item.fate is Fate.READY else None,
            "reasons": list(item.reasons),
        }
        for item in found.items
    ]
    document = {
        "exported": documents,
        "variables": sorted(found.variables),
        "left_out": dict(found.counts),
        "notes": list(found.notes),
    }
    return json.dumps(document, indent=2) + "\n"
