"""A project and a sandbox for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.sandbox import Behaviour
from tests.acceptance.project import Project, project


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Project]:
    """A project against a plain sandbox."""
    with project(tmp_path, capsys, Behaviour()) as made:
        yield made
