"""The contract between the reconciler and a live system.

A provider owns every type of its SDK: nothing of it leaves the provider's files. Server values are
brought to the kind's canonical spec when they are read, never in the differ.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

from reconciler.core.plan import Change
from reconciler.core.resource import KindTraits, LiveResource, Resource
from reconciler.errors import ProviderError

Progress = Callable[[str], None]
"""Takes one line of news about a running write (a build step, a wait)."""


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
