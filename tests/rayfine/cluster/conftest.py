"""The images of this run are those of the runtime's tests."""

from tests.rayfine.runtime.conftest import images

__all__ = ["images"]
