"""Faults in `reconciler.yaml` -> problems with positions, and one `ConfigError` of them."""

from collections.abc import Iterable

from reconciler.errors import ConfigError, Problem
from reconciler.field_errors import Fault
from reconciler.strict_yaml import Positions


def located(name: str, data: bytes, faults: Iterable[Fault]) -> list[Problem]:
    """Faults in a configuration file of this name and content, with their positions."""
    positions = Positions(data)
    return [
        Problem(
            name,
            *positions.at(0, fault.path, key=fault.at_key),
            fault.message,
            fault.fix,
            rule=fault.rule,
        )
        for fault in faults
    ]


def problem_error(problems: Iterable[Problem]) -> ConfigError:
    """One error for all problems; a single one keeps its parts."""
    ordered = sorted(set(problems))
    if len(ordered) == 1:
        (one,) = ordered
        where = f"{one.file}:{one.line}:{one.column}" if one.line else one.file
        error = ConfigError(one.message, where=where, fix=one.fix)
    else:
        error = ConfigError("\n".join(str(problem) for problem in ordered))
    error.problems = tuple(ordered)
    return error
