"""The commits that HEAD brought -> their `Reconcile-Allow` trailers."""

from reconciler.core.commit_approvals import Trailer, find_trailers
from reconciler.git.repository import Repository

_FIELDS = 3


def read_trailers(repository: Repository) -> tuple[Trailer, ...]:
    """Of HEAD, and of all that it merged if it is a merge; the newest first.

    So a trailer in any commit of a pull request is found in the run of the pull request (whose HEAD
    merges it), after its merge, and after a squash that keeps the messages.
    """
    first = repository.ask("rev-parse", "--verify", "--quiet", "HEAD^1")
    reach = [f"{first}..HEAD"] if first else ["--max-count=1", "HEAD"]
    words = ("log", "-z", "--no-show-signature", "--no-color", "--format=%H%x00%an%x00%B", *reach)
    tokens = repository.run(*words).decode("utf-8", "replace").split("\0")
    found = []
    for position in range(0, len(tokens) - _FIELDS + 1, _FIELDS):
        commit, author, message = tokens[position : position + _FIELDS]
        found += find_trailers(commit.strip(), author, message)
    return tuple(found)
