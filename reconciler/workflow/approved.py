"""A fresh plan against what was approved or reviewed."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reconciler import __version__
from reconciler.core.header import Header
from reconciler.core.plan import Action, Plan, is_digest
from reconciler.core.selection import chosen_addresses, narrow
from reconciler.errors import ConfigError
from reconciler.planfile.reader import SavedPlan, read_plan_file
from reconciler.planfile.staleness import Present, news_since, require_same
from reconciler.workflow.plan_request import PlanRequest
from reconciler.workflow.session import Session, approval_for, finish_plan


def plan_approved(
    whole: Plan, saved: SavedPlan, session: Session, options: PlanRequest, *, trusted: bool
) -> Plan:
    """The fresh plan of what was approved and is chosen now. Raises `StalePlanError`.

    What the saved plan was restricted to holds without being repeated; the options choose from it.
    `trusted`: the file itself is the approval, so that deletions named when it was saved are
    approved. Beside a digest it is not, since that covers the changes and not how they were chosen.
    A plan that is incomplete is compared with nothing: what was not read has not moved.
    """
    selection = options.selection
    approved = narrow(whole, saved.selection)
    chosen = chosen_addresses(saved.plan, selection) if selection.given else None
    given = _as_saved(saved, options) if trusted else options
    plan = finish_plan(whole, narrow(approved, selection), session, given)
    if plan.failures:
        return plan
    present = Present(plan, session.header.description, __version__, chosen)
    approval, _ = approval_for(whole, plan, session, given)
    require_same(saved, present, approval)
    return plan


def _as_saved(saved: SavedPlan, options: PlanRequest) -> PlanRequest:
    """Deletions that were named when the plan was saved are approved by its being applied."""
    only = (*saved.selection.only, *options.selection.only)
    return replace(options, selection=replace(options.selection, only=only))


def compare_with(reviewed: Sequence[str], plan: Plan, header: Header) -> Header:
    """The header with what is new since a review: of a saved plan's file, or its digest.

    Of several plans, each of which showed a part, what one of them showed was reviewed. An
    incomplete plan is compared with nothing: what was not read is neither new nor gone.
    """
    review = header.review
    if plan.failures:
        why = "this plan is incomplete"
        return replace(header, review=replace(review, uncompared=why))
    if is_digest(reviewed[0]):
        differs = reviewed[0] != plan.digest()
        return replace(header, review=replace(review, reviewed=reviewed[0], differs=differs))
    saved = [_comparable(name, plan) for name in reviewed]
    news = _common_news(saved, plan, header)
    digest = saved[0].plan.digest()
    differs = bool(news) if len(saved) > 1 else digest != plan.digest()
    review = replace(review, reviewed=digest, differs=differs, compared=True, news=news)
    return replace(header, review=review)


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


def _common_news(saved: Sequence[SavedPlan], plan: Plan, header: Header) -> dict[str, str]:
    """What no review has shown of that which is to be done, and what any has shown besides."""
    each = [news_since(one, Present(plan, header.description, __version__)) for one in saved]
    going = {change.address for change in plan.changes if change.action is not Action.UNCHANGED}
    merged = {address: words for news in reversed(each) for address, words in news.items()}
    return {
        address: words
        for address, words in merged.items()
        if address not in going or all(address in news for news in each)
    }
