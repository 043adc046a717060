"""What has to hold of every kind of asset: contract, convergence, and faults at every request."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from reconciler.core.resource import LiveResource
from reconciler.errors import ManifestError
from reconciler.kinds.field_paths import values_at
from reconciler.kinds.registry import KIND_NAMED
from reconciler.kinds.runai_asset import AssetKind
from reconciler.sandbox import Behaviour
from reconciler.sandbox.switches import Version
from reconciler.testing.bench import Bench
from reconciler.testing.faulty_client import Fault

BEHAVIOURS = {
    "plain": Behaviour(),
    "defaults": Behaviour(fill_defaults=True),
    "null": Behaviour(absent="null"),
    "empty": Behaviour(absent="empty", fill_defaults=True),
    "strict": Behaviour(unknown_fields="reject", unknown_parameters="refuse"),
    "scope by scope": Behaviour(unfiltered_list="refuse"),
    "late": Behaviour(visibility_lag=0.02, deleted_entries="listed"),
}
_TENANT = {"scope": "tenant"}
_CLUSTER = {"scope": "cluster"}
_Documents = Sequence[Mapping[str, Any]]


class AssetKindSuite:
    """Subclass it in a test module as `class TestNAME(AssetKindSuite)`, and state:

    `kind`, which is registered; `first` and `second`, two specs without scope that together have
    every field; the seed of the sandbox, if they name credentials; and the oldest version with
    the kind, if that is not 2.18.
    """

    kind: ClassVar[AssetKind]
    first: ClassVar[Mapping[str, Any]]
    second: ClassVar[Mapping[str, Any]]
    seed: ClassVar[str] = ""
    oldest: ClassVar[Version] = "2.18"

    def _bench(self, directory: Path, behaviour: Behaviour = BEHAVIOURS["plain"]) -> Bench:
        return Bench(directory / "bench", self.kind, behaviour, self.seed)

    def test_it_is_registered_and_states_every_field(self) -> None:
        assert isinstance(KIND_NAMED.get(self.kind.traits.name), type(self.kind))
        stated = self.first.keys() | self.second.keys()
        assert {row.name for row in self.kind.fields} <= stated
        for pattern in (*self.kind.since, *self.kind.credentials):
            name = pattern.partition(".")[0]
            assert name in {row.name for row in self.kind.fields}, f"there is no {pattern}"

    @pytest.mark.parametrize("name", BEHAVIOURS)
    def test_what_is_stated_is_what_is_read(self, tmp_path: Path, name: str) -> None:
        """Whatever a server fills in or leaves out, a plan after an apply is empty."""
        with self._bench(tmp_path, BEHAVIOURS[name]) as bench:
            for spec in (self.first, self.second, self.first):
                bench.converge([bench.document("it", {**_TENANT, **spec})])

    def test_it_lives_in_every_scope(self, tmp_path: Path) -> None:
        places = (_TENANT, _CLUSTER, {"scope": "department", "scope_id": "default"})
        project = {"scope": "project", "scope_id": "team-a"}
        with self._bench(tmp_path) as bench:
            stays = bench.document("stays", {**_TENANT, **self.first})
            for place in (*places, project):
                bench.converge([stays, bench.document("it", {**place, **self.first})])
            bench.converge([stays])
            assert [item.name for item in bench.live()] == ["stays"]

    def test_what_others_own_is_left_alone(self, tmp_path: Path) -> None:
        with self._bench(tmp_path) as bench:
            theirs = {"meta": {"name": "theirs", **_TENANT}, "spec": {}}
            bench.client.call_api("POST", self.kind.endpoint, body=theirs)
            before = bench.live()
            assert [item.mark for item in before] == [None]
            bench.converge([bench.document("it", {**_TENANT, **self.first})])
            assert [item for item in bench.live() if item.name == "theirs"] == before

    def test_fields_of_a_newer_server_are_kept(self, tmp_path: Path) -> None:
        with self._bench(tmp_path, Behaviour(unknown_fields="keep")) as bench:
            bench.converge([bench.document("it", {**_TENANT, **self.first})])
            (live,) = bench.live()
            body = {"meta": {"name": "it", "description": live.raw["meta"]["description"]}}
            body["spec"] = {**live.raw["spec"], "fromTheFuture": 1}
            bench.client.call_api("PUT", f"{self.kind.endpoint}/{live.uid}", body=body)
            bench.converge([bench.document("it", {**_TENANT, **self.second})])
            (live,) = bench.live()
            assert live.raw["spec"]["fromTheFuture"] == 1
            assert live.unknown_fields == ("fromTheFuture",)

    def test_a_field_that_a_server_lacks_is_an_error_of_the_plan(self, tmp_path: Path) -> None:
        with self._bench(tmp_path, Behaviour(version=self.oldest)) as bench:
            for spec in (self.first, self.second):
                document = bench.document("it", {**_TENANT, **spec})
                newer = [item for item in self.kind.since if any(values_at(spec, item))]
                if newer:
                    with pytest.raises(ManifestError, match="needs Run:ai"):
                        bench.plan([document])
                else:
                    bench.converge([document])

    def test_a_read_that_fails_is_no_reason_to_change_anything(self, tmp_path: Path) -> None:
        with self._bench(tmp_path) as bench:
            documents = [bench.document("it", {**_TENANT, **self.first})]
            with bench.client.breaking(0, Fault.UNSENT):
                assert bench.plan(documents).pending
                requests = bench.client.requests
            for number in range(1, requests + 1):
                with bench.client.breaking(number, Fault.KILLED):
                    plan = bench.plan(documents)
                unread = {kind for failure in plan.failures for kind in failure.kinds}
                assert bool(plan.pending) == (self.kind.traits.name not in unread)

    @pytest.mark.parametrize("scenario", ["create", "update", "replace", "delete"])
    @pytest.mark.parametrize("fault", list(Fault))
    def test_a_rerun_reaches_the_end_after_any_fault(
        self, tmp_path: Path, fault: Fault, scenario: str
    ) -> None:
        with self._bench(tmp_path) as bench:
            before, after = self._scenario(bench, scenario)
            bench.converge(before)
            bench.converge(after)
            end = _state(bench.live())
            bench.converge(before)
            bench.apply(after)
            requests = bench.client.requests
            assert requests > 1
            for number in range(1, requests + 1):
                bench.converge(before)
                bench.apply(after, number, fault)
                bench.converge(after)
                assert _state(bench.live()) == end

    def _scenario(self, bench: Bench, name: str) -> tuple[_Documents, _Documents]:
        stays = [bench.document(f"stays-{n}", {**_TENANT, **self.first}) for n in range(3)]
        one = bench.document("it", {**_TENANT, **self.first})
        changed = bench.document("it", {**_TENANT, **self.second})
        moved = bench.document("it", {**_CLUSTER, **self.first})
        return {
            "create": (stays, [*stays, one]),
            "update": ([*stays, one], [*stays, changed]),
            "replace": ([*stays, one], [*stays, moved]),
            "delete": ([*stays, one], stays),
        }[name]


def _state(live: Sequence[LiveResource]) -> list[tuple[Any, ...]]:
    """What there is, without ids and dates."""
    return [(item.name, item.spec, item.mark) for item in live]
