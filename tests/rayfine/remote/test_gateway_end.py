"""How a gateway ends: its thread before the process, whatever interrupts the main one."""

import signal
import threading
from pathlib import Path

import pytest

from reconciler.rayfine import load_env
from tests.rayfine.remote.offered import NAME, TOKEN, offered


def test_an_interrupted_wait_leaves_the_thread_to_be_waited_for(tmp_path: Path) -> None:
    """Ctrl-C raises in the main thread; the gateway's has to end before the process does."""
    with offered(tmp_path, "def f():\n    return 1\n", {}) as found:
        (serving,) = [item for item in threading.enumerate() if item.name == "gateway"]
        main = threading.main_thread().ident
        assert main is not None
        threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            found.gateway.wait()
        assert serving.is_alive()
        with load_env(NAME, mode="remote", url=found.url, token=TOKEN) as env:
            env.setup()
            assert env.f() == 1
    assert not serving.is_alive()
