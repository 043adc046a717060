"""env.py raises, of every class that there is: its own traceback is printed, and escaped."""

import asyncio
import builtins
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.rayfine import load_env
from reconciler.rayfine.runtime.errors import RemoteError, remote_error
from tests.rayfine.remote.conftest import Command
from tests.rayfine.remote.offered import NAME, TOKEN, Offered, offered

ENV = """
import builtins
def fail(name):
    given = {
        "UnicodeDecodeError": ("utf-8", b"x", 0, 1, "\\x1b[2J"),
        "UnicodeEncodeError": ("utf-8", "x", 0, 1, "\\x1b[2J"),
        "UnicodeTranslateError": ("x", 0, 1, "\\x1b[2J"),
        "BaseExceptionGroup": ("\\x1b[2J", [KeyboardInterrupt("in it")]),
        "ExceptionGroup": ("\\x1b[2J", [ValueError("in it")]),
    }.get(name, ("\\x1b[2J \\u202e \\x9b31m",))
    raise getattr(builtins, name)(*given)
def shout(text):
    raise RuntimeError(text)
"""
CLASSES = sorted(
    name
    for name, found in vars(builtins).items()
    if isinstance(found, type) and issubclass(found, BaseException) and found.__name__ == name
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Offered]:
    with offered(tmp_path_factory.mktemp("env"), ENV, {}) as found:
        yield found


@pytest.mark.parametrize("name", CLASSES)
def test_the_command_line_prints_its_traceback_and_nothing_of_ours(
    name: str, served: Offered, command: Command
) -> None:
    words = ("--url", served.url, "--token-env", "T")
    said = command("run", NAME, "fail", "--arg", f"name={name}", *words)
    assert (said.code, said.out) == (1, "")
    head, _, traceback = said.err.partition("Traceback (most recent call last):\n")
    assert f"env.py:11: {name}: " in head
    assert "raise getattr(builtins, name)(*given)" in traceback
    assert said.err.count("Traceback") == 1
    assert r"\x1b[2J" in traceback
    assert not [each for each in said.err if not each.isprintable() and each != "\n"]


def test_no_line_of_its_message_passes_for_one_of_ours(served: Offered, command: Command) -> None:
    text = "text=boom\nApply complete!\n::error::forged"
    words = ("--url", served.url, "--token-env", "T")
    said = command("run", NAME, "shout", "--arg", text, *words)
    head, _, rest = said.err.partition("RuntimeError: boom\n")
    assert head.splitlines()[-1].startswith("Error: ")
    others = rest.splitlines()
    assert "  Apply complete!" in others
    assert not [line for line in others if line and not line.startswith("  ")]


@pytest.mark.parametrize("name", CLASSES)
def test_it_is_an_error_of_that_type_wherever_it_is_raised(name: str, served: Offered) -> None:
    kind = getattr(builtins, name)
    with load_env(NAME, mode="remote", url=served.url, token=TOKEN) as env:
        env.setup()

        async def call() -> object:
            return await asyncio.wait_for(env.aio.fail(name), 60)

        with pytest.raises(RemoteError) as raised:
            asyncio.run(call())
        (result,) = env.map("fail", [name])
    assert isinstance(result.error, RemoteError)
    assert raised.value.type_name == name
    if issubclass(kind, Exception) and raised.type is RemoteError:
        assert name in (
            "ExceptionGroup", "StopAsyncIteration", "StopIteration",
            "UnicodeDecodeError", "UnicodeEncodeError", "UnicodeTranslateError",
        )  # fmt: skip
    else:
        assert isinstance(raised.value, kind if issubclass(kind, Exception) else RemoteError)


def test_one_line_of_json_per_input(served: Offered, tmp_path: Path, command: Command) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(name) + "\n" for name in CLASSES))
    words = ("--url", served.url, "--token-env", "T", "--quiet")
    ran = command("run", NAME, "fail", "--input", str(path), *words)
    assert ran.code == 1
    assert [json.loads(line)["error"]["type"] for line in ran.out.splitlines()] == CLASSES


@pytest.mark.parametrize("name", ["RuntimeError", "SyntaxError", "KeyError", "OSError"])
def test_what_python_prints_of_it_is_escaped_as_well(name: str) -> None:
    """Also a SyntaxError, of which Python prints no `str`."""
    code = (
        "import sys\n"
        "from reconciler.rayfine.runtime.errors import remote_error\n"
        "raise remote_error({'type': sys.argv[1], 'builtin': sys.argv[1], 'message': '\\x1b[2J', "
        "'traceback': 'of env.py \\x1b[2J'})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, name], capture_output=True, check=False, text=True
    )
    assert r"of env.py \x1b[2J" in done.stderr
    assert "\x1b" not in done.stderr


def test_what_is_said_of_an_exception_is_bounded() -> None:
    """Whoever runs there may answer in the agent's place."""
    error = remote_error(
        {
            "type": "T" * 10_000, "module": ["m"], "builtin": "print", "message": "m" * 1_000_000,
            "traceback": "t" * 1_000_000, "file": "f", "line": [1] * 100_000,
        }
    )  # fmt: skip
    assert type(error) is RemoteError
    assert len(str(error)) < 60_000
    assert error.where == ""
