"""Tests marked slow are not traced for coverage, in whichever process they run."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest


@pytest.mark.slow
def test_slow_tests_are_not_traced() -> None:
    assert sys.gettrace() is None
    assert threading.gettrace() is None
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(sys.gettrace).result() is None
