"""Tests that a package with kinds of its own reruns for them. Needs pytest."""

import pytest

pytest.register_assert_rewrite("reconciler.testing.suite", "reconciler.testing.bench")

from reconciler.testing.suite import AssetKindSuite  # noqa: E402  (its asserts are rewritten)

__all__ = ["AssetKindSuite"]
