"""The guide's functions as they are called: types checked, settings looked up, text returned."""

import asyncio
from typing import Any


def runai_create_environment(
    env_spec: dict[str, Any], dry_run: bool | None = None, confirmed: bool = False
) -> str:
    """Create a Run:ai environment asset, and the compute asset that it states; or preview that.

    `env_spec` holds name, scope (cluster by default), image and optionally scope_id, description,
    workload_types, image_pull_policy, environment_variables, compute (gpu, cpu_cores, memory),
    tools and every other field of a RunaiEnvironment manifest.

    Without `dry_run=False` and `confirmed=True` nothing is written: the answer is a preview, or
    says what is missing. In `gitops` mode a write is a commit on a new branch.
    """
    raise NotImplementedError(env_spec, dry_run, confirmed)


def runai_delete_environment(environment_name: str, confirmed: bool = False) -> str:
    """Delete the environment asset of this name (or id), and the compute asset made with it.

    Without `confirmed=True` nothing is written: the answer shows what would be deleted and what
    uses it. Only assets of the functions' own stack are deleted; see `AgentSettings`.
    """
    raise NotImplementedError(environment_name, confirmed)


def runailabs_environment_info(input_message: str = "") -> str:
    """List what the control plane has, as far as the words of the message ask for it.

    `show projects`, `show clusters`, `departments`, `environments`, `compute`; else all. Reads
    only.
    """
    raise NotImplementedError(input_message)


async def runai_create_environment_async(
    env_spec: dict[str, Any], dry_run: bool | None = None, confirmed: bool = False
) -> str:
    """`runai_create_environment` on a thread of its own."""
    return await asyncio.to_thread(runai_create_environment, env_spec, dry_run, confirmed)


async def runai_delete_environment_async(environment_name: str, confirmed: bool = False) -> str:
    """`runai_delete_environment` on a thread of its own."""
    return await asyncio.to_thread(runai_delete_environment, environment_name, confirmed)


async def runailabs_environment_info_async(input_message: str = "") -> str:
    """`runailabs_environment_info` on a thread of its own."""
    return await asyncio.to_thread(runailabs_environment_info, input_message)
