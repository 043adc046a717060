"""What the tests of the shell scripts share: stand-ins for programs, first on PATH."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Engines are only ever started on Linux, so there is nothing to test elsewhere.
collect_ignore = [] if Path("/proc/self/stat").exists() else ["test_start_engine.py"]


class Scripts:
    """Runs scripts of the repository with the given stand-ins before everything else on PATH."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.cache = folder / "cache"
        self.bin.mkdir()
        kept = {
            key: value
            for key, value in os.environ.items()
            if key != "PYTHON" and not key.startswith("DOCKER")
        }
        self.env = {
            **kept,
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "RECONCILE_CACHE": str(self.cache),
        }

    def stub(self, name: str, body: str) -> None:
        """Put a shell script of that name on PATH."""
        path = self.bin / name
        path.write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        path.chmod(0o755)

    def run(self, name: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run one script to its end."""
        return subprocess.run(
            [ROOT / "scripts" / name, *arguments],
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


@pytest.fixture
def root() -> Path:
    return ROOT
