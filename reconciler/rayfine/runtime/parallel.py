"""Several pieces of work at once, also while the interpreter exits, when no thread can start."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

MOST = 16


def all_errors(work: Sequence[Callable[[], object]]) -> list[BaseException]:
    """Do all of it, whatever fails; the errors, in the order of the work."""
    try:
        return _in_threads(work) if len(work) > 1 else _in_turn(work)
    except RuntimeError:  # no thread can be started: the interpreter exits
        return _in_turn(work)


def _in_threads(work: Sequence[Callable[[], object]]) -> list[BaseException]:
    with ThreadPoolExecutor(min(len(work), MOST)) as pool:
        futures = [pool.submit(item) for item in work]
    return [error for future in futures if (error := future.exception()) is not None]


def _in_turn(work: Sequence[Callable[[], object]]) -> list[BaseException]:
    errors: list[BaseException] = []
    for item in work:
        try:
            item()
        except Exception as error:  # noqa: BLE001 (collected)
            errors.append(error)
    return errors
