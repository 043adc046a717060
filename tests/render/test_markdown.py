import re
import unicodedata

import pytest
from hypothesis import example, given, settings

from reconciler.core.header import Header
from reconciler.core.plan import Plan, ReadFailure
from reconciler.core.review_notes import Cause, Edit, Origin, Review
from reconciler.render.detail import Line
from reconciler.render.escape import visible
from reconciler.render.graph import dot, mermaid, plan_graph
from reconciler.render.markdown import COMMENT_LIMIT, SUMMARY_LIMIT, marker, render_markdown
from reconciler.render.markdown_parts import code, fence, text_fence
from tests.core.builders import live, plan_of, resource
from tests.examples import examples
from tests.render import commonmark
from tests.render.hostile import hostile_plan, hostile_review, texts

RUN = "https://github.example/o/r/actions/runs/17"


def large_plan(deletes: int, updates: int, creates: int) -> Plan:
    desired = [
        resource(f"RunaiEnvironment.env-{n:05}", {"image": f"nvcr.io/nvidia/pytorch:24.{n}"})
        for n in range(updates + creates)
    ]
    found = [live(f"RunaiEnvironment.env-{n:05}") for n in range(updates)]
    found += [live(f"RunaiEnvironment.old-{n:05}", {"env": {"A": "b"}}) for n in range(deletes)]
    return plan_of(desired, found)


def paragraph(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


@settings(max_examples=examples(5000))
@given(texts)
def test_data_in_markdown_stays_in_code(text: str) -> None:
    span, shown = code(text), visible(text)
    block = fence([Line("+", shown), Line("!", shown)], "  ")
    listed = list(commonmark.tokens(f"- **{span}** · {span}\\\n  {span}\n{block}\nafter\n"))
    assert [(item.info, item.content) for item in listed if item.type == "fence"] == [
        ("diff", f"+ {shown}\n! {shown}\n")
    ]
    assert sum(item.type == "code_inline" for item in listed) == 3
    assert {item.content for item in listed if item.type == "text"} <= {"", " · ", "after"}
    found = list(commonmark.tokens(f"before {span} after\n"))
    assert [token.type for token in found] == [
        "paragraph_open", "inline", "text", "code_inline", "text", "paragraph_close",
    ]  # fmt: skip
    assert (found[2].content, found[4].content) == ("before ", " after")
    copied = [
        t for t in commonmark.tokens(f"- a:\n{text_fence([text], '  ')}") if t.type == "fence"
    ]
    assert [(item.info, item.content) for item in copied] == [("text", f"{visible(text, 400)}\n")]
    assert not [c for c in span if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}]
    assert not [c for c in span if unicodedata.bidirectional(c) in {"R", "AL", "AN"}]


@settings(max_examples=400)
@given(texts)
@example("Of one word:")
def test_no_plan_lets_data_out_of_code(text: str) -> None:
    header = Header(text, text, text, hostile_review(text))
    page = render_markdown(hostile_plan(text), header, SUMMARY_LIMIT, text)
    assert page.text
    assert commonmark.foreign(page.text) == []
    plain = Header("t", "d", "c")
    calm = render_markdown(hostile_plan("calm"), plain, SUMMARY_LIMIT).text
    allowed = set(re.findall(r"\w+", commonmark.markup(calm)))
    review = hostile_review("calm")
    own = render_markdown(hostile_plan("calm"), Header("t", "d", "c", review), SUMMARY_LIMIT).text
    allowed |= set(re.findall(r"\w+", commonmark.markup(own))) | {"destroyed", "object", "objects"}
    said = commonmark.markup(page.text)
    words = set(re.findall(r"\w+", re.sub(r"<!-- .* -->|\d+", "", said)))
    counted = {"will", "be", "refused", "is", "are", "change", "changes", "belong", "belongs"}
    assert words <= allowed | counted
    assert "@" not in said
    assert "##[" not in page.text
    assert not re.search(r"^\s*::", page.text, re.MULTILINE)


@settings(max_examples=500)
@given(texts)
def test_data_in_a_graph_stays_in_its_label(text: str) -> None:
    graph = plan_graph(hostile_plan(text))
    drawn = mermaid(graph)
    assert len(drawn.splitlines()) == 1 + len(graph.nodes) + len(graph.edges) + len(
        {node.state for node in graph.nodes}
    )
    for line in drawn.splitlines():
        assert re.fullmatch(
            r'graph LR|  n\d+\["[\w .#;/-]*(<br/>[a-z]+)?"\](:::[a-z]+)?|  n\d+ --> n\d+'
            r"|  classDef [a-z]+ stroke:#[0-9a-f]{6},stroke-width:2px",
            line,
            re.ASCII,
        ), line
    for line in dot(graph).splitlines():
        assert re.fullmatch(
            r"digraph reconcile \{|\}|  rankdir=LR;|  node .*;|  n\d+ -> n\d+;"
            r'|  n\d+ \[label="([^"\\]|\\.)*"(, color="#[0-9a-f]{6}", penwidth=2)?\];',
            line,
        ), line


def test_every_delete_fits_and_what_is_left_out_is_counted() -> None:
    plan = large_plan(deletes=700, updates=650, creates=650)
    page = render_markdown(plan, Header("production"), COMMENT_LIMIT, RUN)
    assert len(page.text.encode()) <= COMMENT_LIMIT
    assert (page.shown, page.destroys) == (700, 700)
    assert page.text.splitlines()[0] == "<!-- reconcile:production -->"
    spans = commonmark.code(page.text)
    assert {f"RunaiEnvironment.old-{n:05}" for n in range(700)} <= set(spans)
    updates = sum(bool(re.fullmatch(r"RunaiEnvironment\.env-00[0-6]\d\d", s)) for s in spans)
    shown = sum(bool(re.fullmatch(r"RunaiEnvironment\.env-\d{5}", s)) for s in spans)
    diffs = sum(s.startswith(("+ ", "- ", "# ")) for s in spans)
    said = paragraph(page.text, "**Left out")
    absent = sum(map(int, re.findall(r"(\d+) of 650 (?:updates|creates) not shown", said)))
    brief = sum(map(int, re.findall(r"(\d+) \w+ shown without details", said)))
    assert absent == 1300 - shown
    assert brief == 700 + shown - diffs
    assert RUN in said
    assert updates <= shown
    assert "Plan: 650 to add, 650 to change, 700 to destroy." in page.text


def test_a_summary_has_room_for_all_of_it() -> None:
    page = render_markdown(large_plan(700, 650, 650), Header("p"), SUMMARY_LIMIT)
    assert "Left out" not in page.text
    assert sum(s.startswith(("+ ", "- ", "# ")) for s in commonmark.code(page.text)) == 2000


def test_what_cannot_be_reviewed_is_said_first() -> None:
    page = render_markdown(large_plan(5000, 3, 0), Header("production"), COMMENT_LIMIT, RUN)
    assert len(page.text.encode()) <= COMMENT_LIMIT
    first = page.text.splitlines()[0]
    assert first.startswith("<!-- reconcile:production -->")
    assert f"{page.shown} of 5000 destroys shown" in first
    listed = [s for s in commonmark.code(page.text) if s.startswith("RunaiEnvironment.old-")]
    assert len(listed) == page.shown > 1000
    assert f"{5000 - page.shown} of 5000 deletes not shown" in page.text
    assert "3 of 3 updates not shown" in page.text
    assert RUN in page.text


@pytest.mark.parametrize("limit", [*range(0, 4000, 61), 10_000])
def test_no_limit_is_exceeded(limit: int) -> None:
    plan = large_plan(20, 20, 20)
    page = render_markdown(plan, Header("é" * 30), limit)
    assert len(page.text.encode()) <= limit
    listed = sum(s.startswith("RunaiEnvironment.old-") for s in commonmark.code(page.text))
    assert listed == (page.shown if page.text else 0)


def test_letters_of_many_bytes_count_as_such() -> None:
    plan = plan_of([resource(f"RunaiEnvironment.{'語' * 60}{n}") for n in range(900)])
    page = render_markdown(plan, Header("p"), COMMENT_LIMIT)
    assert COMMENT_LIMIT * 0.9 < len(page.text.encode()) <= COMMENT_LIMIT


def test_what_a_reviewer_reads() -> None:
    plan = plan_of(
        [
            resource("RayfineImage.base", line=3),
            resource(
                "RunaiEnvironment.new",
                {"env": {"A": "1"}},
                depends_on=["RayfineImage.base"],
                line=9,
            ),
            resource("RunaiEnvironment.changed", {"image": "b"}, line=20),
            resource("RunaiEnvironment.taken", {"image": "b"}, line=30),
        ],
        [
            live("RunaiEnvironment.changed"),
            live("RunaiEnvironment.old", {"token": {"secret": "canary"}}),
            live("RunaiEnvironment.taken", owner=None),
        ],
        [ReadFailure("Docker engine", ("X",), "no answer", "start it")],
    )
    review = Review(
        since="origin/main",
        causes={
            "RunaiEnvironment.changed": Cause(
                Origin.BRANCH, Edit("3fa2b1c0aa", "Ada", "2026-01-02", "Use b", "m/a.yaml", 20)
            ),
            "RunaiEnvironment.old": Cause(Origin.DRIFT, None, "bob@x", "2026-01-01T00:00:00Z"),
        },
    )
    text = render_markdown(plan, Header("prod", "Run:ai", "abc1234", review), COMMENT_LIMIT).text
    assert text.index("#### Deletes (1)") < text.index("#### Blocked and in conflict (1)")
    assert text.index("Blocked") < text.index("<b>Updates (1)") < text.index("<b>Creates (2)")
    assert '```diff\n  - image = "busybox"\n  + image = "b"\n  ```' in text
    assert '`branch: 3fa2b1c Ada "Use b" (m/a.yaml:20)`' in text
    assert "bob@x" in text
    assert "1 change from this branch, 1 drift" in text
    assert "canary" not in text
    assert "- token = (sensitive value)" in text
    assert "> [!CAUTION]\n> 1 object will be destroyed. 1 change is refused." in text
    assert "```mermaid\ngraph LR\n" in text
    assert "Not read: `Docker engine`" in text


def test_nothing_to_do() -> None:
    plan = plan_of([resource("RunaiEnvironment.a")], [live("RunaiEnvironment.a")])
    text = render_markdown(plan, Header("prod"), COMMENT_LIMIT).text
    assert "No changes. Your infrastructure matches the configuration." in text
    assert "1 unchanged." in text
    assert "####" not in text


@pytest.mark.parametrize("target", ["production", "eu-west.1", "a--b", "x -->", "é", ""])
def test_a_marker_is_one_comment_and_belongs_to_one_target(target: str) -> None:
    found = marker(target)
    assert re.fullmatch(r"<!-- reconcile:[A-Za-z0-9._]*(-[A-Za-z0-9._]+)*[.0-9a-f]* -->", found)
    assert marker(target + "x") != found


def test_a_run_url_that_is_none_is_not_linked() -> None:
    page = render_markdown(large_plan(700, 0, 0), Header("p"), COMMENT_LIMIT, "javascript:alert(1)")
    assert "javascript" not in page.text
    assert "artifacts of this run" in page.text
