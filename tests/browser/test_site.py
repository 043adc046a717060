"""The site of the documentation, as `make docs` builds it: complete, and sufficient to itself."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.docs.pages import PAGES, ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"]
    command += ["--conf-dir", "docs", ".", str(place)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return place


@pytest.mark.slow
def test_every_page_is_on_the_site(site: Path) -> None:
    for page in PAGES:
        assert (site / page.relative_to(ROOT)).with_suffix(".html").exists(), page.name


@pytest.mark.slow
def test_the_site_begins_with_its_first_page(site: Path) -> None:
    (target,) = re.findall(r"url=([^\"]+)", (site / "index.html").read_text(encoding="utf-8"))
    assert (site / target).exists()


@pytest.mark.slow
def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    loading = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=\"(?:https?:)?//")
    for page in site.rglob("*.html"):
        assert not loading.search(page.read_text(encoding="utf-8")), page.name
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"url\(['\"]?(?:https?:)?//|@import", text), style.name


@pytest.mark.slow
@pytest.mark.browser
def test_the_search_works_from_files_and_asks_nobody(site: Path, context: BrowserContext) -> None:
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.goto(f"{(site / 'search.html').as_uri()}?q=mark_key")
    expect(page.locator("#search-results a", has_text="Plan and apply").first).to_be_visible()
    page.goto((site / "index.html").as_uri())
    expect(page.get_by_role("link", name="The flow in Git").first).to_be_visible()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
