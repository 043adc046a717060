"""Whose writing a live object bears, and what this checkout may do with it. Pure.

A mark names the repository and the commit that an object was last written from. An object of
another repository is not ours, even if the stack is called the same. One of ours that was written
from a commit which HEAD does not contain is left as it is: this checkout is behind, and what looks
like drift or like a removed manifest is somebody's newer work.

    repository   commit                     the object is
    none, ours   none, or in HEAD           ours
    none, ours   known, and not in HEAD     ours, and not changed without `--rollback`
    none, ours   not known                  ours, and not changed without `--take-over`
    another      in HEAD                    a former name's, or copied; not without `--take-over`
    another      anything else              another repository's

Which repository a shallow clone without an origin is, nobody knows: what its commits do not tell is
not changed, either.

Directories of one repository share its commits. One that HEAD still has, with a configuration of
its own, is another repository here; the only one is heir of those that are gone. What Git knows
comes as a `History`, which asks it only once an answer is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from reconciler.core.mark import UNWRITTEN, Mark, Written
from reconciler.core.plan import Refusal, RefusalKind
from reconciler.core.resource import LiveResource

SHORT = 7
"""Digits of a commit that are shown, and the fewest that name one."""


class Standing(StrEnum):
    """What Git knows of a commit. `UNSURE`: a shallow clone cannot tell whether HEAD has it."""

    CONTAINED = "contained"
    OUTSIDE = "outside"
    MISSING = "missing"
    UNSURE = "unsure"


class History(Protocol):
    """What Git knows of the checkout that a plan is made in."""

    def standing(self, commit: str) -> Standing:
        """Whether HEAD contains a commit."""
        ...

    def is_sibling(self, repository: str) -> bool:
        """Whether this is another directory of our repository that HEAD still has."""
        ...

    def is_former(self, repository: str) -> bool:
        """Whether this is our repository, before it had an origin or its directory moved."""
        ...


class NoHistory:
    """No Git repository: nothing is known."""

    def standing(self, commit: str) -> Standing:  # noqa: ARG002
        """No commit is known."""
        return Standing.MISSING

    def is_sibling(self, repository: str) -> bool:  # noqa: ARG002
        """There is none."""
        return False

    def is_former(self, repository: str) -> bool:  # noqa: ARG002
        """Nothing is known of that."""
        return False


class Rights(StrEnum):
    """What a mark's writing lets this checkout do with the object."""

    OURS = "ours"
    NEWER = "newer"
    """Written from a commit that HEAD does not contain, or cannot be seen to."""
    SHARED = "shared"
    """Written by another repository of the same history: this one, renamed, or copied from."""
    OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a plan is made: what is written into marks, and what is known of older ones.

    `rollback` lets objects be changed that a commit outside of HEAD has written; `taken_over` holds
    repositories and commits whose objects count as written by this one. `gone` are manifests that
    HEAD has and the disk has not.
    """

    here: Written = UNWRITTEN
    history: History = field(default_factory=NoHistory)
    rollback: bool = False
    taken_over: frozenset[str] = frozenset()
    gone: tuple[str, ...] = ()

    @property
    def accepted(self) -> tuple[str, ...]:
        """In words for the head of a plan and for its digest: what is beyond the rule here."""
        rollback = ("rollback",) if self.rollback else ()
        return (*rollback, *(f"take-over {name}" for name in sorted(self.taken_over)))

    def takes_over(self, written: Written) -> bool:
        """Whether what wrote this was named as taken over; a commit in seven digits or more."""
        return written.repository in self.taken_over or any(
            len(name) >= SHORT and written.commit.startswith(name[: len(written.commit)])
            for name in self.taken_over
            if written.commit
        )

    def rights(self, mark: Mark) -> Rights:
        """What this checkout may do with an object that bears this mark of its stack."""
        written = mark.written
        if not any(written) or self.takes_over(written):
            return Rights.OURS
        if self._is_here(written):
            contained = not written.commit or self.contains(written.commit)
            return Rights.OURS if contained else Rights.NEWER
        standing = self.history.standing(written.commit) if written.commit else Standing.MISSING
        if standing is Standing.CONTAINED and not self.history.is_sibling(written.repository):
            former = self.history.is_former(written.repository)
            return Rights.OURS if former else Rights.SHARED
        unsure = standing is Standing.UNSURE and not self.here.repository
        return Rights.NEWER if unsure else Rights.OTHERS

    def _is_here(self, written: Written) -> bool:
        return written.repository in ("", self.here.repository)

    def _is_beside(self, written: Written) -> bool:
        """Whether it was written from another directory, or by other manifests, of this origin."""
        return bool(self.here.origin) and written.origin == self.here.origin

    def contains(self, commit: str) -> bool:
        """Whether HEAD has this commit."""
        return self.history.standing(commit) is Standing.CONTAINED

    def refusal(self, live: LiveResource) -> Refusal | None:
        """Why an object of ours must not be changed from here, if so."""
        rights = self.rights(live.mark) if live.mark is not None else Rights.OURS
        if live.mark is None or rights not in (Rights.NEWER, Rights.SHARED):
            return None
        commit, repository = live.mark.written.commit, live.mark.written.repository
        if rights is Rights.SHARED:
            whose = f"repository ({repository}) with the same history: this one by a former "
            whose += "address, or one that it was copied from"
            if self._is_beside(live.mark.written):
                whose = (
                    f"configuration of this repository ({repository}): one that moved, or is gone"
                )
            return Refusal(
                RefusalKind.BLOCKED,
                f"it was written from another {whose}",
                f"if this one replaces that: --take-over {repository}; if not, choose another "
                "stack here",
            )
        standing, short = self.history.standing(commit), commit[:SHORT]
        if standing is Standing.OUTSIDE and self.rollback:
            return None
        written = f"it was written by {short}"
        if standing is Standing.OUTSIDE:
            reason = f"{written}, which this checkout does not have: HEAD is behind, or elsewhere"
            fix = "pull, or merge that commit; to go back on purpose: --rollback"
        elif standing is Standing.UNSURE:
            reason = f"{written}, and this shallow clone cannot tell whether HEAD contains that"
            fix = "fetch the history: git fetch --unshallow (actions/checkout: fetch-depth: 0)"
        else:
            reason = f"{written}, a commit that is not here: of another repository, or not fetched"
            fix = f"pull; if history was rewritten or moved on purpose: --take-over {short}"
        return Refusal(RefusalKind.BLOCKED, reason, fix)

    def conflict(self, live: LiveResource, mark: Mark) -> Refusal:
        """Why an object that another repository has made is in the way of a manifest."""
        fix = "choose another stack or another name here; to take over from that one on purpose: "
        fix += f"--take-over {mark.written.repository}"
        if not self._is_beside(mark.written):
            fix = f"pull, if that is a copy of this one; else {fix}"
        reason = f"an object of this name exists, and {live.detached}"
        return Refusal(RefusalKind.CONFLICT, reason, fix)

    def sort_out(self, live: Sequence[LiveResource], stack: str) -> list[LiveResource]:
        """The same objects, those of this stack that another repository has made detached."""
        return [self._detach(item, item.mark, stack) for item in live]

    def _detach(self, item: LiveResource, mark: Mark | None, stack: str) -> LiveResource:
        if mark is None or mark.stack != stack or self._is_here(mark.written):
            return item  # the most, and Git is asked nothing
        if self.rights(mark) is not Rights.OTHERS:
            return item
        whose = (
            "configuration of this repository" if self._is_beside(mark.written) else "repository"
        )
        why = f"it belongs to another {whose} with the same stack ({mark.written})"
        if not self.here.repository:
            why += "; this directory is in no Git repository that could be told to be the same"
        elif self.history.standing(mark.written.commit) is Standing.UNSURE:
            why += "; this is a shallow clone, which may not have its commit: git fetch --unshallow"
        elif not mark.written.commit and not self._is_beside(mark.written):
            why += ", or to this one by a former address: its mark names no commit that would tell"
        return replace(item, detached=why)
