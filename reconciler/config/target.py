"""A section of `reconciler.yaml` -> a `Target` that is ready for use, its variables filled in."""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from reconciler.config.control_plane import cut_base_url, normal_url, same_file, twin_words
from reconciler.config.file import SECRETS, RunaiSection, TargetSection
from reconciler.config.load import Config, located, problem_error
from reconciler.config.proxies import Proxies, proxies_of
from reconciler.config.text_source import Source, SourceError, take
from reconciler.errors import ConfigError
from reconciler.field_errors import Fault, explain
from reconciler.support.suggest import DataPath, nearest

log = logging.getLogger(__name__)
LEAST_KEY = 16
"""Characters of a fingerprint key."""


@dataclass(frozen=True, slots=True)
class RunaiTarget:
    """A Run:ai control plane: the sandbox kept in a file, or one at a URL with its credentials.

    `seed` is what a new sandbox is planted with. `token` is a bearer token, `mark_key` signs the
    marks of ownership. `server_defaults` gives, by kind and canonical field, the value that counts
    as absent on this server.
    """

    sandbox: Path | None = None
    seed: Path | None = None
    base_url: str | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    token: SecretStr | None = None
    mark_key: SecretStr | None = None
    server_defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DockerTarget:
    """A Docker engine. `host` None is the ordinary Docker context.

    `base_image` is the base of manifests that state none, instead of rayproject/ray:latest.
    """

    host: str | None = None
    base_image: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A named pair of endpoints, ready for use. `timeout` is in seconds, for each request."""

    name: str
    stack: str
    runai: RunaiTarget | None = None
    docker: DockerTarget | None = None
    ca_bundle: Path | None = None
    proxies: Proxies = field(default_factory=Proxies)
    timeout: float = 30.0
    fingerprint_key: SecretStr | None = None

    @property
    def is_sandbox(self) -> bool:
        return self.runai is not None and self.runai.sandbox is not None


def resolve_target(config: Config, name: str | None, environ: Mapping[str, str]) -> Target:
    """The target of this name, or the default one, with all its variables filled in.

    Raises `ConfigError` for an unknown name, for all variables that are not set, and with `CI=true`
    for a sandbox that was not named.
    """
    chosen, section = _choose(config, name)
    is_sandbox = section.runai is not None and section.runai.sandbox is not None
    if name is None and is_sandbox and environ.get("CI", "").lower() in ("true", "1"):
        fix = f"pass --target {chosen} if the sandbox is really meant"
        raise ConfigError(f"with CI=true the sandbox target {chosen} must be named", fix=fix)
    target = _Resolution(config, chosen, environ).resolve(section)
    _check_no_twin(config, target, environ)
    _check_sandbox(config, target)
    return target


def _check_sandbox(config: Config, target: Target) -> None:
    """Refuse a sandbox that a link leads out of the directory: its file is written."""
    path = target.runai.sandbox if target.runai is not None else None
    if path is None or not _is_below(os.path.normpath(path), os.path.normpath(config.root)):
        return
    if not _is_below(os.path.realpath(path), os.path.realpath(config.root)):
        raise ConfigError(
            "`sandbox` is behind a link that leads out of the directory of reconciler.yaml",
            where=config.path.name,
            fix="remove the link, or write the path that it leads to",
        )


def _is_below(path: str, directory: str) -> bool:
    return Path(path).is_relative_to(directory)


def _choose(config: Config, name: str | None) -> tuple[str, TargetSection]:
    chosen = name or config.default_target
    known = ", ".join(config.sections)
    if chosen is None:
        fix = f"name one with --target, or set default_target: {known}"
        raise ConfigError("no target is chosen", where=config.path.name, fix=fix)
    section = config.sections.get(chosen)
    if section is None:
        meant = nearest(chosen, config.sections)
        fix = f"did you mean {meant}?" if meant else f"the targets are: {known}"
        raise ConfigError(f"there is no target {chosen}", where=config.path.name, fix=fix)
    return chosen, section


def offline_target(config: Config, name: str | None) -> Target:
    """The target of this name, or the default one, from the file alone.

    Variables stay empty. Raises `ConfigError` for an unknown name.
    """
    chosen, section = _choose(config, name)
    runai, docker = section.runai, section.docker
    sandbox = runai.sandbox if runai is not None else None
    return Target(
        name=chosen,
        stack=section.stack or config.stack,
        runai=None
        if runai is None
        else RunaiTarget(sandbox=None if sandbox is None else config.root / _written(sandbox)),
        docker=None if docker is None else DockerTarget(base_image=_written(docker.base_image)),
    )


def _written(value: str | Source | None) -> str:
    return value if isinstance(value, str) else ""


def _check_no_twin(config: Config, target: Target, environ: Mapping[str, str]) -> None:
    """The rule of `_check_file`, now that the target in use has a URL."""
    mine = target.runai
    if mine is None:
        return
    place = str(mine.sandbox) if mine.sandbox is not None else mine.base_url or ""
    for name, section in config.sections.items():
        stack = section.stack or config.stack
        if name == target.name or stack != target.stack or section.runai is None:
            continue
        given = section.runai.sandbox if mine.sandbox is not None else section.runai.base_url
        value = _peek(given, config, environ)
        if not value:
            continue
        same = (
            same_file(config.root, value) == same_file(config.root, place)
            if mine.sandbox is not None
            else normal_url(value) == normal_url(place)
        )
        if same:
            what, fix = twin_words(target.name, name, stack)
            raise ConfigError(what, where=config.path.name, fix=fix)


def _peek(value: str | Source | None, config: Config, environ: Mapping[str, str]) -> str | None:
    """The text of a target that is not in use: what is wrong with it matters to who uses it."""
    if not isinstance(value, Source):
        return value
    try:
        return take(value, config.root, config.read_file, environ)
    except (SourceError, ConfigError):
        return None


class _Resolution:
    """Fills in the variables of one target; remembers all that is wrong with them."""

    def __init__(self, config: Config, name: str, environ: Mapping[str, str]) -> None:
        self.config = config
        self.name = name
        self.environ = environ
        self.faults: list[Fault] = []

    def resolve(self, section: TargetSection) -> Target:
        """The target. Raises `ConfigError`."""
        ca_bundle = self.text(section, "ca_bundle")
        target = Target(
            name=self.name,
            stack=section.stack or self.config.stack,
            runai=self._runai(section.runai) if section.runai is not None else None,
            docker=None
            if section.docker is None
            else DockerTarget(
                self.text(section.docker, "host", "docker"),
                self.text(section.docker, "base_image", "docker"),
            ),
            ca_bundle=None if ca_bundle is None else self.config.root / ca_bundle,
            proxies=proxies_of(self.environ, self.text(section, "proxy")),
            timeout=section.timeout,
            fingerprint_key=self._fingerprint_key(section),
        )
        if target.ca_bundle is not None and not target.ca_bundle.is_file():
            fault = f"there is no file {target.ca_bundle}"
            self._add(("ca_bundle",), fault, "name a PEM file, relative to reconciler.yaml")
        if self.faults:
            name, data = self.config.path.name, self.config.data
            raise problem_error(located(name, data, self.faults))
        return target

    def _fingerprint_key(self, section: TargetSection) -> SecretStr | None:
        key = self._taken(section, "fingerprint_key")
        if key is not None and len(key) < LEAST_KEY:
            fault = f"{section.fingerprint_key} has less than {LEAST_KEY} characters"
            self._add(("fingerprint_key",), fault, "make one: openssl rand -hex 32")
        return None if key is None else SecretStr(key)

    def _runai(self, section: RunaiSection) -> RunaiTarget:
        makers: dict[str, Callable[[str], Any]] = {
            "sandbox": self.config.root.joinpath,
            "seed": self.config.root.joinpath,
            "base_url": self._cut,
            "client_id": str,
            **dict.fromkeys(SECRETS, SecretStr),
        }
        texts = {name: self.text(section, name, "runai") for name in makers}
        return RunaiTarget(
            **{name: makers[name](text) for name, text in texts.items() if text is not None},
            server_defaults={str(kind): value for kind, value in section.server_defaults.items()},
        )

    def _cut(self, url: str) -> str:
        kept, cut = cut_base_url(url)
        if cut:
            log.warning(
                "base_url of target %s ends in %s, which is left out: write %s",
                self.name,
                cut,
                kept,
            )
        return kept

    def text(self, section: Any, name: str, *above: str) -> str | None:
        """The text of a field, from its source if it names one, checked like a written one.

        A closing line end is dropped: most editors, and `echo`, write one.
        """
        text, value = self._taken(section, name, *above), getattr(section, name)
        if text is None or not isinstance(value, Source):
            return text
        try:
            type(section).model_validate({**section.written(), name: text})
        except ValidationError as error:
            for fault in explain(error, {name: text}, type(section)):
                self._add((*above, name), f"{value.env or value.file}: {fault.message}", fault.fix)
        return text

    def _taken(self, section: Any, name: str, *above: str) -> str | None:
        """The text of a field, not checked yet; None, and a fault, where its source has none."""
        value = getattr(section, name)
        if isinstance(value, SecretStr):
            return value.get_secret_value().rstrip("\r\n")
        if not isinstance(value, Source):
            return None if value is None else str(value).strip()
        try:
            text = take(value, self.config.root, self.config.read_file, self.environ)
        except SourceError as error:
            problem = f"{value}, which target {self.name} takes its {name} from, {error.what}"
            self._add((*above, name), problem, error.fix)
            return None
        if name not in SECRETS:
            text = text.strip()
        if not text:
            problem = f"{value} is not set, which target {self.name} takes its {name} from"
            self._add((*above, name), problem, f"set {value.env}, or choose another target")
            return None
        return text

    def _add(self, path: DataPath, message: str, fix: str) -> None:
        self.faults.append(Fault(("targets", self.name, *path), message, fix))
