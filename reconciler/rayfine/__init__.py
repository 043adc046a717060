"""Environments defined in `env.py`: built into images, loaded into containers, called from Python.

    from reconciler.rayfine import build_image_from_env, load_env

Importing this costs next to nothing: the parts are imported when they are first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.rayfine.api import (
        build_image_from_env,
        cleanup_all_environments,
        get_environment,
        list_active_environments,
        load_env,
        warm_up,
    )
    from reconciler.rayfine.runtime.environment_wrapper import EnvironmentWrapper

__all__ = [
    "EnvironmentWrapper",
    "build_image_from_env",
    "cleanup_all_environments",
    "get_environment",
    "list_active_environments",
    "load_env",
    "warm_up",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from reconciler.rayfine import api  # noqa: PLC0415 (see above)

    return getattr(api, name)
