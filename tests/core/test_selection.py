import pytest

from reconciler.core.guards import refuse_dependents
from reconciler.core.plan import Plan, ReadFailure
from reconciler.core.resource import ResourceKey
from reconciler.core.selection import Selection, apply_selection, called, exact_addresses, narrow
from reconciler.errors import ConfigError
from tests.core.builders import actions, live, plan_of, resource


@pytest.fixture
def plan() -> Plan:
    return plan_of(
        [
            resource("RayfineImage.affine", {"tag": "affine:1"}),
            resource("RunaiEnvironment.uses-it", depends_on=["RayfineImage.affine"]),
            resource("RunaiEnvironment.alone"),
        ],
        [live("RunaiEnvironment.team-a-old", {"name": "old"})],
    )


def test_everything_without_patterns(plan: Plan) -> None:
    assert apply_selection(plan, Selection()) == plan


def test_only_brings_what_is_needed(plan: Plan) -> None:
    chosen = apply_selection(plan, Selection(only=("*.uses-it",)))
    assert set(actions(chosen)) == {"RayfineImage.affine", "RunaiEnvironment.uses-it"}


def test_exclude_refuses_what_waits_for_it(plan: Plan) -> None:
    chosen = refuse_dependents(apply_selection(plan, Selection(exclude=("RayfineImage.*",))))
    assert actions(chosen)["RunaiEnvironment.uses-it"] == "blocked create"
    assert actions(chosen)["RunaiEnvironment.alone"] == "create"


def test_an_orphan_is_found_by_the_id_it_had(plan: Plan) -> None:
    selection = Selection(only=("RunaiEnvironment.team-a-old",))
    chosen = apply_selection(plan, selection)
    (address,) = actions(chosen)
    assert address.startswith("RunaiEnvironment.old~")
    assert exact_addresses(plan, selection) == {address}


def test_globs_approve_nothing(plan: Plan) -> None:
    assert exact_addresses(plan, Selection(only=("RunaiEnvironment.*",))) == frozenset()
    assert exact_addresses(plan, Selection(only=("RunaiEnvironment.alone",))) == {
        "RunaiEnvironment.alone"
    }


def test_a_pattern_without_a_match_is_an_error_with_a_hint(plan: Plan) -> None:
    with pytest.raises(ConfigError, match="no address matches") as caught:
        apply_selection(plan, Selection(only=("RunaiEnvironment.alon",)))
    assert "RunaiEnvironment.alone" in caught.value.fix
    with pytest.raises(ConfigError) as caught:
        apply_selection(plan, Selection(only=("alon",)))
    assert caught.value.fix == "did you mean RunaiEnvironment.alone?"
    with pytest.raises(ConfigError) as caught:
        apply_selection(plan, Selection(exclude=("zzz",)))
    assert "KIND.ID" in caught.value.fix


def test_addresses_of_an_unread_system_can_be_chosen() -> None:
    failure = ReadFailure("Docker engine", ("RayfineImage",), "down", "start it")
    plan = plan_of(
        [resource("RayfineImage.a", {"tag": "a:1"}), resource("RayfineImage.b", {"tag": "b:1"})],
        failures=[failure],
    )
    chosen = apply_selection(plan, Selection(only=("RayfineImage.a",), exclude=("RayfineImage.b",)))
    assert chosen.failures[0].addresses == ("RayfineImage.a",)


def test_only_brings_what_is_needed_in_turn() -> None:
    chain = plan_of(
        [
            resource("RayfineImage.a", {"tag": "a:1"}),
            resource("RunaiCompute.b", depends_on=["RayfineImage.a"]),
            resource("RunaiEnvironment.c", depends_on=["RunaiCompute.b"]),
            resource("RunaiEnvironment.d"),
        ]
    )
    chosen = apply_selection(chain, Selection(only=("RunaiEnvironment.c",)))
    assert set(actions(chosen)) == {"RayfineImage.a", "RunaiCompute.b", "RunaiEnvironment.c"}


def test_an_orphan_whose_id_has_dots_is_found_by_it() -> None:
    plan = plan_of([], [live("RunaiEnvironment.a.b", {"name": "old"})])
    assert len(apply_selection(plan, Selection(only=("RunaiEnvironment.a.b",))).changes) == 1


@pytest.mark.parametrize("glob", ["RunaiEnvironment.alon?", "RunaiEnvironment.[a]lone", "*.alone"])
def test_every_kind_of_glob_approves_nothing(plan: Plan, glob: str) -> None:
    assert exact_addresses(plan, Selection(only=(glob,))) == frozenset()
    assert list(actions(apply_selection(plan, Selection(only=(glob,))))) == [
        "RunaiEnvironment.alone"
    ]


def test_unread_addresses_are_named_as_chosen() -> None:
    failure = ReadFailure("Docker engine", ("RayfineImage",), "down", "start it")
    plan = plan_of(
        [resource(f"RayfineImage.{name}", {"tag": f"{name}:1"}) for name in "ab"],
        failures=[failure],
    )

    def unread(selection: Selection) -> tuple[str, ...]:
        return apply_selection(plan, selection).failures[0].addresses

    assert unread(Selection()) == ("RayfineImage.a", "RayfineImage.b")
    assert unread(Selection(exclude=("RayfineImage.b",))) == ("RayfineImage.a",)
    assert unread(Selection(only=("RayfineImage.b",))) == ("RayfineImage.b",)


def test_a_system_that_was_not_read_matters_if_the_selection_may_hold_or_need_it() -> None:
    failure = ReadFailure("Docker engine", ("RayfineImage",), "down", "start it")
    plan = plan_of(
        [
            resource("RayfineImage.a", {"tag": "a:1"}),
            resource("RunaiEnvironment.uses.it", depends_on=["RayfineImage.a"]),
            resource("RunaiEnvironment.alone"),
        ],
        failures=[failure],
    )

    def counts(*only: str) -> bool:
        return bool(apply_selection(plan, Selection(only=only)).failures)

    assert counts("RayfineImage.a")
    assert counts("*.a")
    assert counts("RunaiEnvironment.uses.it")
    assert counts("RunaiEnvironment.alone", "RayfineImage.a")
    assert not counts("RunaiEnvironment.alone")


@pytest.fixture
def named() -> Plan:
    return plan_of(
        [
            resource("RunaiCompute.notebook"),
            resource("RunaiEnvironment.notebook", depends_on=["RunaiCompute.notebook"]),
            resource("RunaiEnvironment.shared"),
            resource("RayfineImage.shared", {"tag": "shared:1"}),
            resource("RunaiEnvironment.team-b", {"name": "team-b-training"}),
        ],
        [live("RunaiEnvironment.gone", {"name": "gone"})],
    )


@pytest.mark.parametrize(
    ("word", "addresses"),
    [
        ("team-b", {"RunaiEnvironment.team-b"}),
        ("team-b-training", {"RunaiEnvironment.team-b"}),
        ("notebook", {"RunaiEnvironment.notebook", "RunaiCompute.notebook"}),
        ("gone", {"RunaiEnvironment.gone"}),
    ],
)
def test_an_id_or_a_name_will_do(named: Plan, word: str, addresses: set[str]) -> None:
    assert set(actions(apply_selection(named, Selection(only=(word,))))) == addresses
    left = set(actions(apply_selection(named, Selection(exclude=(word,)))))
    assert left == set(actions(named)) - addresses


def test_an_id_approves_no_deletion(named: Plan) -> None:
    assert exact_addresses(named, Selection(only=("gone",))) == frozenset()
    assert exact_addresses(named, Selection(only=("RunaiEnvironment.gone",))) == {
        "RunaiEnvironment.gone"
    }


def test_an_id_that_two_have_is_refused(named: Plan) -> None:
    with pytest.raises(ConfigError, match="'shared' means 2 addresses") as caught:
        apply_selection(named, Selection(only=("shared",)))
    assert caught.value.fix == "name one: RayfineImage.shared, RunaiEnvironment.shared"
    assert called(named, "RayfineImage.shared")[0].key.address == "RayfineImage.shared"


def test_what_an_id_means_may_be_what_could_not_be_read() -> None:
    failure = ReadFailure("Docker engine", ("RayfineImage",), "down", "", ("RayfineImage.b",))
    desired = [resource("RunaiEnvironment.a"), resource("RayfineImage.b")]
    plan = plan_of(desired, failures=[failure])
    for word, unread in (("a", ()), ("b", ("RayfineImage.b",))):
        assert [
            item.addresses for item in apply_selection(plan, Selection(only=(word,))).failures
        ] == [unread]
    assert not apply_selection(plan, Selection(only=("RunaiEnvironment.a",))).failures


WHOLE, PART = "RunaiEnvironment.x", "RunaiCompute.x"


def one_manifest(*, stated: bool = True, changed: str = PART) -> Plan:
    """A manifest of two objects, one of which differs, or that is gone; and another one."""
    spec = {address: {"image": "b"} if address == changed else {} for address in (WHOLE, PART)}
    both = [
        resource(PART, spec[PART], part_of=ResourceKey("RunaiEnvironment", "x")),
        resource(WHOLE, spec[WHOLE]),
    ]
    return plan_of(
        [*(both if stated else ()), resource("RunaiEnvironment.other", {"image": "b"})],
        [live(PART), live(WHOLE), live("RunaiEnvironment.other")],
    )


@pytest.mark.parametrize("word", [WHOLE, PART, "x", "*.x", "*Environment.x"])
@pytest.mark.parametrize("stated", [True, False])
def test_what_one_manifest_states_is_chosen_together(word: str, stated: bool) -> None:
    for changed in (WHOLE, PART):
        chosen = apply_selection(one_manifest(stated=stated, changed=changed), Selection((word,)))
        assert set(actions(chosen)) == {WHOLE, PART}
        assert chosen.pending
        assert chosen.left_out == 1


def test_half_of_a_manifest_is_not_applied() -> None:
    for stated in (True, False):
        for left, excluded in ((WHOLE, PART), (PART, WHOLE)):
            plan = one_manifest(stated=stated, changed=left)
            chosen = apply_selection(plan, Selection(exclude=(excluded,)))
            blocked = not stated  # or the excluded one needs no change
            assert actions(chosen)[left].startswith("blocked") == blocked
            assert chosen.left_out == 1
    both = apply_selection(one_manifest(stated=False), Selection((WHOLE,), (PART,)))
    assert actions(both) == {WHOLE: "blocked delete"}
    assert both.refused[0].refusal is not None
    assert "is stated together with RunaiCompute.x, which was excluded" in (
        both.refused[0].refusal.reason
    )


def test_a_unit_of_which_a_part_could_not_be_read_is_not_applied_in_part() -> None:
    failure = ReadFailure("Run:ai control plane", ("RunaiCompute",), "403", "ask")
    whole = ResourceKey("RunaiEnvironment", "x")
    plan = plan_of(
        [resource(PART, part_of=whole), resource(WHOLE, {"image": "b"})],
        [live(WHOLE)],
        [failure],
    )
    chosen = apply_selection(plan, Selection((WHOLE,)))
    assert chosen.failures
    assert actions(refuse_dependents(chosen)) == {WHOLE: "blocked update"}


def test_a_selection_is_told_with_what_it_leaves_out(plan: Plan) -> None:
    assert plan.restricted == ()
    first = narrow(plan, Selection(("RunaiEnvironment.*",), ("*.uses-it",)))
    assert first.restricted == ("RunaiEnvironment.* without *.uses-it",)
    assert first.left_out == 2
    second = narrow(first, Selection(exclude=("*.alone",)))
    assert second.restricted == (*first.restricted, "everything without *.alone")
    assert second.left_out == 3
