"""What the optional extras bring stays out of a plain installation and of its imports."""

import re
import subprocess
import sys
from importlib.metadata import distribution

OPTIONAL = ("mcp", "mcp_types", "starlette", "uvicorn", "nat", "langchain_core", "ray")

IMPORT_ALL = """
import importlib, pkgutil, sys
import reconciler

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {optional!r}:
            raise ImportError(f"{{name}} is not installed here")

sys.meta_path.insert(0, Absent())
for module in pkgutil.walk_packages(reconciler.__path__, "reconciler."):
    if not module.name.startswith({entered!r}):
        importlib.import_module(module.name)
print(len([name for name in sys.modules if name.startswith("reconciler.")]))
"""

ENTERED = (
    "reconciler.__main__",  # runs when imported
    "reconciler.rayfine.in_container",  # runs inside containers, on their own terms
    "reconciler.agent.toolkit",  # imported by the toolkit
    "reconciler.mcp_server.protocol",  # imported by `reconcile mcp` once the SDK was found
    "reconciler.mcp_server.http",
)


def test_a_plain_installation_pulls_no_optional_package() -> None:
    requires = distribution("reconciler").requires or []
    plain = {re.split(r"[^a-z0-9-]", item)[0] for item in requires if "extra ==" not in item}
    assert plain >= {"click", "pydantic", "runapy"}
    assert not plain & {"mcp", "nvidia-nat", "nvidia-nat-langchain", "langchain-core", "ray"}


def test_each_extra_names_its_package() -> None:
    found = distribution("reconciler")
    requires = [item for item in found.requires or [] if "extra ==" in item]
    by_extra = {
        name: [item for item in requires if re.search(rf"extra == ['\"]{name}['\"]", item)]
        for name in ("mcp", "nat", "ray")
    }
    assert set(by_extra) <= set(found.metadata.get_all("Provides-Extra") or [])
    assert [item.partition(">")[0].partition("<")[0] for item in by_extra["mcp"]] == ["mcp"]
    assert [item.partition("[")[0] for item in by_extra["nat"]] == ["nvidia-nat"]


def test_every_module_can_be_imported_without_them() -> None:
    """Nothing of the base package imports them; what is built on one is entered with it alone."""
    code = IMPORT_ALL.format(optional=OPTIONAL, entered=ENTERED)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
