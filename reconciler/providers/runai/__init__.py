"""The Run:ai control plane: its assets, through NVIDIA's SDK (runapy).

`open_runai` gives the providers of a target, one for each kind. Nothing is imported of the SDK, and
nobody is logged in, before a provider is used.
"""

from reconciler.providers.runai.system import RunaiSystem, open_runai

__all__ = ["RunaiSystem", "open_runai"]
