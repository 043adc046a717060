"""What others have changed since a plan was made, in words. Pure."""

from reconciler.core.ownership import describe_live
from reconciler.core.resource import LiveResource
from reconciler.errors import ConflictError


def gone(uid: str) -> ConflictError:
    """An asset that was to be written was deleted."""
    return ConflictError(f"the asset {uid} is not there any more", fix="run plan again")


def made_already(other: LiveResource) -> ConflictError:
    """Another asset bears the mark that one was to be given."""
    return ConflictError(
        f"an object with its mark is there already: {describe_live(other)}; nothing was written",
        fix="run plan again: the list that the plan was made of did not show it",
    )


def change_since(planned: LiveResource, now: LiveResource) -> str:
    """What was changed since the plan, in words: the owner, the protection, or anything else."""
    before, after = planned.mark, now.mark
    if before is None and after is not None:
        return f"stack {after.stack} has marked it since the plan"
    if before is not None and after is None:
        return "it does not bear our mark any more"
    if before is not None and after is not None and before != after:
        if (before.stack, before.id_hash) != (after.stack, after.id_hash):
            return "it does not bear our mark any more"
        if after.protect and not before.protect:
            return "it was protected since the plan"
        if after.deposed:
            return "a replacement has renamed it since the plan"
        if before.deposed:
            return "it is no leftover of a replacement any more"
    same = (planned.mark, planned.detached, planned.spec) == (now.mark, now.detached, now.spec)
    if same and (
        now.updated_at == planned.updated_at or None in (now.updated_at, planned.updated_at)
    ):
        return ""
    return f"it was changed since the plan, at {now.updated_at or 'a time that is not known'}"
