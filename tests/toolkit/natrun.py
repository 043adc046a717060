"""`nat run` of the environment of the toolkit, as the guide writes it, on the shipped workflow."""

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.project import Project
from tests.toolkit.scripted_model import ScriptedModel

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / "examples" / "toolkit" / "workflow.yaml"
BIN = ROOT / ".venv-toolkit" / "bin"


@dataclass(frozen=True)
class NatRan:
    """What a run printed as its result, and all of its output."""

    code: int
    result: str
    output: str


def nat_run(
    world: Project,
    model: ScriptedModel,
    inputs: Sequence[str],
    *,
    workflow: Path = WORKFLOW,
    **variables: str,
) -> NatRan:
    """`nat run --config_file WORKFLOW --input A --input B ...`, in the project's directory."""
    nat = BIN / "nat"
    assert nat.exists(), "run scripts/bootstrap-python --toolkit"
    words = [str(nat), "run", "--config_file", str(workflow)]
    for question in inputs:
        words += ["--input", question]
    done = subprocess.run(
        words,
        cwd=world.directory,
        env={**os.environ, **model_variables(model), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    output = done.stdout + done.stderr
    found = re.search(r"Workflow Result:\n(.*?)(?:\x1b\[\d+m)?\n-{50}", output, re.DOTALL)
    return NatRan(done.returncode, found[1] if found else "", output)


def model_variables(model: ScriptedModel) -> dict[str, str]:
    """What points both kinds of clients at the scripted model, and from anything else."""
    return {
        "NVIDIA_API_KEY": "nvapi-scripted",
        "NVIDIA_BASE_URL": model.url,
        "OPENAI_API_KEY": "sk-scripted",
        "OPENAI_BASE_URL": model.url,
        "RECONCILE_AGENT_TARGET": "live",
        "NAT_TELEMETRY_ENABLED": "false",
        "NVIDIA_USAGE_TELEMETRY_ENABLED": "false",
        "NO_PROXY": "127.0.0.1,localhost",
    }
