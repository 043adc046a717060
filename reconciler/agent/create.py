"""Direct mode, creating: a specification -> a plan of its own addresses -> the guide's messages.

Only the named environment and the compute asset it implies are planned, in the functions' own
stack. Nothing that exists is changed or replaced by a function whose name says *create*: an asset
of the same name is the end of it, whoever it belongs to. Only a compute asset of the functions' own
that has no environment (any more) is brought to what is asked for.
"""

from reconciler.agent import headings, messages
from reconciler.agent.description import asset_lines
from reconciler.agent.request import Asked, Consent, Flaw, SpecError
from reconciler.agent.workplace import (
    Workplace,
    all_applied,
    carry_out,
    made_with,
    open_direct,
    plan_of,
    require_complete,
)
from reconciler.core.plan import Action, Change, Plan
from reconciler.core.resource import LiveResource
from reconciler.kinds.image import IMAGE
from reconciler.render.explain import explain_change
from reconciler.workflow.planning import compare, read_world
from reconciler.workflow.session import Session

_OWN = "This function does not change what exists: delete it first, or choose another name."
_IN_GIT = (
    "Choose another name, or use mode gitops, which proposes a change of its manifest, for review."
)
_FOREIGN = "Choose another name, or ask whoever manages that stack."
_UNOWNED = (
    "Choose another name. Only a manifest with metadata.adopt: true takes it over; a person has to "
    "write that, since these functions do not in any mode."
)


def create(place: Workplace, asked: Asked, consent: Consent) -> str:
    """Create what was asked for, or show what would be made."""
    if asked.environment.depends_on:
        what = f"image: a reference to a {IMAGE.name} needs its manifest, which direct mode has not"
        raise SpecError([Flaw(what, "write the name of an image, or use mode gitops")])
    with open_direct(place, asked.resources) as session:
        world = read_world(session)
        whole = compare(world)
        plan = plan_of(session, world, whole, [resource.key for resource in asked.resources])
        require_complete(plan)
        environment = _environment(plan, asked)
        obstacle = _obstacle(plan, environment)
        if obstacle is not None:
            return _taken(obstacle, plan, place)
        beside = messages.not_asked_for(_compute_beside(whole, asked))
        if not plan.pending:
            return messages.already_there(environment, beside, place.link)
        if not consent.given:
            return _preview(asked, plan, place, consent, beside)
        return _carry_out(plan, session, asked, place, beside)


def _environment(plan: Plan, asked: Asked) -> Change:
    (found,) = (
        change
        for change in plan.changes
        if change.key == asked.environment.key and change.deposed is None
    )
    return found


def _obstacle(plan: Plan, environment: Change) -> Change | None:
    """The first change that does more than create something, the environment first.

    Updating our own compute asset that lost its environment is allowed.
    """
    for change in reversed(plan.changes):
        if change.deposed is not None:
            continue
        left_behind = environment.action is Action.CREATE and change is not environment
        harmless = change.action in (Action.CREATE, Action.UNCHANGED)
        if change.refusal is not None or not (
            harmless or (left_behind and change.action is Action.UPDATE)
        ):
            return change
    return None


def _compute_beside(whole: Plan, asked: Asked) -> LiveResource | None:
    """The compute asset that was made with an environment of this id, if nobody asked for it."""
    if asked.compute is not None:
        return None
    key = asked.environment.key
    return next((change.live for change in whole.changes if made_with(change, key)), None)


def _taken(change: Change, plan: Plan, place: Workplace) -> str:
    owner = change.live.mark.stack if change.live is not None and change.live.mark else None
    advice = _UNOWNED
    if owner is not None:
        advice = _IN_GIT if owner == place.target.stack else _FOREIGN
    if owner == place.stack:
        advice = _OWN
    return messages.name_taken(explain_change(change, plan), advice)


def _preview(asked: Asked, plan: Plan, place: Workplace, consent: Consent, beside: str) -> str:
    compute = asked.compute.spec if asked.compute is not None else None
    heading = headings.PREVIEW if consent.dry_run else headings.CONFIRM_CREATE
    return messages.preview(
        heading,
        asset_lines(_resolved(plan, asked), compute),
        plan,
        place.description,
        f"{beside}{consent.ask('To create it')}",
    )


def _resolved(plan: Plan, asked: Asked) -> dict[str, object]:
    """The specification with the ids that the control plane gave for names."""
    resource = _environment(plan, asked).desired
    return dict(resource.spec if resource is not None else asked.environment.spec)


def _carry_out(plan: Plan, session: Session, asked: Asked, place: Workplace, beside: str) -> str:
    outcomes = carry_out(plan, session, [resource.key for resource in asked.resources])
    if not all_applied(outcomes):
        return messages.unfinished(headings.NOT_CREATED, outcomes)
    environment = _environment(plan, asked)
    uids = {outcome.change.key: outcome.uid for outcome in outcomes}
    if environment.live is not None:
        (uid,) = uids.values()
        return messages.compute_made(environment.live, uid)
    return messages.created(environment, uids[environment.key], place.link, plan, beside)
