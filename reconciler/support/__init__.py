"""Techniques that know nothing of manifests and plans: threads, signals, files."""
