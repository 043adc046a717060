"""The pure core: resources, diffs and plans, and every decision about them."""
