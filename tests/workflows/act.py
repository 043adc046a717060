"""One run of a workflow under act: jobs and their exit codes, outputs, annotations, summary, log.

Each job clones the recorded repository. The action is used as docs/gitops.md says, by owner, name
and commit; its files are this checkout's.
"""

import json
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.workflows.stage import ROOT, TOKEN, Stage

HERE = Path(__file__).parent
PIN = "5" * 40
_USED = re.compile(r"uses: actions/([\w-]+)@(\w+)")
_EXIT = re.compile(r"exit status (\d+)")
_UNKNOWN = re.compile(r"^ +(deployment: false|queue: max).*\n", re.MULTILINE)
"""What act refuses; GitHub's parser knows it, see scripts/check-workflows."""
_NOISE = ("LocalRepositoryCache", "⭐ Run", "  ✅  Success", "  ⚙  ::")
_LEVELS = ("notice", "warning", "error")


@dataclass
class Ran:
    """What one run has done."""

    jobs: dict[str, int] = field(default_factory=dict)
    """The exit code of the first step that failed in each job that ran, or 0."""
    outputs: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """What the steps of each job have put out."""
    annotations: list[str] = field(default_factory=list)
    """LEVEL FILE:LINE TITLE: TEXT, as far as they are stated."""
    summary: str = ""
    log: str = ""


def add_action(stage: Stage, workflow: str, text: str) -> None:
    """Put a workflow into the work tree, which uses the action at its commit."""
    place = stage.repository / ".github" / "workflows"
    place.mkdir(parents=True, exist_ok=True)
    text = text.replace("uses: ./\n", f"uses: acme/reconciler@{PIN}\n")
    (place / workflow).write_text(_UNKNOWN.sub("", text))
    if not stage.action.exists():
        stage.action.mkdir()
        shutil.copy(ROOT / "action.yml", stage.action)
        for name in ("scripts", "requirements", "reconciler"):
            (stage.action / name).symlink_to(ROOT / name)  # act copies the links


def run_workflow(
    stage: Stage, event: str, payload: Mapping[str, Any], *more: str, workflow: str = "reconcile"
) -> Ran:
    """Let act run the workflow of the work tree for an event; `more` are options of act."""
    recorded = stage.place / "event.json"
    recorded.write_text(json.dumps(payload))
    act = shutil.which("act", path=stage.environ()["PATH"])
    assert act, "act is missing; it comes with the requirements of .venv"
    path = Path(".github/workflows") / f"{workflow}.yml"
    command = [sys.executable, "-S", "-E", str(HERE / "no_terminal.py"), act, event]
    command += ["-W", str(path), "-e", str(recorded)]
    command += ["-P", "ubuntu-24.04=-self-hosted", "--no-skip-checkout", "--action-offline-mode"]
    command += ["--pull=false", "--concurrent-jobs", "1", "--no-cache-server", "--json"]
    command += ["--action-cache-path", str(stage.place / "act"), "-s", f"GITHUB_TOKEN={TOKEN}"]
    for name, value in stage.credentials().items():
        command += ["--var" if name == "RUNAI_BASE_URL" else "-s", f"{name}={value}"]
    command += more
    command += ["--local-repository", f"acme/reconciler@{PIN}={stage.action}"]
    for file in (stage.repository / path.parent).glob("*.yml"):
        for action, pin in _USED.findall(file.read_text()):
            stand_in = HERE / "actions" / action
            command += ["--local-repository", f"actions/{action}@{pin}={stand_in}"]
    ran = subprocess.run(
        command,
        check=False,
        cwd=stage.repository,
        env=stage.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    found = _told(ran.stdout)
    assert (ran.returncode != 0) is any(found.jobs.values()), found.log
    return found


def _told(text: str) -> Ran:
    """What the lines of act say, which are JSON once a job has begun."""
    found = Ran()
    for line in text.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            told = {"msg": line}
        job = _name_of(told)
        said = told.get("msg", "").rstrip()
        if not said.startswith(_NOISE):
            found.log += f"[{job}] {said}\n"
        if job:
            _note(found, job, told)
    return found


def _name_of(told: Mapping[str, Any]) -> str:
    """The id of a job; in a workflow that another one has called, below the name of the caller."""
    caller, *called = re.split(r"(?<! )/(?! )", told.get("job", ""))
    below = f"{re.sub('-[0-9]+$', '', caller)}/" if len(called) > 1 else ""
    return f"{below}{told.get('jobID', '')}"


def _note(found: Ran, job: str, told: Mapping[str, Any]) -> None:
    command, said = told.get("command"), told.get("arg", "")
    code = found.jobs.get(job, 0)
    if not code and (failed := _EXIT.fullmatch(told.get("msg", ""))):
        code = int(failed[1])
    found.jobs[job] = code or int(told.get("jobResult") == "failure")
    if command in _LEVELS:
        stated = told["kvPairs"]
        place = ":".join(stated[key] for key in ("file", "line") if key in stated)
        words = [command, place, f"{stated['title']}:" if "title" in stated else "", said]
        found.annotations.append(" ".join(filter(None, words)))
    elif command == "summary" and told["content"] not in found.summary:  # twice, of a composite
        found.summary += told["content"]
    elif command == "set-output" and len(told["stepID"]) == 1 and said:
        found.outputs[job][told["name"]] = said
