import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "ensure-browser"


def ran(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )


def test_a_browser_that_is_named_is_enough(tmp_path: Path) -> None:
    browser = tmp_path / "my-browser"
    browser.write_text("#!/bin/sh\n")
    browser.chmod(0o755)
    done = ran(RECONCILE_BROWSER=str(browser))
    assert done.returncode == 0
    assert f"{browser} is there" in done.stderr


def test_help_and_usage() -> None:
    assert "RECONCILE_BROWSER" in ran("--help").stdout
    assert ran("--nonsense").returncode == 2
