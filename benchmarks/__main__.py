"""`make bench`: every figure the project promises, as ratios with peers measured in the same run.

Not a test: it prints figures and exits with 1 if a target was missed. Needs Terraform on the PATH
and, for images and rayfine, a Docker engine and the base images; a peer that is missing is said,
and its rows are left out.
"""

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.measure import (
    RECONCILE,
    Measured,
    Row,
    environment,
    limit_row,
    measure,
    print_report,
    ratio_row,
)
from benchmarks.rayfine import rayfine_rows
from benchmarks.worlds import (
    octodns_python,
    running_sandbox,
    write_context,
    write_history,
    write_octodns,
    write_project,
    write_terraform,
)

_CACHE = Path(".cache") / "benchmarks"


def _command_rows(work: Path) -> Iterator[Row]:
    project = write_project(work / "validate", 1000, "http://127.0.0.1:9")
    shown = measure([*RECONCILE, "--help"], cwd=project)
    yield limit_row("reconcile --help", shown.seconds, 0.25, "s")
    checked = measure([*RECONCILE, "validate"], cwd=project)
    yield limit_row("validate, 1,000 manifests", checked.seconds, 0.8, "s")


def _noop(work: Path, count: int) -> tuple[Measured, list[str]]:
    """The no-op plan of `count` applied environments, and the requests that one plan sends."""
    work.mkdir()
    with running_sandbox(work) as (base_url, env):
        project = write_project(work / "project", count, base_url)
        apply = [*RECONCILE, "apply", "--apply", "--parallelism", "32"]
        subprocess.run(
            apply,
            cwd=project,
            env=environment(env),
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        plan = [*RECONCILE, "plan", "--detailed-exitcode"]
        measured = measure(plan, cwd=project, env=env, repeat=7 if count <= 1000 else 5)
        debug = subprocess.run(
            [*RECONCILE, "--debug", "plan"],
            cwd=project,
            env=environment(env),
            capture_output=True,
            text=True,
            check=True,
        )
        return measured, [line for line in debug.stderr.splitlines() if " GET http" in line]


def _plan_rows(work: Path) -> Iterator[Row]:
    _, few = _noop(work / "noop-10", 10)
    small, _ = _noop(work / "noop-1000", 1000)
    if shutil.which("terraform"):
        terraform = write_terraform(work / "terraform", 1000)
        peer = measure(
            ["terraform", "plan", "-detailed-exitcode", "-input=false"], cwd=terraform, repeat=7
        )
        yield ratio_row("no-op plan, 1,000", small, ("Terraform", peer.seconds), 0.55)
    else:
        print("Terraform is not on the PATH: its row is left out")
    yield limit_row("  its peak memory", small.megabytes, 100, "MB")
    large, many = _noop(work / "noop-10000", 10_000)
    python = octodns_python(_CACHE / "octodns").absolute()
    zone = write_octodns(work / "octodns", 10_000)
    dns = measure(
        [python.parent / "octodns-sync", "--config-file", "config.yaml"], cwd=zone, repeat=3
    )
    yield ratio_row("no-op plan, 10,000", large, ("octoDNS", dns.seconds), 1.0)
    yield limit_row("  its peak memory", large.megabytes, 200, "MB")
    same = len(few) == len(many)
    yield Row("reads for 10 and for 10,000", f"{len(few)} and {len(many)}", "", None, "equal", same)


def _apply_row(work: Path) -> Row:
    """1,000 creates, 20 ms an answer, 10 at a time: 2 s at best, besides the start-up."""
    work.mkdir()
    with running_sandbox(work, "--set", "latency=0.02") as (base_url, env):
        project = write_project(work / "project", 1000, base_url)
        start = measure([*RECONCILE, "plan"], cwd=project, env=env, repeat=3).seconds
        begin = time.perf_counter()
        apply = [*RECONCILE, "apply", "--apply", "--parallelism", "10"]
        done = measure(apply, cwd=project, env=env, repeat=1)
        took = time.perf_counter() - begin - start
    return ratio_row(
        "apply of 1,000 creates, 20 ms each",
        Measured(took, done.megabytes),
        ("ideal", 2.0),
        1.5,
    )


def _outputs_row(work: Path) -> Row:
    """A plan of 1,000 creates as text, and as a comment, a page and JSON."""
    work.mkdir()
    with running_sandbox(work) as (base_url, env):
        project = write_project(work / "project", 1000, base_url)
        plan = [*RECONCILE, "plan"]
        text = measure(plan, cwd=project, env=env, repeat=7)
        pages = ["-o", "markdown=plan.md", "-o", "html=plan.html", "-o", "json=plan.json"]
        written = measure([*plan, *pages], cwd=project, env=env, repeat=7)
    name = "plan of 1,000 changes as Markdown, HTML and JSON"
    return ratio_row(name, written, ("text", text.seconds), 1.3)


def _attribution_row(work: Path) -> Row:
    """1,000 manifests, each changed by one of 1,000 commits: what `--since` adds to a plan."""
    work.mkdir()
    with running_sandbox(work) as (base_url, env):
        project = write_project(work / "project", 1000, base_url)
        apply = [*RECONCILE, "apply", "--apply", "--parallelism", "32"]
        subprocess.run(
            apply,
            cwd=project,
            env=environment(env),
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        write_history(project, 1000)
        plain = measure([*RECONCILE, "plan"], cwd=project, env=env, repeat=5)
        since = measure([*RECONCILE, "plan", "--since", "main"], cwd=project, env=env, repeat=5)
    name = "plan --since, 1,000 manifests, 1,000 commits: added"
    return limit_row(name, since.seconds - plain.seconds, 2.0, "s")


def _image_row(work: Path) -> Iterator[Row]:
    engine = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, check=False
    )
    if engine.returncode:
        print("No Docker engine answers: the image row is left out")
        return
    project = work / "image"
    write_context(project / "environments" / "big", files=5000, megabytes=100)
    (project / "manifests").mkdir()
    (project / "manifests" / "image.yaml").write_text(
        "apiVersion: reconciler/v1\nkind: RayfineImage\nmetadata: {name: big}\n"
        "spec: {path: environments/big, tag: 'reconciler-bench:big', dockerfile: Dockerfile}\n"
    )
    (project / "reconciler.yaml").write_text(
        "apiVersion: reconciler/v1\nstack: bench\ndefault_target: here\n"
        "targets: {here: {docker: {}}}\n"
    )
    tag = "reconciler-bench:peer"
    build = ["docker", "build", "--quiet", "--tag", tag, "environments/big"]
    try:
        subprocess.run(
            [*RECONCILE, "apply", "--apply"], cwd=project, check=True, stdout=subprocess.DEVNULL
        )
        ours = measure([*RECONCILE, "plan", "--detailed-exitcode"], cwd=project)
        plain = {"DOCKER_BUILDKIT": "0"}
        measure(build, cwd=project, repeat=1, env=plain)
        peer = measure(build, cwd=project, repeat=3, env=plain)
        name = "no-op plan of an image, 5,000 files, 100 MB"
        yield ratio_row(name, ours, ("cached docker build", peer.seconds), 0.3)
    finally:
        images = subprocess.run(
            ["docker", "images", "--format", "{{.Repository}}:{{.Tag}}", "reconciler-bench"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        if images:
            subprocess.run(
                ["docker", "rmi", "--force", *sorted(set(images))],
                check=False,
                stdout=subprocess.DEVNULL,
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen groups and print one table; 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    groups = ("commands", "plan", "apply", "attribution", "outputs", "image", "rayfine")
    parser.add_argument("group", nargs="*", choices=[*groups, []], help="default: all of them")
    chosen = parser.parse_args(arguments).group or groups
    rows: list[Row] = []
    try:
        with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as name:
            work = Path(name)
            if "commands" in chosen:
                rows += _command_rows(work)
            if "plan" in chosen:
                rows += _plan_rows(work)
            if "apply" in chosen:
                rows.append(_apply_row(work / "apply"))
            if "outputs" in chosen:
                rows.append(_outputs_row(work / "outputs"))
            if "attribution" in chosen:
                rows.append(_attribution_row(work / "attribution"))
            if "image" in chosen:
                rows += _image_row(work)
            if "rayfine" in chosen:
                rows += rayfine_rows(work, _CACHE)
    finally:
        print_report(rows)  # also of a run that fails later on
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
