"""What the traits of a kind mean for a plan is told by text, Markdown and HTML alike."""

import html
from dataclasses import replace

import pytest

from reconciler.core.header import Header
from reconciler.core.plan import Plan, Unmanaged
from reconciler.render.html import render_html
from reconciler.render.markdown import COMMENT_LIMIT, render_markdown
from reconciler.render.text import render_plan
from reconciler.support.terminal import Style
from tests.core.builders import live, plan_of, resource

HEADER = Header("test")


def pages(plan: Plan) -> dict[str, str]:
    return {
        "text": render_plan(plan, HEADER, Style()),
        "markdown": render_markdown(plan, HEADER, COMMENT_LIMIT).text,
        "html": html.unescape(render_html(plan, HEADER)),
    }


@pytest.mark.parametrize("page", ["text", "markdown", "html"])
def test_what_ends_with_an_object(page: str) -> None:
    plan = plan_of([], [live("Volume.data")])
    assert "destroys the data on it as well" in pages(plan)[page]


@pytest.mark.parametrize("page", ["text", "markdown", "html"])
def test_what_is_released(page: str) -> None:
    left = Unmanaged("Pool", "a", "uid-a", "a.yaml:1 stated it as Pool.a")
    shown = pages(replace(plan_of([]), released=(left,)))[page]
    assert "Released: no manifest states them any more" in shown
    assert "uid-a" in shown
    assert "a.yaml:1 stated it as Pool.a" in shown


@pytest.mark.parametrize("page", ["text", "markdown", "html"])
def test_what_is_known_after_apply(page: str) -> None:
    deep = {"context": {"on": {"reference": "Tenant.t"}}}
    shown = pages(plan_of([resource("Tenant.t"), resource("RunaiEnvironment.a", deep)]))[page]
    assert "on = (known after apply)" in shown
