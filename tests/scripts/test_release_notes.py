"""The notes of a release: cut from the changelog, and refused where something does not fit."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scripts.conftest import ROOT

CHANGELOG = """\
# Changelog

## [Unreleased]

### Added
- Not yet.

## [1.1.0] - 2026-12-01

### Added
- This.

### Fixed
- [That](https://example.com).

## [1.0.0] - 2026-01-31
- The first.
"""


def cut(place: Path, tag: str, version: str, changelog: str) -> subprocess.CompletedProcess[str]:
    """Run the script in a project of this version."""
    for name, text in (
        ("scripts/release_notes.py", (ROOT / "scripts/release_notes.py").read_text("utf-8")),
        ("reconciler/__init__.py", f'__version__ = "{version}"\n'),
        ("CHANGELOG.md", changelog),
    ):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    command: list[str | Path] = [sys.executable, place / "scripts/release_notes.py", tag]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        ("1.1.0", "### Added\n- This.\n\n### Fixed\n- [That](https://example.com).\n"),
        ("1.0.0", "- The first.\n"),
    ],
)
def test_the_section_of_the_version_is_cut(tmp_path: Path, version: str, wanted: str) -> None:
    done = cut(tmp_path, f"v{version}", version, CHANGELOG)
    assert (done.returncode, done.stdout) == (0, wanted), done.stderr


@pytest.mark.parametrize(
    ("tag", "version", "changelog", "reason"),
    [
        ("v1.1.0", "1.0.0", CHANGELOG, "the tag is v1.1.0, and the version is 1.0.0"),
        ("1.1.0", "1.1.0", CHANGELOG, "the tag is 1.1.0"),
        ("v1.2.0", "1.2.0", CHANGELOG, "no section [1.2.0]"),
        ("v1.1.0", "1.1.0", CHANGELOG.replace(" - 2026-12-01", ""), "DATE"),
        (
            "v1.1.0",
            "1.1.0",
            re.sub(r"01\n.*?## \[1.0", "01\n\n## [1.0", CHANGELOG, flags=re.DOTALL),
            "nothing",
        ),
    ],
    ids=["another-version", "no-v", "no-section", "no-date", "empty"],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, tag: str, version: str, changelog: str, reason: str
) -> None:
    done = cut(tmp_path, tag, version, changelog)
    assert (done.returncode, done.stdout) == (1, "")
    assert reason in done.stderr


def test_our_changelog_has_notes_for_its_next_release(tmp_path: Path) -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    done = cut(tmp_path, "v0.1.0", "0.1.0", text.replace("[Unreleased]", "[0.1.0] - 2026-12-01"))
    assert done.returncode == 0, done.stderr
    assert "### Added" in done.stdout
