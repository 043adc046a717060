"""The networks that environments are in: made once per engine, kept, and found by their labels.

`rayfine` leads outwards, as Docker's own bridge does, but not from one container to another.
`rayfine-no-metadata` leads nowhere. It claims the link-local addresses, so that a container in both
looks there for the metadata services of clouds, which hand out credentials. Nobody has an address
in it but the containers, so the engine's machine goes on reaching these services itself.

A network per environment would part no more of them from one another, takes as long to make as a
small environment to start, and the engine has room for about 30.
"""

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from reconciler.errors import ConflictError, ProviderError
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.docker.labels import PREFIX
from reconciler.rayfine.runtime.errors import LoadError

OUTWARDS, NOWHERE = "rayfine", "rayfine-no-metadata"
LABEL = f"{PREFIX}network"

_BRIDGE = "com.docker.network.bridge."
_NO_NEIGHBOURS = {f"{_BRIDGE}enable_icc": "false"}
_OPTIONS: Mapping[str, Mapping[str, str]] = {
    OUTWARDS: _NO_NEIGHBOURS,
    NOWHERE: {**_NO_NEIGHBOURS, f"{_BRIDGE}inhibit_ipv4": "true"},
}
_MAKING_SECONDS, _PAUSE = 3.0, 0.1
_LINK_LOCAL, _OF_CONTAINERS = "169.254.0.0/16", "169.254.0.0/17"
"""What is claimed, and the part of it that containers get addresses from: no known service's."""


def own_networks(docker: Engine) -> tuple[str, str]:
    """The ids of both, the one that leads outwards first. Raises `LoadError`.

    Of processes that find none, one makes both: the one that can claim the addresses, which the
    engine gives once. Two networks of one name, which older engines would make, start no container.
    """
    deadline = time.monotonic() + _MAKING_SECONDS
    while True:
        found = _find(docker)
        if found.keys() == _OPTIONS.keys():
            return found[OUTWARDS], found[NOWHERE]
        ours = time.monotonic() > deadline
        try:
            if NOWHERE not in found:
                _make(docker, NOWHERE)
                ours = True
            if OUTWARDS not in found and ours:
                _make(docker, OUTWARDS)
                continue
        except LoadError:
            if ours and not found.keys() < _find(docker).keys():  # nobody was faster
                raise
        time.sleep(_PAUSE)  # another process makes them


def _find(docker: Engine) -> dict[str, str]:
    """Ids by name. Of several of one name the oldest; the others are removed."""
    from docker.errors import NotFound  # noqa: PLC0415

    found: dict[str, str] = {}
    with docker.session() as client:
        networks: list[dict[str, Any]] = client.networks(filters={"label": [LABEL]})
        for item in sorted(networks, key=lambda item: (item["Created"], item["Id"])):
            if item["Options"] != _OPTIONS.get(item["Name"]):
                continue
            if item["Name"] in found:
                with contextlib.suppress(NotFound):
                    client.remove_network(item["Id"])
            found.setdefault(item["Name"], item["Id"])
    return found


def _make(docker: Engine, name: str) -> str:
    from docker.types import IPAMConfig, IPAMPool  # noqa: PLC0415

    inwards = name == NOWHERE
    pool = IPAMPool(subnet=_LINK_LOCAL, iprange=_OF_CONTAINERS)
    try:
        with docker.session() as client:
            made = client.create_network(
                name,
                driver="bridge",
                internal=inwards,
                options=dict(_OPTIONS[name]),
                ipam=IPAMConfig(pool_configs=[pool]) if inwards else None,
                labels={LABEL: "environments"},
                check_duplicate=True,
            )
    except ProviderError as error:
        fix = "remove networks that nobody uses: docker network prune"
        if isinstance(error, ConflictError):
            fix = f"another network has this name, remove it: docker network rm {name}"
        raise LoadError(
            f"the engine makes no network for environments: {error.what}",
            where=f"network {name}",
            fix=f"{fix}; or load with network='bridge', in which containers reach one another",
        ) from error
    return str(made["Id"])
