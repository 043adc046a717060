"""Settings that every test shares, and no test skipped where everything has to run.

Turns a run in which a test was skipped into a failed one where everything has to run.

`make test` sets RECONCILE_REQUIRE_ALL=1 and CI sets CI=true. A test that skips itself because an
engine or a registry is missing would otherwise look like a success. The hook counts reports, so
it holds for skipped modules and for runs spread over several processes as well.
"""

import importlib
import os
import pkgutil
import signal
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings
from xdist.scheduler import LoadFileScheduling

import reconciler

settings.register_profile(
    "reconciler",
    deadline=None,  # a first call may import an SDK; time is measured in benchmarks/ instead
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("reconciler")

# A shell lets what it starts in the background ignore Ctrl-C, and so would all that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


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


def pytest_configure(config: pytest.Config) -> None:
    """Let a worker have one tracer: pytest-cov starts two, and a pause of one resumes the other."""
    coverage = config.pluginmanager.get_plugin("_cov")
    if coverage is not None and hasattr(config, "workerinput"):
        coverage.cov_controller.pause()


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Trace how the package is imported, but not how tests are: collecting took twice as long."""
    coverage = session.config.pluginmanager.get_plugin("_cov")
    if coverage is None or coverage.cov_controller is None:
        return (yield)
    for module in pkgutil.walk_packages(reconciler.__path__, "reconciler."):
        if not module.name.endswith(("__main__", "agent.toolkit")):
            importlib.import_module(module.name)
    coverage.cov_controller.pause()
    try:
        return (yield)
    finally:
        coverage.cov_controller.resume()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what takes longest begin, and trace no slow test and no property: it takes twice as long.

    Two tests of one id are refused: pytest-xdist would run one of them.
    """
    twice = [name for name, count in Counter(item.nodeid for item in items).items() if count > 1]
    if twice:
        raise pytest.UsageError(f"tests with the same id, of which only one would run: {twice}")
    slow = [item for item in items if item.get_closest_marker("slow")]
    properties = [item for item in items if is_hypothesis_test(getattr(item, "obj", None))]
    for item in (*slow, *properties):
        item.add_marker("no_cover")
    docker = {item.path for item in items if item.get_closest_marker("docker")}
    first = {item.path for item in slow}
    items.sort(key=lambda item: (item.path not in docker, item.path not in first))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are processors: what needs Docker, or a time limit, mostly waits."""
    return len(os.sched_getaffinity(0)) + 2 if hasattr(os, "sched_getaffinity") else 4


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return _Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


class _Scheduling(LoadFileScheduling):  # type: ignore[misc]  # xdist states no types
    """A file goes to one worker, a case of the flow being a file; all that needs Docker to one."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        if _needs_docker(self.config.rootpath / file):
            return "docker"
        return nodeid if file.endswith("workflows/test_cases.py") else file


@cache
def _needs_docker(file: Path) -> bool:
    return "pytest.mark.docker" in file.read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _not_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """With CI=true the product asks for more care; a test of that sets the variable itself."""
    monkeypatch.delenv("CI", raising=False)
