"""Docker engines and image registries."""
