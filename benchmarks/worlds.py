"""Directories to measure in: reconciler projects, and the same size of work for the peers."""

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import RECONCILE

_ENVIRONMENT = """\
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {{name: env-{number:05}}}
spec:
  scope: cluster
  description: Training environment {number}
  image: nvcr.io/nvidia/pytorch:24.01-py3
  workload_types: [workspace, training]
  environment_variables: {{NCCL_DEBUG: INFO, OMP_NUM_THREADS: "8", RANK_OFFSET: "{number}"}}
  tools: [jupyter]
"""
_PER_FILE = 100


@dataclass(frozen=True)
class Project:
    """A reconciler project and the running sandbox it is applied to."""

    directory: Path
    base_url: str


def write_project(directory: Path, count: int, base_url: str) -> Path:
    """A project of `count` environment manifests, `_PER_FILE` to a file."""
    manifests = directory / "manifests"
    manifests.mkdir(parents=True)
    for start in range(0, count, _PER_FILE):
        documents = [
            _ENVIRONMENT.format(number=n) for n in range(start, min(start + _PER_FILE, count))
        ]
        (manifests / f"part-{start:05}.yaml").write_text("---\n".join(documents))
    (directory / "reconciler.yaml").write_text(
        "apiVersion: reconciler/v1\nstack: bench\ndefault_target: bench\ntargets:\n  bench:\n"
        f"    runai: {{base_url: '{base_url}', client_id: {{env: BENCH_ID}}, "
        "client_secret: {env: BENCH_SECRET}}\n"
    )
    return directory


def write_history(directory: Path, commits: int) -> None:
    """A repository of the project: a branch `work` whose commits change one manifest each."""
    names = sorted((directory / "manifests").iterdir())
    texts = {path.name: path.read_text() for path in names}
    stream = [_commit("main", "Begin", {"reconciler.yaml": _read(directory)} | _below(texts))]
    for number in range(commits):
        name = names[number // _PER_FILE % len(names)].name
        old, new = f'RANK_OFFSET: "{number}"', f'RANK_OFFSET: "{number}0"'
        texts[name] = texts[name].replace(old, new)
        branch = "refs/heads/main" if number == 0 else ""
        changed = {f"manifests/{name}": texts[name]}
        stream.append(_commit("work", f"Change {number}", changed, branch))
    subprocess.run(["git", "init", "--quiet", directory], check=True)
    subprocess.run(
        ["git", "fast-import", "--quiet"], cwd=directory, input="".join(stream).encode(), check=True
    )
    for words in (["symbolic-ref", "HEAD", "refs/heads/work"], ["reset", "--hard", "--quiet"]):
        subprocess.run(["git", *words], cwd=directory, check=True)


def _read(directory: Path) -> str:
    return (directory / "reconciler.yaml").read_text()


def _below(texts: dict[str, str]) -> dict[str, str]:
    return {f"manifests/{name}": text for name, text in texts.items()}


def _commit(branch: str, subject: str, files: dict[str, str], parent: str = "") -> str:
    """One commit in the form that `git fast-import` reads."""
    lines = [f"commit refs/heads/{branch}\ncommitter Bench <bench@example.com> 1767323045 +0000\n"]
    lines.append(f"data {len(subject)}\n{subject}\n")
    if parent:
        lines.append(f"from {parent}\n")
    for path, text in files.items():
        lines.append(f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n")
    return "".join(lines)


@contextmanager
def running_sandbox(directory: Path, *options: str) -> Iterator[tuple[str, dict[str, str]]]:
    """A sandbox in a process of its own; yields its URL and the variables a target needs."""
    command = [
        *RECONCILE,
        "sandbox",
        "--database",
        str(directory / "sandbox.db"),
        "--json",
        *options,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            endpoint = json.loads(process.stdout.readline())
            yield (
                endpoint["base_url"],
                {"BENCH_ID": endpoint["client_id"], "BENCH_SECRET": endpoint["client_secret"]},
            )
        finally:
            process.terminate()


def write_terraform(directory: Path, count: int) -> Path:
    """An applied Terraform project of `count` `terraform_data` resources (built in, no plug-in)."""
    directory.mkdir()
    (directory / "main.tf").write_text(
        f'resource "terraform_data" "env" {{\n  count = {count}\n'
        '  input = { name = "env-${count.index}", image = "nvcr.io/nvidia/pytorch:24.01-py3", '
        'debug = "INFO" }\n}\n'
    )
    for words in (["init", "-input=false"], ["apply", "-auto-approve", "-input=false"]):
        subprocess.run(["terraform", *words], cwd=directory, check=True, stdout=subprocess.DEVNULL)
    return directory


def octodns_python(directory: Path) -> Path:
    """A virtual environment with octoDNS in it; made once and kept."""
    python = directory / "bin" / "python"
    if not python.exists():
        venv.create(directory, with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "octodns"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return python


def write_octodns(directory: Path, count: int) -> Path:
    """A zone of `count` records whose YAML target already equals its YAML source."""
    (directory / "source").mkdir(parents=True)
    (directory / "target").mkdir()
    kind = "class: octodns.provider.yaml.YamlProvider"
    (directory / "config.yaml").write_text(
        "providers:\n"
        f"  source: {{{kind}, directory: ./source, enforce_order: false}}\n"
        f"  target: {{{kind}, directory: ./target, enforce_order: false}}\n"
        "zones:\n  example.com.: {sources: [source], targets: [target]}\n"
    )
    zone = "---\n" + "".join(
        f"host-{number:05}:\n  ttl: 300\n  type: A\n  values: [10.{number >> 16 & 255}."
        f"{number >> 8 & 255}.{number & 255}]\n"
        for number in range(count)
    )
    for side in ("source", "target"):
        (directory / side / "example.com.yaml").write_text(zone)
    return directory


def write_context(directory: Path, files: int, megabytes: int) -> Path:
    """An image context of `files` files of random bytes, `megabytes` MB in all, and an env.py."""
    shutil.rmtree(directory, ignore_errors=True)
    size = megabytes * 1_000_000 // files
    for number in range(files):
        folder = directory / f"data-{number // 100:03}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file-{number:05}.bin").write_bytes(os.urandom(size))
    (directory / "env.py").write_text("def hello(name='World'):\n    return f'Hello, {name}!'\n")
    (directory / "Dockerfile").write_text("FROM scratch\nCOPY . /app/\n")
    return directory


def python_version() -> str:
    """The interpreter that is measured."""
    return sys.version.split()[0]
