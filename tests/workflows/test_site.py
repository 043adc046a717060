"""Which comment, artifact and issue belong together: one target of one directory."""

from pathlib import Path

import pytest

from reconciler.github.runner import Runner
from reconciler.github.site import Site


def site(directory: str, workspace: Path) -> Site:
    given = {"RECONCILE_DIRECTORY": directory, "GITHUB_WORKSPACE": str(workspace)}
    return Site.of(Runner({**given, "RECONCILE_TARGET": "lab"}))


@pytest.mark.parametrize("directory", ["", ".", "./", "a/..", "{root}", "{root}/"])
def test_at_the_root_the_target_is_name_enough(directory: str, tmp_path: Path) -> None:
    found = site(directory.format(root=tmp_path), tmp_path)
    assert (found.directory, found.name, found.slug, str(found)) == ("", "lab", "lab", "lab")


@pytest.mark.parametrize(
    "directory", ["infra/gpu", "./infra/gpu/", "infra//gpu", "{root}/infra/gpu"]
)
def test_elsewhere_the_directory_is_part_of_the_name(directory: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    found = site(directory.format(root=tmp_path / "link"), tmp_path)
    assert str(found) == "lab in infra/gpu"
    assert found.slug.startswith("infra-gpu-lab.")


def test_no_two_names_are_one() -> None:
    sites = [
        Site("b", "a"),
        Site("a-b"),
        Site("b", "a-"),
        Site("b", "A"),
        Site("b", "a/b"),
        Site("b"),
    ]
    sites += [Site("b", "x" * 100), Site("b", "x" * 101), Site("b", "..")]
    assert len({one.slug for one in sites}) == len(sites)
    assert not any(set(one.slug) & set("/:<>") or one.slug in ("", ".", "..") for one in sites)
