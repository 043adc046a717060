"""Environments elsewhere: served over HTTP, or in containers of another machine's engine."""
