"""Folders of manifests and what is wrong with them, word for word.

A new case is a new folder: `*.yaml` and `errors.txt`. Write the latter with UPDATE_CASES=1, and
read it before you commit it.
"""

import os
from pathlib import Path

import pytest

from reconciler.errors import ManifestError
from reconciler.kinds.base import LoadContext
from reconciler.manifest import load

CASES = sorted((Path(__file__).parent / "cases").iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Path) -> None:
    context = LoadContext(root=case, stack="ml-platform", env_allow=("RECONCILE_VAR_*",))
    with pytest.raises(ManifestError) as caught:
        load(case, context)
    expected = case / "errors.txt"
    if os.environ.get("UPDATE_CASES"):
        expected.write_text(f"{caught.value}\n", encoding="utf-8")
    assert f"{caught.value}\n" == expected.read_text(encoding="utf-8")
