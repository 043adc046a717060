"""One sandbox for all tests of a module; each begins with no assets."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.site import SEED, Site
from tests.laws.stage import Stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A running sandbox with the clusters and projects that the guide names."""
    directory = tmp_path_factory.mktemp("stage")
    (directory / "seed.yaml").write_text(SEED)
    with Stage(directory, directory / "seed.yaml") as made:
        yield made


@pytest.fixture
def site(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The sandbox without assets, and a directory that leads to it."""
    monkeypatch.setenv("TEST_RUNAI_SECRET", stage.endpoint.client_secret.get_secret_value())
    stage.restore()
    return Site(stage, tmp_path / "site")
