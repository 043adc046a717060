"""Rayfine environments: the images they are built into, and the runtime that serves them."""
