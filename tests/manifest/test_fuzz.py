"""The loader against broken manifests: only manifest errors escape, each within two seconds.

RECONCILE_FUZZ_SECONDS sets how long (default 3; 60 with `make laws`). RECONCILE_FUZZ_SEED sets what
is tried: the same in every run by default, something new with `make laws`, which a failure names.
"""

import os
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

from reconciler.errors import ManifestError
from reconciler.kinds.base import LoadContext
from reconciler.manifest.documents import load_files
from reconciler.manifest.files import ManifestFile

SECONDS = float(os.environ.get("RECONCILE_FUZZ_SECONDS", "3"))
SEED = int(os.environ.get("RECONCILE_FUZZ_SEED", "1"))
REPOSITORY = Path(__file__).parents[2]
SAMPLES = [path.read_text() for path in sorted((REPOSITORY / "manifests").rglob("*.yaml"))]
WORDS = (
    *("null", "~", "true", "no", "012", "0x1F", "1e400", ".nan", ".inf", "-0.0", "1_000", "1:30"),
    *("{}", "[]", "[[]]", "{a: }", "''", '""', '"\\0"', '"\\ud800"', "|", ">", "- ", "? ", ": "),
    *("&a", "*a", "!!python/name:os.system", "<<: *a", "%YAML 1.2", "---", "...", "#", "\t", "\\"),
    *("\x00", "\x1b[0m", "\u202e", "\ufeff", "\u2028", "\U0001f600", "é", "\r", "\n", " "),
    *("9" * 400, "-" * 300, "a" * 5000, "[" * 70, "{a: " * 70, "${VAR}", "{env: HOME}", "64Gi"),
    *("RayfineImage", "RunaiEnvironment", "RunaiCompute", "metadata", "spec", "kind", "apiVersion"),
)


class Mutator:
    """Breaks manifests by lines, by characters and by values."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.ways: Sequence[Callable[[str], str]] = (
            self.insert,
            self.cut,
            self.copy_lines,
            self.move_lines,
            self.indent,
            self.splice,
            self.change_value,
            self.change_value,
            self.change_value,
        )

    def make(self) -> bytes:
        text = self.chance.choice(SAMPLES)
        for _ in range(self.chance.randint(1, 6)):
            text = self.chance.choice(self.ways)(text)
        data = text.encode("utf-8", "surrogatepass")
        if self.chance.random() < 0.05 and data:
            at = self.chance.randrange(len(data))
            data = data[:at] + self.chance.randbytes(3) + data[at:]
        return data

    def insert(self, text: str) -> str:
        at = self.chance.randint(0, len(text))
        return text[:at] + self.chance.choice(WORDS) + text[at:]

    def cut(self, text: str) -> str:
        at = self.chance.randint(0, len(text))
        return text[:at] + text[at + self.chance.randint(0, 60) :]

    def copy_lines(self, text: str) -> str:
        lines = text.splitlines(keepends=True)
        at = self.chance.randint(0, len(lines))
        here = self.chance.randint(0, len(lines))
        return "".join([*lines[:here], *lines[at : at + self.chance.randint(1, 8)], *lines[here:]])

    def move_lines(self, text: str) -> str:
        lines = text.splitlines(keepends=True)
        at = self.chance.randint(0, len(lines))
        return "".join(lines[at:] + lines[:at])

    def indent(self, text: str) -> str:
        lines = text.splitlines(keepends=True) or [""]
        at = self.chance.randrange(len(lines))
        lines[at] = self.chance.choice(["  ", " ", "\t", "- "]) + lines[at]
        return "".join(lines)

    def splice(self, text: str) -> str:
        other = self.chance.choice(SAMPLES)
        at = self.chance.randint(0, len(text))
        return text[:at] + other[self.chance.randint(0, len(other)) :]

    def change_value(self, text: str) -> str:
        """Replace what stands behind one colon: the text stays YAML more often than not."""
        lines = text.splitlines(keepends=True) or [""]
        at = self.chance.randrange(len(lines))
        head, colon, _ = lines[at].partition(":")
        lines[at] = f"{head}{colon} {self.chance.choice(WORDS)}\n"
        return "".join(lines)


@pytest.mark.slow
def test_only_manifest_errors_escape(tmp_path: Path) -> None:
    mutator = Mutator(random.Random(SEED))
    context = LoadContext(root=tmp_path, stack="ml", env_allow=("*",), variables={"HOME": "x"})
    refused = tried = 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        data = mutator.make()
        began = time.thread_time()
        try:
            load_files([ManifestFile("fuzz.yaml", data)], context)
        except ManifestError:
            refused += 1
        except Exception as error:
            error.add_note(f"RECONCILE_FUZZ_SEED={SEED}, input {tried}: {data!r}")
            raise
        tried += 1
        assert time.thread_time() - began < 2, (SEED, tried, data)
    assert refused > tried // 10


def test_the_samples_are_whole() -> None:
    """What the fuzzer starts from is accepted."""
    assert SAMPLES
    for text in SAMPLES:
        assert all(isinstance(item, dict) for item in yaml.safe_load_all(text))
