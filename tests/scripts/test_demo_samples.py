"""The edits that the demo makes to its copy of the sample manifests."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

CONFIG = """\
apiVersion: reconciler/v1
stack: ml-platform
manifests: manifests
targets:
  sandbox:
    runai: {sandbox: .reconcile/sandbox.db}
    docker: {base_image: reconciler/ray-base:local}
"""
ASSETS = """\
# A comment that stays.
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {name: plain}
spec:
  scope: cluster
  image: registry.example/pytorch:24.01-py3
---
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {name: sized}
spec: {scope: cluster, image: "registry.example/a:1", compute: {gpu: 1}}
---
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {name: pinned}
spec: {scope: cluster, image: {from: RayfineImage.affine}}
"""
LAST = """\
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {name: last}
spec: {scope: cluster, image: "registry.example/b:1"}
"""
IMAGE = """\
apiVersion: reconciler/v1
kind: RayfineImage
metadata: {name: affine}
spec: {path: environments/affine, tag: "affine:latest"}
"""


class Copy:
    """The demo's copy of the samples."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.script = root / "scripts" / "demo_samples.py"
        self.folder = folder
        (folder / "manifests").mkdir()
        (folder / "reconciler.yaml").write_text(CONFIG, encoding="utf-8")
        for name, text in (("assets", ASSETS), ("image", IMAGE), ("last", LAST)):
            (folder / "manifests" / f"{name}.yaml").write_text(text, encoding="utf-8")

    def do(self, step: str) -> str:
        """Carry out one step; what it printed."""
        command = [sys.executable, str(self.script), step, str(self.folder)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    @property
    def config(self) -> Any:
        return yaml.safe_load((self.folder / "reconciler.yaml").read_text(encoding="utf-8"))

    @property
    def specs(self) -> dict[str, Any]:
        """Every document's spec by its name."""
        return {
            document["metadata"]["name"]: document["spec"]
            for path in sorted((self.folder / "manifests").iterdir())
            for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
        }


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Copy:
    return Copy(root, tmp_path)


def test_the_copy_cannot_touch_what_the_user_owns(copy: Copy) -> None:
    copy.do("prepare")
    assert copy.config["stack"] == "reconciler-demo"
    assert copy.specs["affine"]["tag"] == "reconciler-demo/affine:latest"
    assert copy.specs["affine"]["path"] == "environments/affine"


def test_without_an_engine_nothing_refers_to_an_image(copy: Copy) -> None:
    printed = copy.do("without-docker")
    assert "docker" not in copy.config["targets"]["sandbox"]
    assert set(copy.specs) == {"plain", "sized", "last"}
    assert "RayfineImage.affine" in printed
    assert "RunaiEnvironment.pinned" in printed


def test_the_edit_and_the_removal_hit_different_assets(copy: Copy) -> None:
    before = copy.specs
    assert "24.01-py3 -> " in copy.do("edit")
    after = copy.specs
    assert after.pop("plain")["image"] == "registry.example/pytorch:24.02-py3"
    before.pop("plain")
    assert after == before
    assert "# A comment that stays." in (copy.folder / "manifests/assets.yaml").read_text("utf-8")
    copy.do("remove")
    gone = set(before) - set(copy.specs)
    assert len(gone) == 1
    assert gone < {"last", "pinned"}, "one without a compute asset beside it"
