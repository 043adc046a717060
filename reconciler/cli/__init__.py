"""The command line: arguments, wiring, exit codes. The only part that knows every stage."""
