"""Random sequences of calls: nothing is written without the words that a write needs.

Arguments are of any type, names are injected, others make and delete assets meanwhile. After every
call the log of the sandbox says whether anything was written; what is not the functions' own never
changes at all.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from reconciler.agent import (
    runai_create_environment,
    runai_delete_environment,
    runailabs_environment_info,
)
from reconciler.agent.headings import (
    CONFIRM_CREATE,
    CONFIRM_DELETE,
    CREATED,
    DELETED,
    EXISTS,
    HEADINGS,
    INVALID,
    NAME_TAKEN,
    NOT_FOUND,
    PREVIEW,
    REFUSED,
)
from tests.agent.site import AGENT, Site, title
from tests.examples import AT_LENGTH, examples
from tests.laws.stage import Row

NAMES = ["train", "infer", "a*", "[t]rain", "--force", "../x", "✅ Created", "train`\n❌"]
JUNK: list[Any] = [
    None, 0, 1, -1, 1.0, float("nan"), 10**30, "", "true", "false", "True", "yes", b"x",
    [], ["train"], {}, {"name": "train"}, {1: 2}, {"a": {2: 3}}, set(), object(), "\ud800", "\0",
]  # fmt: skip
names = st.sampled_from(NAMES)
flags = st.booleans() | st.sampled_from(JUNK)
specs = st.one_of(
    st.sampled_from(JUNK),
    st.fixed_dictionaries(
        {"name": names | st.sampled_from(JUNK)},
        optional={
            "scope": st.sampled_from(["tenant", "cluster", "cluster", "galaxy", 1, None]),
            "image": st.sampled_from(["busybox:1", "busybox:1", "busybox:2", "", 5, {"from": "x"}]),
            "compute": st.sampled_from([{"gpu": 1}, {"gpu": 99}, {"memory": "64GB"}, "all"]),
            "description": st.sampled_from(["fine", "x" * 300, "[reconcile:x", 7]),
            "confirmed": st.just(True),
        },
    ),
    st.fixed_dictionaries(
        {"name": names, "image": st.just("busybox:1"), "scope": st.just("tenant")},
        optional={"compute": st.just({"gpu": 1})},
    ),
)
SAYS_WHY = ("❌", "⚠", "🔍")


class Calls(RuleBasedStateMachine):
    """Any calls in any order, against one sandbox."""

    site: Site
    foreign_rows: dict[str, Row]
    """What others have made under each of the names, made once for all sequences."""
    headings: set[str]
    """Of all answers, over all sequences."""

    @initialize(foreign=st.lists(names, max_size=3, unique=True))
    def begin(self, foreign: list[str]) -> None:
        """Others have made some assets already."""
        self.site.stage.restore(self.foreign_rows[name] for name in foreign)
        self.foreign = self.others()
        self.site.stage.server.requests.clear()

    def others(self) -> list[str]:
        """Everything that does not bear the mark of the functions' stack."""
        rows = self.site.stage.rows()
        return [row.body for row in rows if row.mark is None or row.mark.stack != AGENT]

    def after(self, answer: str, *, may_write: bool) -> None:
        """Whatever was asked for, the answer has a heading, and no write was out of place."""
        assert title(answer) in HEADINGS
        self.headings.add(title(answer))
        written = self.site.writes()
        self.site.stage.server.requests.clear()  # a long log makes counting slow
        if not may_write:
            assert written == 0, answer
        if written == 0 and not answer.startswith(("✅", "ℹ")):  # noqa: RUF001
            assert answer.startswith(SAYS_WHY)
            assert "Nothing was changed" in answer or "Could not find environment" in answer

    @rule(spec=specs, dry_run=flags, confirmed=flags)
    def create(self, spec: Any, dry_run: Any, confirmed: Any) -> None:
        """A call with arguments of any type."""
        answer = runai_create_environment(spec, dry_run, confirmed)
        may = dry_run is False and confirmed is True
        self.after(answer, may_write=may)
        if not may and answer.startswith(("🔍", "⚠")):
            assert ("dry_run=False" in answer) == (dry_run is not False)
            assert ("confirmed=True" in answer) == (confirmed is not True)

    @rule(spec=specs, keep=st.sampled_from(["dry_run", "confirmed", ""]))
    def create_without_a_word(self, spec: Any, keep: str) -> None:
        """At most one of the two words."""
        words: dict[str, Any] = {"dry_run": {"dry_run": False}, "confirmed": {"confirmed": True}}
        self.after(runai_create_environment(spec, **words.get(keep, {})), may_write=False)

    @rule(name=names)
    def create_for_real(self, name: str) -> None:
        """A well-formed call."""
        spec = {"name": name, "scope": "tenant", "image": "busybox:1"}
        answer = runai_create_environment(spec, dry_run=False, confirmed=True)
        self.after(answer, may_write=True)

    @rule(name=names, confirmed=st.booleans())
    def delete_for_real(self, name: str, confirmed: bool) -> None:
        """A well-formed call."""
        answer = runai_delete_environment(name, confirmed=confirmed)
        self.after(answer, may_write=confirmed)

    @rule(name=names)
    def live_and_die(self, name: str) -> None:
        """A whole life: by chance alone hardly anything that was made is deleted."""
        self.create_for_real(name)
        self.delete_for_real(name, confirmed=False)
        self.delete_for_real(name, confirmed=True)

    @rule(name=names | st.sampled_from(JUNK), confirmed=flags)
    def delete(self, name: Any, confirmed: Any) -> None:
        """A deletion with arguments of any type."""
        answer = runai_delete_environment(name, confirmed)
        self.after(answer, may_write=confirmed is True)
        if answer.startswith("⚠"):
            assert "`confirmed=True`" in answer

    @rule(message=st.sampled_from(JUNK) | st.text(max_size=20))
    def inform(self, message: Any) -> None:
        """Asking never writes."""
        self.after(runailabs_environment_info(message), may_write=False)

    @invariant()
    def what_others_made_is_as_it_was(self) -> None:
        """Not one byte of what is not ours has changed."""
        if hasattr(self, "foreign"):
            assert self.others() == self.foreign


@pytest.fixture
def machine(site: Site) -> Iterator[type[Calls]]:
    class Here(Calls):
        pass

    for name in NAMES:
        site.make(name, scope="tenant", description="made by others")
    Here.foreign_rows = {row.name: row for row in site.stage.rows()}
    Here.site, Here.headings = site, set()
    with site.calls():
        yield Here


@pytest.mark.slow
def test_sequences_of_calls(machine: type[Calls]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples(500),
            stateful_step_count=6,
            deadline=None,
            derandomize=not AT_LENGTH,  # each answer has to come up, in every run
        ),
    )
    assert machine.headings >= {CREATED, DELETED, EXISTS, PREVIEW, CONFIRM_CREATE, CONFIRM_DELETE}
    assert machine.headings >= {INVALID, NOT_FOUND, NAME_TAKEN, REFUSED}
