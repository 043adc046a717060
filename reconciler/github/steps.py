"""The commands of the action: inputs from variables -> `reconcile` -> outputs, summary, exit code.

No input is ever part of a shell command: all arrive as variables and leave as arguments.
"""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reconciler.errors import ConfigError, ReconcileError
from reconciler.github.api import GitHub
from reconciler.github.base import base_commit, is_trusted, pushed_commits
from reconciler.github.command import REFUSED, run_reconcile
from reconciler.github.origin import origin
from reconciler.github.reviewed import (
    PLAN_FILE,
    Push,
    artifact_name,
    fetch_reviewed,
    merged_pull_requests,
    messages_of,
    messages_pushed,
)
from reconciler.github.runner import Runner, annotate, temporary
from reconciler.github.site import Site
from reconciler.github.sticky import close_drift, report_drift, write_comment
from reconciler.github.successor import find_successor, is_applying

PAGE_FILE = "plan.md"
_ANNOTATIONS = "annotations.txt"
_MESSAGES = "messages.json"
SUPERSEDED = 3
"""Exit code of an apply whose plan is not the newest one: that of a stale plan."""
_NOT_HERE = ("drift", "pending", "ahead")
"""Origins of changes that a pull request did not cause."""


def plan(runner: Runner) -> int:
    """`reconcile plan`: files in the output `directory`, the summary, and what it found.

    On a push a refused change ends nothing as long as there are others: apply carries those out. A
    pull request fails only for what it causes itself.
    """
    site = Site.of(runner)
    place = temporary(runner) / site.slug
    place.mkdir(parents=True, exist_ok=True)
    saved, offline = place / PLAN_FILE, _offline(runner)
    page, notes = place / PAGE_FILE, place / _ANNOTATIONS
    for path in (saved, page, notes):
        path.unlink(missing_ok=True)
    runner.summarise(f"{origin(runner)}\n")
    arguments = ["plan", "--target", site.target, "-o", "text", "-o", "summary"]
    arguments += [] if offline else _allowances(place)
    arguments += ["-o", f"markdown={page}", "-o", f"html={page.with_suffix('.html')}"]
    arguments += ["-o", f"annotations={notes}", *_comparisons(runner, site, offline=offline)]
    arguments += ["--offline", "-o", f"json={saved}"] if offline else ["--out", str(saved)]
    code, text = run_reconcile(runner, arguments)
    _show_annotations(notes)
    found = _read(saved)
    if not page.exists():  # no plan was made
        page.write_text(_failure(site, text), encoding="utf-8")
        runner.summarise(page.read_text(encoding="utf-8"))
    outputs = _outputs(found)
    runner.output(directory=str(place), artifact=_artifact(runner, site), **outputs)
    pending = outputs["changes"] == "true"
    runner.output(drift="true" if _has_drift(found) else "false")
    if code == REFUSED and runner.event_name == "push" and pending and found["applyable"]:
        annotate("warning", "some changes are refused; the others can be applied")
        return 0
    if code == REFUSED and runner.is_proposal and not _refused_here(found):
        annotate("warning", "what is refused is refused on the base, too: not this change's fault")
        return 0
    return code


def apply(runner: Runner) -> int:
    """`reconcile apply --apply`, only if the plan is still the one with the expected digest.

    A push that another one has overtaken changes nothing: its successor plans everything anew. The
    job fails all the same: what was not applied is never green.
    """
    site = Site.of(runner)
    digest = runner.need("RECONCILE_EXPECT_DIGEST")
    saved = runner.get("RECONCILE_PLAN")  # tells what moved, where the digest alone could not
    inputs = _read(Path(saved)).get("reconciler", {}).get("inputs", []) if saved else []
    newer = find_successor(_github(runner), runner, inputs)
    if newer:
        annotate(
            "error",
            f"{runner.sha[:7]} is superseded by {newer[:7]}, whose run plans all of it: nothing is "
            "applied here",
        )
        runner.output(superseded="true")
        return SUPERSEDED
    runner.output(superseded="false")
    arguments = ["apply", *([saved] if saved else []), "--target", site.target, "--apply"]
    arguments += ["--expect-digest", digest, *_allowances(Path(saved).parent if saved else None)]
    code, text = run_reconcile(runner, arguments)
    runner.summarise(f"### reconcile apply: {_title(site)}\n\n{fenced(text)}\n")
    return code


def validate(runner: Runner) -> int:
    """`reconcile validate`, with its errors on the lines of the files."""
    place = temporary(runner)
    place.mkdir(parents=True, exist_ok=True)
    notes = place / _ANNOTATIONS
    notes.unlink(missing_ok=True)
    code, _ = run_reconcile(runner, ["validate", "-o", "text", "-o", f"annotations={notes}"])
    _show_annotations(notes)
    return code


def reviewed(runner: Runner) -> int:
    """Fetch the plans that the merged pull requests showed, and what their commits say.

    Never fails the job: without them, or with such as are of no use, nothing is compared.
    """
    site = Site.of(runner)
    place = temporary(runner) / site.slug
    showed = _reviewed(runner, site)
    shutil.rmtree(showed, ignore_errors=True)
    place.mkdir(parents=True, exist_ok=True)
    github, messages = _github(runner), list(messages_pushed(runner.event))
    try:
        for number, pull in _merged(runner, github):
            messages += messages_of(github, number)
            if pull is None:
                continue
            try:
                fetch_reviewed(github, pull, site, showed)
            except ReconcileError as error:
                annotate("warning", f"no reviewed plan to compare with: {error}")
            else:
                annotate("notice", f"found the plan that pull request #{number} showed")
    except ReconcileError as error:
        annotate("warning", f"no reviewed plan to compare with: {error}")
    (place / _MESSAGES).write_text(json.dumps(messages), encoding="utf-8")
    return 0


def _merged(runner: Runner, github: GitHub) -> Iterator[tuple[int, Any]]:
    """The pull requests of this run: their numbers and, of what is merged, all about them."""
    if runner.queued:
        yield runner.queued, None
        return
    pulls = list(merged_pull_requests(github, Push(runner.branch, pushed_commits(runner))))
    if not pulls:
        annotate("warning", f"no pull request has brought {runner.sha[:7]}: nobody has reviewed it")
    yield from ((pull["number"], pull) for pull in pulls)


def comment(runner: Runner) -> int:
    """Write or update the pull request's comment of this site; without a page, that there is none.

    A comment that was left as it is would show the plan of an earlier commit.
    """
    number = runner.pull_request
    if number is None:
        raise ConfigError("this event has no pull request", where=runner.event_name)
    site = Site.of(runner)
    if runner.get("RECONCILE_BODY"):
        text = _body(runner, site)
    else:
        text = f"{_failure(site)}\n{origin(runner)}\n"
    done = write_comment(_github(runner), number, site, text)
    annotate("notice", f"{done} the comment of target {site}")
    return 0


def drift(runner: Runner) -> int:
    """Open, update or close the one issue about this site's drift.

    While an apply waits for its approval or runs, what it will apply is no drift: nothing is said.
    """
    site, github = Site.of(runner), _github(runner)
    if runner.need("RECONCILE_CHANGES") != "true":
        words = f"No drift any more: [the run that looked]({runner.run_url})."
        done = close_drift(github, site, words)
    elif runner.get("RECONCILE_DRIFT") == "false" and is_applying(github, runner):
        done = "left as it is, because what was merged is still being applied"
    else:
        done = report_drift(github, site, _body(runner, site))
    annotate("notice", f"issue about drift of target {site}: {done}")
    return 0


def fenced(text: str) -> str:
    """Text as a block of code that it cannot end: the fence is longer than any in it."""
    longest = run = 0
    for sign in text:
        run = run + 1 if sign == "`" else 0
        longest = max(longest, run)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text.rstrip()}\n{fence}"


def _offline(runner: Runner) -> bool:
    """Whether to read files alone: as asked for, and for a base that is not trusted."""
    if runner.get("RECONCILE_OFFLINE") == "true":
        return True
    if is_trusted(runner):
        return False
    annotate(
        "warning",
        f"planned offline, because this is for {runner.base_branch}: credentials go only where the "
        "default branch says, or a branch that the input trusted-branches names",
    )
    return True


def _reviewed(runner: Runner, site: Site) -> Path:
    """The directory of the plans that were reviewed; no part of the artifact."""
    return temporary(runner).with_name("reconcile-reviewed") / site.slug


def _comparisons(runner: Runner, site: Site, *, offline: bool) -> list[str]:
    """What a review compares with: the base commit, its configuration, the reviewed plan."""
    base = runner.get("RECONCILE_SINCE") or base_commit(runner)
    found = []
    if base and not offline:
        found += ["--since", base, "--if-comparable"]
    if base and runner.is_proposal:
        found += ["--config-from", base]
    earlier = sorted(_reviewed(runner, site).glob("*.json")) if runner.event_name == "push" else []
    for path in earlier:
        found += ["--reviewed", str(path), "--if-comparable"]
    return found


def _read(path: Path) -> dict[str, Any]:
    """The JSON plan; nothing if none was made."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return {}
    return found if isinstance(found, dict) else {}


def _allowances(place: Path | None) -> list[str]:
    """What approves deletions: lines of commits, those of squashed ones as fetched before."""
    messages = place / _MESSAGES if place else None
    more = ["--messages", str(messages)] if messages and messages.exists() else []
    return ["--allow-from-commit", *more]


def _has_drift(found: Mapping[str, Any]) -> bool:
    """Whether anything differs but what was merged and is still to be applied."""
    own = [change["reconciler"] for change in found.get("resource_changes", ())]
    differing = [change["cause"] for change in own if change["action"] != "unchanged"]
    return any(cause is None or cause["origin"] != "pending" for cause in differing)


def _refused_here(found: Mapping[str, Any]) -> bool:
    """Whether this change has caused a refusal, or it cannot be told whose it is."""
    own = [change["reconciler"] for change in found["resource_changes"]]
    refused = [change["cause"] for change in own if change["refusal"]]
    return any(cause is None or cause["origin"] not in _NOT_HERE for cause in refused)


def _outputs(found: Mapping[str, Any]) -> dict[str, str]:
    """`changes`, counts and `digest`; a plan that could not be made has none of them."""
    own = found.get("reconciler", {})
    counts = own.get("summary", {})
    wanted = ("import", "add", "change", "destroy", "blocked", "conflict")
    return {
        "complete": "true" if found.get("complete") else "false",
        "errored": "false" if found and not found.get("errored") else "true",
        "changes": "true" if any(counts.get(name) for name in wanted) else "false",
        "adds": str(counts.get("add", 0)),
        "updates": str(counts.get("change", 0)),
        "deletes": str(counts.get("destroy", 0)),
        "refused": str(counts.get("blocked", 0) + counts.get("conflict", 0)),
        "applyable": "true" if found.get("applyable") else "false",
        "digest": str(own.get("digest", "")),
    }


def _show_annotations(path: Path) -> None:
    """Hand commands to the runner that `reconcile` has written and escaped itself."""
    if path.exists():
        sys.stdout.write(path.read_text(encoding="utf-8"))
        sys.stdout.flush()
        path.unlink()


def _failure(site: Site, text: str = "the job failed before its plan") -> str:
    """What a pull request shows where no plan could be made."""
    head = f"### reconcile plan: {_code(site.target)}: there is no plan"
    return f"{head}\n\n{fenced(text)}\n"


def _artifact(runner: Runner, site: Site) -> str:
    number = runner.pull_request
    return artifact_name(site, number) if number else f"reconcile-{site.slug}-{runner.event_name}"


def _body(runner: Runner, site: Site) -> str:
    """The page to be shown, below what it was made from. It tells of a target alone."""
    path = Path(runner.need("RECONCILE_BODY"))
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"it cannot be read: {error}", where=str(path)) from error
    if runner.head:  # the test merge, which the line of the origin stands for
        text = text.replace(f" · commit {_code(runner.sha[:7])}", "", 1)
    said = f"In {_code(site.directory)}:\n\n" if site.directory else ""
    return _below_marker(text, f"{said}{origin(runner)}\n")


def _below_marker(text: str, words: str) -> str:
    first, _, rest = text.partition("\n")
    return f"{first}\n{words}\n{rest}" if first.startswith("<!--") else f"{words}\n{text}"


def _github(runner: Runner) -> GitHub:
    return GitHub(runner.repository, runner.get("GITHUB_SERVER_URL"))


def _title(site: Site) -> str:
    place = f" in {_code(site.directory)}" if site.directory else ""
    return f"{_code(site.target)}{place}"


def _code(text: str) -> str:
    return f"`{text.replace('`', '')}`"
