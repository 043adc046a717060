"""What is known beside a plan -> its JSON in a saved plan, and back."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from reconciler.core.review_notes import Cause, Edit, Origin, Review


def review_json(review: Review) -> dict[str, Any]:
    """What is known beside the plan; causes and news stand with their changes, too."""
    return {
        "since": review.since or None,
        "dirty": review.dirty,
        "note": review.note,
        "origins": {
            origin.value: sum(cause.origin is origin for cause in review.causes.values())
            for origin in Origin
        }
        if review.since and not review.note
        else None,
        "reviewed": review.reviewed or None,
        "differs": review.differs,
        "compared": review.compared,
        "uncompared": review.uncompared,
        "news": dict(sorted(review.news.items())),
        "config_from": review.config_from or None,
        "overridden": list(review.overridden),
        "allowances": list(review.allowances),
    }


def cause_json(cause: Cause | None) -> dict[str, Any] | None:
    """Whose change it is; null where that is not known."""
    if cause is None:
        return None
    return {
        "origin": cause.origin.value,
        "edit": asdict(cause.edit) if cause.edit else None,
        "changed_by": cause.changed_by or None,
        "changed_at": cause.changed_at or None,
    }


def read_review(given: Mapping[str, Any], causes: Mapping[str, Cause]) -> Review:
    """What a saved plan says of its review; the causes stand with its changes."""
    return Review(
        since=given["since"] or "",
        dirty=given["dirty"],
        causes=causes,
        reviewed=given["reviewed"] or "",
        differs=given["differs"],
        compared=given["compared"],
        uncompared=given["uncompared"],
        news=dict(given["news"]),
        note=given["note"],
        config_from=given["config_from"] or "",
        overridden=tuple(given["overridden"]),
        allowances=tuple(given["allowances"]),
    )


def read_cause(item: Mapping[str, Any]) -> Cause:
    """Whose change one of a saved plan is."""
    edit = item["edit"]
    return Cause(
        Origin(item["origin"]),
        Edit(**edit) if edit else None,
        item["changed_by"] or "",
        item["changed_at"] or "",
    )
