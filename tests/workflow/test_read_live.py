from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from reconciler.core.plan import Plan
from reconciler.core.resource import Named, Resource
from reconciler.errors import ManifestError, Problem, ProviderError, UnreachableError
from reconciler.support.threads import ThreadExecutor
from reconciler.workflow.read_live import look_up_users, read_all
from tests.core.builders import live, plan_of, resource
from tests.core.fake_provider import MemoryProvider

THREADS = ThreadExecutor(3)


class Exporting(MemoryProvider):
    """Exports an image for every resource, as the image provider does."""

    def resolve(self, resources: Sequence[Resource]) -> Sequence[Resource]:
        return [replace(item, outputs={"image": f"{item.key.id}:src-1"}) for item in resources]


class Picky(MemoryProvider):
    """Knows no name at all."""

    def resolve(self, resources: Sequence[Resource]) -> Sequence[Resource]:
        raise ManifestError([Problem("a.yaml", 1, 1, f"unknown in {self.traits.name}")])


class Offline(MemoryProvider):
    """Cannot be reached while names are resolved."""

    def resolve(self, resources: Sequence[Resource]) -> Sequence[Resource]:
        raise UnreachableError("no answer", where="there", fix="plug it in")


def test_references_are_linked_before_the_next_kind_resolves() -> None:
    images, environments = Exporting("RayfineImage"), MemoryProvider()
    environments.objects = [live("RunaiEnvironment.a")]
    reading = read_all(
        [
            resource(
                "RunaiEnvironment.a", {"image": {"reference": "RayfineImage.i", "output": "image"}}
            ),
            resource("RayfineImage.i", {"tag": "i"}),
        ],
        {"RayfineImage": images, "RunaiEnvironment": environments},
        THREADS,
    )
    by_id = {item.key.id: item for item in reading.desired}
    assert by_id["a"].spec["image"] == "i:src-1"
    assert reading.live == tuple(environments.objects)
    assert reading.failures == ()


def test_one_broken_system_does_not_hide_the_other() -> None:
    images, environments = MemoryProvider("RayfineImage"), MemoryProvider()
    images.unreadable = UnreachableError("no socket", fix="start it")
    environments.objects = [live("RunaiEnvironment.a")]
    reading = read_all([], {"RayfineImage": images, "RunaiEnvironment": environments}, THREADS)
    (failure,) = reading.failures
    assert (failure.kinds, failure.reason, failure.fix) == (
        ("RayfineImage",),
        "no socket",
        "start it",
    )
    assert len(reading.live) == 1


def test_kinds_of_one_system_fail_together_and_nothing_of_them_is_kept() -> None:
    compute, environments = Offline("RunaiCompute"), Offline()
    compute.objects = [live("RunaiCompute.a")]
    reading = read_all([], {"RunaiCompute": compute, "RunaiEnvironment": environments}, THREADS)
    (failure,) = reading.failures
    assert failure.kinds == ("RunaiCompute", "RunaiEnvironment")
    assert failure.reason == "there: no answer"
    assert reading.live == ()


def test_all_problems_of_all_kinds_come_in_one_report() -> None:
    providers = {"RunaiCompute": Picky("RunaiCompute"), "RunaiEnvironment": Picky()}
    with pytest.raises(ManifestError) as caught:
        read_all([], providers, THREADS)
    assert len(caught.value.problems) == 2


def test_usage_is_asked_once_and_only_if_something_is_destroyed() -> None:
    provider = MemoryProvider()
    calm = plan_of([resource("RunaiEnvironment.a")])
    assert look_up_users(calm, {"RunaiEnvironment": provider}) is calm
    assert provider.calls == []
    doomed = plan_of(
        [resource("RunaiEnvironment.a")],
        [live("RunaiEnvironment.b"), live("RunaiEnvironment.c")],
    )
    provider.users = {"uid-b": ("workspace w",)}
    found = look_up_users(doomed, {"RunaiEnvironment": provider})
    assert provider.calls == ["usage of 2"]
    assert [change.used_by for change in found.changes] == [(), ("workspace w",), ()]


def test_usage_that_cannot_be_read_is_an_error() -> None:
    class Broken(MemoryProvider):
        def usage(self, live: object) -> object:  # type: ignore[override]
            raise ProviderError("no")

    doomed = plan_of([], [live("RunaiEnvironment.b")])
    with pytest.raises(ProviderError):
        look_up_users(doomed, {"RunaiEnvironment": Broken()})


def test_names_stand_beside_ids_and_change_nothing() -> None:
    def place(scope_id: str) -> dict[str, str]:
        return {"scope": "project", "scope_id": scope_id}

    def plan_with(name: Callable[[str], str]) -> Plan:
        return plan_of(
            [
                resource("RunaiEnvironment.moved", place(name("2"))),
                resource("RunaiEnvironment.new", place(name("1"))),
                resource("RunaiEnvironment.same", place(name("1"))),
            ],
            [
                live("RunaiEnvironment.moved", place(name("1"))),
                live("RunaiEnvironment.same", place(name("1"))),
            ],
        )

    named = plan_with(lambda uid: Named(uid, f"name of {uid}"))
    plain = plan_with(str)
    assert named == plain
    assert (named.digest(), named.rows) == (plain.digest(), plain.rows)
    field = next(item for change in named.changes for item in change.fields)
    assert (field.before.name, field.after.name) == ("name of 1", "name of 2")
