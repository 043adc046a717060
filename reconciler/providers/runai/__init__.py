"""The Run:ai control plane: environment and compute assets, through NVIDIA's SDK (runapy)."""
