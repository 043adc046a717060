"""The command of the action that applies: what was approved, where somebody could refuse."""

from pathlib import Path

from reconciler.errors import ReconcileError, StalePlanError
from reconciler.github.api import GitHub
from reconciler.github.environment import require_protected
from reconciler.github.findings import read_plan
from reconciler.github.page import told
from reconciler.github.runner import Runner, annotate, temporary
from reconciler.github.site import Site
from reconciler.github.steps import allowances, run_telling
from reconciler.github.successor import find_successor

PAGE_FILE = "applied.md"
_APPLIED = "<!-- reconcile:apply:"
"""How a page of outcomes begins; that of a plan, which nothing came of, does not."""
STALE = 3
"""Exit code of an apply whose plan is not the approved one, or not the newest one any more."""
_AGAIN = {
    STALE: "what was approved is no longer what would be done: nothing was applied. ",
    5: "a part was applied. ",
}
"""By exit code, what has happened where a new plan has to be approved."""
_RERUN = "Choose `Re-run all jobs`: it plans what is left, to be approved anew"
_FAILED_ONLY = (
    ". `Re-run failed jobs` repeats the approved plan of an earlier attempt, which may only be "
    "applied as it was approved"
)


def apply(runner: Runner) -> int:
    """`reconcile apply --apply`, only if the plan is still the one with the expected digest.

    A push that another one has overtaken changes nothing: its successor plans everything anew. The
    job fails all the same: what was not applied is never green. Either way a page tells of it.
    """
    site = Site.of(runner)
    page = temporary(runner) / f"{site.slug}-applied" / PAGE_FILE
    page.parent.mkdir(parents=True, exist_ok=True)
    page.unlink(missing_ok=True)
    runner.output(directory=str(page.parent), artifact=f"reconcile-{site.slug}-applied")
    try:
        code = _apply(runner, site, page)
    except ReconcileError as error:
        page.write_text(told(site, "apply", str(error), "nothing was applied"), encoding="utf-8")
        runner.output(failure_reason=error.what)
        raise
    finally:
        if page.exists():
            runner.summarise(page.read_text(encoding="utf-8"))
    if code in _AGAIN:
        repeated = _FAILED_ONLY if runner.attempt > 1 else ""
        annotate("error", f"{_AGAIN[code]}{_RERUN}{repeated}")
    return code


def _apply(runner: Runner, site: Site, page: Path) -> int:
    digest = runner.need("RECONCILE_EXPECT_DIGEST")
    github = GitHub.of(runner)
    require_protected(github, runner)
    saved = runner.get("RECONCILE_PLAN")  # tells what moved, where the digest alone could not
    inputs = read_plan(Path(saved)).get("reconciler", {}).get("inputs", []) if saved else []
    newer = find_successor(github, runner, inputs)
    runner.output(superseded=bool(newer))
    if newer:
        raise StalePlanError(
            f"{runner.sha[:7]} is superseded by {newer[:7]}, whose run plans all of it: nothing is "
            "applied here"
        )
    arguments = ["apply", *([saved] if saved else []), "--target", site.target, "--apply"]
    arguments += ["--expect-digest", digest, *allowances(Path(saved).parent if saved else None)]
    code, text = run_telling(runner, [*arguments, "-o", "text", "-o", f"markdown={page}"])
    if not page.exists() or _APPLIED not in page.read_text(encoding="utf-8").partition("\n")[0]:
        page.write_text(told(site, "apply", text, "nothing was applied"), encoding="utf-8")
    return code
