"""Loading, calling and ending rayfine environments: the caller's side of the agent."""
