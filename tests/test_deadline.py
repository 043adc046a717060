"""An answer may take only so long as a whole, however often a piece of it comes."""

import contextlib
import http.server
import threading
import time

import pytest
import urllib3

from reconciler.support.deadline import read_whole


class _Drip(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
        with contextlib.suppress(OSError):
            for _ in range(200):
                self.wfile.write(b" ")
                time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


def test_an_answer_that_drips_is_cut_off() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Drip) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            with urllib3.PoolManager(timeout=5) as pool:
                url = f"http://127.0.0.1:{server.server_port}"
                answer = pool.request("GET", url, preload_content=False)
                with pytest.raises(TimeoutError, match="before its end"):
                    read_whole(answer, 1 << 20, time.monotonic() + 0.3)
        finally:
            server.shutdown()
            thread.join()
