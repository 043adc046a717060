"""Opening a target's control plane."""

import threading
from pathlib import Path

import pytest

from reconciler.config import RunaiTarget, Target
from reconciler.errors import ConfigError, SeedError, UnreachableError
from reconciler.kinds.registry import ASSET_KINDS
from reconciler.providers.runai import open_runai
from tests.faults.proxy import Fault, Kind
from tests.providers.runai.worlds import World, target


def test_a_sandbox_is_started_on_demand_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILE_SANDBOX_UNFILTERED_LIST", "refuse")
    file = tmp_path / "deep" / "sandbox.db"
    made = Target("sandbox", "ml", runai=RunaiTarget(sandbox=file), timeout=5)
    before = set(threading.enumerate())
    with open_runai(made, 2) as system:
        assert not file.exists()
        assert system.check()[0] == "logged in by POST /api/v2/token (client_credentials)"
        assert file.exists()
        assert [list(provider.read()) for provider in system] == [[] for _ in ASSET_KINDS]
    assert set(threading.enumerate()) <= before  # some of other tests may end meanwhile


def test_a_sandbox_that_cannot_start_is_out_of_reach(tmp_path: Path) -> None:
    (tmp_path / "sandbox.db").mkdir()
    made = Target("sandbox", "ml", runai=RunaiTarget(sandbox=tmp_path / "sandbox.db"), timeout=5)
    with open_runai(made, 2) as system:
        for call in (system.check, *(provider.read for provider in system)):
            with pytest.raises(UnreachableError, match="database cannot be used") as caught:
                call()
            assert caught.value.where == str(tmp_path / "sandbox.db")
            assert caught.value.fix


def test_kinds_come_in_order_of_rank() -> None:
    with open_runai(target("http://127.0.0.1:1"), 2) as system:
        ranks = [provider.traits.rank for provider in system]
        assert ranks == sorted(ranks)
        assert {provider.system for provider in system} == {"Run:ai control plane"}


def test_a_target_without_a_control_plane() -> None:
    with pytest.raises(ConfigError), open_runai(Target("t", "ml"), 2):
        pass
    with (
        open_runai(Target("t", "ml", runai=RunaiTarget()), 2) as system,
        pytest.raises(ConfigError, match="names no control plane"),
    ):
        system.check()


def test_readers_fail_together(plain: World) -> None:
    """One failed login for both kinds and the scopes, not one after the other."""
    plain.proxy.rule = lambda *_: Fault(Kind.STATUS, status=503)
    for provider in plain.system:
        with pytest.raises(UnreachableError):
            provider.read()
    assert plain.proxy.count("POST", "/token") == 4


def test_a_login_is_shared(plain: World) -> None:
    plain.environments.read()
    plain.computes.read()
    assert plain.system.check()
    assert plain.proxy.count("POST", "/token") == 1


def test_a_wrong_seed_is_read_once_however_many_ask(tmp_path: Path) -> None:
    """What is read later could be another seed, in the middle of being written."""
    seed = tmp_path / "seed.yaml"
    seed.write_text("usages: []")
    runai = RunaiTarget(sandbox=tmp_path / "sandbox.db", seed=seed)
    with open_runai(Target("sandbox", "ml", runai=runai), 2) as system:
        with pytest.raises(SeedError, match="unknown field `usages`"):
            system.providers[0].read()
        seed.write_text("")
        with pytest.raises(SeedError, match="unknown field `usages`"):
            system.providers[1].read()
    assert not (tmp_path / "sandbox.db").exists()
