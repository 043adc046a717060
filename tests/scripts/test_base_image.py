"""The base images: what the scripts do without an engine, and the images on a real one."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.scripts.conftest import Scripts

IMAGES = ("reconciler/python-base:local", "reconciler/ray-base:local")
# What a process in the image sees: user, home, working directory, programs, writability, pip.
PROBE = """
import json, os, shutil, sysconfig
print(json.dumps({
    "uid": os.getuid(), "gid": os.getgid(), "home": os.environ["HOME"], "cwd": os.getcwd(),
    "python": shutil.which("python"), "pip": shutil.which("pip"), "ray": shutil.which("ray"),
    "writable": os.access(sysconfig.get_path("purelib"), os.W_OK),
}))
"""


def certificate(name: str) -> str:
    body = (name * 90)[:90]
    return f"-----BEGIN CERTIFICATE-----\n{body[:64]}\n{body[64:]}\n-----END CERTIFICATE-----\n"


def test_only_certificates_that_the_image_lacks_are_added(root: Path, tmp_path: Path) -> None:
    host, known = tmp_path / "host.pem", tmp_path / "known.pem"
    host.write_text(
        "# a comment\n" + certificate("A") + certificate("B") + certificate("B"), encoding="utf-8"
    )
    known.write_text(certificate("A"), encoding="utf-8")
    command = f'. "$0"; split_bundle "{host}" "{tmp_path / "out"}" "{known}"'
    recipe = root / "scripts/base-image/recipe.sh"
    subprocess.run(["bash", "-euc", command, recipe], check=True)
    (added,) = (tmp_path / "out").iterdir()
    assert added.read_text(encoding="utf-8") == certificate("B")


def test_without_an_engine_it_says_what_to_run(scripts: Scripts) -> None:
    scripts.stub("docker", "exit 1")
    done = scripts.run("ensure-base-image")
    assert done.returncode == 3
    assert "scripts/ensure-engine" in done.stderr


def test_an_unknown_source_is_a_usage_error(scripts: Scripts) -> None:
    assert scripts.run("ensure-base-image", "--from", "nowhere").returncode == 2


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.docker
@pytest.mark.parametrize("image", IMAGES)
def test_the_image_follows_the_conventions_of_rayproject(image: str) -> None:
    seen = json.loads(docker("run", "--rm", "--network", "none", image, "python", "-c", PROBE))
    assert (seen["uid"], seen["gid"]) == (1000, 100)
    assert seen["home"] == seen["cwd"] == "/home/ray"
    assert seen["python"].startswith("/home/ray/")
    assert seen["pip"].startswith("/home/ray/")
    assert seen["writable"]
    assert bool(seen["ray"]) == ("ray-base" in image)


@pytest.mark.docker
@pytest.mark.parametrize("image", IMAGES)
def test_nothing_of_the_host_is_left_in_the_image(image: str) -> None:
    (found,) = json.loads(docker("image", "inspect", image))
    names = {entry.partition("=")[0].lower() for entry in found["Config"]["Env"]}
    assert not {name for name in names if "proxy" in name or name.startswith("pip_")}
    history = docker("history", "--no-trunc", image).lower()
    assert "proxy" not in history
    assert "://" not in docker("run", "--rm", image, "cat", "/etc/pip.conf")


@pytest.mark.docker
def test_images_that_are_up_to_date_are_left_alone(scripts: Scripts) -> None:
    before = docker("image", "inspect", "--format", "{{.Id}}", *IMAGES)
    scripts.stub("debootstrap", "exit 1")
    here = {key: value for key, value in os.environ.items() if key.startswith("DOCKER")}
    done = scripts.run("ensure-base-image", **here)
    assert done.returncode == 0, done.stderr
    assert "up to date" in done.stderr
    assert docker("image", "inspect", "--format", "{{.Id}}", *IMAGES) == before
