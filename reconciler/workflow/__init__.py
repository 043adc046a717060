"""The stages of a command, for every front door."""
