"""The commands of the action that plan: inputs from variables -> `reconcile` -> outputs, summary.

No input is ever part of a shell command: all arrive as variables and leave as arguments.
"""

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from reconciler.github.command import REFUSED, run_reconcile
from reconciler.github.decide import (
    Decision,
    Mode,
    applies,
    decide,
    may_comment,
    offline_because,
    was_shown,
)
from reconciler.github.findings import is_refused_here, plan_outputs, read_outputs, read_plan
from reconciler.github.reviewed import (
    MESSAGES_FILE,
    PLAN_FILE,
    artifact_name,
    plan_place,
    reviewed_place,
)
from reconciler.github.runner import Runner, annotate, base_commit
from reconciler.github.site import Site, origin, told

PAGE_FILE = "plan.md"
_VALIDATE = ("validate", "-o", "text")


def check(runner: Runner) -> int:
    """Validate, say what else this run has to do, and do it here if that needs no credentials.

    An invalid configuration gets a page, too: a comment must not keep an earlier commit's plan.
    """
    site = Site.of(runner)
    runner.output(comment=may_comment(runner), apply=applies(runner))
    runner.output(environment=site.environment, plan_environment=f"{site.environment}-plan")
    code, text = _run_annotated(runner, _VALIDATE)
    if code:
        place = plan_place(runner, site)
        _no_plan(runner, site, place, text)
        runner.output(plan=Mode.NONE, errored=True, caused=True, run_url=runner.run_url)
        runner.output(failure_reason="the manifests or reconciler.yaml are invalid")
        return code
    decision = decide(runner, site)
    runner.output(plan=decision.mode, shown=was_shown(runner, site))
    match decision.mode:
        case Mode.LIVE:
            return 0
        case Mode.NONE:
            annotate("notice", decision.why)
            runner.output(caused=False)
            return 0
        case Mode.OFFLINE:
            return _plan(runner, site, decision)


def plan(runner: Runner) -> int:
    """`reconcile plan`: files in the output `directory`, the summary, and what it found."""
    asked = "as asked for" if runner.get("RECONCILE_OFFLINE") == "true" else ""
    why = asked or offline_because(runner)
    decision = Decision(Mode.OFFLINE if why else Mode.LIVE, why)
    return _plan(runner, Site.of(runner), decision)


def validate(runner: Runner) -> int:
    code, _ = _run_annotated(runner, _VALIDATE)
    return code


def _plan(runner: Runner, site: Site, decision: Decision) -> int:
    place = plan_place(runner, site)
    saved, page = place / PLAN_FILE, place / PAGE_FILE
    for path in (saved, page):
        path.unlink(missing_ok=True)
    runner.summarise(f"{origin(runner)}\n")
    html = page.with_suffix(".html")
    arguments = ["plan", "--target", site.target, "-o", "text", "-o", "summary"]
    arguments += ["-o", f"markdown={page}", "-o", f"html={html}"]
    if decision.mode is Mode.OFFLINE:
        annotate("warning", f"planned offline: {decision.why}")
        arguments += ["--offline", "-o", f"json={saved}"]
    else:
        arguments += ["--out", str(saved), *allowances(place)]
    code, text = run_telling(runner, [*arguments, *_comparisons(runner, site, decision)])
    if not page.exists():  # no plan was made
        _no_plan(runner, site, place, text)
    found = read_plan(saved)
    runner.output(directory=str(place), artifact=artifact(runner, site), **plan_outputs(found))
    if html.exists():  # by itself, an artifact has the name of its file
        runner.output(page=str(shutil.copy(html, f"{place}/../{artifact(runner, site)}.html")))
    return _blamed(runner, code, found)


def _blamed(runner: Runner, code: int, found: Mapping[str, Any]) -> int:
    """The exit code; 0 if this run is not to blame for what is refused.

    After a push, other changes are still applied. A pull request fails only for what it causes
    itself.
    """
    if code == REFUSED and applies(runner) and found["applyable"]:
        annotate("warning", "some changes are refused; the others can be applied")
        return 0
    if code == REFUSED and runner.is_proposal and not is_refused_here(found):
        annotate("warning", "what is refused is refused on the base, too: not this change's fault")
        return 0
    return code


def run_telling(runner: Runner, arguments: Sequence[str]) -> tuple[int, str]:
    """Run `reconcile`, show its annotations, and pass on what it says in words as outputs."""
    with TemporaryDirectory(prefix="reconcile-") as place:
        path = Path(place) / "outputs.txt"
        ran = _run_annotated(runner, [*arguments, "-o", f"outputs={path}"])
        words = read_outputs(path)
    names = ("summary", "restricted", "failure-reason")
    runner.output(run_url=runner.run_url, **{name: words.get(name, "") for name in names})
    return ran


def _run_annotated(runner: Runner, arguments: Sequence[str]) -> tuple[int, str]:
    """Hand commands to the runner that `reconcile` has written and escaped itself."""
    with TemporaryDirectory(prefix="reconcile-") as place:
        path = Path(place) / "annotations.txt"
        ran = run_reconcile(runner, [*arguments, "-o", f"annotations={path}"])
        if path.exists():
            sys.stdout.write(path.read_text(encoding="utf-8"))
            sys.stdout.flush()
    return ran


def allowances(place: Path | None) -> list[str]:
    """What approves deletions: lines of commits, those of squashed ones as fetched before."""
    messages = place / MESSAGES_FILE if place else None
    more = ["--messages", str(messages)] if messages and messages.exists() else []
    return ["--allow-from-commit", *more]


def artifact(runner: Runner, site: Site) -> str:
    """What to call the artifact with the files of this run's plan."""
    number = runner.pull_request
    return artifact_name(site, number) if number else f"reconcile-{site.slug}-{runner.event_name}"


def _no_plan(runner: Runner, site: Site, place: Path, text: str) -> None:
    """Write the page of a plan that could not be made, for comment and summary."""
    page = place / PAGE_FILE
    page.write_text(told(site, "plan", text, "there is no plan"), encoding="utf-8")
    runner.summarise(page.read_text(encoding="utf-8"))
    runner.output(directory=str(place), artifact=artifact(runner, site))


def _comparisons(runner: Runner, site: Site, decision: Decision) -> list[str]:
    """What a review compares with: the base commit, its configuration, the reviewed plan."""
    base = runner.get("RECONCILE_SINCE") or base_commit(runner)
    found = ["--since", base, "--if-comparable"] if base and not decision.is_new else []
    if decision.mode is Mode.OFFLINE:
        return found
    if base and runner.is_proposal:
        found += ["--config-from", base]
    showed = sorted(reviewed_place(runner, site).glob("*.json"))
    for path in showed if runner.event_name == "push" else []:
        found += ["--reviewed", str(path), "--if-comparable"]
    return found
