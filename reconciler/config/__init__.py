"""`reconciler.yaml` -> `Config`, and one of its targets -> `Target` with its variables filled in.

Nothing is read from the environment when the file is loaded: the variables that a target names are
resolved only for the target in use. Nothing here ever chooses the sandbox by itself.
"""

from reconciler.config.load import (
    CONFIG_NAME,
    Config,
    check_config,
    find_config,
    load_config,
    parse_config,
    problem_error,
    read_config_file,
    variables_for_manifests,
)
from reconciler.config.target import (
    DockerTarget,
    RunaiTarget,
    Target,
    offline_target,
    resolve_target,
)
from reconciler.core.guards import GuardRules
from reconciler.kinds.base import Limits

__all__ = [
    "CONFIG_NAME",
    "Config",
    "DockerTarget",
    "GuardRules",
    "Limits",
    "RunaiTarget",
    "Target",
    "check_config",
    "find_config",
    "load_config",
    "offline_target",
    "parse_config",
    "problem_error",
    "read_config_file",
    "resolve_target",
    "variables_for_manifests",
]
