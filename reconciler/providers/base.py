"""The contract between the reconciler and a live system, for our providers and those of others.

A provider reads and writes the live objects of one kind. For each command it is

1. **opened**, for one target. Nothing is connected before the first call, since not every command
   needs every system, and what a command does not use must not cost it a login.
2. asked to **resolve** the manifests of its kind, even if there are none: names become what the
   system knows things by. A `read` may wait for it.
3. asked to **read** the live objects, at the same time as every other provider. The planner pairs
   both sides by their marks of ownership and compares their specs, value by value. An id that
   people know by a name is a `Named` on both sides.
4. asked, after the user's selection, for the **usage** of what would be destroyed.
5. Only an apply goes on: each change is a **write**, in order of rank, many at a time within one.
   After each rank, **settle** waits until what was written shows.
6. **closed**, with the context manager that opened it.

What to raise, and what becomes of it:

- `ManifestError`, in `resolve`: a manifest names what is not there. No plan; all are shown.
- `UnreachableError`: no usable answer. A plan leaves the kind out, and says so.
- `AccessError`: the account may not. The same; say which right is missing. If no manifest states
  the kind, the plan only warns.
- `ConflictError`: the object was changed since the plan. The change failed, nothing was written.
- `AmbiguousWriteError`: sent, and nobody knows whether it took place. The outcome is unknown.
- `NotConvergedError`: written, and it shows something else. The change is not confirmed.
- Any other `ProviderError`: the system said no. The change failed; what needs it is not sent.

Anything else that is raised is a defect, and ends the command. A provider owns every type of its
SDK: nothing of it leaves the provider's files. Server values are brought to the kind's canonical
spec when they are read, never in the differ. Methods may be called from several threads at once.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.core.plan import Change
from reconciler.core.resource import KindTraits, LiveResource, Resource
from reconciler.errors import ProviderError
from reconciler.git.head import Provenance

__all__ = ["Opening", "Progress", "Provider", "Providers"]

if TYPE_CHECKING:  # it imports the registry, and that what a package has, this module too perhaps
    from reconciler.config import Target

Progress = Callable[[str], None]
"""Takes one line of news about a running write (a build step, a wait)."""


@dataclass(frozen=True)
class Opening:
    """What the `opener` of a kind is given; it returns a context manager that gives the provider.

    `origin` tells, when something is written, what it was made from: a hint, never compared. Once
    `stop` is set a provider waits for nothing more.
    """

    target: "Target"
    root: Path
    parallelism: int
    origin: Callable[[], Provenance]
    stop: threading.Event | None


class Provider(ABC):
    """Reads and writes the live objects of one kind on one system.

    Every method may raise `ProviderError`; an error is never turned into "nothing is there".
    Methods may be called from several threads at once.
    """

    traits: KindTraits
    system: str
    """The live system in words, such as `Run:ai control plane` or `Docker engine`."""

    @abstractmethod
    def resolve(self, resources: Sequence[Resource]) -> Sequence[Resource]:
        """Bind names in these resources of this kind to what the system or disk knows them as.

        What others may refer to, and is known here already, goes into `outputs`. A `Reference` that
        is left in a spec is bound later, and stays as it is.
        Called before `read`, in order of rank, with references already linked. Raises
        `ManifestError` that name each manifest whose name means nothing there.
        """

    @abstractmethod
    def read(self) -> Sequence[LiveResource]:
        """Every live object of the kind that may concern us, by list calls only."""

    def read_alone(self) -> Sequence[LiveResource]:
        """The same where no manifest is read: `read` may wait for `resolve`."""
        self.resolve(())
        return self.read()

    @abstractmethod
    def usage(self, live: Sequence[LiveResource]) -> Mapping[str, tuple[str, ...]]:
        """By uid, what uses these objects, in words such as `workspace train-7`. One list call.

        What is named here keeps an object from being destroyed: nothing that has ended is.
        """

    @abstractmethod
    def write(self, change: Change, progress: Progress) -> str:
        """Carry out one change and return the uid of the object (the old one of a delete).

        A `Made` uid brings other outputs along; the desired spec holds no reference any more.
        A replacement renames the live object, marks it deposed and creates the new one; it does
        not delete: apply sends that as a delete of its own once the new object is confirmed. Of a
        kind that deletes first, it gets the delete and then a create instead.
        Raises `AmbiguousWriteError` where it cannot be known whether the write took place.
        """

    @abstractmethod
    def settle(
        self, changes: Sequence[Change], uids: Mapping[str, str]
    ) -> Mapping[str, ProviderError]:
        """Wait until these written changes show, and compare them with what was asked.

        `uids` gives, by address, what `write` returned. The answer holds, by address, what is
        wrong; an address that is not in it has converged. Where another object came to bear the
        same mark meanwhile, that is wrong, and what came second is taken back. At most one list
        per round.
        """


Providers = Mapping[str, Provider]
"""By kind, in order of rank."""
