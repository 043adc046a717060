"""A Git address and a ref -> a temporary clone with that commit checked out, removed afterwards.

Only plain transports are used: `ext::` and its like would run a command. No text of a user becomes
an option, no hook is run, nobody is asked for a password, and credentials in an address are shown
nowhere.
"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.errors import ConfigError
from reconciler.git.head import without_credentials
from reconciler.git.process import GitError, run_at
from reconciler.git.repository import Repository, is_plain_ref, open_repository

_SCHEMES = ("https", "http", "ssh", "git", "file")
_PLAIN = {"GIT_ALLOW_PROTOCOL": ":".join(_SCHEMES)}
_SECONDS = 600.0
"""What a clone may take."""
_URL = re.compile(r"[a-z+]+://[^\s'\"]+")
_HELPER = re.compile(r"[A-Za-z0-9+.-]*::")
_SCP = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?![/\\]{2})[^-].*")


@contextmanager
def cloned(address: str, ref: str) -> Iterator[Path]:
    """A clone with the ref (branch, tag, hash, `refs/...`) checked out. Raises `ConfigError`."""
    place = check_address(address)
    if not is_plain_ref(ref):
        raise ConfigError(f"{ref!r} is no ref", where="--ref", fix="name a branch, tag or hash")
    with tempfile.TemporaryDirectory(prefix="reconcile-clone-") as directory:
        _clone(place, ref, Path(directory) / "repository", shown=without_credentials(address))
        yield Path(directory) / "repository"


def check_address(address: str) -> str:
    """The address as git is to be given it: a URL, USER@HOST:PATH, or an absolute path."""
    fix = "write https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH, file:///PATH or a path"
    shown = without_credentials(address)
    if not address or address.startswith("-") or _HELPER.match(address) or "\0" in address:
        raise ConfigError(f"{shown!r} is no address of a repository", where="--repo", fix=fix)
    if "://" in address:
        parts = urlsplit(address)
        if parts.scheme not in _SCHEMES or (parts.hostname or "").startswith("-"):
            what = f"{shown!r} is not an address that is cloned from"
            raise ConfigError(what, where="--repo", fix=fix)
        return address
    path = Path(address)
    if path.is_dir():
        return str(path.resolve())
    if _SCP.fullmatch(address):
        return address
    raise ConfigError(f"there is no repository {shown!r}", where="--repo", fix=fix)


def _clone(address: str, ref: str, target: Path, *, shown: str) -> None:
    def run(place: Path, *words: str) -> None:
        try:
            run_at(place, *words, environ=_PLAIN, seconds=_SECONDS)
        except ConfigError as error:
            access = "check the address, and that git has access to it without asking"
            raise ConfigError(
                f"it cannot be cloned: {_without_secrets(error.what, address, shown)}",
                where=f"--repo {shown}",
                fix=access if isinstance(error, GitError) else error.fix,
            ) from None  # what git said, and so the credentials, stands in the cause

    run(target.parent, "clone", "--quiet", "--no-checkout", "--", address, str(target))
    if ref.startswith("refs/"):
        run(target, "fetch", "--quiet", "--no-tags", "origin", ref)
    run(target, "checkout", "--quiet", "--detach", _find(open_repository(target), ref, shown))


def _find(repository: Repository, ref: str, shown: str) -> str:
    if ref.startswith("refs/"):
        return repository.commit("FETCH_HEAD")
    named = (f"refs/remotes/origin/{ref}", f"refs/tags/{ref}")
    found = [commit for name in named if (commit := _commit(repository, name))]
    if len(set(found)) > 1:
        raise ConfigError(
            f"{ref!r} is a branch and a tag, of different commits",
            where=f"--repo {shown}",
            fix=f"write --ref refs/heads/{ref} or --ref refs/tags/{ref}",
        )
    commit = found[0] if found else _commit(repository, ref)
    if commit:
        return commit
    raise ConfigError(
        f"it has no {ref!r}", where=f"--repo {shown}", fix="name a branch, a tag or a full hash"
    )


def _commit(repository: Repository, name: str) -> str | None:
    return repository.ask("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")


def _without_secrets(text: str, address: str, shown: str) -> str:
    """What git said, without the credentials of the address."""
    text = _URL.sub(lambda found: without_credentials(found[0]), text.replace(address, shown))
    secrets = urlsplit(address) if "://" in address else None
    for secret in (secrets.password, secrets.username) if secrets else ():
        if secret:
            text = text.replace(secret, "***")
    return text
