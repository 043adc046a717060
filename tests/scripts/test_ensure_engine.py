"""scripts/ensure-engine where an engine answers, and where it may not bring one."""

from tests.scripts.conftest import Scripts

ANSWERS = 'echo "$*" >> "$CALLS"; echo 20.10'
SILENT = '[ "$1 $2" != "context show" ] || echo "${CONTEXT:-default}"; exit 1'


def test_a_running_engine_is_used_and_only_asked_for_its_version(scripts: Scripts) -> None:
    calls = scripts.bin / "calls"
    scripts.stub("docker", ANSWERS)
    for program in ("dockerd", "apt-get", "systemctl"):
        scripts.stub(program, f'echo {program} >> "$CALLS"')
    done = scripts.run("ensure-engine", CALLS=str(calls))
    assert done.returncode == 0, done.stderr
    assert "already runs" in done.stderr
    lines = calls.read_text(encoding="utf-8").splitlines()
    assert {line.split()[0] for line in lines} == {"version"}
    assert not scripts.cache.exists()


def test_a_silent_docker_host_is_never_replaced(scripts: Scripts) -> None:
    scripts.stub("docker", SILENT)
    done = scripts.run("ensure-engine", DOCKER_HOST="tcp://127.0.0.1:1")
    assert done.returncode == 3
    assert "DOCKER_HOST" in done.stderr


def test_a_silent_context_is_never_replaced(scripts: Scripts) -> None:
    scripts.stub("docker", SILENT)
    done = scripts.run("ensure-engine", CONTEXT="elsewhere")
    assert done.returncode == 3
    assert "elsewhere" in done.stderr


def test_check_changes_nothing(scripts: Scripts) -> None:
    scripts.stub("docker", SILENT)
    done = scripts.run("ensure-engine", "--check")
    assert done.returncode == 3
    assert not scripts.cache.exists()


def test_only_root_may_start_an_engine(scripts: Scripts) -> None:
    scripts.stub("docker", SILENT)
    scripts.stub("id", "echo 1000")
    done = scripts.run("ensure-engine", "--private", str(scripts.cache))
    assert done.returncode == 3
    assert "root" in done.stderr
    assert "installation page" in done.stderr


def test_an_unknown_argument_is_a_usage_error(scripts: Scripts) -> None:
    assert scripts.run("ensure-engine", "--nonsense").returncode == 2
