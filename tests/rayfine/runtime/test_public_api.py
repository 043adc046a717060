"""The public functions, as the README states them, without an engine."""

import inspect
import subprocess
import sys
import threading

import pytest

import rayfine_env
from reconciler import rayfine
from reconciler.errors import ReconcileError
from reconciler.rayfine.runtime.active_environments import Registry
from reconciler.rayfine.runtime.environment_wrapper import EnvironmentWrapper
from reconciler.rayfine.runtime.errors import EnvironmentNotFoundError, LoadError

NONE = inspect.Parameter.empty
SIGNATURES = {
    "build_image_from_env": {
        "env_path": NONE,
        "image_tag": NONE,
        "base_image": "rayproject/ray:latest",
        "nocache": False,
        "quiet": False,
    },
    "load_env": {
        "image": NONE,
        "mode": "local",
        "container_name": None,
        "ray_port": 10001,
        "kwargs": NONE,
    },
    "list_active_environments": {},
    "cleanup_all_environments": {},
    "get_environment": {"env_id": NONE},
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_are_those_of_the_readme(name: str) -> None:
    found = inspect.signature(getattr(rayfine_env, name))
    assert {key: item.default for key, item in found.parameters.items()} == SIGNATURES[name]
    assert getattr(rayfine, name) is getattr(rayfine_env, name)
    assert set(rayfine_env.__all__) == set(SIGNATURES)


def test_the_wrapper_has_the_methods_of_the_readme() -> None:
    for name in ("setup", "cleanup", "list_methods", "is_ready", "__enter__", "__exit__"):
        assert callable(getattr(EnvironmentWrapper, name))


def test_importing_is_cheap() -> None:
    code = (
        "import sys, reconciler.rayfine; "
        "assert not {'docker', 'ray', 'numpy', 'requests'} & set(sys.modules); "
        "import rayfine_env; assert not {'docker', 'ray', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_rayfine_knows_no_other_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        rayfine.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engin": "ray"}, "no option 'engin'"),
        ({"engine": "dask"}, "no engine 'dask'"),
        ({"mode": "far"}, "no mode 'far'"),
        ({"replicas": 0}, "replicas cannot be 0"),
        ({"ray_port": 70000}, "ray_port cannot be 70000"),
        ({"container_name": "a/b"}, "not a container name: 'a/b'"),
        ({"memory": "much"}, "memory is not a size: 'much'"),
        ({"call_timeout": -1}, "call_timeout cannot be -1"),
        ({"timeout": "soon"}, "timeout is not a number"),
    ],
)
def test_options_are_checked_first(options: dict[str, object], message: str) -> None:
    with pytest.raises(LoadError, match=message):
        rayfine_env.load_env("nothing:v1", **options)  # type: ignore[arg-type]


class Fake:
    """An environment that only counts."""

    def __init__(self, identity: str, registry: Registry, error: Exception | None = None) -> None:
        self.id = identity
        self.cleaned = 0
        self._registry = registry
        self._error = error
        registry.add(self)

    def cleanup(self) -> None:
        self._registry.discard(self)
        self._registry.ids()
        self.cleaned += 1
        if self._error:
            raise self._error


def test_the_registry_lists_finds_and_forgets() -> None:
    registry = Registry()
    one, two = Fake("one", registry), Fake("two", registry)
    assert registry.ids() == ["one", "two"]
    assert registry.get("two") is two
    one.cleanup()
    assert registry.ids() == ["two"]
    with pytest.raises(EnvironmentNotFoundError, match="did you mean two"):
        registry.get("twoo")
    with pytest.raises(KeyError):
        registry.get("nothing")


def test_cleaning_all_up_never_deadlocks_and_reports_every_error() -> None:
    registry = Registry()
    error = ReconcileError("one failed")
    found = [Fake(f"e{n}", registry, error if n == 3 else None) for n in range(30)]
    with pytest.raises(ReconcileError, match="one failed"):
        registry.cleanup_all()
    assert [item.cleaned for item in found] == [1] * 30
    assert registry.ids() == []
    registry.cleanup_all()


def test_the_registry_under_threads() -> None:
    registry = Registry()

    def work(number: int) -> None:
        for turn in range(50):
            item = Fake(f"{number}-{turn}", registry)
            assert registry.get(item.id) is item
            if turn % 2:
                registry.cleanup_all()
            item.cleanup()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    failed: list[object] = []
    threading.excepthook, before = lambda args: failed.append(args.exc_value), threading.excepthook
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        threading.excepthook = before
    assert not any(thread.is_alive() for thread in threads)
    assert all(isinstance(error, EnvironmentNotFoundError) for error in failed)
    assert registry.ids() == []
