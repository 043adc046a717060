"""Every natural-language input of the Run:ai guide, by section, and what each of them asks for.

`tests/agent/README.md` is held to this: a section's row names the test that runs its inputs.
"""

from dataclasses import dataclass, field
from typing import Any

BOTH = ("workspace", "training")
PYTORCH = "nvcr.io/nvidia/pytorch:24.01-py3"


@dataclass(frozen=True)
class Creation:
    """An input that names an environment and its image; workload types only if it says so."""

    name: str
    image: str
    types: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deletion:
    """An input that names the environment that is to go."""

    name: str


@dataclass(frozen=True)
class Idea:
    """An input that leaves the name or the image open: what a model makes of it, and its preview.

    `spec` is what the model chooses, `shows` lines of the preview.
    """

    spec: dict[str, Any]
    shows: tuple[str, ...] = field(default=())


QUICK_START = "Create environment named my-env with image busybox for workspace and training"
QUICK_TEST = "Create environment named test-env with busybox image"

INPUTS: dict[str, Creation | Deletion | Idea] = {
    QUICK_START: Creation("my-env", "busybox", BOTH),
    "Create a new runai environment named busybox-test with the image busybox for workspace and "
    "training workloads in the cluster scope.": Creation("busybox-test", "busybox", BOTH),
    "Create environment named jupyter-workspace with image jupyter/scipy-notebook for workspace "
    "workloads only": Creation("jupyter-workspace", "jupyter/scipy-notebook", ("workspace",)),
    "Create an ML training environment with 4 GPUs and PyTorch": Idea(
        {
            "name": "ml-training-4-gpus",
            "image": PYTORCH,
            "workload_types": ["training"],
            "compute": {"gpu": 4},
        },
        ("  ✓ training", "  • RunaiCompute.ml-training-4-gpus: create"),
    ),
    "Create a new environment for distributed training": Idea(
        {
            "name": "distributed-training",
            "image": PYTORCH,
            "workload_types": {"distributed": True, "distFramework": "PyTorch"},
        },
        ("  ✓ distributed (PyTorch)",),
    ),
    "Set up a Jupyter environment with 2 GPUs": Idea(
        {
            "name": "jupyter-2-gpus",
            "image": "jupyter/scipy-notebook",
            "workload_types": ["workspace"],
            "compute": {"gpu": 2},
            "tools": ["jupyter"],
        },
        ("  ✓ workspace", "  • RunaiCompute.jupyter-2-gpus: create"),
    ),
    "Create a tenant-level environment for inference workloads": Idea(
        {
            "name": "inference",
            "scope": "tenant",
            "image": "nvcr.io/nvidia/tritonserver:24.01-py3",
            "workload_types": ["inference"],
        },
        ("Scope: tenant", "  ✓ inference"),
    ),
    "Make an environment template for PyTorch training": Idea(
        {"name": "pytorch-training", "image": PYTORCH, "workload_types": ["training"]},
        ("  ✓ training",),
    ),
    QUICK_TEST: Creation("test-env", "busybox"),
    "Create environment named team-dev-env with jupyter/scipy-notebook image for workspace "
    "workloads": Creation("team-dev-env", "jupyter/scipy-notebook", ("workspace",)),
    "Create environment ds-jupyter with jupyter/datascience-notebook for workspace": Creation(
        "ds-jupyter", "jupyter/datascience-notebook", ("workspace",)
    ),
    "Create environment ml-training with pytorch image for training": Creation(
        "ml-training", "pytorch", ("training",)
    ),
    "Create environment devops-tools with ubuntu image for workspace": Creation(
        "devops-tools", "ubuntu", ("workspace",)
    ),
    "Delete the environment named busybox-test": Deletion("busybox-test"),
    "Remove environment ml-training-env": Deletion("ml-training-env"),
    "Delete the busybox environment": Deletion("busybox"),
    "Remove the environment called test-env": Deletion("test-env"),
    "Create environment named my-env with busybox image": Creation("my-env", "busybox"),
    "Create environment named jupyter with jupyter/scipy-notebook for workspace": Creation(
        "jupyter", "jupyter/scipy-notebook", ("workspace",)
    ),
    "Create environment named training with pytorch image for training workloads": Creation(
        "training", "pytorch", ("training",)
    ),
    "Create environment named dev-env with ubuntu for workspace and training": Creation(
        "dev-env", "ubuntu", BOTH
    ),
    "Delete environment named test-env": Deletion("test-env"),
    "Remove the environment called busybox-test": Deletion("busybox-test"),
    "Create environment named test-env with busybox for workspace and training": Creation(
        "test-env", "busybox", BOTH
    ),
}
"""Each input once, in the guide's order."""

CREATIONS = {text: asked for text, asked in INPUTS.items() if isinstance(asked, Creation)}
DELETIONS = {text: asked for text, asked in INPUTS.items() if isinstance(asked, Deletion)}
IDEAS = {text: asked for text, asked in INPUTS.items() if isinstance(asked, Idea)}
_ALL = tuple(INPUTS)
_CHEAT_SHEET = _ALL[17:21]

SECTIONS: dict[str, tuple[str, ...]] = {
    "Quick Start": _ALL[0:1],
    "Example 1: Using Natural Language": _ALL[1:2],
    "Example 5: Simple Workspace-Only Environment": _ALL[2:3],
    "Agent Usage": _ALL[3:8],
    "Use Case 1: Quick Test Environment": _ALL[8:9],
    "Use Case 2: Team Development Environment": _ALL[9:10],
    "Use Case 5: Multiple Environments for Different Teams": _ALL[10:13],
    "Delete via Natural Language": _ALL[13:14],
    "More Natural Language Examples": _ALL[14:17],
    "Quick Commands": (*_CHEAT_SHEET, *_ALL[21:23]),
    "Environment Lifecycle Management": _CHEAT_SHEET,
    "Complete Lifecycle Example": (_ALL[23], _ALL[21]),
}
"""The guide's sections that have such inputs; some inputs stand in several."""
