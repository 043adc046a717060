"""Fixtures of the provider's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.providers.runai.worlds import World, world


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[World]:
    """A sandbox as it is by default, behind a proxy without faults."""
    with world(tmp_path) as made:
        yield made
