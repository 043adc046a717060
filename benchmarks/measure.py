"""Runs a command in a fresh process and measures it from outside: wall time and peak memory."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RECONCILE = (sys.executable, "-m", "reconciler")


@dataclass(frozen=True)
class Measured:
    """The best of several runs: seconds of wall time, MB (10**6 bytes) of peak memory."""

    seconds: float
    megabytes: float


def measure(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    repeat: int = 5,
    expect: int = 0,
    env: Mapping[str, str] | None = None,
) -> Measured:
    """Run the command `repeat` times; the best time and its memory count.

    The best run is the one least disturbed by the rest of the machine. A wrong exit code ends the
    benchmark: a figure of a command that failed is worth nothing.
    """
    runs = []
    for _ in range(repeat):
        begin = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment(env),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != expect:
            text = said.decode(errors="replace")[-2000:]
            raise SystemExit(
                f"{' '.join(map(str, command))} ended with {process.returncode}:\n{text}"
            )
        runs.append(Measured(seconds, usage.ru_maxrss * 1024 / 1e6))
    return min(runs, key=lambda run: run.seconds)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of a measured process: byte code is kept, as it is for an installed package."""
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **(extra or {})}


@dataclass(frozen=True)
class Row:
    """One line of the report. `ratio` is ours over the peer's; None where a limit is absolute."""

    name: str
    ours: str
    peer: str
    ratio: float | None
    target: str
    met: bool


def ratio_row(name: str, ours: Measured, peer: tuple[str, float], most: float) -> Row:
    """A row for a figure judged against a peer measured in the same run."""
    words, seconds = peer
    ratio = ours.seconds / seconds
    return Row(
        name,
        f"{ours.seconds:.2f} s, {ours.megabytes:.0f} MB",
        f"{words} {seconds:.2f} s",
        ratio,
        f"<= {most:g} x",
        ratio <= most,
    )


def limit_row(name: str, value: float, most: float, unit: str) -> Row:
    """A row for a figure with an absolute limit."""
    return Row(name, f"{value:.2f} {unit}", "", None, f"<= {most:g} {unit}", value <= most)


def print_report(rows: Sequence[Row]) -> None:
    """Print the rows as a table."""
    cells = [("what", "ours", "peer", "ratio", "target", "")]
    cells += [
        (
            row.name,
            row.ours,
            row.peer,
            f"{row.ratio:.2f}" if row.ratio is not None else "",
            row.target,
            "ok" if row.met else "MISSED",
        )
        for row in rows
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(6)]
    for row in cells:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
