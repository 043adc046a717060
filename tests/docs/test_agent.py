"""tests/agent/README.md maps every section of the Run:ai guide to tests that exist."""

import ast
import re
from functools import cache

from tests.docs.pages import ROOT, tables
from tests.toolkit.guide_commands import (
    CREATIONS,
    DELETIONS,
    IDEAS,
    INPUTS,
    SECTIONS,
    Creation,
    Deletion,
    Idea,
)

PAGE = ROOT / "tests" / "agent" / "README.md"
TOOLKIT = ROOT / "docs" / "toolkit.md"
DEFAULT = "tests/agent/test_guide.py"
GUIDE = """
Available Functions; Features; Quick Start; Configuration; Example 1: Using Natural Language;
Example 2: Cluster-Scoped Environment; Example 3: Project-Scoped Environment;
Example 4: Distributed Training Environment; Example 5: Simple Workspace-Only Environment;
Tenant-Level Environment; Minimal Environment; Required Fields; Conditional Fields; Optional Fields;
Memory Format; Validation Rules; Workflow; Agent Usage; Validation Errors; SDK Not Available;
API Method Not Available; Success Response; Use Case 1: Quick Test Environment;
Use Case 2: Team Development Environment; Use Case 3: Production ML Training;
Use Case 4: Distributed Training Setup; Use Case 5: Multiple Environments for Different Teams;
API Reference; Integration with Other Functions; Best Practices; Issue: "Scope ID not found";
Issue: "Resource limits exceeded"; Issue: "Environment API not available";
Data Science Team Environment; Production Inference Environment; Development Environment;
Delete via Natural Language; Delete via API (Direct); More Natural Language Examples;
Important Notes About Deletion; Deletion Workflow; Environment Not Found; Confirmation Required;
Quick Commands; Environment Lifecycle Management; Minimum Required Fields; Workload Types Options;
Scope Options; Common Images; Complete Lifecycle Example; Function Reference
"""
"""The guide's sections that say what the functions do, in its order."""


@cache
def functions_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def rows() -> list[list[str]]:
    return tables(PAGE, "## Sections")


def test_every_section_of_the_guide_has_a_row() -> None:
    assert [row[0] for row in rows()] == [item.strip() for item in GUIDE.split(";")]


def test_every_test_that_is_named_exists() -> None:
    for section, named in rows():
        found = re.findall(r"`([^`]+)`", named)
        assert found, section
        for name in found:
            path, _, function = name.rpartition("::")
            assert function in functions_in(path or DEFAULT), f"{section}: {name}"


def test_every_test_of_the_guide_is_named() -> None:
    named = "".join(row[1] for row in rows())
    everything = functions_in(DEFAULT)
    assert [name for name in sorted(everything) if name.startswith("test_")] == [
        name for name in sorted(everything) if f"`{name}`" in named or name in HELD_ELSEWHERE
    ]


HELD_ELSEWHERE = {"test_the_pull_policy_of_an_image_without_a_tag_is_the_api_s_always"}
"""A choice that the page names in its last section."""

RUNS: dict[type, str] = {
    Creation: "test_each_command_that_creates_creates_what_it_says",
    Deletion: "test_each_command_that_deletes_shows_and_asks_first",
    Idea: "test_an_idea_is_previewed_with_what_the_model_made_of_it",
}
"""What a natural-language input asks for -> the test that puts it to the toolkit."""


def test_a_row_names_the_runs_of_its_section_s_inputs_and_no_others() -> None:
    for section, named in rows():
        inputs = SECTIONS.get(section, ())
        stated = {
            run for run in RUNS.values() if f"`tests/toolkit/test_nat_run.py::{run}`" in named
        }
        assert stated == {RUNS[type(INPUTS[text])] for text in inputs}, section


def test_the_page_of_the_toolkit_counts_what_is_run() -> None:
    page = " ".join(TOOLKIT.read_text(encoding="utf-8").split())
    words = {5: "five", 6: "six"}
    assert f"all {len(INPUTS)} natural-language inputs" in page
    assert f"the {len(CREATIONS)} inputs that name" in page
    assert f"{len(CREATIONS) - 2} creations with the client `nim`" in page
    assert f"the {words[len(IDEAS)]} prompts" in page
    assert f"the {words[len(DELETIONS)]} deletions" in page


def test_the_page_of_the_toolkit_counts_its_packages() -> None:
    lock = (ROOT / "requirements" / "toolkit.txt").read_text(encoding="utf-8")
    count = len(re.findall(r"^[a-z0-9][\w.-]*==", lock, re.MULTILINE))
    assert f"The toolkit has {count} packages" in TOOLKIT.read_text(encoding="utf-8")
