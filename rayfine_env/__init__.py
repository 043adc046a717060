"""Environments in containers: a thin name for `reconciler.rayfine`."""

from reconciler.rayfine.api import (
    build_image_from_env,
    cleanup_all_environments,
    get_environment,
    list_active_environments,
    load_env,
)

__all__ = [
    "build_image_from_env",
    "cleanup_all_environments",
    "get_environment",
    "list_active_environments",
    "load_env",
]
