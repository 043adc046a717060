"""How many examples a property is tried with: a fifth in every run, all of them in `make laws`."""

import os

AT_LENGTH = "RECONCILE_AT_LENGTH" in os.environ


def examples(count: int) -> int:
    return count if AT_LENGTH else count // 5
