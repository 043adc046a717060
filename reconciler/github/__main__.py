"""`python -m reconciler.github COMMAND`: one step of the action. Prints, and ends with the code."""

import os
import signal
import sys

from reconciler.errors import ReconcileError, StalePlanError
from reconciler.github.applying import STALE, apply
from reconciler.github.posts import comment, drift, outcome
from reconciler.github.reviewed import reviewed
from reconciler.github.runner import Runner, annotate
from reconciler.github.steps import check, plan, validate

COMMANDS = {
    "check": check,
    "plan": plan,
    "apply": apply,
    "validate": validate,
    "reviewed": reviewed,
    "comment": comment,
    "outcome": outcome,
    "drift": drift,
}


def main(arguments: list[str]) -> int:
    """Run the command that is named, or by the variable RECONCILE_COMMAND."""
    name = arguments[0] if arguments else os.environ.get("RECONCILE_COMMAND", "")
    if name not in COMMANDS:
        annotate("error", f"command {name!r} is not one of {', '.join(COMMANDS)}")
        return 1
    try:
        return COMMANDS[name](Runner.from_environ(os.environ))
    except ReconcileError as error:
        annotate("error", str(error))
        return STALE if isinstance(error, StalePlanError) else 1
    except KeyboardInterrupt:  # not while `reconcile` runs: that says itself what it has done
        annotate("error", "cancelled")
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
