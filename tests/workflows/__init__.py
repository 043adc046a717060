"""The workflow files and the action, executed by act; gh talks to a small fake of GitHub."""
