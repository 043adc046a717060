# ruff: noqa: INP001, T201
# A script beside others, not part of a package; its result is what it writes.
"""Makes the pictures of the documentation from what the tool prints today.

Usage: pictures.py [--check] [--to DIRECTORY] [plan | page | comment]...

`plan` is docs/pictures/plan.svg, a plan in a terminal; `page` is page.png, the same plan as an HTML
page; `comment` is comment.png, the comment on a pull request. By default all three. The plan is one
of a sandbox. The comment is what tests/workflows/cases/comment.yaml states; its test holds that to
what the action writes. A PNG holds the digest of its text, and takes a Chromium to paint:
scripts/ensure-browser brings one. With --check nothing is written, and the exit code is 1 if a
picture is of another text.
"""

import argparse
import contextlib
import hashlib
import io
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from markdown_it import MarkdownIt
from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
CONFIG = """\
apiVersion: reconciler/v1
stack: ml-platform
default_target: sandbox
targets: {sandbox: {runai: {sandbox: sandbox.db}}}
"""
MANIFEST = """\
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {{name: {name}}}
spec: {{{scope}, image: "{image}"}}
"""
TEAM = "scope: project, scope_id: team-a"
BEFORE = (
    ("ml-training-env", TEAM, "nvcr.io/nvidia/pytorch:24.01-py3"),
    ("notebook", "scope: cluster", "jupyter/scipy-notebook:2024-05-27"),
    ("sweep", TEAM, "nvcr.io/nvidia/pytorch:23.10-py3"),
)
AFTER = (
    ("inference", TEAM, "nvcr.io/nvidia/tritonserver:24.05-py3"),
    ("ml-training-env", TEAM, "nvcr.io/nvidia/pytorch:24.05-py3"),
    ("notebook", TEAM, "jupyter/scipy-notebook:2024-05-27"),
)
STYLE = """
body { margin: 0; background: #fff; color: #1f2328; font: 14px/1.5 "DejaVu Sans", sans-serif; }
main { margin: 12px; border: 1px solid #d1d9e0; border-radius: 6px; }
header { padding: 8px 16px; background: #f6f8fa; border-bottom: 1px solid #d1d9e0; color: #59636e; }
header b { color: #1f2328; }
header span { border: 1px solid #d1d9e0; border-radius: 2em; padding: 0 7px; font-size: 12px; }
article { padding: 16px; }
article > :first-child { margin-top: 0; }
article > :last-child { margin-bottom: 0; }
h3 { font-size: 17px; margin: 20px 0 12px; }
h4 { font-size: 14px; margin: 20px 0 12px; }
a { color: #0969da; }
code { background: #eff1f3; border-radius: 6px; padding: 2px 5px; }
code { font: 12px "DejaVu Sans Mono", monospace; }
pre { background: #f6f8fa; border-radius: 6px; padding: 12px; line-height: 1.45; }
pre code { background: none; padding: 0; }
.plus { color: #116329; background: #dafbe1; }
.minus { color: #82071e; background: #ffebe9; }
blockquote { margin: 0 0 12px; padding: 0 14px; border-left: 4px solid #cf222e; }
blockquote p { margin: 8px 0; }
.alert { color: #cf222e; font-weight: bold; }
ul { padding-left: 26px; }
details { margin: 12px 0; }
"""


@dataclass(frozen=True)
class Picture:
    """The name of its file, its text, and how it is drawn."""

    file: str
    text: str
    draw: Callable[[], bytes]

    def is_in(self, data: bytes) -> bool:
        """Whether the content of a file is a picture of this text."""
        if self.file.endswith(".svg"):
            return text_of(data) == "".join(self.text.split())
        return source(self.text) in data


def plan(*options: str) -> tuple[str, str]:
    """A plan from BEFORE to AFTER: what a terminal shows, and plan.html with settled ids."""
    reconcile = [sys.executable, "-m", "reconciler"]
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "reconciler.yaml").write_text(CONFIG)
        _state(directory / "manifests", BEFORE)
        _in_terminal([*reconcile, "apply", "--apply"], directory)
        _state(directory / "manifests", AFTER)
        shown = _in_terminal([*reconcile, "plan", *options], directory)
        page = directory / "plan.html"
        html = page.read_text(encoding="utf-8") if page.exists() else ""
    return shown, _settled(html)


def _settled(text: str) -> str:
    """The text with ids and digests that are the same each time, each as long as it was."""
    seen: dict[str, str] = {}

    def settle(found: re.Match[str]) -> str:
        digits = iter(hashlib.sha256(str(len(seen)).encode()).hexdigest())
        return seen.setdefault(found[0], re.sub("[0-9a-f]", lambda _: next(digits), found[0]))

    ids = r"\b(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64})\b"
    return re.sub(ids, settle, text)


def _state(manifests: Path, environments: Iterable[tuple[str, str, str]]) -> None:
    shutil.rmtree(manifests, ignore_errors=True)
    manifests.mkdir()
    for name, scope, image in environments:
        text = MANIFEST.format(name=name, scope=scope, image=image)
        (manifests / f"{name}.yaml").write_text(text)


def _in_terminal(command: list[str], directory: Path) -> str:
    """What a command writes to a terminal, with its colours."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "GIT_CEILING_DIRECTORIES": str(directory)}
    for name in ("CI", "NO_COLOR"):
        variables.pop(name, None)
    ours, theirs = pty.openpty()
    shown = b""
    with subprocess.Popen(  # noqa: S603  (our own command)
        command, cwd=directory, stdout=theirs, stderr=subprocess.DEVNULL, env=variables
    ) as running:
        os.close(theirs)
        with contextlib.suppress(OSError):  # how Linux says that nobody writes any more
            while chunk := os.read(ours, 65536):
                shown += chunk
    os.close(ours)
    if running.returncode:
        sys.exit(f"exit code {running.returncode}: {' '.join(command)}")
    return shown.decode().replace("\r\n", "\n")


def svg(text: Text) -> bytes:
    """The text as a terminal shows it. The fonts are the reader's own: nothing is fetched."""
    console = Console(record=True, width=102, file=io.StringIO())
    console.print(text)
    drawn = console.export_svg(title="reconcile plan", unique_id="plan")
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    return drawn.replace("Fira Code, monospace", "monospace").encode()


def text_of(drawn: bytes) -> str:
    """What an SVG shows below its title, without spaces."""
    texts = ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")  # noqa: S314
    lines = [text for text in texts if text.get("class") != "plan-title"]
    return "".join("".join("".join(line.itertext()) for line in lines).split())


def markdown() -> str:
    """The comment of the case, with commits and an address of its own."""
    sys.path.insert(0, str(ROOT))
    from tests.workflows.case import filled, load  # noqa: PLC0415  (not on the path before)

    names = {name: hashlib.sha256(name.encode()).hexdigest()[:40] for name in ("base", "head")}
    text = filled(load("comment").runs[0].wants.comment, {**names, "url": "https://acme.run.ai"})
    return text.replace("0" * 64, hashlib.sha256(text.encode()).hexdigest())


def comment_page(text: str) -> str:
    """The page that shows this Markdown as a comment."""
    found = MarkdownIt("commonmark", {"html": True}).render(text)
    found = re.sub(
        r"<p>\[!(\w+)\]\n", lambda told: f'<p class="alert">{told[1].title()}</p><p>', found
    )
    for sign, name in (("+", "plus"), ("-", "minus")):
        lines = rf"(^|(?<=<code class=\"language-diff\">))({re.escape(sign)} .*)$"
        found = re.sub(lines, rf'\1<span class="{name}">\2</span>', found, flags=re.MULTILINE)
    head = "<header><b>github-actions</b> <span>bot</span> commented</header>"
    body = f"<main>{head}<article>{found}</article></main>"
    return f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style>{body}'


def paint(html: str, text: str, width: int) -> bytes:
    """A PNG of the page, with the digest of the text in it."""
    names = (os.environ.get("RECONCILE_BROWSER") or "chromium", "chromium", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if not program:
        sys.exit("no Chromium: scripts/ensure-browser installs one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, chromium_sandbox=False, args=["--disable-gpu"], timeout=120_000
        )
        shown = browser.new_page(viewport={"width": width, "height": 200}, color_scheme="light")
        shown.set_content(html)
        picture = shown.screenshot(full_page=True, timeout=120_000)
        browser.close()
    return picture[:33] + source(text) + picture[33:]  # behind the header


def source(text: str) -> bytes:
    """The chunk of a PNG that names the text which it shows."""
    chunk = b"tEXtSource\0sha256:" + hashlib.sha256(text.encode()).hexdigest().encode()
    return struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))


def plan_picture() -> Picture:
    text = Text.from_ansi("$ reconcile plan\n" + plan()[0])
    return Picture("plan.svg", text.plain, lambda: svg(text))


def page_picture() -> Picture:
    html = plan("-o", "html=plan.html")[1]
    return Picture("page.png", html, lambda: paint(html, html, 1000))


def comment_picture() -> Picture:
    text = markdown()
    return Picture("comment.png", text, lambda: paint(comment_page(text), text, 860))


MAKERS = {"plan": plan_picture, "page": page_picture, "comment": comment_picture}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare the texts")
    parser.add_argument("--to", type=Path, default=PICTURES, help="where the pictures are")
    parser.add_argument("name", nargs="*", choices=[*MAKERS, []], help="default: all")
    asked = parser.parse_args()
    stale = []
    for name in asked.name or MAKERS:
        picture = MAKERS[name]()
        file = asked.to / picture.file
        if not asked.check:
            file.write_bytes(picture.draw())
            print(f"{file}: {file.stat().st_size} bytes")
        elif not picture.is_in(file.read_bytes()):
            stale.append(name)
    if stale:
        print(f"of another text: {', '.join(stale)}", file=sys.stderr)
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
