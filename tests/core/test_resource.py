import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.mark import base32, hash_id
from reconciler.core.resource import (
    SENSITIVE,
    Reference,
    ResourceKey,
    Secret,
    Source,
    digest_spec,
    dotted,
    has_secrets,
    leaves,
    redact,
)
from tests.core.builders import resource

CANARY = "canary-7f3a"


def test_a_secret_is_never_shown_and_equals_its_text() -> None:
    secret = Secret(CANARY)
    assert str(secret) == repr(secret) == f"{secret}" == SENSITIVE
    assert secret == CANARY
    assert secret == Secret(CANARY)
    assert secret != Secret("x")
    assert secret != 7
    assert hash(secret) == hash(CANARY)
    assert secret.reveal() == CANARY


def test_redact_leaves_no_secret_and_names_references() -> None:
    spec = {
        "b": [Secret(CANARY), "x"],
        "a": {"v": Secret(CANARY)},
        "image": Reference(ResourceKey("RayfineImage", "affine")),
        "n": 3,
    }
    text = json.dumps(redact(spec))
    assert CANARY not in text
    assert redact(spec) == {
        "a": {"v": SENSITIVE},
        "b": [SENSITIVE, "x"],
        "image": "${RayfineImage.affine.id}",
        "n": 3,
    }
    assert list(redact(spec)) == ["a", "b", "image", "n"]


def test_the_digest_ignores_order_and_secrets() -> None:
    assert digest_spec({"a": 1, "b": {"c": 2, "d": 3}}) == digest_spec(
        {"b": {"d": 3, "c": 2}, "a": 1}
    )
    assert digest_spec({"a": Secret("one")}) == digest_spec({"a": Secret("two")})
    assert digest_spec({"a": 1}) != digest_spec({"a": 2})
    assert digest_spec({}).startswith("sha256:")


def test_leaves_walk_in_sorted_order() -> None:
    assert list(leaves({"b": {"y": 1, "x": [2]}, "a": None})) == [
        (("a",), None),
        (("b", "x"), [2]),
        (("b", "y"), 1),
    ]


def test_has_secrets_looks_into_mappings() -> None:
    assert has_secrets({"a": {"b": Secret("x")}})
    assert not has_secrets({"a": {"b": "x"}})


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("image",), "image"),
        (("environment_variables", "NCCL_DEBUG"), "environment_variables.NCCL_DEBUG"),
        (("context", "src/a.py"), 'context["src/a.py"]'),
        (("a.b", "c"), '["a.b"].c'),
    ],
)
def test_dotted(path: tuple[str, ...], text: str) -> None:
    assert dotted(path) == text


@given(st.text(max_size=50), st.text(max_size=50))
def test_hash_id_is_short_plain_and_tells_ids_apart(one: str, two: str) -> None:
    first, second = hash_id("RunaiEnvironment", one), hash_id("RunaiEnvironment", two)
    assert len(first) == 12
    assert set(first) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert (first == second) == (one == two)


def test_base32_takes_the_leading_bits() -> None:
    assert base32(b"\x00" * 32, 4) == "aaaa"
    assert base32(b"\xff" * 32, 4) == "7777"
    assert base32(b"\x08" + b"\x00" * 31, 2) == "ba"


def test_addresses_names_and_sources_in_words() -> None:
    item = resource("RunaiEnvironment.train", {"name": "Training"}, line=4)
    assert item.key.address == "RunaiEnvironment.train"
    assert item.name == "Training"
    assert str(item.source) == "manifests/all.yaml:4"
    assert str(Source("a.yaml", 7)) == "a.yaml:7"


def test_the_form_of_digests_does_not_change() -> None:
    """They stand in saved plans, and hashes of ids on live objects."""
    spec = {"b": {"y": Secret("s"), "x": "é"}, "a": [1, 2.5, True]}
    assert digest_spec(spec) == (
        "sha256:d0d4da9fa4a4126c9860910e7eda928b534656cfcd4bcc0299060edc34ad8f03"
    )
    assert hash_id("RunaiEnvironment", "train") == "afe7aryjkegu"


def test_a_secret_equals_texts_only() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            return other is not None

        def __hash__(self) -> int:
            return 0

    assert Secret("a") == Odd()  # asked after us, since we do not know it
    assert Secret("1") != 1
