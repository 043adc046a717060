"""What looks like a secret in a manifest or on a live object, and what does not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.diff import diff_specs
from reconciler.core.ownership import desired_mark
from reconciler.core.resource import (
    PlainSecret,
    Secret,
    digest_spec,
    has_secrets,
    needs_secrecy,
    redact,
    reveal,
)
from reconciler.core.secrecy import conceal, conceal_resource, is_secret
from tests.core.builders import resource

SECRET_NAMES = """
    AWS_SECRET_ACCESS_KEY AWS_ACCESS_KEY_ID AWS_SESSION_TOKEN HF_TOKEN WANDB_API_KEY NGC_API_KEY
    OPENAI_API_KEY API_KEY apiKey openaiApiKey DB_PASSWORD PGPASSWORD password MYSQL_PWD DB_PASS
    REDIS_AUTH PASSWD SSH_PRIVATE_KEY private-key GIT_CREDENTIALS CLIENT_SECRET SECRET secret.key
    AZURE_STORAGE_ACCOUNT_KEY ENCRYPTION_KEY SIGNING_KEY JWT SESSION_JWT KEY_PASSPHRASE
    GITHUB_TOKEN_2 TOKEN_FOR_CI SECRET_ID __SECRET Authorization OPENAIAPIKEY AWSSECRETKEY
"""
OTHER_NAMES = """
    TOKENIZERS_PARALLELISM MAX_TOKENS NUM_TOKENS TOKENIZER KEYBOARD KEY KEYS PASS PWD OLDPWD
    TOKEN_FILE DB_PASSWORD_FILE SSH_PRIVATE_KEY_PATH TOKEN_URL SECRET_NAME TOKEN_TTL API_KEY_HEADER
    PASSWORDLESS SECRETARY NCCL_DEBUG MONKEY API_MONKEY PRIMARY_KEY PUBLIC_KEY CREDENTIAL_TYPE
    AUTHOR AUTH COMPASS BYPASS_CACHE CUDA_VISIBLE_DEVICES __GLX_VENDOR_LIBRARY_NAME TOKEN_LIMIT
"""
SECRET_TEXTS = [
    "-----BEGIN PRIVATE KEY-----\nMIIE",
    "-----BEGIN OPENSSH PRIVATE KEY-----",
    "x -----BEGIN RSA PRIVATE KEY----- y",
    "ghp_abcdefghijklmnopqrst0123456789abcdef",
    "use github_pat_11ABCDEFG0abcdefghij here",
    "glpat-abcdefghij1234567890",
    "hf_abcdefghijklmnopqrstuvwxyz",
    "AKIAIOSFODNN7EXAMPLE",
    "nvapi-abcDEF0123456789",
    "sk-proj-abcdefghij0123456789",
    "sk_live_abcdefghij",
    "xoxb-1234567890-abc",
    "xapp-1-A0123-456-abc",
    "gsk_abcdefghijklmnopqrstuv",
    "hvs.CAESIabcdefghij",
    "pypi-AgEIcHlwaS5vcmcCJDAw",
    "ya29.a0AfH6SMBabcdefgh",
    "AGE-SECRET-KEY-1QQPQYZ",
    "SG.abcdefghijklmnopqrstuv.abcdefghijklmnopqrstuv",
    "dop_v1_0123456789abcdef0123456789abcdef",
    "glptt-0123456789abcdef",
    "Authorization: Basic dXNlcjpwYXNzd29yZA==",
    "https://hooks.slack.com/services/T012ABCDE/B012ABCDE/abcdEFGH",
    "https://discord.com/api/webhooks/123/abcdEFGH",
    "https://x.blob.core.windows.net/c?sv=2020&sig=abc%2F",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdef",
    "Authorization: Bearer abcdefgh12345678",
    "postgres://me:hunter2@db:5432/x",
    "https://:hunter2@host/",
    "a, redis://user:p%40ss@host/0, b",
    "serve --password=hunter2",
    "serve --password hunter2 --port 80",
    "--db-password='hunter 2'",
    "--api-key=abc",
    "--api-key abc",
    "PASSWORD=hunter2 python x.py",
    "jdbc:x://db/y?user=me&password=hunter2",
    "Server=db;Database=x;Password=hunter2;",
    "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=abc==",
    '{"user": "me", "password": "hunter2"}',
    "{'token': 'abc'}",
]
OTHER_TEXTS = [
    "",
    "INFO",
    "https://host/path?x=1",
    "ssh://git@host/repo",
    "https://user@host/",
    "postgres://me:$(DB_PASSWORD)@db/x",
    "--password=$(DB_PASSWORD)",
    "--password=${DB_PASSWORD} --x",
    "--password $DB_PASSWORD",
    "--password-file=/run/secrets/x",
    "--password-file /run/secrets/x",
    "--max-tokens=100 --tokenizer bert",
    "--token-limit 5",
    "--use-token=true",
    "python -m pkg.token --x",
    "hf_short sk-learn sklearn task-sk-abc",
    "a:b@c",
    "12:30:00",
    "bearer of news",
    "basic authentication",
    "visual basic 6",
    "https://hooks.slack.com/services/",
    "https://host/x?signature=no&sigma=1",
    "nvcr.io/nvidia/pytorch:24.01-py3",
    "-----BEGIN CERTIFICATE-----",
]


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name, "anything")
    assert not is_secret(name, "")
    for elsewhere in ("$(OTHER)", "${OTHER}", "$OTHER", "true", "***", "<your key>"):
        assert not is_secret(name, elsewhere)


@pytest.mark.parametrize("name", OTHER_NAMES.split())
def test_names_of_other_things(name: str) -> None:
    assert not is_secret(name, "anything")


@pytest.mark.parametrize(
    "name", ["WANDB_KEY", "OPENAI_KEY", "ssh-key", "wandbKey", "KEY", "S3_KEY"]
)
def test_any_other_key_is_a_secret_if_it_looks_random(name: str) -> None:
    assert is_secret(name, "0123456789abcdef0123")
    assert is_secret("ARGS", f"--{name} 0123456789abcdef0123")
    for other in ("created_at", "build-2024", "/etc/tls/tls-0123456789.key", "a" * 40, "1" * 40):
        assert not is_secret(name, other)
    assert not is_secret("PUBLIC_KEY", "0123456789abcdef0123")
    assert not is_secret("MONKEY", "0123456789abcdef0123")


def test_a_number_of_tokens_is_no_secret_and_a_number_as_a_password_is() -> None:
    assert not is_secret("PAD_TOKEN", "50256")
    assert is_secret("DB_PASSWORD", "50256")
    assert is_secret("PASSWORD_TOKEN", "50256")


@pytest.mark.parametrize("text", SECRET_TEXTS)
def test_texts_that_are_secrets(text: str) -> None:
    assert is_secret("X", text)


@pytest.mark.parametrize("text", OTHER_TEXTS)
def test_texts_that_are_none(text: str) -> None:
    assert not is_secret("X", text)


SPEC: dict[str, Any] = {
    "name": "password=x",
    "image": "host/token=abc:1",
    "args": "--password=canary",
    "command": "run",
    "context": {"secret.key": "0644 abc", "__init__.py": "x"},
    "build_args": {"HF_TOKEN": "canary", "VERSION": "1"},
    "environment_variables": {
        "DB_PASSWORD": "canary",
        "API_KEY": {"value": "canary", "description": "of the secret"},
        "NOTED": {"value": "x", "description": "password=canary"},
        "CREDENTIAL": {"credential": {"asset_id": "1", "key": "PASSWORD"}},
        "FROM_ENV_TOKEN": Secret("canary"),
        "NCCL_DEBUG": "INFO",
    },
}


def test_a_spec_is_concealed_where_people_choose_names_and_nowhere_else() -> None:
    hidden = conceal(SPEC)
    assert "canary" not in str(redact(hidden))
    assert redact(hidden)["context"] == SPEC["context"]
    assert {name for name in hidden if hidden[name] is SPEC[name]} == {
        "name",
        "image",
        "context",
    } | {"command"}
    variables = hidden["environment_variables"]
    assert variables["CREDENTIAL"] == SPEC["environment_variables"]["CREDENTIAL"]
    assert variables["NCCL_DEBUG"] == "INFO"
    assert reveal(hidden) == reveal(SPEC)
    assert conceal({"args": "x", "name": "y"}) == {"args": "x", "name": "y"}


def test_a_concealed_spec_equals_what_it_was() -> None:
    """Both sides may be concealed, or one: nothing differs, and the mark's flag is not needed."""
    for one, other in ((SPEC, conceal(SPEC)), (conceal(SPEC), SPEC), (conceal(SPEC),) * 2):
        assert diff_specs(one, other, frozenset()) == ()
    stated = {"environment_variables": {"API_KEY": "canary"}}
    assert has_secrets(conceal(stated))
    assert not needs_secrecy(conceal(stated))
    assert needs_secrecy(conceal(SPEC))  # for what came from a variable
    assert not desired_mark(resource("RunaiEnvironment.x", conceal(stated)), "ml").secrets
    assert digest_spec(conceal(stated)) == digest_spec(
        {"environment_variables": {"API_KEY": PlainSecret("another")}}
    )
    assert has_secrets([{"a": [PlainSecret("x")]}])
    assert not has_secrets([{"a": ["x"]}])


def test_each_is_warned_of_once_and_without_its_value() -> None:
    concealed = conceal_resource(resource("RunaiEnvironment.x", SPEC, warnings=("first",)))
    said = [text.partition(" looks like ")[0] for text in concealed.warnings]
    assert said == [
        "first",
        "args",
        "build_args.HF_TOKEN",
        "environment_variables.API_KEY.value",
        "environment_variables.DB_PASSWORD",
        "environment_variables.NOTED.description",
    ]
    assert "canary" not in "".join(concealed.warnings)
    plain = resource("RunaiEnvironment.x")
    assert conceal_resource(plain) is plain


@given(st.text(max_size=60) | st.sampled_from(SECRET_TEXTS + OTHER_TEXTS), st.text(max_size=20))
def test_it_takes_any_text(text: str, name: str) -> None:
    spec = {"environment_variables": {name: text}, "args": text}
    assert reveal(conceal(spec)) == spec
    assert diff_specs(spec, conceal(spec), frozenset()) == ()


@pytest.mark.parametrize("part", ["a", "a=", "://", "--a ", "ey", '"a":', "sk-", "bearer ", "A:"])
def test_a_long_text_takes_no_longer_than_its_length(part: str) -> None:
    """A quadratic search would not end: a megabyte of what may begin a match."""
    assert is_secret("X", part * (1_000_000 // len(part))) in (True, False)
