"""What runs inside a container and serves its env.py over HTTP.

Standard library only, for Python 3.8 and later, since it runs on the Python of whatever image it
is copied into (see `runtime.agent_archive`); Ray is used where it is there. For the
same reason its modules import one another relatively: inside, the package has another name. The
caller's side shares `codec`, `faults` and `wire` with it.

    server     HTTP: who may ask, what is asked, the lease
    engines    where env.py runs: a process of its own, or a Ray actor
    worker     that process: requests over a Unix socket
    runner     env.py itself: loading, its methods, calls, cancelling
    lanes      the threads that run its synchronous methods
    strangers  connections without the token
    streams    connections on an event loop, in the agent and in the worker
    codec      values <-> bytes
    readers    the types that JSON has not, checked before they are made
"""
