"""A fresh plan against what was approved or reviewed."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from reconciler import __version__
from reconciler.core.plan import Action, Plan, is_digest
from reconciler.core.planned import Planned
from reconciler.core.selection import chosen_addresses, exact_addresses
from reconciler.errors import ConfigError, ReconcileError, StalePlanError
from reconciler.planfile.reader import SavedPlan, read_plan_file
from reconciler.planfile.staleness import Present, news_since, require_same, require_shown
from reconciler.workflow.plan_request import PlanRequest

Request = TypeVar("Request", bound=PlanRequest)


def read_approved(path: Path) -> SavedPlan:
    """A saved plan to be applied. Raises `ReconcileError` for one that was made offline."""
    saved = read_plan_file(path)
    if saved.header.offline:
        raise ReconcileError(
            "this plan was made offline: nobody has looked at what is live",
            where=str(path),
            fix="make a plan without --offline",
        )
    return saved


def for_saved(request: Request, saved: SavedPlan) -> Request:
    """A saved plan brings its target along, and the other histories that it may change.

    Applying it approves the deletions that were named when it was saved. With a digest it does not:
    that covers the changes, and not how they were chosen.
    """
    if request.target not in (None, saved.plan.target):
        raise StalePlanError(
            "the saved plan is stale; nothing was changed\n  target: approved "
            f"{saved.plan.target}, now {request.target} (the target changed)",
            fix="leave --target out, or make a plan for that target",
        )
    accepted = saved.plan.accepted
    prefix = "take-over "
    names = (word.removeprefix(prefix) for word in accepted if word.startswith(prefix))
    approval = replace(
        request.approval,
        rollback=request.approval.rollback or "rollback" in accepted,
        taken_over=request.approval.taken_over.union(names),
    )
    if request.expect_digest is None:
        approval = replace(approval, deletions=exact_addresses(saved.plan, saved.header.selection))
    return replace(request, target=saved.plan.target, approval=approval)


def require_unmoved(planned: Planned, saved: SavedPlan, request: PlanRequest) -> Planned:
    """The plan, with the saved plan's causes, which still hold.

    Raises `StalePlanError`. An incomplete plan is not compared: what was not read has not moved.
    """
    plan, selection = planned.plan, request.selection
    if plan.failures:
        return planned
    chosen = chosen_addresses(saved.plan, selection) if selection.given else None
    present = Present(plan, planned.header.description, __version__, chosen)
    require_same(saved, present, planned.approval)
    require_shown(saved, plan)
    going = {change.address for change in plan.changes}
    review = saved.header.review
    causes = {name: cause for name, cause in review.causes.items() if name in going}
    return planned.with_review(since=review.since, causes=causes, note=review.note)


def compare_with(request: PlanRequest, planned: Planned) -> Planned:
    """The plan, with what is new since a review: of a saved plan's file, or its digest.

    With `if_comparable` anybody may have written the reviewed plan, so a useless one is only a
    warning, also in the header.
    """
    try:
        return _compare_with(request.reviewed, planned)
    except ReconcileError as error:
        if not request.if_comparable:
            raise
        why = f"{error.where}: {error.what}" if error.where else error.what
        request.place.warn(f"nothing was compared: {why}")
        return planned.with_review(uncompared=why)


def _compare_with(reviewed: Sequence[str], planned: Planned) -> Planned:
    """As `compare_with`.

    Of several plans, each showed a part: what any of them showed was reviewed. An incomplete plan
    is not compared: what was not read is neither new nor gone.
    """
    plan = planned.plan
    if plan.failures:
        return planned.with_review(uncompared="this plan is incomplete")
    if is_digest(reviewed[0]):
        differs = reviewed[0] != plan.digest()
        return planned.with_review(reviewed=reviewed[0], differs=differs)
    saved = [_comparable(name, plan) for name in reviewed]
    news = _common_news(saved, plan, planned.header.description)
    digest = saved[0].plan.digest()
    differs = bool(news) if len(saved) > 1 else digest != plan.digest()
    return planned.with_review(reviewed=digest, differs=differs, compared=True, news=news)


def _comparable(name: str, plan: Plan) -> SavedPlan:
    saved = read_plan_file(Path(name))
    if (saved.plan.target, saved.plan.stack) != (plan.target, plan.stack):
        raise ConfigError(
            f"the reviewed plan is of target {saved.plan.target}, stack {saved.plan.stack}; this "
            f"one is of target {plan.target}, stack {plan.stack}",
            where=name,
            fix="compare plans of one target and one stack",
        )
    return saved


def _common_news(saved: Sequence[SavedPlan], plan: Plan, description: str) -> dict[str, str]:
    """Pending changes that no review has shown, and reviewed ones that are gone."""
    each = [news_since(one, Present(plan, description, __version__)) for one in saved]
    going = {change.address for change in plan.changes if change.action is not Action.UNCHANGED}
    merged = {address: words for news in reversed(each) for address, words in news.items()}
    return {
        address: words
        for address, words in merged.items()
        if address not in going or all(address in news for news in each)
    }
