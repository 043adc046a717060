"""What a step adds to the files of its runner."""

from pathlib import Path

import pytest

from reconciler.github.runner import SUMMARY_LIMIT, Runner


@pytest.mark.parametrize("before", ["", "mine=1", "mine=1\n", "a=1\nmine=é"])
def test_each_addition_begins_on_a_line_of_its_own(tmp_path: Path, before: str) -> None:
    output, summary = tmp_path / "output", tmp_path / "summary"
    runner = Runner({"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)})
    output.write_text(before)
    summary.write_text(before)
    runner.output(exit_code="0", digest="x")
    runner.output(last="y")
    lines = output.read_text().split("\n")
    kept = before.split("\n") if before else []
    assert lines[: len(kept)] == kept or lines[: len(kept) - 1] == kept[:-1]
    names = [line.partition("<<")[0] for line in lines if "<<" in line]
    assert names == ["exit-code", "digest", "last"]
    runner.summarise("# one\n")
    assert "# one" in summary.read_text().split("\n")


def test_a_summary_that_is_full_stays_as_it_is(tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    summary.write_text("x" * (SUMMARY_LIMIT - 100))
    Runner({"GITHUB_STEP_SUMMARY": str(summary)}).summarise("y" * 200)
    assert summary.read_text().split("\n")[1].startswith("The plan is too long")
    assert summary.stat().st_size <= SUMMARY_LIMIT
