"""Carrying out one change on one asset, so that a run killed at any request can be gone on from.

A POST is never sent twice. Where an answer is lost, the object is looked for (it bears our mark)
for a bounded time; only if that does not settle the matter is the outcome unknown. A replacement
renames the old asset to `NAME-replaced-<6 hex>`, marks it deposed and creates the new one: there is
always an asset, and a rerun goes on with whatever is there. The six digits follow from the old
asset's id, so that they are the same on a rerun.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, assert_never

from reconciler.errors import AmbiguousWriteError, ConflictError, ProviderError, ReconcileError
from reconciler.ownership import desired_mark, room
from reconciler.plan import Action, Change
from reconciler.providers.base import Progress
from reconciler.providers.runai.asset_api import AssetApi
from reconciler.providers.runai.faults import NotFoundError, withholding
from reconciler.providers.runai.mapping import AssetMapping
from reconciler.providers.runai.reading import AssetReader
from reconciler.providers.runai.settling import Rules
from reconciler.resource import LiveResource, Mark, Resource, has_secrets

_LOOK_FOR = 10.0
"""Seconds for which a write whose answer was lost is looked for at most."""


class AssetWriter:
    """Writes assets of one kind for one stack."""

    def __init__(
        self, api: AssetApi, mapping: AssetMapping, reader: AssetReader, rules: Rules
    ) -> None:
        self._api = api
        self._mapping = mapping
        self._reader = reader
        self._stack = rules.stack
        self._wait = rules.patience.at_most(_LOOK_FOR)

    def write(self, change: Change, progress: Progress) -> str:
        """Carry out the change and return the id of the asset (the old one's for a delete)."""
        with withholding(_has_secrets(change)):
            return self._dispatch(change, progress)

    def _dispatch(self, change: Change, progress: Progress) -> str:
        match change.action:
            case Action.CREATE:
                return self._create(_desired(change))
            case Action.UPDATE | Action.ADOPT:
                return self._update(_desired(change), _live(change))
            case Action.REPLACE:
                return self._replace(_desired(change), _live(change), progress)
            case Action.DELETE:
                return self._delete(_live(change), change.deposed)
            case Action.UNCHANGED:
                raise ReconcileError(f"{change.address} is unchanged: there is nothing to write")
        assert_never(change.action)

    def _create(self, desired: Resource, raw: Mapping[str, Any] | None = None) -> str:
        """Create an asset; `raw` is the spec of the one that it replaces, if any."""
        mark = desired_mark(desired, self._stack)
        body = self._mapping.create_body(desired.spec, mark, raw)
        try:
            uid = self._api.create(body)
        except AmbiguousWriteError as error:
            with _looking(error):
                uid = self._find_created(desired, mark)
            if uid is None:
                raise
        except ConflictError as error:
            return self._take_created(desired, mark, error)
        else:
            with _looking(AmbiguousWriteError(f"{desired.name} was accepted")):
                uid = uid or self._find_created(desired, mark)
        if uid is None:
            raise AmbiguousWriteError(
                f"{desired.name} was accepted, but no such asset is to be seen",
                fix="run plan again to see whether it is there",
            )
        return uid

    def _find_created(self, desired: Resource, mark: Mark) -> str | None:
        """The id of the asset that a create with a lost answer has made, if it shows up."""
        for _ in self._wait.rounds():
            for live in self._reader.find(desired.name):
                if live.mark == mark and _same_place(live, desired):
                    return live.uid
        return None

    def _take_created(self, desired: Resource, mark: Mark, error: ConflictError) -> str:
        """After a 409: the asset that is in the way, if it is exactly the one we wanted to make."""
        for _ in self._wait.at_most(2).rounds():
            for live in self._reader.find(desired.name):
                if _same_place(live, desired):
                    if live.mark == mark and live.spec == desired.spec:
                        return live.uid
                    raise ConflictError(
                        f"an asset named {desired.name} exists there already ({live.uid})",
                        fix="it was made since the plan: run plan again",
                    ) from error
        raise error

    def _update(self, desired: Resource, live: LiveResource) -> str:
        mark = desired_mark(desired, self._stack)
        raw = live.raw.get("spec") or {}
        body = self._mapping.update_body(desired.spec, mark, raw)

        def shows(found: LiveResource) -> bool:
            return found.mark == mark and found.spec == desired.spec

        self._put(live.uid, body, shows)
        return live.uid

    def _put(
        self, uid: str, body: dict[str, object], shows: Callable[[LiveResource], bool]
    ) -> None:
        """Send an update; if its answer is lost, see whether it took place."""
        try:
            self._api.update(uid, body)
        except NotFoundError as error:
            raise ConflictError(
                f"the asset {uid} is not there any more", fix="run plan again"
            ) from error
        except AmbiguousWriteError as error:
            for _ in self._wait.rounds():
                with _looking(error):
                    found = self._get(uid)
                if found is None:
                    raise ConflictError(
                        f"the asset {uid} is not there any more", fix="run plan again"
                    ) from error
                if shows(found):
                    return
            raise

    def _get(self, uid: str) -> LiveResource | None:
        try:
            return self._reader.get(uid)
        except NotFoundError:
            return None

    def _replace(self, desired: Resource, live: LiveResource, progress: Progress) -> str:
        digits = hashlib.sha256(live.uid.encode()).hexdigest()[:6]
        renamed = f"{live.name}-replaced-{digits}"
        mark = live.mark or desired_mark(desired, self._stack)
        # What may be replaced may go: a protected leftover would block the rerun that removes it.
        mark = self._mapping.written(replace(mark, deposed=digits, protect=False))
        if live.mark is None or live.mark.deposed is None:
            progress(f"renaming the old one to {renamed}")
            if len(str(live.spec.get("description", ""))) > room(mark):
                progress("cutting its description, which leaves its mark no room")
            self._rename(live, renamed, mark)
        try:
            return self._create(desired, live.raw.get("spec"))
        except AmbiguousWriteError:
            raise  # it may be there: both stay, and the next run goes on from what it finds
        except ProviderError as error:
            progress("creating the new one failed: renaming the old one back")
            self._restore(live, error)
            raise

    def _rename(self, live: LiveResource, name: str, mark: Mark) -> None:
        body = self._mapping.rename_body(live, name, mark)
        self._put(live.uid, body, lambda found: found.name == name and found.mark == mark)

    def _restore(self, live: LiveResource, failure: ProviderError) -> None:
        """Undo the rename after a create that failed for sure.

        Waits for a bounded time until that is to be seen: a rerun that still saw the old one as
        deposed would create the new one beside it, and could not delete the old one. A read that
        lags may even show it from before the rename: by its date that is told apart.
        """
        if live.mark is None:
            return
        try:
            self._rename(live, live.name, live.mark)
        except ProviderError as error:
            raise AmbiguousWriteError(
                f"{failure.what}; and the old asset {live.uid} could not be renamed back: "
                f"{error.what}",
                fix="run apply again: it creates the new one and deletes the old one",
            ) from failure
        for _ in self._wait.rounds():
            found = self._seen(live.uid)
            if (
                found is not None
                and (found.name, found.mark) == (live.name, live.mark)
                and (found.updated_at != live.updated_at or found.updated_at is None)
            ):
                return

    def _seen(self, uid: str) -> LiveResource | None:
        """What a read shows, if it succeeds: for a wait that decides nothing."""
        try:
            return self._get(uid)
        except ProviderError:
            return None

    def _delete(self, live: LiveResource, deposed: str | None) -> str:
        """Delete what is still exactly the object that was planned; gone already is done, too."""
        now = self._get(live.uid)
        if now is None:
            return live.uid
        _check_still_ours(live, now, deposed)
        try:
            self._api.delete(live.uid)
        except NotFoundError:
            return live.uid
        except AmbiguousWriteError as error:
            for _ in self._wait.rounds():
                with _looking(error):
                    now = self._get(live.uid)
                if now is None:
                    return live.uid
            raise
        return live.uid


@contextmanager
def _looking(lost: AmbiguousWriteError) -> Iterator[None]:
    """A read after a write whose answer was lost: if that fails, too, the outcome is unknown.

    The read's own error would say that nothing was written.
    """
    try:
        yield
    except ProviderError as error:
        raise AmbiguousWriteError(
            f"{lost.what}; looking for it failed: {error.what}",
            where=lost.where,
            fix="run plan again to see what is there",
        ) from error


def _check_still_ours(planned: LiveResource, now: LiveResource, deposed: str | None) -> None:
    """Law 6, once more, right before the delete: the same owner, and no protection since."""
    before, after = planned.mark, now.mark
    if (
        before is None
        or after is None
        or (before.stack, before.id_hash) != (after.stack, after.id_hash)
    ):
        raise ConflictError(
            f"{now.name} ({now.uid}) does not bear our mark any more",
            fix="run plan again: somebody changed it since",
        )
    if deposed is not None and after.deposed != deposed:
        raise ConflictError(
            f"{now.name} ({now.uid}) is no leftover of a replacement any more",
            fix="run plan again: somebody changed it since",
        )
    if after.protect and not before.protect:
        raise ConflictError(
            f"{now.name} ({now.uid}) was protected since the plan", fix="run plan again"
        )


def _same_place(live: LiveResource, desired: Resource) -> bool:
    return all(
        live.spec.get(name) == desired.spec.get(name) for name in ("name", "scope", "scope_id")
    )


def _desired(change: Change) -> Resource:
    assert change.desired is not None
    return change.desired


def _live(change: Change) -> LiveResource:
    assert change.live is not None
    return change.live


def _has_secrets(change: Change) -> bool:
    """Whether a request of this change may carry, or its object hold, what must not be shown."""
    live = change.live
    if live is not None and ((live.mark and live.mark.secrets) or has_secrets(live.spec)):
        return True
    return change.desired is not None and has_secrets(change.desired.spec)
