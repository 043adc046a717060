"""The Docker SDK's client, made careful: what it sends where, and how much of an answer it takes.

Nothing is sent on to where an engine leads. Each answer but a stream has to come whole within ten
times the time limit of one pause, and has a size. Importing this module enters the SDK.
"""

import io
import time
from typing import Any
from urllib.parse import urlsplit

from docker import APIClient
from requests.exceptions import TooManyRedirects

from reconciler.support.deadline import read_whole
from reconciler.support.hosts import is_loopback

_LOGINS = ("X-Registry-Auth", "X-Registry-Config")
_LONGEST = 10
"""A whole answer may take this many times the time limit of one pause."""
_LARGEST = 64 << 20
"""Bytes of an answer: 60,000 images with our labels have less."""


class CarefulClient(APIClient):
    """Sends no login for a registry to an engine without TLS, unless that is on this machine."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.headers["Accept-Encoding"] = "identity"

    def send(self, request: Any, **named: Any) -> Any:
        """One request and, unless it is asked for as a stream, all of its answer."""
        if request.url.startswith("http://") and not is_loopback(urlsplit(request.url).netloc):
            for name in _LOGINS:
                request.headers.pop(name, None)
        begin = time.monotonic()
        answer = super().send(request, **{**named, "stream": True, "allow_redirects": False})
        if answer.is_redirect:
            answer.close()
            raise TooManyRedirects("the engine leads elsewhere, where nothing is sent")
        if not named.get("stream"):
            limit = named.get("timeout")
            end = begin + _LONGEST * limit if limit else None
            answer.raw = io.BytesIO(read_whole(answer.raw, _LARGEST, end))
        return answer

    def merge_environment_settings(self, url: Any, *given: Any) -> Any:
        """The engine's own authority before REQUESTS_CA_BUNDLE, which would win."""
        proxies, stream, verify, certificate = given
        if verify is None and isinstance(self.verify, str):
            verify = self.verify
        return super().merge_environment_settings(url, proxies, stream, verify, certificate)
