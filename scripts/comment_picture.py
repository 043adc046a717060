# ruff: noqa: INP001, T201
# A script beside others, not part of a package; its result is what it writes.
"""Paints the comment that docs/gitops.md shows: Markdown of a test case, as GitHub would show it.

Usage: comment_picture.py [--check | FILE]

`tests/workflows/cases/comment.yaml` states the whole comment, and its test holds that to what the
action writes. This fills in commits and an address, and writes docs/pictures/comment.png or FILE,
with the digest of the text in it. It needs a Chromium: scripts/ensure-browser brings one. With
--check nothing is painted, and the exit code is 1 if the picture is of another text.
"""

import hashlib
import os
import re
import shutil
import struct
import sys
import zlib
from pathlib import Path

from markdown_it import MarkdownIt
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs/pictures/comment.png"
WIDTH = 860
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


def markdown() -> str:
    """The comment of the case, with commits and an address of its own."""
    sys.path.insert(0, str(ROOT))
    from tests.workflows.case import filled, load  # noqa: PLC0415  (not on the path before)

    names = {name: hashlib.sha256(name.encode()).hexdigest()[:40] for name in ("base", "head")}
    text = filled(load("comment").runs[0].wants.comment, {**names, "url": "https://acme.run.ai"})
    return text.replace("0" * 64, hashlib.sha256(text.encode()).hexdigest())


def page(text: str) -> str:
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


def paint(html: str) -> bytes:
    """A PNG of the page."""
    names = (os.environ.get("RECONCILE_BROWSER") or "chromium", "chromium", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if not program:
        sys.exit("no Chromium: scripts/ensure-browser installs one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, chromium_sandbox=False, args=["--disable-gpu"], timeout=120_000
        )
        shown = browser.new_page(viewport={"width": WIDTH, "height": 200})
        shown.set_content(html)
        picture = shown.screenshot(full_page=True, timeout=120_000)
        browser.close()
    return picture


def source(text: str) -> bytes:
    """The chunk of a PNG that names the text which it shows."""
    chunk = b"tEXtSource\0sha256:" + hashlib.sha256(text.encode()).hexdigest().encode()
    return struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))


def main(arguments: list[str]) -> int:
    text = markdown()
    if arguments == ["--check"]:
        return int(source(text) not in PICTURE.read_bytes())
    file = Path(arguments[0]) if arguments else PICTURE
    picture = paint(page(text))
    file.write_bytes(picture[:33] + source(text) + picture[33:])  # behind the header
    print(f"{file}: {file.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
