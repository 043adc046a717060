"""Whether anybody or anything stands before an apply: the protection of its environment.

A job that names an environment that does not exist makes one, without any protection; and some of
GitHub's price plans have no required reviewers for private repositories.
https://docs.github.com/en/actions/reference/workflows-and-actions/deployments-and-environments
"""

from urllib.parse import quote

from reconciler.errors import ReconcileError
from reconciler.github.api import GitHub
from reconciler.github.runner import Runner, annotate

_BY_ITSELF = ("wait_timer", "branch_policy")
"""Rules that need nobody; behind any other is a person or an App."""
_FIX = (
    "require reviewers in the environment's settings, or set the variable "
    "RECONCILE_ALLOW_UNPROTECTED to true, so that what is merged is applied without any approval"
)


def require_protected(github: GitHub, runner: Runner) -> None:
    """Refuse to apply for an environment without any rule; warn of one that nobody approves.

    What is not seen here: whether administrators may bypass the rules, and who has approved.
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
            fix=f"give the job `actions: read`, and {_FIX}",
        ) from error
    rules = [str(rule["type"]) for rule in found.get("protection_rules") or []]
    if not rules and not found.get("deployment_branch_policy"):
        raise ReconcileError(
            "nothing was applied: the environment has no protection", where=name, fix=_FIX
        )
    if all(rule in _BY_ITSELF for rule in rules):
        annotate("warning", f"nobody has to approve: environment {name} has no required reviewers")
