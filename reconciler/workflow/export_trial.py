"""Documents of an export -> how well each describes its live objects: it is loaded and planned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from reconciler import manifest
from reconciler.core.plan import Action, Change
from reconciler.core.planner import PlanInput, make_plan
from reconciler.core.resource import LiveResource, Resource, ResourceKey
from reconciler.errors import ConfigError, ManifestError, Problem
from reconciler.kinds.base import LoadContext
from reconciler.render.summary import planned_words
from reconciler.workflow.export_drafts import Draft
from reconciler.workflow.read_live import resolve_all
from reconciler.workflow.session import Session


class Fate(Enum):
    """How well a manifest describes a live object."""

    READY = "ready"
    DIFFERS = "differs"
    IMPOSSIBLE = "cannot be expressed"


@dataclass(frozen=True, slots=True)
class Exported:
    """One document: the live objects that it states, the file it goes to, and how well it fits."""

    key: ResourceKey
    live: tuple[LiveResource, ...]
    file: str
    text: bytes
    fate: Fate = Fate.READY
    reasons: tuple[str, ...] = ()


def _context(session: Session, variables: Mapping[str, str]) -> LoadContext:
    """What manifests of the session are checked with; every variable is permitted."""
    config = session.config
    return LoadContext(config.root, session.target.stack, config.limits, ("*",), variables)


class Trial:
    """Loads and plans drafts as the next plan would."""

    def __init__(self, session: Session, world: PlanInput, variables: Mapping[str, str]) -> None:
        self._session = session
        self._world = world
        self._context = _context(session, variables)

    def judge(self, drafts: Sequence[Draft]) -> list[Exported]:
        """The documents with their fates, in the same order."""
        items = self._try(drafts, by_name=True)
        doubtful = [index for index, item in enumerate(items) if item.fate is not Fate.READY]
        again = self._try([drafts[index] for index in doubtful], by_name=False)
        for index, item in zip(doubtful, again, strict=True):
            if item.fate is Fate.READY:
                items[index] = item
        return items

    def _try(self, drafts: Sequence[Draft], *, by_name: bool) -> list[Exported]:
        files: dict[str, bytes] = {}
        faults: dict[str, list[str]] = {}
        for index, draft in enumerate(drafts):
            try:
                files[str(index)] = draft.text(by_name=by_name)
            except ConfigError as error:
                faults[str(index)] = [f"{error.what}; {error.fix}"]
        changes: dict[str, list[Change]] = {}
        while True:
            left = [name for name in files if name not in faults]
            problems = self._plan({name: files[name] for name in left}, changes)
            if not problems:
                break
            for problem in problems:
                faults.setdefault(problem.file, []).append(_reason(problem))
        items = []
        for index, draft in enumerate(drafts):
            made = Exported(draft.key, draft.live, draft.file, files.get(str(index), b""))
            if wrong := faults.get(str(index)):
                made = replace(made, fate=Fate.IMPOSSIBLE, reasons=tuple(dict.fromkeys(wrong)))
            elif different := _differences(changes.get(str(index), []), draft):
                made = replace(made, fate=Fate.DIFFERS, reasons=tuple(different))
            items.append(made)
        return items

    def _plan(
        self, files: Mapping[str, bytes], changes: dict[str, list[Change]]
    ) -> Sequence[Problem]:
        checked = manifest.check_files(
            [manifest.ManifestFile(name, text) for name, text in files.items()], self._context
        )
        if checked.problems:
            return checked.problems
        bound = resolve_all(checked.resources, self._session.providers)
        if isinstance(bound, ManifestError):
            return bound.problems
        for error in bound[1].values():
            raise error
        changes.clear()
        plan = make_plan(replace(self._world, desired=bound[0], failures=()))
        for change in plan.changes:
            if isinstance(change.desired, Resource):
                changes.setdefault(change.desired.source.file, []).append(change)
        return ()


def _reason(problem: Problem) -> str:
    path = ".".join(str(part) for part in problem.path)
    return f"{path}: {problem.message}" if path else problem.message


def _differences(changes: Sequence[Change], draft: Draft) -> list[str]:
    """What the plan would do besides importing exactly these objects."""
    found = []
    imported = {change.live.uid for change in changes if change.live is not None}
    for change in changes:
        if change.action is not Action.ADOPT:
            found.append(f"{change.address} {planned_words(change)}")
        found += [f"{field.name} would change" for field in change.fields]
    if not found and imported != {item.uid for item in draft.live}:
        found.append("another object would be imported in its place")
    return found
