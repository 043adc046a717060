"""tests/conftest.py fails a run in which anything was skipped, where everything has to run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PASSES = "def test_passes():\n    pass\n"
SKIPS = "import pytest\ndef test_skips():\n    pytest.skip('no engine')\n"
SKIPS_MODULE = "import pytest\npytest.skip('no engine', allow_module_level=True)\n"
XFAILS = "import pytest\n@pytest.mark.xfail\ndef test_xfails():\n    assert False\n"


def exit_code(folder: Path, root: Path, *arguments: str, **env: str) -> int:
    (folder / "conftest.py").write_bytes((root / "tests/conftest.py").read_bytes())
    clean = {k: v for k, v in os.environ.items() if k not in {"CI", "RECONCILE_REQUIRE_ALL"}}
    clean.pop("PYTEST_ADDOPTS", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "xdist", *arguments]
    clean["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    done = subprocess.run(
        command, cwd=folder, env={**clean, **env}, capture_output=True, text=True, check=False
    )
    return done.returncode


@pytest.mark.parametrize("source", [SKIPS, SKIPS_MODULE])
@pytest.mark.parametrize("arguments", [(), ("-n", "2")])
def test_a_skip_fails_where_everything_has_to_run(
    tmp_path: Path, root: Path, source: str, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "test_a.py").write_text(PASSES, encoding="utf-8")
    (tmp_path / "test_b.py").write_text(source, encoding="utf-8")
    assert exit_code(tmp_path, root, *arguments) == 0
    assert exit_code(tmp_path, root, *arguments, RECONCILE_REQUIRE_ALL="1") == 1


def test_what_asks_for_everything(tmp_path: Path, root: Path) -> None:
    (tmp_path / "test_a.py").write_text(SKIPS, encoding="utf-8")
    assert exit_code(tmp_path, root, CI="true") == 1
    assert exit_code(tmp_path, root, CI="true", RECONCILE_REQUIRE_ALL="0") == 0


@pytest.mark.parametrize("source", [PASSES, XFAILS])
def test_other_outcomes_are_as_before(tmp_path: Path, root: Path, source: str) -> None:
    (tmp_path / "test_a.py").write_text(source, encoding="utf-8")
    assert exit_code(tmp_path, root, RECONCILE_REQUIRE_ALL="1") == 0
