"""What the GitHub action does around `reconcile`: comments, drift issues, reviewed plans.

Standard library only, and the runner's `gh`: jobs that may write to GitHub install nothing. What
comes from an event, a comment or an artifact is data: it is never run, and never trusted.
"""
