"""Fixtures of the acceptance tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.sandbox import Behaviour
from tests.acceptance.project import Project, project

SWITCHES = {
    "plain": Behaviour(),
    "defaults": Behaviour(fill_defaults=True),
    "nulls": Behaviour(absent="null"),
    "empties": Behaviour(absent="empty", fill_defaults=True),
    "lag": Behaviour(visibility_lag=0.02),
    "partial-names": Behaviour(name_filter="partial"),
    "keeps-unknown": Behaviour(unknown_fields="keep"),
    "rejects-unknown": Behaviour(unknown_fields="reject"),
    "refuses-unfiltered": Behaviour(unfiltered_list="refuse"),
    "defaults-as-null": Behaviour(absent="null", fill_defaults=True, name_filter="partial"),
}


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Project]:
    """A project against a plain sandbox."""
    with project(tmp_path, capsys, Behaviour()) as made:
        yield made


EACH = [
    pytest.param(behaviour, id=name, marks=() if name == "plain" else pytest.mark.slow)
    for name, behaviour in SWITCHES.items()
]


@pytest.fixture(params=EACH)
def any_world(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Project]:
    """A project against a sandbox with each switch in each position."""
    with project(tmp_path, capsys, request.param) as made:
        yield made
