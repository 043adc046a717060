"""The command of the action that applies: what was approved, where somebody could refuse.

A job that names an environment that does not exist makes one, without any protection; and some of
GitHub's price plans have no required reviewers for private repositories.
https://docs.github.com/en/actions/reference/workflows-and-actions/deployments-and-environments
"""

from pathlib import Path
from urllib.parse import quote

from reconciler.errors import ReconcileError, StalePlanError
from reconciler.github.findings import read_plan
from reconciler.github.rest import GitHub
from reconciler.github.runner import Runner, annotate, temporary
from reconciler.github.site import Site, told
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
_BY_ITSELF = ("wait_timer", "branch_policy")
"""Rules that need nobody; behind any other is a person or an App."""
_PROTECT = (
    "require reviewers in the environment's settings, or set the variable "
    "RECONCILE_ALLOW_UNPROTECTED to true, so that what is merged is applied without any approval"
)


def apply(runner: Runner) -> int:
    """`reconcile apply --apply`, only if the plan still has the expected digest.

    If a newer push has taken over, this one changes nothing and fails: a job that applied nothing
    is never green. A page tells the outcome in any case.
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


def require_protected(github: GitHub, runner: Runner) -> None:
    """Refuse to apply for an environment without any rule; warn if nobody has to approve.

    Not visible here: whether administrators may bypass the rules, and who has approved.
    """
    if runner.get("RECONCILE_ALLOW_UNPROTECTED") == "true":
        return
    name = runner.get("RECONCILE_ENVIRONMENT")
    if not name:
        raise ReconcileError(
            "nothing was applied: no environment is named that would have to be approved",
            fix="pass the job's `environment:` as the input environment, or allow-unprotected",
        )
    try:
        found = github.get(f"environments/{quote(name, safe='')}")
    except ReconcileError as error:
        raise ReconcileError(
            f"nothing was applied: nobody can tell whether the environment is protected: {error}",
            where=name,
            fix=f"give the job `actions: read`, and {_PROTECT}",
        ) from error
    rules = [str(rule["type"]) for rule in found.get("protection_rules") or []]
    if not rules and not found.get("deployment_branch_policy"):
        raise ReconcileError(
            "nothing was applied: the environment has no protection", where=name, fix=_PROTECT
        )
    if all(rule in _BY_ITSELF for rule in rules):
        annotate("warning", f"nobody has to approve: environment {name} has no required reviewers")
