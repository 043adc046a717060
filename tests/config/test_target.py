"""Which target is used, and how its variables are filled in."""

from pathlib import Path

import pytest

from reconciler.config import (
    Config,
    DockerTarget,
    Target,
    load_config,
    offline_target,
    resolve_target,
)
from reconciler.errors import ConfigError

TEXT = """\
apiVersion: reconciler/v1
stack: ml
default_target: {default}
targets:
  sandbox:
    runai: {{sandbox: state/sandbox.db}}
    docker: {{base_image: reconciler/ray-base:local}}
  variable-sandbox:
    runai: {{sandbox: {{env: SANDBOX}}}}
  production:
    runai:
      base_url: {{env: RUNAI_BASE_URL}}
      client_id: {{env: RUNAI_CLIENT_ID}}
      client_secret: {{env: RUNAI_CLIENT_SECRET}}
      server_defaults: {{RunaiEnvironment: {{tty: false}}}}
    docker: {{host: {{env: DOCKER_HOST}}}}
  staging:
    stack: ml-staging
    runai: {{base_url: "https://staging.example:8443/runai/", token: {{env: TOKEN}}}}
    ca_bundle: {{env: CA}}
    proxy: {{env: PROXY}}
    timeout: 5
  live: {{runai: {{base_url: "https://run.example", token: abc}}}}
  engine: {{docker: {{}}}}
"""
PRODUCTION = {
    "RUNAI_BASE_URL": "https://prod.example/",
    "RUNAI_CLIENT_ID": "id",
    "RUNAI_CLIENT_SECRET": "s3cr3t-canary",
    "DOCKER_HOST": "tcp://engine:2375",
}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configure(tmp_path, "sandbox")


def configure(directory: Path, default: str) -> Config:
    path = directory / "reconciler.yaml"
    path.write_text(TEXT.format(default=default))
    return load_config(path)


def test_a_sandbox_behind_a_link_out_is_refused(config: Config, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (tmp_path / "inside").mkdir()
    (tmp_path / "state").symlink_to("inside")
    resolve_target(config, "sandbox", {})
    (tmp_path / "state").unlink()
    (tmp_path / "state").symlink_to(outside)
    error = error_of(config, "sandbox", {})
    assert "`sandbox` is behind a link that leads out" in error.what
    assert list(outside.iterdir()) == []
    stated = {"SANDBOX": str(outside / "mine.db")}
    assert resolve_target(config, "variable-sandbox", stated).is_sandbox


def error_of(config: Config, name: str | None, environ: dict[str, str]) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        resolve_target(config, name, environ)
    return caught.value


def test_the_sandbox(config: Config, tmp_path: Path) -> None:
    target = resolve_target(config, None, {})
    assert (target.name, target.stack, target.is_sandbox) == ("sandbox", "ml", True)
    assert target.runai is not None
    assert target.runai.sandbox == tmp_path / "state/sandbox.db"
    assert target.docker == DockerTarget(base_image="reconciler/ray-base:local")
    assert (target.ca_bundle, target.proxies.stated, target.timeout) == (None, None, 30.0)


def test_client_credentials_from_variables(config: Config) -> None:
    target = resolve_target(config, "production", PRODUCTION)
    assert target.runai is not None
    assert not target.is_sandbox
    assert target.runai.base_url == "https://prod.example"
    assert target.runai.client_id == "id"
    assert target.runai.client_secret is not None
    assert target.runai.client_secret.get_secret_value() == "s3cr3t-canary"
    assert target.runai.token is None
    assert target.runai.server_defaults == {"RunaiEnvironment": {"tty": False}}
    assert target.docker == DockerTarget(host="tcp://engine:2375")
    assert "s3cr3t-canary" not in repr(target)


def test_a_token_a_stack_and_a_corporate_network(config: Config, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    environ = {"TOKEN": "t", "CA": "ca.pem", "PROXY": "http://user:pw@proxy:3128"}
    target = resolve_target(config, "staging", environ)
    assert (target.stack, target.timeout) == ("ml-staging", 5.0)
    assert target.runai is not None
    assert target.runai.base_url == "https://staging.example:8443/runai"
    assert target.runai.token is not None
    assert target.runai.token.get_secret_value() == "t"
    assert target.ca_bundle == tmp_path / "ca.pem"
    assert target.proxies.stated == environ["PROXY"]
    assert "user:pw" not in repr(target)
    assert target.docker is None


def test_an_engine_alone(config: Config) -> None:
    assert resolve_target(config, "engine", {}) == Target("engine", "ml", docker=DockerTarget())


def test_written_secrets_work(config: Config) -> None:
    target = resolve_target(config, "live", {})
    assert target.runai is not None
    assert target.runai.token is not None
    assert target.runai.token.get_secret_value() == "abc"


def test_all_missing_variables_are_named_at_once(config: Config) -> None:
    text = str(error_of(config, "production", {"RUNAI_CLIENT_ID": "x", "DOCKER_HOST": ""}))
    assert text == (
        "reconciler.yaml:12:17: the environment variable RUNAI_BASE_URL is not set, "
        "which target production takes its base_url from\n"
        "  set RUNAI_BASE_URL, or choose another target\n"
        "reconciler.yaml:14:22: the environment variable RUNAI_CLIENT_SECRET is not set, "
        "which target production takes its client_secret from\n"
        "  set RUNAI_CLIENT_SECRET, or choose another target\n"
        "reconciler.yaml:16:20: the environment variable DOCKER_HOST is not set, "
        "which target production takes its host from\n"
        "  set DOCKER_HOST, or choose another target"
    )


def test_variables_of_other_targets_do_not_matter(config: Config) -> None:
    assert resolve_target(config, "live", {}).name == "live"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("RUNAI_BASE_URL", "http://prod.example", "http:// would send credentials unencrypted"),
        ("RUNAI_BASE_URL", "prod.example", "it is not a URL"),
        ("RUNAI_BASE_URL", "https://user:s3cr3t-canary@h", "a user or password in it"),
        ("DOCKER_HOST", "engine", "it is not the address of a Docker engine"),
        ("DOCKER_HOST", "tcp://joe:secret@h:1", "a user or password in it is not accepted"),
    ],
)
def test_values_of_variables_are_checked_and_not_shown(
    config: Config, name: str, value: str, message: str
) -> None:
    error = error_of(config, "production", {**PRODUCTION, name: value})
    assert error.what.startswith(f"{name}: ")
    assert message in error.what
    assert error.where.startswith("reconciler.yaml:1")
    assert error.fix
    assert "canary" not in str(error)


def test_loopback_needs_no_encryption(config: Config) -> None:
    for host in ("127.0.0.1:8080", "localhost", "[::1]:80", "127.1.2.3"):
        resolve_target(config, "production", {**PRODUCTION, "RUNAI_BASE_URL": f"http://{host}"})
    for host in ("127.0.0.1.example", "localhost.example", "0.0.0.0"):
        error_of(config, "production", {**PRODUCTION, "RUNAI_BASE_URL": f"http://{host}"})


def test_a_certificate_file_that_is_not_there(config: Config) -> None:
    environ = {"TOKEN": "t", "CA": "nowhere.pem", "PROXY": "http://proxy"}
    error = error_of(config, "staging", environ)
    assert error.what.startswith("there is no file ")
    assert error.where == "reconciler.yaml:20:16"


def test_an_unknown_target(config: Config) -> None:
    error = error_of(config, "prodution", {})
    assert (error.what, error.fix) == ("there is no target prodution", "did you mean production?")
    assert error_of(config, "zzz", {}).fix.startswith("the targets are: sandbox, ")


def test_no_target_is_chosen(tmp_path: Path) -> None:
    error = error_of(configure(tmp_path, "~"), None, {})
    assert error.what == "no target is chosen"
    assert "--target" in error.fix


@pytest.mark.parametrize("value", ["true", "True", "1"])
def test_in_ci_a_sandbox_must_be_named(tmp_path: Path, value: str) -> None:
    for default in ("sandbox", "variable-sandbox"):
        config = configure(tmp_path, default)
        environ = {"CI": value, "SANDBOX": "x.db"}
        error = error_of(config, None, environ)
        assert "must be named" in error.what
        assert f"--target {default}" in error.fix
        assert resolve_target(config, default, environ).is_sandbox
        assert resolve_target(config, None, {"CI": "false", "SANDBOX": "x.db"}).is_sandbox


def test_in_ci_another_default_target_is_fine(tmp_path: Path) -> None:
    config = configure(tmp_path, "live")
    assert resolve_target(config, None, {"CI": "true"}).name == "live"


def test_nothing_falls_back_to_the_sandbox(tmp_path: Path) -> None:
    config = configure(tmp_path, "production")
    error_of(config, None, {})


def test_a_variable_that_makes_two_targets_one(config: Config) -> None:
    environ = {**PRODUCTION, "RUNAI_BASE_URL": "https://run.example:443/"}
    error = error_of(config, "production", environ)
    assert "production" in error.what
    assert "live" in error.what
    assert "under one stack, ml" in error.what
    error = error_of(config, "live", environ)
    assert "under one stack" in error.what
    resolve_target(
        config, "production", {**PRODUCTION, "RUNAI_BASE_URL": "https://staging.example:8443/runai"}
    )


KEYED = """\
apiVersion: reconciler/v1
stack: ml
targets: {a: {docker: {}, fingerprint_key: {env: KEY}}}
"""


def test_a_fingerprint_key_comes_from_its_source_and_is_shown_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "reconciler.yaml"
    path.write_text(KEYED)
    config = load_config(path)
    target = resolve_target(config, "a", {"KEY": "0123456789abcdef\n"})
    assert target.fingerprint_key is not None
    assert target.fingerprint_key.get_secret_value() == "0123456789abcdef"
    assert "0123456789abcdef" not in repr(target)
    assert offline_target(config, "a").fingerprint_key is None


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"KEY": "canary"}, "the environment variable KEY has less than 16 characters"),
        ({}, "is not set, which target a takes its fingerprint_key from"),
    ],
)
def test_a_key_that_is_short_or_missing_is_an_error(
    tmp_path: Path, environ: dict[str, str], words: str
) -> None:
    path = tmp_path / "reconciler.yaml"
    path.write_text(KEYED)
    with pytest.raises(ConfigError, match=words) as caught:
        resolve_target(load_config(path), "a", environ)
    assert "canary" not in str(caught.value)
