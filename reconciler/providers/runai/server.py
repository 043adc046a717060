"""Which version a control plane is, and what it therefore knows.

There is no call for it. The login tells the oldest version that it may be; where that does not
settle a question, the clusters tell theirs, which may be older than the control plane. Nothing is
asked before something depends on it. A version newer than what is known here counts as the newest.
"""

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

from reconciler.core.resource import Path, Resource, dotted
from reconciler.errors import AccessError, Problem
from reconciler.kinds.field_paths import values_at
from reconciler.kinds.runai_asset import AssetKind
from reconciler.providers.runai.api_errors import UnauthorizedError
from reconciler.providers.runai.login import Version
from reconciler.providers.runai.organisation import UnitLists, once

log = logging.getLogger(__name__)


class Server:
    """The version of one control plane. `login` gives the client; safe to use from threads."""

    def __init__(self, login: Callable[[], Any], units: UnitLists) -> None:
        self._login = login
        self._units = units
        self._newest_cluster = once(self._read_newest)

    def has(self, since: Version) -> bool | None:
        """Whether it has what came with this version; None where that cannot be known."""
        if self._oldest() >= since:
            return True
        version, _ = self._newest_cluster()
        return None if version is None else version >= since

    def describe(self) -> str:
        """The version and how it is known, in words."""
        version, words = self._newest_cluster()
        oldest = self._oldest()
        if version is None or version < oldest:
            known = f"{_say(oldest)} or later, by its login" if oldest > _OLDEST else "not known"
            return f"version {known}" + (f" ({words})" if words else "")
        return f"version {_say(version)}, by {words}"

    def _oldest(self) -> Version:
        way = self._login().way
        since: Version = _OLDEST if way is None else way.since
        return since

    def _read_newest(self) -> tuple[Version | None, str]:
        try:
            clusters = self._units.clusters()
        except UnauthorizedError:
            raise
        except AccessError:
            return None, "the account may not view clusters"
        known = [(found, unit) for unit in clusters if (found := parse_version(unit.version))]
        if not known:
            return None, "no cluster says its version"
        version, unit = max(known)
        return version, f"cluster {unit.name} ({unit.version})"


_OLDEST: Version = (2, 18)


def parse_version(text: str) -> Version | None:
    """`2.24.82`, `v2.18`, `2.22-rc.1` -> the first two numbers."""
    found = re.match(r"v?(\d{1,4})\.(\d{1,4})(?!\d)", text.strip())
    return (int(found[1]), int(found[2])) if found else None


def _say(version: Version) -> str:
    return ".".join(map(str, version))


def new_fields(resource: Resource, kind: AssetKind) -> Iterator[tuple[Path, Version]]:
    """The fields of a resource that not every server has, and since when one has them."""
    for pattern, since in kind.since.items():
        for path, _ in values_at(resource.spec, pattern):
            yield path, since


def missing_fields(resource: Resource, kind: AssetKind, server: Server) -> Iterator[Problem]:
    """The fields of a resource that this server does not have: it might drop them in silence."""
    for path, since in sorted(new_fields(resource, kind)):
        if server.has(since) is False:
            yield Problem(
                resource.source.file,
                resource.source.line,
                1,
                f"{resource.key.address}: {dotted(path)} needs Run:ai {_say(since)}; "
                f"this control plane is {server.describe()}",
                "leave it out for this target (an overlay can), or upgrade the control plane",
                ("spec", *path),
            )


def unknown_version(resource: Resource, kind: AssetKind, server: Server) -> str:
    """What to say of a field that this server may not have; empty if nothing is in doubt."""
    for path, since in sorted(new_fields(resource, kind)):
        if server.has(since) is None:
            return (
                f"{dotted(path)} needs Run:ai {_say(since)}, and it cannot "
                f"be known whether this control plane is ({server.describe()}): an older one may "
                "drop such fields"
            )
    return ""
