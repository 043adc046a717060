"""Closed pipes, plain character sets, odd output files, interrupts: nothing may be lost."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.sandbox import Behaviour
from tests.acceptance.live_side import assets
from tests.acceptance.project import Project, environment, project
from tests.faults.proxy import Fault, FaultProxy, Kind, no_answer_after


def start(world: Project, *words: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "reconciler", "-C", str(world.directory), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    )


def test_a_closed_terminal_costs_no_outcome(world: Project) -> None:
    world.write(*[environment(f"e{n}") for n in range(12)])
    process = start(world, "apply", "--apply", "-o", f"json={world.directory}/p.json")
    assert process.stderr is not None
    process.stderr.close()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Apply complete! Resources: 12 added, 0 changed, 0 destroyed." in out
    assert len(assets(world)) == 12


def test_closed_standard_output(world: Project) -> None:
    world.write(environment())
    done = subprocess.run(
        f"{sys.executable} -m reconciler -C {world.directory} apply --apply >&-",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert len(assets(world)) == 1


@pytest.mark.parametrize(
    "env",
    [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
)
def test_a_terminal_of_plain_characters(world: Project, env: dict[str, str]) -> None:
    world.write(environment(description="Größe"))
    process = start(world, "plan", **env)
    out, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "Plan: 1 to add, 0 to change, 0 to destroy." in out


def test_output_files_that_are_no_plain_files(world: Project) -> None:
    world.write(environment())
    link, target = world.directory / "link.json", world.directory / "target.json"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    assert world.reconcile("plan", "-o", f"json={link}").code == 0
    assert link.is_symlink()
    assert json.loads(target.read_text())["applyable"] is True
    assert target.stat().st_mode & 0o777 == 0o600

    pipe = world.directory / "pipe"
    os.mkfifo(pipe)
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_text()))
    reader.start()
    assert world.reconcile("plan", "-o", f"json={pipe}").code == 0
    reader.join(60)
    assert json.loads(found[0])["applyable"] is True
    assert world.reconcile("plan", "-o", "json=/dev/null").code == 0
    assert Path("/dev/null").is_char_device()


def test_two_documents_on_one_output_are_refused(world: Project) -> None:
    world.write(environment())
    ran = world.reconcile("plan", "-o", "json", "-o", "text")
    assert ran.code == 1
    assert "both go to standard output" in ran.err
    assert world.reconcile("plan", "-o", "text=").code == 1


@pytest.fixture
def slow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Project]:
    """A project whose four creates take a while."""
    with project(tmp_path, capsys, Behaviour(latency=0.1)) as made:
        made.write(*[environment(f"e{n}") for n in range(4)])
        yield made


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    assert process.stderr is not None
    while text not in (line := process.stderr.readline()):
        assert line, f"it ended without {text!r}"


def check_ledger(out: str, err: str) -> None:
    """Every create is accounted for, and nothing else is claimed."""
    assert "nothing was changed" not in err
    applied = int(out.partition("Resources: ")[2].partition(" ")[0])
    assert sum(f"RunaiEnvironment.e{n}: " in out for n in range(4)) + applied == 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_ends_at_once_and_still_says_what_became_of_what(
    slow: Project, number: signal.Signals
) -> None:
    process = start(slow, "apply", "--apply", "--parallelism", "1")
    wait_for(process, "Creating...")
    process.send_signal(number)
    wait_for(process, "Interrupted: finishing what has begun")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    check_ledger(out, err)
    assert process.returncode in (1, 5)
    assert ": unknown: interrupted while it ran: it may be done or not" in out


def test_signals_that_never_end_cost_no_outcome(slow: Project) -> None:
    """Whatever it does when one comes: writing, giving up, telling, closing."""
    process = start(slow, "apply", "--apply", "--parallelism", "1")
    wait_for(process, "Creating...")
    while process.poll() is None:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.0005)
    out, err = process.communicate(timeout=60)
    check_ledger(out, err)
    assert process.returncode in (1, 5, -signal.SIGTERM)  # the last: after all was said


@pytest.mark.parametrize("events", [False, True])
def test_a_lost_connection_is_told_for_what_it_is(world: Project, events: bool) -> None:
    """Eighteen of twenty are made and nobody can look at them; the answer of two never comes."""
    world.write(*[environment(f"e{n:02}") for n in range(20)])
    with FaultProxy(world.endpoint.base_url) as proxy:
        world.go_by(proxy.base_url, timeout=2.0)
        proxy.rule = no_answer_after(18)
        words = ("--json",) if events else ()
        ran = world.reconcile("apply", "--apply", "--parallelism", "1", *words)
    assert ran.code == 5
    assert len(assets(world)) == 18
    line = (
        "Apply incomplete: 0 of 20 changes applied, 18 written and not confirmed, 2 unknown. "
        "Resources: 0 added, 0 changed, 0 destroyed."
    )
    assert line in ran.out
    if events:
        last = json.loads(ran.out.splitlines()[-1])
        assert last["reconciler"] == {
            "applied": 0, "written": 18, "unknown": 2, "failed": 0, "not_sent": 0, "refused": 0,
        }  # fmt: skip
    else:
        assert ran.out.count(": written: reading it back failed: ") == 18
        assert ran.out.count(": unknown: ") == 2
    world.target = {}
    world.configure()
    assert world.reconcile("apply", "--apply").code == 0
    assert len(assets(world)) == 20


def test_one_healthy_system_can_be_chosen(world: Project) -> None:
    source = world.directory / "environments" / "x"
    source.mkdir(parents=True)
    (source / "env.py").write_text("")
    world.target = {"docker": {"host": "unix:///nowhere.sock"}}
    world.configure()
    picture = {
        "apiVersion": "reconciler/v1",
        "kind": "RayfineImage",
        "metadata": {"name": "x"},
        "spec": {"path": "environments/x", "tag": "x:1"},
    }
    world.write(picture, environment())
    assert world.reconcile("apply", "--apply").code == 1
    ran = world.reconcile("apply", "--apply", "--only", "RunaiEnvironment.train")
    assert ran.code == 0, ran.out + ran.err
    assert world.reconcile("plan", "--only", "RayfineImage.*").code == 1


def test_one_scope_written_in_two_ways_is_one_object(world: Project) -> None:
    world.write(
        environment("train"),
        environment("train", scope_id="main", metadata={"id": "again"}),
    )
    ran = world.reconcile("plan")
    assert ran.code == 1
    assert "RunaiEnvironment.again is the same object as RunaiEnvironment.train" in ran.err


def test_naming_an_address_approves_its_deletion_only(world: Project) -> None:
    world.write(*[environment(f"e{n}") for n in range(4)])
    world.apply()
    world.write(*[environment(f"e{n}", scope="tenant") for n in range(4)])
    names = [word for n in range(4) for word in ("--only", f"RunaiEnvironment.e{n}")]
    assert set(world.plan(*names).values()) == {"blocked replace"}


def test_a_selection_of_deletes_is_no_empty_set(world: Project) -> None:
    world.write(environment("gone-1"), environment("stays"))
    world.apply()
    world.write(environment("stays"))
    assert world.plan("--only", "RunaiEnvironment.gone*") == {"RunaiEnvironment.gone-1": "delete"}


@pytest.mark.parametrize("kind", [Kind.DRIP_HEAD, Kind.CONTINUE])
def test_the_first_signal_ends_the_wait_for_an_answer(world: Project, kind: Kind) -> None:
    """The create has arrived; its answer begins, and would never end."""
    world.write(environment("first"), environment("second"))
    sent = threading.Event()

    def rule(_number: int, method: str, path: str) -> Fault | None:
        if method != "POST" or "/asset/" not in path:
            return None
        sent.set()
        return Fault(kind, after=True, seconds=0.05)

    with FaultProxy(world.endpoint.base_url) as proxy:
        proxy.rule = rule
        world.go_by(proxy.base_url, timeout=600)
        process = start(world, "apply", "--apply", "--parallelism", "1")
        assert sent.wait(60)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 5, out + err
    assert "RunaiEnvironment.second: not_attempted" in out
    assert "Interrupted: finishing what has begun" in err
