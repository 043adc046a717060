"""What a run may do: plan with credentials, offline or not at all, and what comes of the plan.

Offline is whatever GitHub gives no secrets, and whatever might choose for itself where credentials
go. Nothing is planned whose files a change leaves as they are.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reconciler.errors import ConfigError
from reconciler.github.command import run_reconcile
from reconciler.github.runner import Runner, base_commit, temporary
from reconciler.github.site import Site


class Mode(StrEnum):
    LIVE = "live"
    OFFLINE = "offline"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Decision:
    """How to plan, and why not as usual; new is a target that the base says nothing about."""

    mode: Mode
    why: str = ""
    is_new: bool = False


def decide(runner: Runner, site: Site) -> Decision:
    """What to do for this event. Raises `ConfigError` for a run that nobody may start."""
    if runner.event_name == "workflow_dispatch":
        _require_known_branch(runner)
    if why := offline_because(runner):
        return Decision(Mode.OFFLINE, why)
    if not runner.is_proposal:
        return Decision(Mode.LIVE)
    base = base_commit(runner)
    found = _ask(runner, site, base) if base else {}
    if found.get("new"):
        why = f"{runner.base_branch} has no target {site} yet, so that it is planned as new"
        return Decision(Mode.OFFLINE, why, is_new=True)
    if found and not found["changed"]:
        return Decision(Mode.NONE, f"nothing that the plan of {site} is made of is changed here")
    return Decision(Mode.LIVE)


def offline_because(runner: Runner) -> str:
    """Why this event may use no credentials; empty if it may.

    A pull request's base says where credentials go, so only the default branch counts, and the
    branches that the workflow names. Raises `ConfigError`.
    """
    if not runner.is_proposal:
        return ""
    if runner.is_outside:
        return "GitHub gives no secrets to pull requests of forks and of Dependabot"
    branch = runner.base_branch
    if branch and branch in (runner.default_branch, *_named_branches(runner)):
        return ""
    return (
        f"this is for {branch}: credentials go only where the default branch says, or a branch "
        "that the input trusted-branches names"
    )


def applies(runner: Runner) -> bool:
    """Whether what this run plans may be applied, once it is approved."""
    started = runner.event_name == "workflow_dispatch" and runner.get("RECONCILE_APPLY") == "true"
    return runner.event_name == "push" or started


def was_shown(runner: Runner, site: Site) -> bool:
    """Whether a review may have shown a plan of this push: false if it changes no input of it.

    Git answers this, so a push asks GitHub about reviews only for the targets that it changes.
    """
    if runner.event_name != "push" or not runner.base:
        return True
    found = _ask(runner, site, runner.base)
    return bool(found["new"] or found["changed"])


def may_comment(runner: Runner) -> bool:
    """Whether the run's token may write to its pull request."""
    return runner.pull_request is not None and not runner.is_outside


def _named_branches(runner: Runner) -> list[str]:
    """The branches besides the default one that may say where credentials go.

    Raises `ConfigError` for an input that is no list.
    """
    text = runner.get("RECONCILE_TRUSTED_BRANCHES", "[]")
    try:
        named = json.loads(text)
    except ValueError:
        named = None
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise ConfigError(
            f"{text!r} is no JSON list of branches",
            where="trusted-branches",
            fix='write it as ["main", "release"]',
        )
    return named


def _require_known_branch(runner: Runner) -> None:
    """A run of another branch could turn the check of a pull request green, and apply it."""
    branches = [f"refs/heads/{name}" for name in (runner.default_branch, *_named_branches(runner))]
    if runner.get("GITHUB_REF") not in branches:
        raise ConfigError(
            f"it was started for {runner.get('GITHUB_REF')}",
            where="workflow_dispatch",
            fix=f"choose the branch {runner.default_branch}: what is not merged is planned in its "
            "pull request",
        )


def _ask(runner: Runner, site: Site, base: str) -> dict[str, Any]:
    """Which inputs of the plan changed since the base, and whether the base knows the target.

    If that cannot be told, everything has changed: then the plan says what is wrong.
    """
    saved = temporary(runner) / "inputs.json"
    words = ["inputs", "--target", site.target, "--since", base, "-o", f"json={saved}"]
    code, _ = run_reconcile(runner, words)
    return {"changed": [base], "new": False} if code else json.loads(saved.read_text("utf-8"))
