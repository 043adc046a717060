"""One command a file, each exporting `command`; imported only when it is run."""
