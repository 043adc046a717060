"""Every provider, in the order of dependency: one `open_*` for each system."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from pkgutil import resolve_name
from typing import NamedTuple

from reconciler.config import Target
from reconciler.config.proxies import Proxy
from reconciler.core.resource import Resource
from reconciler.git.head import Provenance
from reconciler.kinds.registry import KINDS
from reconciler.providers.base import Opening, Provider, Providers


@contextmanager
def open_providers(
    target: Target,
    root: Path,
    parallelism: int,
    origin: Callable[[], Provenance] = Provenance,
    stop: threading.Event | None = None,
) -> Iterator[Providers]:
    """The providers of the systems that a target has, by kind in order of rank.

    `origin` tells, when something is written, what it was made from: a hint, never compared.
    Nothing is connected before the first call of a provider; what was opened ends with the block.
    Once `stop` is set they wait for nothing more.
    """
    providers: dict[str, Provider] = {}
    with ExitStack() as stack:
        if target.docker is not None:
            from reconciler.providers.docker import open_docker  # noqa: PLC0415  (heavy SDK)

            for provider in stack.enter_context(open_docker(target, root, parallelism, origin)):
                providers[provider.traits.name] = provider
        if target.runai is not None:
            from reconciler.providers.runai import open_runai  # noqa: PLC0415  (heavy SDK)

            for provider in stack.enter_context(open_runai(target, parallelism, origin, stop)):
                providers[provider.traits.name] = provider
        for kind in KINDS:
            if kind.opener and getattr(target, kind.system) is not None:
                opening = Opening(target, root, parallelism, origin, stop)
                provider = stack.enter_context(resolve_name(kind.opener)(opening))
                providers[kind.traits.name] = provider
        yield dict(sorted(providers.items(), key=lambda item: item[1].traits.rank))


class Check(NamedTuple):
    """One thing to try: it tells what was found, or raises. `optional` says what needs it."""

    name: str
    run: Callable[[], Sequence[str]]
    optional: str = ""


def check_systems(target: Target, root: Path, resources: Sequence[Resource]) -> Iterator[Check]:
    """What to try of the systems of a target, for these manifests.

    Each check is to be run before the next is asked for: its connection ends with it.
    """
    if target.runai is not None:
        from reconciler.providers.runai import open_runai  # noqa: PLC0415  (heavy SDK)

        if target.runai.base_url is not None:
            url = target.runai.base_url
            yield Check("proxy", lambda: (describe_proxy(target.proxies.to(url)),))
        with open_runai(target, 1) as system:
            yield Check(describe_control_plane(target, root), system.check)
            for right in system.rights(resources) if system.reached else ():
                yield Check(right.name, right.attempt, "" if right.needed else right.when)
    if target.docker is not None:
        from reconciler.rayfine.docker.engine import Engine  # noqa: PLC0415  (heavy SDK)

        with closing(Engine(target.docker.host, target.timeout)) as engine:
            yield Check(f"Docker engine ({engine.name})", engine.check)


def describe_proxy(proxy: Proxy | None) -> str:
    """The proxy to the control plane, without its login, and who states it."""
    return "none" if proxy is None else f"{proxy.address}, stated by {proxy.source}"


def describe_control_plane(target: Target, root: Path) -> str:
    """The control plane of a target in words."""
    assert target.runai is not None
    path = target.runai.sandbox
    if path is None:
        return f"Run:ai control plane {target.runai.base_url}"
    shown = path.relative_to(root) if path.is_relative_to(root) else path
    return f"embedded Run:ai control plane, {shown}"


def describe_target(target: Target, root: Path) -> str:
    """The systems of a target in words, for the head of a plan."""
    parts = []
    if target.runai is not None:
        parts.append(describe_control_plane(target, root))
    if target.docker is not None:
        parts.append(
            f"Docker engine {target.docker.host}" if target.docker.host else "Docker engine"
        )
    return "; ".join(parts)
