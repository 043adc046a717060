"""An image built by hand with `build_image_from_env` is adopted by a manifest, not rebuilt."""

from typing import Any

import pytest

from reconciler.rayfine import build_image_from_env
from tests.providers.docker.conftest import Bench

pytestmark = pytest.mark.docker

BASE = "reconciler/python-base:local"


@pytest.mark.parametrize("own_dockerfile", [False, True])
def test_an_image_built_by_hand_is_adopted(bench: Bench, own_dockerfile: bool) -> None:
    path = bench.environment()
    if not own_dockerfile:
        (path / "Dockerfile").unlink()
    base: dict[str, Any] = {} if own_dockerfile else {"base_image": BASE}
    image_id = build_image_from_env(str(path), bench.tag(), quiet=True, **base)
    assert image_id == bench.id_of(bench.tag())
    image = bench.image(**base)
    assert bench.changes(image) == {"RayfineImage.env": ("adopt", [], None)}
    (outcome,) = bench.apply(image)
    assert str(outcome.status) == "applied"
    assert not [line for line in bench.observer.lines if line.startswith("Step")]
    layers = "{{json .RootFS.Layers}}"
    adopted = bench.docker("image", "inspect", "-f", layers, bench.tag())
    assert adopted == bench.docker("image", "inspect", "-f", layers, image_id)
    assert bench.changes(image) == {"RayfineImage.env": ("unchanged", [], None)}


def test_the_same_content_is_not_built_twice(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    path = bench.environment()
    first = build_image_from_env(str(path), bench.tag())
    shown = capfd.readouterr()
    assert "Step 1/" in shown.err
    assert shown.out == ""
    assert build_image_from_env(str(path), bench.tag(), quiet=True) == first
    build_image_from_env(str(path), bench.tag(), nocache=True, quiet=True)
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "")
