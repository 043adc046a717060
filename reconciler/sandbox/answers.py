"""The form of every answer: JSON text, and errors as `{"code", "message", "details"?}`."""

from __future__ import annotations

import json


class ApiError(Exception):
    """A refusal with the HTTP status and the message that the client gets.

    It never leaves the sandbox: the outermost handler turns it into an answer.
    """

    def __init__(self, status: int, message: str, details: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details

    def body(self) -> str:
        """The error payload of the contract."""
        payload: dict[str, object] = {"code": self.status, "message": self.message}
        if self.details is not None:
            payload["details"] = self.details
        return dump(payload)


def dump(value: object) -> str:
    """Compact ASCII JSON: any text survives it, lone surrogates as well."""
    return json.dumps(value, separators=(",", ":"))
