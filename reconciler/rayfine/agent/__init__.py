"""What runs inside a container and serves its env.py over HTTP.

Standard library only, for Python 3.8 and later, since it runs on the Python of whatever image it
is copied into (see `reconciler.rayfine.runtime.parcel`); Ray is used where it is there. For the
same reason its modules import one another relatively: inside, the package has another name. The
caller's side shares only `codec` with it.

    server   HTTP: who may ask, what is asked, the lease
    engines  where env.py runs: a process of its own, or a Ray actor
    worker   that process: requests over a Unix socket
    runner   env.py itself: loading, its methods, calls, cancelling
    codec    values <-> bytes
"""
