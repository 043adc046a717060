"""Fixtures of the acceptance tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.sandbox import Behaviour
from tests.acceptance.project import Project, project

# Every switch, and with them the versions: the oldest, 2.20, 2.24 and the newest.
SWITCHES = {
    "plain": Behaviour(),
    "2.20-defaults": Behaviour(version="2.20", fill_defaults=True),
    "2.24-nulls-revokes": Behaviour(version="2.24", absent="null", revoke_tokens_every=4),
    "empties-lists-deleted": Behaviour(
        absent="empty", fill_defaults=True, deleted_entries="listed"
    ),
    "2.18-lag": Behaviour(version="2.18", visibility_lag=0.02, token_expiry="jwt"),
    "2.24-partial-names": Behaviour(version="2.24", name_filter="partial"),
    "2.20-keeps-unknown": Behaviour(version="2.20", unknown_fields="keep"),
    "2.18-rejects-unknown": Behaviour(
        version="2.18", unknown_fields="reject", unknown_parameters="refuse", missing_paths="405"
    ),
    "2.20-refuses-unfiltered": Behaviour(version="2.20", unfiltered_list="refuse"),
    "defaults-as-null-no-clusters": Behaviour(
        absent="null",
        fill_defaults=True,
        name_filter="partial",
        denied=("clusters",),
        token_expiry="unstated",
    ),
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
