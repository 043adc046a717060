"""The directory of this process, by the links that led there."""

import os
from pathlib import Path


def stated_directory() -> Path:
    """The current directory as it was gone to: through links, if there are any."""
    said = Path(os.environ.get("PWD", ""))
    return said if said.is_absolute() and is_here(said) else Path.cwd()


def is_here(directory: Path) -> bool:
    """Whether this is the directory of the process."""
    return directory.is_dir() and directory.samefile(os.curdir)
