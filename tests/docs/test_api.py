"""docs/api.md names what is public, and nothing else."""

import importlib
import re

from tests.docs.pages import ROOT

MODULES = (
    *("rayfine_env", "reconciler.rayfine", "reconciler.agent", "reconciler.sandbox"),
    *("reconciler.providers.base", "reconciler.testing"),
)
"""What README.md calls the interface in Python."""


def test_the_reference_has_every_public_name_and_no_other() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\.\. auto(?!module)\w+:: ([\w.]+)$", page, re.MULTILINE)
    assert len(documented) == len(set(documented))
    public = {
        f"{name}.{item}" for name in MODULES for item in importlib.import_module(name).__all__
    }
    same = {f"reconciler.rayfine.{name}" for name in importlib.import_module("rayfine_env").__all__}
    assert set(documented) == public - same
