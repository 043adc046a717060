"""Lines that are added to a file of a GitHub step."""

import os
import stat
from pathlib import Path


def append(path: Path, text: str) -> None:
    """Add to what a step has written so far, on a line of its own. Raises `OSError`.

    What was written before may end in the middle of a line: `printf name=value > $GITHUB_OUTPUT`.
    """
    with path.open("ab") as stream:
        written = path.stat()
        if text and stat.S_ISREG(written.st_mode) and written.st_size:
            with path.open("rb") as before:
                before.seek(-1, os.SEEK_END)
                text = text if before.read() == b"\n" else f"\n{text}"
        stream.write(text.encode())
