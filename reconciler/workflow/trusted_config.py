"""`--config-from REF`: what a pull request must not decide is taken from another commit.

Whoever can edit reconciler.yaml could send credentials to an address of their own (`targets`), put
them into an asset that everyone reads (`env_allow`), loosen the `guards`, or delete as another
stack. So these, with `default_target` and the files that targets name, come from the ref; the
manifests, their directory and the `limits` on them come from the work tree.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from reconciler.config import Config, parse_config
from reconciler.config.file import TargetSection
from reconciler.config.text_source import Source, SourceError, read_source, take
from reconciler.errors import ConfigError
from reconciler.git.repository import Repository, open_repository
from reconciler.kinds.base import Limits
from reconciler.support.plain_file import stated_directory


class TrustedConfig(NamedTuple):
    """The configuration to use, and the names of what the work tree states differently.

    `limits` are those of the ref: they hold for what nobody reviews.
    """

    config: Config
    overridden: tuple[str, ...]
    limits: Limits


@contextmanager
def config_from(work: Config, ref: str | None) -> Iterator[TrustedConfig]:
    """The configuration, with the trusted parts of a ref; without one, the work tree's.

    Certificates of the ref are files until the block ends. Raises `ConfigError` if the ref has no
    configuration: then nothing can be trusted.
    """
    if ref is None:
        yield TrustedConfig(work, (), work.limits)
        return
    repository = open_repository(work.root)
    with TemporaryDirectory(prefix="reconcile-config-") as directory:
        trusted = _read(work, ref, repository)
        files = _Files(ref, repository)
        sections = {
            name: _with_certificates(section, files, work.root, Path(directory) / f"{number}.pem")
            for number, (name, section) in enumerate(trusted.sections.items())
        }
        merged = replace(
            trusted,
            sections=sections,
            read_file=files.read,
            path=work.path,
            root=work.root,
            manifests=work.manifests,
            limits=work.limits,
        )
        yield TrustedConfig(merged, tuple(_differences(work, trusted)), trusted.limits)


def _read(work: Config, ref: str, repository: Repository) -> Config:
    repository.require_outermost()
    path = _stated_path(work.path, repository, "the directory of reconciler.yaml (-C DIR)")
    commit = repository.commit(ref)
    data = None if path is None else repository.read_at(commit, path)
    if data is None:
        raise ConfigError(
            f"{ref} has no {work.path.name}, so that there is nothing to take targets from",
            where=f"--config-from {ref}",
            fix="add it there first: what a branch states by itself is not trusted here",
        )
    try:
        return parse_config(work.path, data)
    except ConfigError as error:
        where = f"{error.where} in {ref}" if error.where else f"{work.path.name} in {ref}"
        raise ConfigError(error.what, where=where, fix=error.fix) from error


def _stated_path(path: Path, repository: Repository, meant: str) -> str | None:
    """The path of a file in its repository as it is written; None for a file outside of it.

    A link below the top is refused: the branch could lead us to another file of the ref. A link
    above the repository is not the branch's, and is followed.
    """
    stated = Path(os.path.normpath(stated_directory() / path))
    for place in reversed([stated, *stated.parents]):
        start = os.path.relpath(os.path.realpath(place), repository.top)
        if not _is_outside(start):
            break
    else:
        return None
    below = stated.relative_to(place)
    for part in below.parts:
        place /= part
        if place.is_symlink():
            raise ConfigError(
                f"{place.relative_to(stated.parents[len(below.parts) - 1])} is a link, which could "
                "lead to any file of the other commit",
                where="--config-from",
                fix=f"name {meant} by a path without links",
            )
    return os.path.normpath(Path(start) / below)


def _is_outside(path: str) -> bool:
    return path == ".." or path.startswith("../")


class _Files:
    """The files that targets name; those of the repository as they are in the ref.

    What a branch puts in their place, such as a link to any file of this machine, is never read.
    """

    def __init__(self, ref: str, repository: Repository) -> None:
        self._ref = ref
        self._repository = repository

    def read(self, path: Path) -> bytes:
        """The content of a file that a target names. Raises `ConfigError`, `OSError`."""
        data = self.of_ref(path, "the file")
        return read_source(path) if data is None else data

    def of_ref(self, path: Path, what: str) -> bytes | None:
        """The content in the ref; None for a file outside of the repository."""
        stated = _stated_path(path, self._repository, what)
        if stated is None:
            return None
        data = self._repository.read_at(self._repository.commit(self._ref), stated)
        if data is None:
            raise ConfigError(
                f"{self._ref} has no {stated}, {what} that a target names",
                where=f"--config-from {self._ref}",
                fix="commit it there, or name an absolute path outside of the repository",
            )
        return data


def _with_certificates(
    section: TargetSection, files: _Files, root: Path, copy: Path
) -> TargetSection:
    """The target with the ref's certificates: those of the work tree may be somebody else's."""
    bundle = section.ca_bundle
    if isinstance(bundle, Source):
        try:
            bundle = take(bundle, root, files.read, os.environ)
        except SourceError:
            return section  # said of the target in use, when it is resolved
    data = files.of_ref(root / bundle, "the certificate") if bundle else None
    if data is None:
        return section
    copy.write_bytes(data)
    return section.model_copy(update={"ca_bundle": str(copy)})


def _differences(work: Config, trusted: Config) -> Iterator[str]:
    pairs: Mapping[str, tuple[object, object]] = {
        "targets": (work.sections, trusted.sections),
        "default_target": (work.default_target, trusted.default_target),
        "stack": (work.stack, trusted.stack),
        "env_allow": (work.env_allow, trusted.env_allow),
        "guards": (work.guards, trusted.guards),
    }
    for name, (mine, theirs) in pairs.items():
        if mine != theirs:
            yield name
