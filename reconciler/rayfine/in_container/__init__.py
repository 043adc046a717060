"""What runs inside a container and serves its env.py over HTTP.

Standard library only, for Python 3.8 and later, since it runs on the Python of whatever image it
is copied into (see `runtime.agent_archive`); Ray is used where it is there. For the
same reason its modules import one another relatively: inside, the package has another name. The
caller's side shares `codec`, `faults` and `agent_server` with it.

    agent_server    HTTP: who may ask, what is asked, the lease
    engines         what runs env.py: see process_engine and ray_engine
    processes       the process of the first one, and what it may leave behind
    worker          that process itself: requests over a Unix socket
    env_runner      env.py itself: loading, its methods, calls, cancelling
    streams         connections on an event loop, in the agent and in the worker
    codec, readers  values <-> bytes
    faults          errors as data
    outline         env.py before anything of it has run
"""
