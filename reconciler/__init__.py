"""Keep NVIDIA Run:ai environments and rayfine images equal to what a Git repository says."""

__version__ = "0.1.0"
