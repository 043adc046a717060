"""Which live objects a checkout may change: by the repository and commit that their marks name."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.guards import Approval, GuardRules, guard
from reconciler.core.lineage import Lineage, Rights, Standing
from reconciler.core.mark import Mark, Written
from reconciler.core.origins import Base, find_origins
from reconciler.core.plan import Action, Plan
from reconciler.core.planner import PlanInput, make_plan
from reconciler.core.resource import (
    LiveResource,
    Resource,
)
from reconciler.core.review_notes import Origin
from tests.core.builders import KINDS, STACK, actions, live, resource

ENV = "RunaiEnvironment.train"
NOTHING = Approval()
HERE = Written("herehere", "aaaaaaaaaa")
OTHER = "otherrep"
COMMITS = {
    "aaaaaaaaaa": Standing.CONTAINED,
    "bbbbbbbbbb": Standing.OUTSIDE,
    "dddddddddd": Standing.UNSURE,
}


@dataclass
class Known:
    """A history that knows these commits, and counts how often it is asked."""

    commits: Mapping[str, Standing] = field(default_factory=lambda: COMMITS)
    siblings: frozenset[str] = frozenset()
    former: frozenset[str] = frozenset()
    asked: int = 0

    def standing(self, commit: str) -> Standing:
        self.asked += 1
        return self.commits.get(commit, Standing.MISSING)

    def is_sibling(self, repository: str) -> bool:
        return repository in self.siblings

    def is_former(self, repository: str) -> bool:
        return repository in self.former


def lineage(**rest: object) -> Lineage:
    return replace(Lineage(HERE, Known()), **rest)  # type: ignore[arg-type]


def mark(repository: str = "", commit: str = "") -> Mark:
    return Mark(STACK, "a" * 12, written=Written(repository, commit))


def plan(
    desired: list[Resource],
    there: list[LiveResource],
    made: Lineage,
    approval: Approval = NOTHING,
) -> Plan:
    whole = make_plan(PlanInput("test", STACK, desired, there, KINDS, lineage=made))
    return guard(whole, GuardRules(), approval)


def written(address: str, repository: str, commit: str, **rest: object) -> LiveResource:
    by = {"written": Written(repository, commit), **rest.pop("mark", {})}  # type: ignore[dict-item]
    return live(address, rest.pop("spec", None), mark=by, **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("repository", "commit", "rights"),
    [
        ("", "", Rights.OURS),
        ("herehere", "", Rights.OURS),
        ("herehere", "aaaaaaaaaa", Rights.OURS),
        ("", "aaaaaaaaaa", Rights.OURS),
        (OTHER, "aaaaaaaaaa", Rights.SHARED),
        ("formerly", "aaaaaaaaaa", Rights.OURS),
        ("formerly", "bbbbbbbbbb", Rights.OTHERS),
        ("herehere", "bbbbbbbbbb", Rights.NEWER),
        ("herehere", "cccccccccc", Rights.NEWER),
        ("herehere", "dddddddddd", Rights.NEWER),
        ("", "bbbbbbbbbb", Rights.NEWER),
        ("", "cccccccccc", Rights.NEWER),
        (OTHER, "", Rights.OTHERS),
        (OTHER, "bbbbbbbbbb", Rights.OTHERS),
        (OTHER, "cccccccccc", Rights.OTHERS),
        (OTHER, "dddddddddd", Rights.OTHERS),
        ("sibling2", "aaaaaaaaaa", Rights.OTHERS),
    ],
)
def test_rights(repository: str, commit: str, rights: Rights) -> None:
    made = lineage(history=Known(siblings=frozenset({"sibling2"}), former=frozenset({"formerly"})))
    assert made.rights(mark(repository, commit)) is rights
    nowhere = Lineage()
    assert not nowhere.history.is_sibling("sibling2")
    assert not nowhere.history.is_former("formerly")
    shallow = replace(made, here=Written())
    if (repository, commit) == (OTHER, "dddddddddd"):
        assert shallow.rights(mark(repository, commit)) is Rights.NEWER
    expected = Rights.OTHERS if repository else Rights.NEWER if commit else Rights.OURS
    assert nowhere.rights(mark(repository, commit)) is expected


NEWER = [
    ("herehere", "bbbbbbbbbb"),
    ("herehere", "cccccccccc"),
    ("", "dddddddddd"),
    (OTHER, "aaaaaaaaaa"),
]


@pytest.mark.parametrize(("repository", "commit"), NEWER)
@pytest.mark.parametrize(
    ("desired", "action"),
    [
        ([], Action.DELETE),
        ([resource(ENV, {"image": "newer"})], Action.UPDATE),
        ([resource(ENV, {"scope": "cluster", "scope_id": "1"})], Action.REPLACE),
        ([resource("RunaiEnvironment.new", {"name": "train"})], Action.UPDATE),
    ],
)
def test_what_a_newer_commit_wrote_is_not_changed(
    repository: str, commit: str, desired: list[Resource], action: Action
) -> None:
    made = plan(
        [resource("RunaiEnvironment.b"), *desired],
        [written(ENV, repository, commit)],
        lineage(),
        Approval(frozenset({ENV}), frozenset({ENV}), deletes=1),
    )
    (change,) = made.refused
    assert change.action is action
    assert change.refusal is not None
    assert change.refusal.kind.value == "blocked"
    words = "with the same history" if repository == OTHER else f"written by {commit[:7]}"
    assert words in change.refusal.reason
    assert [item.address for item in made.pending] == ["RunaiEnvironment.b"]
    assert made.owned == 1


def test_a_leftover_of_a_newer_commit_stays() -> None:
    there = written(ENV, "herehere", "bbbbbbbbbb", mark={"deposed": "0a1b2c"})
    made = plan([resource("RunaiEnvironment.b")], [there], lineage())
    assert actions(made)[f"{ENV} (deposed 0a1b2c)"] == "blocked delete"


def test_what_clears_each_refusal() -> None:
    def refusal(commit: str, **rest: object) -> str:
        found = lineage(**rest).refusal(written(ENV, "herehere", commit))
        return f"{found.reason}; {found.fix}" if found else ""

    assert "which this checkout does not have" in refusal("bbbbbbbbbb")
    assert "pull" in refusal("bbbbbbbbbb")
    assert "--rollback" in refusal("bbbbbbbbbb")
    assert "another repository, or not fetched" in refusal("cccccccccc")
    assert "--take-over ccccccc" in refusal("cccccccccc")
    assert "git fetch --unshallow" in refusal("dddddddddd")
    assert refusal("aaaaaaaaaa") == ""
    assert refusal("bbbbbbbbbb", rollback=True) == ""
    assert refusal("cccccccccc", rollback=True)
    assert refusal("dddddddddd", rollback=True)
    for name in ("ccccccc", "cccccccccc", "c" * 40):
        assert refusal("cccccccccc", taken_over=frozenset({name})) == ""
        assert refusal("bbbbbbbbbb", taken_over=frozenset({name}))
    assert refusal("cccccccccc", taken_over=frozenset({"c" * 10 + "d"})) == ""
    assert lineage().refusal(live(ENV, owner=None)) is None
    shared = lineage(rollback=True).refusal(written(ENV, OTHER, "aaaaaaaaaa"))
    assert shared is not None
    assert "with the same history" in shared.reason
    assert f"--take-over {OTHER}" in shared.fix
    taken = lineage(taken_over=frozenset({OTHER}))
    assert taken.refusal(written(ENV, OTHER, "aaaaaaaaaa")) is None


def test_another_repositorys_objects_are_listed_and_left_alone() -> None:
    there = [
        written(ENV, OTHER, "cccccccccc"),
        written("RunaiEnvironment.gone", OTHER, ""),
        written("RunaiEnvironment.left", OTHER, "", mark={"deposed": "0a1b2c"}),
        live("RunaiEnvironment.mine"),
    ]
    made = plan([resource(ENV, adopt=True), resource("RunaiEnvironment.mine")], there, lineage())
    assert actions(made) == {ENV: "conflict adopt", "RunaiEnvironment.mine": "unchanged"}
    assert made.owned == 1
    assert {item.name for item in made.detached} == {"gone", "left"}
    assert "another repository with the same stack" in made.detached[0].reason
    (change,) = made.refused
    assert change.refusal is not None
    assert f"--take-over {OTHER}" in change.refusal.fix
    assert "or to this one by a former address" in made.detached[0].reason, "no commit tells"
    elsewhere = plan([], [there[1]], Lineage())
    assert "in no Git repository" in elsewhere.detached[0].reason
    shallow = plan([], [written(ENV, OTHER, "dddddddddd")], lineage())
    assert "--unshallow" in shallow.detached[0].reason


def test_another_configuration_of_this_repository_is_called_that() -> None:
    beside = f"{HERE.origin}xyz"
    there = [written(ENV, beside, "aaaaaaaaaa"), written("RunaiEnvironment.b", beside, "")]
    made = plan([resource(ENV)], there, lineage(history=Known(siblings=frozenset({beside}))))
    (change,) = made.refused
    assert change.refusal is not None
    assert "belongs to another configuration of this repository" in change.refusal.reason
    assert "pull" not in change.refusal.fix
    assert f"--take-over {beside}" in change.refusal.fix
    assert "former address" not in made.detached[0].reason
    moved = lineage().refusal(written(ENV, beside, "aaaaaaaaaa"))
    assert moved is not None
    assert f"another configuration of this repository ({beside}): one that moved" in moved.reason


def test_an_origin_that_was_added_since_goes_on_and_says_nothing() -> None:
    there = [written(ENV, OTHER, "aaaaaaaaaa"), written("RunaiEnvironment.b", OTHER, "aaaaaaaaaa")]
    made = lineage(history=Known(former=frozenset({OTHER})))
    assert actions(plan([resource(ENV)], there, made)) == {
        ENV: "unchanged",
        "RunaiEnvironment.b": "delete",
    }


@pytest.mark.parametrize("name", [OTHER, "ccccccc"])
def test_taking_over_renews_every_mark_once(name: str) -> None:
    taken = lineage(taken_over=frozenset({name}))
    there = [written(ENV, OTHER, "cccccccccc"), written("RunaiEnvironment.b", OTHER, "cccccccccc")]
    made = plan([resource(ENV)], there, taken)
    assert actions(made) == {ENV: "update", "RunaiEnvironment.b": "delete"}
    (fields,) = [change.fields for change in made.changes if change.action is Action.UPDATE]
    assert [item.path for item in fields] == [("metadata", "written")]
    assert made.accepted == (f"take-over {name}",)
    again = plan([resource(ENV)], [written(ENV, *HERE)], taken)
    assert actions(again) == {ENV: "unchanged"}


def test_what_is_accepted_is_part_of_the_digest() -> None:
    there = [live(ENV)]
    made = {
        plan([], there, lineage(**rest)).digest()
        for rest in (
            {},
            {"rollback": True},
            {"taken_over": frozenset({OTHER})},
            {"rollback": True, "taken_over": frozenset({OTHER, "ccccccc"})},
        )
    }
    assert len(made) == 4


def test_git_is_asked_nothing_for_what_needs_no_change() -> None:
    known = Known()
    there = [
        written(ENV, "herehere", "bbbbbbbbbb"),
        written("RunaiEnvironment.b", "", "cccccccccc"),
    ]
    desired = [resource(ENV), resource("RunaiEnvironment.b")]
    made = plan(desired, there, lineage(history=known))
    assert set(actions(made).values()) == {"unchanged"}
    assert known.asked == 0


def test_the_digest_covers_what_wrote_the_live_object() -> None:
    digests = {
        plan([], [written(ENV, "herehere", commit)], lineage()).digest()
        for commit in ("aaaaaaaaaa", "bbbbbbbbbb", "")
    }
    assert len(digests) == 3


def test_a_newer_commits_work_is_no_drift() -> None:
    desired = [resource(ENV, {"image": "old"}), resource("RunaiEnvironment.b", {"image": "old"})]
    there = [
        written(ENV, "herehere", "bbbbbbbbbb"),
        written("RunaiEnvironment.b", "herehere", "aaaaaaaaaa"),
        written("RunaiEnvironment.c", "herehere", "cccccccccc"),
    ]
    made = plan(desired, there, lineage(rollback=True))
    base = Base({item.key: item for item in desired}, made, lineage())
    assert find_origins(made, base) == {
        ENV: Origin.AHEAD,
        "RunaiEnvironment.b": Origin.DRIFT,
        "RunaiEnvironment.c": Origin.AHEAD,
    }


def test_nothing_is_pruned_beside_manifests_that_are_missing() -> None:
    made = lineage(gone=("manifests/b.yaml", "manifests/c.yaml"))
    there = [
        live(ENV),
        live("RunaiEnvironment.b"),
        live("RunaiEnvironment.left", mark={"deposed": "0a1b2c"}),
    ]
    desired = [resource("RunaiEnvironment.new")]
    found = plan(desired, there, made)
    assert actions(found) == {
        ENV: "blocked delete",
        "RunaiEnvironment.b": "blocked delete",
        "RunaiEnvironment.new": "create",
        "RunaiEnvironment.left (deposed 0a1b2c)": "delete",
    }
    refusal = found.refused[0].refusal
    assert refusal is not None
    assert "manifests/b.yaml and 1 more are not on this disk as HEAD has them" in refusal.reason
    named = plan(desired, there, made, Approval(deletions=frozenset({ENV})))
    assert actions(named)[ENV] == "delete"
    one = plan(desired, there, lineage(gone=("manifests/b.yaml",))).refused[0].refusal
    assert one is not None
    assert "manifests/b.yaml is not on this disk as HEAD has it" in one.reason


commits = st.sampled_from(["", "aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc", "dddddddddd"])
objects = st.builds(
    lambda name, repository, commit, image, deposed: written(
        f"RunaiEnvironment.{name}",
        repository,
        commit,
        uid=f"{name}-{repository}-{deposed}",
        spec={"image": image},
        mark={"deposed": deposed},
    ),
    st.sampled_from("abcd"),
    st.sampled_from(["", "herehere", OTHER, "sibling2"]),
    commits,
    st.sampled_from(["one", "two"]),
    st.sampled_from([None, "0a1b2c"]),
)


@given(
    st.lists(objects, max_size=6, unique_by=lambda item: item.uid),
    st.sets(st.sampled_from("abcd")),
    st.booleans(),
)
def test_law_nothing_of_others_or_of_newer_commits_is_ever_changed(
    there: list[LiveResource], names: set[str], rollback: bool
) -> None:
    made = lineage(rollback=rollback, history=Known(siblings=frozenset({"sibling2"})))
    desired = [resource(f"RunaiEnvironment.{name}", {"image": "one"}) for name in sorted(names)]
    everything = frozenset(f"RunaiEnvironment.{name}" for name in "abcd")
    found = plan(desired, there, made, Approval(everything, everything))
    for change in found.pending:
        if change.live is None:
            continue
        by = change.live.mark
        assert by is not None
        rights = made.rights(by)
        outside = COMMITS.get(by.written.commit) is Standing.OUTSIDE
        assert rights is Rights.OURS or (rights is Rights.NEWER and rollback and outside)
    assert found.owned == sum(
        made.rights(item.mark) is not Rights.OTHERS for item in there if item.mark
    )
