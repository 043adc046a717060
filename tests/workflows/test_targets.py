"""The groups of the workflow, which act does not know."""

import re

from tests.workflows.stage import ROOT


def test_every_group_is_of_one_target_and_directory() -> None:
    """GitHub keeps one waiting run of a group and drops the others.

    The name of the environment has both.
    """
    text = (ROOT / ".github/workflows/reconcile.yml").read_text()
    groups = re.findall(r"^ +group: (.*)$", text, re.MULTILINE)
    assert len(groups) == 2
    assert "${{ inputs.working-directory }}-${{ inputs.target }}" in groups[0]
    assert groups[1] == "reconcile-apply-${{ needs.check.outputs.environment }}"
