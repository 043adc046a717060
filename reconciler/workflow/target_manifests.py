"""The manifests of a target, or of all: with overlays, checked against what the target has."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from reconciler import manifest
from reconciler.config import Config, Target, variables_for_manifests
from reconciler.core.resource import Resource
from reconciler.errors import ConfigError, ManifestError, Problem, problems_of
from reconciler.git.head import submodule_of
from reconciler.git.process import find_top
from reconciler.git.whole import require_whole
from reconciler.kinds.base import LoadContext
from reconciler.kinds.image import IMAGE
from reconciler.kinds.registry import KIND_NAMED, KINDS, made_of_files


def read_manifests(config: Config, target: Target) -> tuple[Resource, ...]:
    """Every resource of a target, with its overlays, stack and the values of variables.

    Raises `ManifestError` with all that is wrong with these and the files of images.
    """
    variables = variables_for_manifests(config, os.environ)
    return _sound(config, _check(config, target.name, target.stack, variables), target.name)


def read_stated(config: Config, target: str | None) -> tuple[Resource, ...]:
    """The same for what needs no values: no variable is read. None: without any overlays."""
    return _sound(config, _check_stated(config, target), target)


def check_everything(config: Config) -> tuple[tuple[Resource, ...], list[str]]:
    """What the manifests state, and the targets that have overlays, each of them checked.

    So are the files of images: Dockerfile, .dockerignore, env.py, reconciler.lock. Raises one
    `ManifestError` with the problems of all targets. If all targets have overlays, the manifests
    are checked with those only.
    """
    patched = [name for name in config.sections if (config.overlays / name).is_dir()]
    problems = _stray_overlays(config)
    resources: tuple[Resource, ...] = ()
    for name in [*patched, *([None] if len(patched) < len(config.sections) else [])]:
        checked = _check_stated(config, name)
        resources = tuple(checked.resources)
        problems += [*checked.problems, *_image_problems(config, checked.resources, name)]
    if problems:
        raise ManifestError(problems)
    return resources, patched


def _check_stated(config: Config, target: str | None) -> manifest.Checked:
    section = config.sections.get(target or "")
    return _check(config, target, (section and section.stack) or config.stack, None)


def _sound(config: Config, checked: manifest.Checked, target: str | None) -> tuple[Resource, ...]:
    """The resources, or the problems, then with those of the images that are sound."""
    if problems := [*_stray_overlays(config), *checked.problems]:
        more = _image_problems(config, checked.resources, target)
        raise ManifestError([*problems, *more])
    return tuple(checked.resources)


def _stray_overlays(config: Config) -> list[Problem]:
    """What is among the overlays and belongs to no target: once, however many targets there are."""
    try:
        manifest.check_overlay_names(config.overlays, config.sections, config.root)
    except ManifestError as error:
        return list(error.problems)
    return []


def _image_problems(
    config: Config, resources: Sequence[Resource], target: str | None
) -> Sequence[Problem]:
    images = made_of_files(resources)
    if not images:
        return ()
    from reconciler.providers.docker import around  # noqa: PLC0415  (heavy, only for images)
    from reconciler.providers.docker.desired import resolve_images  # noqa: PLC0415
    from reconciler.rayfine.image.build_input import Surroundings  # noqa: PLC0415

    section = config.sections.get(target or "")
    base = section.docker.base_image if section and section.docker else None
    base = base if isinstance(base, str) else ""
    problems: list[Problem] = []
    try:
        surroundings = around(config.root, base)
    except ConfigError as error:  # of the lock file
        error.where = error.where.removeprefix(f"{config.root}/")
        problems += problems_of(error)
        surroundings = Surroundings(default_base=base)
    try:
        resolve_images(images, config.root, surroundings)
    except ManifestError as error:
        problems += error.problems
    return problems


def _check(
    config: Config, target: str | None, stack: str, variables: Mapping[str, str] | None
) -> manifest.Checked:
    _require_inside(config)
    require_whole(config.root, [config.path, *stated_places(config, target)])
    context = LoadContext(
        root=config.root,
        stack=stack,
        limits=config.limits,
        env_allow=config.env_allow,
        variables=variables,
    )
    overlays, problems = manifest.NO_FILES, list[Problem]()
    try:
        overlays = read_overlays(config, target)
    except ManifestError as error:
        problems += error.problems
    checked = manifest.check(config.manifests, context, overlays=overlays)
    require_whole(config.root, context_places(config, checked.resources))
    return checked._replace(problems=[*problems, *checked.problems])


def stated_places(config: Config, target: str | None) -> list[Path]:
    """The directories that manifests are read from: their own, and the target's overlays."""
    return [config.manifests, *([config.overlays / target] if target else [])]


def context_places(config: Config, resources: Sequence[Resource]) -> list[Path]:
    """What images are made of besides: their build contexts, and the lock of their bases."""
    contexts = {path for item in resources for path in KIND_NAMED[item.key.kind].inputs(item.spec)}
    if not contexts:
        return []
    from reconciler.rayfine.image.lockfile import LOCK_FILE  # noqa: PLC0415  (only for images)

    return [config.root / path for path in (LOCK_FILE, *sorted(contexts))]


def inputs_of(config: Config, target: str, resources: Sequence[Resource]) -> tuple[str, ...]:
    """All that a plan is made of, relative to the top of the repository; none outside of one.

    A submodule stands for everything in it: a commit of the repository has no more of it.
    """
    top = find_top(config.root)
    if top is None:
        return ()
    stated = [config.path, *stated_places(config, target), *context_places(config, resources)]
    root = Path(os.path.realpath(config.root))
    places = {os.path.relpath(root / os.path.relpath(place, config.root), top) for place in stated}
    places |= {os.path.relpath(os.path.realpath(place), top) for place in stated}  # behind links
    inside = [place for place in places if place.split("/")[0] != ".."]
    modules = {place: submodule_of(str(top / place), str(top)) for place in inside}
    named = {os.path.relpath(modules[place] or top / place, top) for place in inside}
    return tuple(sorted(named))


def read_overlays(config: Config, target: str | None) -> manifest.ReadFiles:
    """The overlays of a target; none without a target."""
    if target is None:
        return manifest.NO_FILES
    return manifest.read_overlays(config.overlays, target, config.root)


def _require_inside(config: Config) -> None:
    """Refuse directories that are a link to somewhere else on the machine."""
    root = os.path.realpath(config.root)
    for name, place in (("manifests", config.manifests), ("overlays", config.overlays)):
        if os.path.commonpath((os.path.realpath(place), root)) != root:
            raise ConfigError(
                f"`{name}` is a link that leads out of the directory of reconciler.yaml",
                where=config.path.name,
                fix="put the files into a directory of their own beside it",
            )


def require_known_systems(resources: Sequence[Resource], target: Target, config: Config) -> None:
    """Refuse resources that the target has no system for, or whose images it could not pull."""
    _require_systems(resources, target, config)
    _require_pushed(resources, target, config)


def _require_systems(resources: Sequence[Resource], target: Target, config: Config) -> None:
    """Refuse resources for a system that the target does not have."""
    for system in dict.fromkeys(kind.system for kind in KINDS):
        strays = [item for item in resources if KIND_NAMED[item.key.kind].system == system]
        if strays and getattr(target, system) is None:
            addresses = ", ".join(item.key.address for item in strays[:5])
            raise ConfigError(
                f"target {target.name!r} has no `{system}`, which {addresses} needs",
                where=str(strays[0].source),
                fix=f"add `{system}:` to the target in {config.path.name}, or choose another "
                "target with --target",
            )


def _require_pushed(resources: Sequence[Resource], target: Target, config: Config) -> None:
    """Refuse images that a real cluster could not pull: only a sandbox may use unpushed ones."""
    if target.is_sandbox:
        return
    local = {
        item.key for item in resources if item.key.kind == IMAGE.name and not item.spec.get("push")
    }
    problems = [
        Problem(
            item.source.file,
            item.source.line,
            1,
            f"{item.key.address} uses {key.address}, which is not pushed to a registry",
            f"set push: true on {key.address} and give it a tag in a registry of the cluster's",
            ("spec", "image"),
        )
        for item in resources
        for key in item.depends_on
        if key in local
    ]
    if problems:
        overlays = read_overlays(config, target.name)
        raise manifest.locate(ManifestError(problems), config.root, overlays)
