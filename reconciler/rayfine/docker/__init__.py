"""A Docker engine and what is built on it; enters the Docker SDK, lazily, in one place."""
