"""The public functions, in one place."""

from typing import Any, cast

from reconciler.rayfine.build import build_image_from_env
from reconciler.rayfine.load import load_env
from reconciler.rayfine.runtime.active_environments import ACTIVE
from reconciler.rayfine.runtime.environment import EnvironmentWrapper
from reconciler.rayfine.runtime.options import read_options
from reconciler.rayfine.runtime.pool import POOL


def list_active_environments() -> list[str]:
    """The ids of all active environments of this process, in the order of loading."""
    return ACTIVE.ids()


def cleanup_all_environments() -> None:
    """Clean up all environments of this process. It happens at exit by itself."""
    ACTIVE.cleanup_all()


def get_environment(env_id: str) -> EnvironmentWrapper:
    """An active environment by its id. Raises `EnvironmentNotFoundError`, a `KeyError`."""
    return cast("EnvironmentWrapper", ACTIVE.get(env_id))


def warm_up(image: str, count: int = 1, *, refill: bool = False, **options: Any) -> None:
    """Keep so many containers of an image ready and paused for `load_env` with the same options.

    With `refill`, a claimed one is replaced in the background.
    """
    POOL.add(read_options({**options, "image": image}), count, refill=refill)


__all__ = [
    "EnvironmentWrapper",
    "build_image_from_env",
    "cleanup_all_environments",
    "get_environment",
    "list_active_environments",
    "load_env",
    "warm_up",
]
