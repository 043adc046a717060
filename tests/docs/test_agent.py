"""docs/agent.md maps every section of the Run:ai guide to tests that exist."""

import ast
import re
from functools import cache

from tests.docs.pages import ROOT, tables

PAGE = ROOT / "docs" / "agent.md"
DEFAULT = "tests/agent/test_guide.py"
SECTIONS = """
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
    return tables(PAGE, "## The guide, section by section")


def test_every_section_of_the_guide_has_a_row() -> None:
    assert [row[0] for row in rows()] == [item.strip() for item in SECTIONS.split(";")]


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
"""A choice that the page names in its last paragraph."""
