"""`reconciler.yaml` -> `Config`, or what is wrong with it. No variable is read here."""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from reconciler.config.control_plane import control_plane, twin_words
from reconciler.config.file import (
    SECRETS,
    TARGET_NAME,
    ConfigFile,
    Section,
    TargetSection,
)
from reconciler.config.text_source import Reader, Source, read_source
from reconciler.core.guards import GuardRules
from reconciler.errors import ConfigError, ManifestError, Problem
from reconciler.field_errors import Fault, explain
from reconciler.kinds.base import Limits
from reconciler.strict_yaml import MAX_BYTES, Positions
from reconciler.strict_yaml import load as load_yaml
from reconciler.support.plain_file import read_plain
from reconciler.support.suggest import DataPath, nearest

CONFIG_NAME = "reconciler.yaml"


@dataclass(frozen=True, slots=True)
class Config:
    """What `reconciler.yaml` says. `root` is the directory that it lies in.

    `sections` holds the targets as written, `data` the bytes of the file, to find positions in;
    `read_file` reads the files that targets name.
    """

    path: Path
    root: Path
    stack: str
    manifests: Path
    overlays: Path
    default_target: str | None
    sections: Mapping[str, TargetSection] = field(repr=False)
    limits: Limits = field(default_factory=Limits)
    guards: GuardRules = field(default_factory=GuardRules)
    env_allow: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    data: bytes = field(default=b"", repr=False)
    read_file: Reader = field(default=read_source, repr=False)


def find_config(start: Path) -> Path:
    """The `reconciler.yaml` in a directory; never one further up. Raises `ConfigError`."""
    path = start / CONFIG_NAME
    if path.is_file():
        return path
    other = path.with_suffix(".yml")
    fix = (
        f"rename {other.name} to {CONFIG_NAME}"
        if other.is_file()
        else "go to the directory that holds it, or use -C DIR or --config FILE"
    )
    raise ConfigError(f"there is no {CONFIG_NAME} here", where=str(start), fix=fix)


def load_config(path: Path) -> Config:
    """Read and check a configuration file. Raises `ConfigError` that names all that is wrong."""
    return parse_config(path, read_config_file(path))


def read_config_file(path: Path) -> bytes:
    """The content of a configuration file. Raises `ConfigError`."""
    try:
        return read_plain(path, MAX_BYTES)
    except OSError as error:
        fix = "name another file with --config"
        raise ConfigError(
            f"it cannot be read: {error.strerror}", where=str(path), fix=fix
        ) from None


def parse_config(path: Path, data: bytes) -> Config:
    """Check the content of a configuration file that is to be, or once was, at this path."""
    config, problems = check_config(path, data)
    if problems:
        raise problem_error(problems)
    return config


def check_config(path: Path, data: bytes) -> tuple[Config, Sequence[Problem]]:
    """What a configuration says, and what is wrong with it.

    A faulty part is replaced by one that refuses nothing: good enough to check other files.
    """
    name = path.name
    try:
        documents = [document for document in load_yaml(data, name) if document.data is not None]
    except ManifestError as error:
        return _mended(path, data, {}, ()), error.problems
    if len(documents) != 1:
        fix = "start it with `apiVersion: reconciler/v1`; it holds one YAML document"
        what = f"there are {len(documents)} documents in it"
        return _mended(path, data, {}, ()), [Problem(name, 0, 0, what, fix)]
    content = documents[0].data
    try:
        file = ConfigFile.model_validate(content)
        faults = list(_check_file(file, path.absolute().parent))
        if not faults:
            return _config(path, data, file), ()
    except ValidationError as error:
        faults = explain(error, content, ConfigFile)
    content = content if isinstance(content, dict) else {}
    return _mended(path, data, content, faults), located(name, data, faults)


def _mended(path: Path, data: bytes, content: Mapping[str, Any], faults: Iterable[Fault]) -> Config:
    """The sound part of a file, completed so that nothing else is refused because of it."""
    faulty = {fault.path[0] for fault in faults if fault.path}
    kept = {
        name: value
        for name, value in content.items()
        if name in ConfigFile.model_fields and name not in (*faulty, "default_target")
    }
    stated = content.get("targets")
    stated = stated if isinstance(stated, dict) else _directories(path.parent / "overlays")
    names = [name for name in stated if re.match(TARGET_NAME, name)]
    filled = {
        "apiVersion": "reconciler/v1",
        "stack": "s",
        "targets": {name: {"docker": {}} for name in names or ["default"]},
    }
    config = _config(path, data, ConfigFile.model_validate({**filled, **kept}))
    if "limits" in faulty or not content:
        config = replace(config, limits=Limits(sys.maxsize, sys.maxsize, sys.maxsize))
    if "env_allow" in faulty or not content:
        config = replace(config, env_allow=("*",))
    return config


def _directories(place: Path) -> list[str]:
    """What is there by name, where overlays tell which targets there are."""
    return sorted(path.name for path in place.iterdir()) if place.is_dir() else []


def variables_for_manifests(config: Config, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that manifests may read: those that `env_allow` matches."""
    return {
        name: value
        for name, value in environ.items()
        if any(fnmatchcase(name, pattern) for pattern in config.env_allow)
    }


def _config(path: Path, data: bytes, file: ConfigFile) -> Config:
    root = Path(os.path.abspath(path)).parent  # noqa: PTH100  (links stay as they are written)
    positions = Positions(data)
    warnings = []
    for keys in _written_secrets(file):
        line, _ = positions.at(0, keys)
        warnings.append(
            f"{path.name}:{line}: a secret is written into the file; "
            f"write `{keys[-1]}: {{env: NAME}}` or `{{file: PATH}}` instead"
        )
    return Config(
        path=path,
        root=root,
        stack=file.stack,
        manifests=root / file.manifests,
        overlays=root / file.overlays,
        default_target=file.default_target,
        sections=file.targets,
        limits=Limits(**file.limits.model_dump()),
        guards=GuardRules(**file.guards.model_dump()),
        env_allow=file.env_allow,
        warnings=tuple(warnings),
        data=data,
    )


def _written_secrets(file: ConfigFile) -> Iterator[DataPath]:
    for name, section in file.targets.items():
        runai = section.runai
        for secret in SECRETS:
            if runai is not None and isinstance(getattr(runai, secret), SecretStr):
                yield ("targets", name, "runai", secret)


def _check_file(file: ConfigFile, root: Path) -> Iterator[Fault]:
    """What single fields cannot know."""
    if file.default_target is not None and file.default_target not in file.targets:
        meant = nearest(file.default_target, file.targets)
        fix = f"did you mean `{meant}`?" if meant else f"it may be: {', '.join(file.targets)}"
        yield Fault(("default_target",), "there is no target of this name", fix)
    seen: dict[tuple[str, str], str] = {}
    for name, section in file.targets.items():
        yield from _check_variables(name, section, ("fingerprint_key",), file.env_allow)
        if section.runai is None:
            continue
        stack = section.stack or file.stack
        twin = seen.setdefault((control_plane(section.runai, root), stack), name)
        if twin != name:
            yield Fault(("targets", name), *twin_words(name, twin, stack))
        names = ("client_id", *SECRETS)
        yield from _check_variables(name, section.runai, names, file.env_allow)


def _check_variables(
    name: str, section: Section, secrets: Iterable[str], env_allow: tuple[str, ...]
) -> Iterator[Fault]:
    """Manifests must not be able to read the credentials of a target."""
    for secret in secrets:
        value = getattr(section, secret)
        if not isinstance(value, Source) or value.env is None:
            continue
        for index, pattern in enumerate(env_allow):
            if fnmatchcase(value.env, pattern):
                message = f"{value.env}, the {secret} of target {name}, could be read by manifests"
                fix = f"write patterns that do not match {value.env}"
                yield Fault(("env_allow", index), message, fix)


def located(name: str, data: bytes, faults: Iterable[Fault]) -> list[Problem]:
    """Faults in a configuration file of this name and content, with their positions."""
    positions = Positions(data)
    return [
        Problem(
            name,
            *positions.at(0, fault.path, key=fault.at_key),
            fault.message,
            fault.fix,
            rule=fault.rule,
        )
        for fault in faults
    ]


def problem_error(problems: Iterable[Problem]) -> ConfigError:
    """One error for all problems; a single one keeps its parts."""
    ordered = sorted(set(problems))
    if len(ordered) == 1:
        (one,) = ordered
        where = f"{one.file}:{one.line}:{one.column}" if one.line else one.file
        error = ConfigError(one.message, where=where, fix=one.fix)
    else:
        error = ConfigError("\n".join(str(problem) for problem in ordered))
    error.problems = tuple(ordered)
    return error
