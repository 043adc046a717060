"""An embedded Run:ai control plane: the API that the reconciler uses, over one SQLite file.

For trying things out, for tests and for demonstrations: a target of its own, never a fall-back. It
runs no workloads and enforces no rights. aiohttp is imported when a server starts.
"""

from reconciler.sandbox.endpoint import Endpoint
from reconciler.sandbox.request_log import Request, RequestLog
from reconciler.sandbox.server import SandboxServer, serve
from reconciler.sandbox.switches import Behaviour, behaviour_from_environment, parse_behaviour

__all__ = [
    "Behaviour",
    "Endpoint",
    "Request",
    "RequestLog",
    "SandboxServer",
    "behaviour_from_environment",
    "parse_behaviour",
    "serve",
]
