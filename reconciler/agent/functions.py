"""The guide's functions as they are called: types checked, settings looked up, text returned."""

import asyncio
from collections.abc import Callable
from typing import Any

from reconciler.agent import headings, messages
from reconciler.agent.create import create
from reconciler.agent.delete import delete
from reconciler.agent.gitops import propose_creation, propose_deletion
from reconciler.agent.info import describe
from reconciler.agent.request import (
    SOURCE,
    Flaw,
    SpecError,
    consent_to_create,
    consent_to_delete,
    read_request,
)
from reconciler.agent.settings import current
from reconciler.agent.workplace import open_settings_config, open_workplace
from reconciler.errors import ManifestError, Problem, ReconcileError
from reconciler.kinds.base import LoadContext
from reconciler.providers.runai.sdk import missing_part


def runai_create_environment(
    env_spec: dict[str, Any], dry_run: bool | None = None, confirmed: bool = False
) -> str:
    """Create a Run:ai environment asset, and the compute asset that it states; or preview that.

    `env_spec` holds name, scope (cluster by default), image and optionally scope_id, description,
    workload_types (in direct mode workspace and training by default), image_pull_policy,
    environment_variables, compute (gpu, cpu_cores, memory), tools and every other field of a
    RunaiEnvironment manifest.

    Without `dry_run=False` and `confirmed=True` nothing is written: the answer is a preview, or
    says what is missing. In `gitops` mode a write is a commit on a new branch.
    """
    return _answer(headings.NOT_CREATED, lambda: _create(env_spec, dry_run, confirmed))


def runai_delete_environment(environment_name: str, confirmed: bool = False) -> str:
    """Delete the environment asset of this name (or id), and the compute asset made with it.

    Without `confirmed=True` nothing is written: the answer shows what would be deleted and what
    uses it. Only assets of the functions' own stack are deleted; see `AgentSettings`.
    """
    return _answer(headings.NOT_DELETED, lambda: _delete(environment_name, confirmed))


def runailabs_environment_info(input_message: str = "") -> str:
    """List what the control plane has, as far as the words of the message ask for it.

    `show projects`, `show clusters`, `departments`, `environments`, `compute`; else all. Reads
    only.
    """
    return _answer(headings.NOT_AVAILABLE, lambda: _describe(input_message))


async def runai_create_environment_async(
    env_spec: dict[str, Any], dry_run: bool | None = None, confirmed: bool = False
) -> str:
    """`runai_create_environment` on a thread of its own, which goes on if the task is cancelled."""
    return await asyncio.to_thread(runai_create_environment, env_spec, dry_run, confirmed)


GUIDE_WORKLOAD_TYPES = ("workspace", "training")
"""What the guide promises where none are stated. A manifest that states none leaves it so."""


async def runai_delete_environment_async(environment_name: str, confirmed: bool = False) -> str:
    """`runai_delete_environment` on a thread of its own, which goes on if the task is cancelled."""
    return await asyncio.to_thread(runai_delete_environment, environment_name, confirmed)


async def runailabs_environment_info_async(input_message: str = "") -> str:
    """`runailabs_environment_info` on a thread of its own."""
    return await asyncio.to_thread(runailabs_environment_info, input_message)


def _create(env_spec: object, dry_run: object, confirmed: object) -> str:
    settings = current()
    consent = consent_to_create(dry_run, confirmed, dry_run_default=settings.dry_run_default)
    if settings.mode == "gitops":
        with open_settings_config(settings) as (config, _, _):
            limits = settings.limits(config.limits)
            context = LoadContext(config.root, config.stack, limits, config.env_allow, None)
            asked = read_request(env_spec, context)
            return _answer(
                headings.NOT_PROPOSED, lambda: propose_creation(asked, config, settings, consent)
            )
    with open_workplace(settings) as place:
        limits = settings.limits(place.config.limits)
        context = LoadContext(place.config.root, place.stack, limits, (), {})
        asked = read_request(env_spec, context, GUIDE_WORKLOAD_TYPES)
        return _absent_sdk() or create(place, asked, consent)


def _delete(name: object, confirmed: object) -> str:
    settings = current()
    consent = consent_to_delete(confirmed)
    wanted = _name(name)
    if settings.mode == "gitops":
        with open_settings_config(settings) as (config, _, _):
            return _answer(
                headings.NOT_PROPOSED, lambda: propose_deletion(wanted, config, settings, consent)
            )
    with open_workplace(settings) as place:
        return _absent_sdk() or delete(place, wanted, consent)


def _describe(message: object) -> str:
    if not isinstance(message, str):
        what = f"input_message has to be text, not {type(message).__name__}"
        raise SpecError([Flaw(what, "for example 'show projects'")])
    with open_workplace(current()) as place:
        return _absent_sdk() or describe(place, message)


def _name(name: object) -> str:
    if not isinstance(name, str) or not name.strip():
        raise SpecError([Flaw("Missing required field: 'environment_name'", "name it, as text")])
    return name.strip()


def _absent_sdk() -> str:
    """The guide's block for an SDK that is missing or too old; else nothing."""
    match missing_part():
        case "sdk":
            return messages.no_sdk()
        case "environments":
            return messages.no_method()
        case _:
            return ""


def _answer(heading: str, work: Callable[[], str]) -> str:
    """The answer, or the words of the error."""
    try:
        return work()
    except SpecError as error:
        return headings.flaws(headings.INVALID, [(flaw.what, flaw.fix) for flaw in error.flaws])
    except ManifestError as error:
        found = [(problem.message, problem.fix, _place_of(problem)) for problem in error.problems]
        return headings.unresolved(found)
    except ReconcileError as error:
        what = f"{error.where}: {error.what}" if error.where else error.what
        return headings.failure(heading, what, error.fix)


def _place_of(problem: Problem) -> str:
    """Where the fault of a manifest is; for a specification of the caller's, which field."""
    if problem.file != SOURCE.file:
        return str(problem).split(": ", 1)[0] if problem.line else problem.file
    return "Scope ID not found" if problem.path[-1:] in (("scope_id",), ("scope",)) else ""
