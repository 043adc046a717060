"""The HTML page in a real browser: filters, search, colours, keyboard, and that it is inert."""

import importlib.resources
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.plan import Plan
from reconciler.render.escape import visible
from reconciler.render.html import render_html
from reconciler.render.html_graph import MOST_NODES
from reconciler.render.text import Header
from tests.browser.chromium import Browser, running_browser
from tests.browser.plans import large, small
from tests.core.builders import plan_of
from tests.render.hostile import TRICKS, hostile_plan, hostile_review

pytestmark = pytest.mark.browser
SHOWN = "[...document.querySelectorAll('ul.changes > li')].filter((x) => !x.hidden).length"
BACK = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running_browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(running: Browser) -> Iterator[Browser]:
    """The browser; after the test its page must have asked for and complained of nothing."""
    running.prefer("light")
    yield running
    asked = {item["request"]["url"] for item in running.reported("Network.requestWillBeSent")}
    assert {url for url in asked if not url.startswith("file:")} == set()
    assert running.reported("Runtime.consoleAPICalled") == []
    assert running.reported("Runtime.exceptionThrown") == []
    assert running.reported("Log.entryAdded") == []
    assert running.reported("Page.javascriptDialogOpening") == []


def written(directory: Path, plan: Plan, header: Header) -> Path:
    page = directory / "plan.html"
    page.write_text(render_html(plan, header), encoding="utf-8")
    return page


def click(browser: Browser, selector: str) -> None:
    event = "new MouseEvent('click', {bubbles: true, cancelable: true})"
    browser.run(f"document.querySelector({json.dumps(selector)}).dispatchEvent({event})")


def type_into_search(browser: Browser, text: str) -> None:
    browser.run(
        f"(() => {{ const s = document.getElementById('search'); s.value = {json.dumps(text)};"
        " s.dispatchEvent(new Event('input')); })()"
    )


def violations(browser: Browser) -> list[Any]:
    axe = importlib.resources.files("axe_core_python").joinpath("axe.min.js").read_text("utf-8")
    browser.run(f"{axe}; true")
    found = browser.run(
        "axe.run().then((r) => r.violations.map((v) => [v.id, v.nodes.map((n) => n.html)]))"
    )
    assert isinstance(found, list)
    return found


def test_filters_search_and_links(browser: Browser, tmp_path: Path) -> None:
    browser.open(written(tmp_path, *small()))
    assert browser.run("document.getElementById('status').textContent") == "7 of 7 changes shown."
    assert browser.run("document.querySelectorAll('svg a').length") == 7
    click(browser, ".pick input[value=delete]")
    assert browser.run(SHOWN) == 6
    assert browser.run("document.querySelector('svg a.delete').classList.contains('faded')")
    click(browser, ".pick input[value=delete]")
    type_into_search(browser, "AFFINE:2 train")
    assert browser.run(SHOWN) == 1
    assert browser.run("document.getElementById('status').textContent") == "1 of 7 changes shown."
    click(browser, "svg a.delete")
    browser.wait("Page.navigatedWithinDocument")
    browser.run("new Promise((done) => setTimeout(done, 0))")
    assert browser.run(SHOWN) == 7
    assert browser.run("document.querySelector(':target details').open")
    assert browser.run("document.querySelector(':target').dataset.state") == "delete"
    click(browser, "#open")
    assert browser.run("document.querySelectorAll('.changes details:not([open])').length") == 0
    click(browser, "#open")
    assert browser.run("document.querySelectorAll('.changes details[open]').length") == 0


def test_what_matters_is_open_and_secrets_are_nowhere(browser: Browser, tmp_path: Path) -> None:
    page = written(tmp_path, *small())
    assert "canary" not in page.read_text(encoding="utf-8")
    browser.open(page)
    opened = (
        "[...document.querySelectorAll('.changes details[open]')]"
        ".map((x) => x.parentElement.dataset.state)"
    )
    assert browser.run(opened) == ["delete", "refused", "replace"]
    text = browser.run("document.body.textContent")
    assert "(sensitive value, changed)" in text
    assert "drift: still in the live system, outside this branch; last changed by bob" in text
    assert "1 change from this branch, 1 drift" in text


def test_dark_colours_by_preference_and_by_choice(browser: Browser, tmp_path: Path) -> None:
    page = written(tmp_path, *small())
    browser.open(page)
    light = browser.run(BACK)
    browser.prefer("dark")
    dark = browser.run(BACK)
    assert dark != light
    browser.run("document.getElementById('theme').focus()")
    browser.press("Enter", "\r")
    assert browser.run(BACK) == light
    assert browser.run("document.getElementById('theme').textContent") == "Dark colours"
    browser.open(page)
    assert browser.run(BACK) == light  # what was chosen is remembered
    browser.run("localStorage.clear()")


def test_the_keyboard_reaches_everything(browser: Browser, tmp_path: Path) -> None:
    browser.open(written(tmp_path, *small()))
    reached = []
    for _ in range(40):
        browser.press("Tab")
        reached.append(
            browser.run(
                "(document.activeElement.id || document.activeElement.tagName.toLowerCase())"
            )
        )
    assert reached[0] == "a"  # past everything, to the changes
    assert {"theme", "search", "input", "open", "summary"} <= set(reached)
    browser.run("document.querySelector('[data-state=update] summary').focus()")
    browser.press("Enter", "\r")
    assert browser.run("document.activeElement.parentElement.open")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_inaccessible(browser: Browser, tmp_path: Path, scheme: str) -> None:
    browser.open(written(tmp_path, *small()))
    browser.prefer(scheme)
    click(browser, "#open")
    assert violations(browser) == []


def test_without_javascript_everything_is_there(browser: Browser, tmp_path: Path) -> None:
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(written(tmp_path, *small()))
    finally:
        browser.send("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.run(SHOWN) == 7
    assert browser.run("getComputedStyle(document.getElementById('tools')).display") == "none"


def test_hostile_data_is_text(browser: Browser, tmp_path: Path) -> None:
    text = "".join(TRICKS) + "<img src=http://evil.example/x onerror=alert(2)>"
    header = Header(text, text, text, hostile_review(text))
    browser.open(written(tmp_path, hostile_plan(text), header))
    assert browser.run("document.scripts.length") == 1
    assert browser.run("document.querySelectorAll('img, iframe, object, embed, base').length") == 0
    assert (
        browser.run("document.querySelectorAll('link, form[action], meta[http-equiv]').length") == 1
    )
    names = "[...document.querySelectorAll('*')].flatMap((x) => x.getAttributeNames())"
    assert [name for name in browser.run(names) if name.startswith("on") or name == "style"] == []
    links = browser.run("[...document.links].map((a) => a.getAttribute('href'))")
    assert [link for link in links if not link.startswith("#")] == []
    shown = browser.run("document.querySelector('.changes code').textContent")
    assert shown in visible(shown)
    assert visible(text, 2000) in browser.run("document.body.textContent")
    assert violations(browser) == []


def test_the_policy_lets_nothing_in_or_out(running: Browser, tmp_path: Path) -> None:
    running.open(written(tmp_path, *small()))
    blocked = running.run(
        "new Promise((done) => { const found = [];"
        " document.addEventListener('securitypolicyviolation', (e) => {"
        "  found.push(e.effectiveDirective); if (found.length === 3) done(found.sort()); });"
        " const i = new Image(); i.src = 'http://127.0.0.1:9/x.png';"
        " fetch('http://127.0.0.1:9/').catch(() => {});"
        " const s = document.createElement('script'); s.textContent = 'window.evil = 1';"
        " document.body.append(s); })"
    )
    assert blocked == ["connect-src", "img-src", "script-src-elem"]
    assert running.run("window.evil === undefined")


def test_a_thousand_changes_stay_legible(browser: Browser, tmp_path: Path) -> None:
    browser.open(written(tmp_path, *large(1000)))
    assert browser.run(SHOWN) == 1000
    assert browser.run("document.querySelectorAll('svg rect').length") == MOST_NODES
    assert "300 of 1004 objects are drawn" in browser.run("document.body.textContent")
    overlap = """(() => {
      const r = [...document.querySelectorAll('svg rect')].map((x) => x.getBoundingClientRect());
      return r.some((a, i) => r.some((b, j) => i < j && a.left < b.right && b.left < a.right
        && a.top < b.bottom && b.top < a.bottom));
    })()"""
    assert browser.run(overlap) is False
    smallest = (
        "Math.min(...[...document.querySelectorAll('svg text')]"
        ".map((x) => parseFloat(getComputedStyle(x).fontSize)))"
    )
    assert browser.run(smallest) >= 10
    type_into_search(browser, "experiment-0999")
    assert browser.run(SHOWN) == 1


def test_nothing_to_change(browser: Browser, tmp_path: Path) -> None:
    browser.open(written(tmp_path, plan_of([]), Header("production")))
    assert "There is nothing to change." in browser.run("document.body.textContent")
    assert violations(browser) == []
