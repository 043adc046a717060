"""The engine out of reach, in words; and what a build's events become."""

import contextlib
from pathlib import Path

import pytest

from reconciler.errors import BuildError, UnreachableError
from reconciler.rayfine.docker.build_log import BuildLog
from reconciler.rayfine.docker.engine import Engine


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("unix:///nowhere/docker.sock", "No such file"),
        ("tcp://127.0.0.1:9", "refused"),
    ],
)
def test_an_engine_out_of_reach_says_why_and_what_to_do(host: str, reason: str) -> None:
    with (
        contextlib.closing(Engine(host)) as engine,
        pytest.raises(UnreachableError, match=reason) as raised,
    ):
        engine.containers()
    assert raised.value.where == host
    assert "start Docker" in raised.value.fix


def test_an_unknown_docker_context_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONTEXT", "away")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    with (
        contextlib.closing(Engine()) as engine,
        pytest.raises(UnreachableError, match="no Docker context 'away'"),
    ):
        engine.containers()


ID = "sha256:" + "a" * 64


def test_a_build_log_gives_whole_lines_and_the_id() -> None:
    lines: list[str] = []
    log = BuildLog(lines.append)
    for event in (
        {"stream": "Step 1/2 : FROM x\n"},
        {"stream": "par"},
        {"stream": "tial\nnext"},
        {"status": "Pulling", "id": "layer", "progressDetail": {"current": 1}},
        {"status": "Pull complete", "id": "layer", "progressDetail": {}},
        {"aux": {"ID": ID}},
    ):
        log.add(event)
    assert log.image_id() == ID
    assert lines == ["Step 1/2 : FROM x", "partial", "next", "layer Pull complete"]


def test_the_builder_s_own_bookkeeping_is_no_news() -> None:
    lines: list[str] = []
    log = BuildLog(lines.append)
    log.add({"stream": "Step 1/2 : FROM x\n ---> cb4db65098b5\nStep 2/2 : RUN y\n"})
    log.add({"stream": " ---> Running in ed6c80a0484f\nhello\n ---> Using cache\n"})
    log.add({"stream": "Removing intermediate container ed6c80a0484f\n"})
    log.add({"aux": {"ID": ID}, "stream": "Successfully built e36961372be6\n"})
    assert lines == ["Step 1/2 : FROM x", "Step 2/2 : RUN y", "hello", " ---> Using cache"]
    with pytest.raises(BuildError) as raised:
        log.add({"error": "it broke"})
    assert "Running in ed6c80a0484f" in raised.value.fix


def test_a_failed_build_names_the_step_and_keeps_the_last_lines() -> None:
    log = BuildLog(lambda line: None)
    log.add({"stream": "Step 2/2 : RUN x\n"})
    for number in range(100):
        log.add({"stream": f"line {number}\n"})
    with pytest.raises(BuildError, match="at Step 2/2 : RUN x: it broke") as raised:
        log.add({"error": "it broke", "errorDetail": {}})
    assert "line 99" in raised.value.fix
    assert "line 10\n" not in raised.value.fix


def test_a_stream_that_ends_early_is_no_success() -> None:
    with pytest.raises(BuildError, match="without a result"):
        BuildLog(lambda line: None).image_id()


def test_endless_output_without_a_line_end_is_cut() -> None:
    lines: list[str] = []
    log = BuildLog(lines.append)
    for _ in range(100):
        log.add({"stream": "x" * 1000})
    assert max(map(len, lines)) <= 2000
