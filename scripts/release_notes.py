# ruff: noqa: INP001, T201
# A script beside others, not part of a package; its result is what it prints.
"""Prints the notes of a release: what CHANGELOG.md says of the version that a tag names.

Usage: release_notes.py TAG

The exit code is 1, and the reason is on standard error, unless TAG is `v` and the version of the
package, and CHANGELOG.md has a section `## [VERSION] - DATE` of it that says something.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def notes(tag: str, version: str, changelog: str) -> str:
    """The section of the version. Raises `ValueError` if it does not fit tag and changelog."""
    if tag != f"v{version}":
        raise ValueError(f"the tag is {tag}, and the version is {version}: tag v{version}")
    parts = re.split(r"(?m)^## \[(.+?)\](.*)\n", changelog)
    sections = dict(zip(parts[1::3], zip(parts[2::3], parts[3::3], strict=True), strict=True))
    if version not in sections:
        raise ValueError(f"CHANGELOG.md has no section [{version}]: rename [Unreleased]")
    date, text = sections[version]
    if not re.fullmatch(r" - \d{4}-\d\d-\d\d", date):
        raise ValueError(f"CHANGELOG.md: write `## [{version}] - DATE`, as 2026-01-31")
    if not text.strip():
        raise ValueError(f"CHANGELOG.md says nothing of {version}")
    return text.strip() + "\n"


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    package = (ROOT / "reconciler/__init__.py").read_text(encoding="utf-8")
    version = re.findall(r'(?m)^__version__ = "(.+)"$', package)[0]
    try:
        print(notes(sys.argv[1], version, (ROOT / "CHANGELOG.md").read_text("utf-8")), end="")
    except ValueError as error:
        print(f"release_notes.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
