"""Settings that every test shares, and no test skipped where everything has to run.

Turns a run in which a test was skipped into a failed one where everything has to run.

`make test` sets RECONCILE_REQUIRE_ALL=1 and CI sets CI=true. A test that skips itself because an
engine or a registry is missing would otherwise look like a success. The hook counts reports, so
it holds for skipped modules and for runs spread over several processes as well.
"""

import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadGroupScheduling

settings.register_profile(
    "reconciler",
    deadline=None,  # a first call may import an SDK; time is measured in benchmarks/ instead
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("reconciler")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Replace the exit status of a run without failures if anything was skipped."""
    if "RECONCILE_REQUIRE_ALL" in os.environ:
        required = os.environ["RECONCILE_REQUIRE_ALL"] == "1"
    else:
        required = os.environ.get("CI") == "true"
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not required or reporter is None:
        return
    skipped = reporter.stats.get("skipped", [])
    if skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.ensure_newline()
        reporter.write_line(
            f"ERROR: {len(skipped)} skipped, but this run has to run everything "
            "(RECONCILE_REQUIRE_ALL=0 permits skips)",
            red=True,
        )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests that need Docker run one after the other, and what takes longest begin.

    Two tests of one id are refused: pytest-xdist would run one of them. A slow test is not traced:
    the quick ones cover the package, and tracing is two thirds on top.
    """
    twice = [name for name, count in Counter(item.nodeid for item in items).items() if count > 1]
    if twice:
        raise pytest.UsageError(f"tests with the same id, of which only one would run: {twice}")
    for item in items:
        if item.get_closest_marker("docker"):
            item.add_marker(pytest.mark.xdist_group("docker"))
        if item.get_closest_marker("slow"):
            item.add_marker("no_cover")
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (not item.get_closest_marker("docker"), item.path not in slow))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: what needs Docker waits for it most of the time."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else 3


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadGroupScheduling | None:
    return _ByFile(config, log) if config.getvalue("dist") == "loadgroup" else None


class _ByFile(LoadGroupScheduling):  # type: ignore[misc]  # xdist has types, but mypy sees Any
    """A group goes to one worker, and of what has no group, a file."""

    def _split_scope(self, nodeid: str) -> str:
        group: str = super()._split_scope(nodeid)
        return group if group != nodeid else nodeid.partition("::")[0]


@pytest.fixture(autouse=True)
def _not_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """With CI=true the product asks for more care; a test of that sets the variable itself."""
    monkeypatch.delenv("CI", raising=False)
