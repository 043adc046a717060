"""reconciler.yaml -> Config: what is accepted, and every fault at its place."""

import contextlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.config import (
    CONFIG_NAME,
    GuardRules,
    Limits,
    find_config,
    load_config,
    variables_for_manifests,
)
from reconciler.errors import ConfigError

LEAST = """\
apiVersion: reconciler/v1
stack: ml
targets:
  sandbox: {runai: {sandbox: .reconcile/sandbox.db}}
"""
CASES = sorted((Path(__file__).parent / "cases").iterdir())


def write(directory: Path, text: str) -> Path:
    path = directory / CONFIG_NAME
    path.write_text(text, encoding="utf-8")
    return path


def error_of(directory: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_config(write(directory, text))
    return caught.value


def test_the_least(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, LEAST))
    assert (config.root, config.manifests) == (tmp_path, tmp_path / "manifests")
    assert (config.stack, config.default_target, config.env_allow) == ("ml", None, ())
    assert config.limits == Limits()
    assert config.guards == GuardRules()
    assert config.warnings == ()
    assert list(config.sections) == ["sandbox"]


def test_everything(tmp_path: Path) -> None:
    config = load_config(
        write(
            tmp_path,
            LEAST.replace("stack: ml", "stack: 1-10")
            + "manifests: desired/state\n"
            + "default_target: sandbox\n"
            + "limits: {max_cpu_cores: 1.5, max_memory_gb: 10, max_gpus: 0,\n"
            + "  allowed_scopes: [project]}\n"
            + "guards: {max_deletes: 0, max_delete_percent: 12.5, free_deletes: 1}\n"
            + 'env_allow: ["RECONCILE_VAR_*", ONE]\n',
        )
    )
    assert config.manifests == tmp_path / "desired/state"
    assert config.limits == Limits(1.5, 10, 0, ("project",))
    assert config.guards == GuardRules(0, 12.5, 1)
    assert config.env_allow == ("RECONCILE_VAR_*", "ONE")
    assert config.default_target == "sandbox"


def test_a_relative_path_gives_an_absolute_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, LEAST)
    monkeypatch.chdir(tmp_path)
    assert load_config(Path(CONFIG_NAME)).root == tmp_path


def test_find_config_looks_in_one_directory_only(tmp_path: Path) -> None:
    path = write(tmp_path, LEAST)
    assert find_config(tmp_path) == path
    (tmp_path / "below").mkdir()
    with pytest.raises(ConfigError, match=r"there is no reconciler\.yaml here") as caught:
        find_config(tmp_path / "below")
    assert "--config" in caught.value.fix
    path.rename(path.with_suffix(".yml"))
    with pytest.raises(ConfigError) as caught:
        find_config(tmp_path)
    assert caught.value.fix == "rename reconciler.yml to reconciler.yaml"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_faults(case: Path) -> None:
    """A new case is a new folder with `reconciler.yaml` and `error.txt`."""
    with pytest.raises(ConfigError) as caught:
        load_config(case / CONFIG_NAME)
    expected = case / "error.txt"
    if os.environ.get("UPDATE_CASES"):
        expected.write_text(f"{caught.value}\n", encoding="utf-8")
    assert f"{caught.value}\n" == expected.read_text(encoding="utf-8")


def test_one_fault_keeps_its_parts(tmp_path: Path) -> None:
    error = error_of(tmp_path, LEAST + "stacks: x\n")
    assert (error.what, error.where, error.fix) == (
        "unknown field `stacks`",
        "reconciler.yaml:5:1",
        "did you mean `stack`?",
    )


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        load_config(tmp_path / "other.yaml")
    assert caught.value.where == str(tmp_path / "other.yaml")


@pytest.mark.parametrize("text", ["", "# nothing\n", LEAST + "---\n" + LEAST])
def test_one_document(tmp_path: Path, text: str) -> None:
    assert "documents in it" in error_of(tmp_path, text).what


def test_yaml_faults_are_configuration_faults(tmp_path: Path) -> None:
    error = error_of(tmp_path, "a: &x 1\n")
    assert (error.where, error.what) == (
        "reconciler.yaml:1:4",
        "an anchor (`&name`) is not accepted",
    )


def test_secrets_in_the_file_are_a_warning_and_never_shown(tmp_path: Path) -> None:
    text = LEAST + (
        "  production:\n"
        "    runai:\n"
        "      base_url: https://run.example\n"
        "      client_id: id\n"
        "      client_secret: s3cr3t-canary\n"
        "    proxy: http://user:s3cr3t-canary@proxy\n"
    )
    config = load_config(write(tmp_path, text))
    (warning,) = config.warnings
    assert warning == (
        "reconciler.yaml:9: a secret is written into the file; "
        "write `client_secret: {env: NAME}` or `{file: PATH}` instead"
    )
    assert "s3cr3t-canary" not in repr(config)
    for wrong in ("apiVersion: x\n", "clint_id: x\n"):
        broken = text.replace("      client_id: id\n", f"      {wrong}")
        assert "s3cr3t-canary" not in str(error_of(tmp_path, broken))


def test_variables_for_manifests(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, LEAST + 'env_allow: ["RECONCILE_VAR_*", "ONE"]\n'))
    environ = {"RECONCILE_VAR_A": "a", "RECONCILE_VAR_": "", "ONE": "1", "ONE_MORE": "2", "one": ""}
    assert variables_for_manifests(config, environ) == {
        "RECONCILE_VAR_A": "a",
        "RECONCILE_VAR_": "",
        "ONE": "1",
    }
    assert variables_for_manifests(load_config(write(tmp_path, LEAST)), environ) == {}


fields = st.sampled_from(
    [
        *("apiVersion", "stack", "manifests", "default_target", "targets", "limits", "guards"),
        *("runai", "env_allow", "docker", "sandbox", "base_url", "client_secret", "env", "host"),
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fields, inner, max_size=4),
)


@given(st.dictionaries(fields, values), st.dictionaries(fields, values))
def test_any_content_is_decided(
    tmp_path_factory: pytest.TempPathFactory, top: dict[str, object], target: dict[str, object]
) -> None:
    content = {
        "apiVersion": "reconciler/v1",
        "stack": "ml",
        "targets": {"a": target, "b": {"docker": {}}},
        **top,
    }
    path = tmp_path_factory.mktemp("any") / CONFIG_NAME
    with contextlib.suppress(ConfigError):
        load_config(write(path.parent, json.dumps(content)))
