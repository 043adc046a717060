"""`load_env(..., mode="remote", host=...)`: containers of another machine's engine.

With `ssh://` everything goes over one ssh connection, and ports are bound to loopback there. With
`tcp://` the ports are published on that machine; the engine is asked over TLS, calls go over plain
HTTP with a token of their own, which is for a network that is trusted.
"""

from collections.abc import Sequence

from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.runtime.address import reach
from reconciler.rayfine.runtime.local import start_local
from reconciler.rayfine.runtime.options import LoadOptions
from reconciler.rayfine.runtime.orphans import guard_against_orphans
from reconciler.rayfine.runtime.replica import Replica


def start_remote(options: LoadOptions, identity: str) -> Sequence[Replica]:
    """Start every replica there and wait until all are ready. Raises, and then leaves none."""
    reach(options.host)
    docker = Engine(options.host, tls=options.tls)
    guard_against_orphans(docker, options.host, options.tls)
    return start_local(docker, options, identity)
