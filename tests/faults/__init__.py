"""Faults on the way between a client and a server, and the suites that use them."""
