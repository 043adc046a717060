"""Whose images are whose: summaries of an engine -> live resources. No engine."""

import json
import zlib
from base64 import b64encode
from collections.abc import Mapping

import pytest

from reconciler.core.mark import Mark, Written
from reconciler.core.resource import (
    LiveResource,
    ResourceKey,
)
from reconciler.kinds.image import IMAGE
from reconciler.providers.docker.local import LocalImages, Wanted
from reconciler.rayfine.docker.engine import ImageSummary
from reconciler.rayfine.docker.labels import (
    ADDRESS,
    COMMIT,
    DIGEST,
    PROTECT,
    PUSH,
    REPOSITORY,
    SPEC,
    STACK,
    TAG,
    decode_spec,
    encode_spec,
    parse_labels,
)
from reconciler.rayfine.image.digest import source_tag

KEY = ResourceKey(IMAGE.name, "env")


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def labels(
    letter: str = "a",
    tag: str = "env:v1",
    stack: str = "s",
    key: str = "RayfineImage.env",
    **more: str,
) -> dict[str, str]:
    spec = {"tag": tag, "dockerfile": letter}
    found = {DIGEST: digest(letter), TAG: tag, STACK: stack, ADDRESS: key, SPEC: encode_spec(spec)}
    return {name: value for name, value in {**found, **more}.items() if value}


def image(
    number: int, *tags: str, of: dict[str, str] | None = None, created: int = 0
) -> ImageSummary:
    return ImageSummary(f"sha256:{number}", tags, of or {}, created)


def source(letter: str, repository: str = "env") -> str:
    return source_tag(repository, digest(letter))


def live(
    *images: ImageSummary, stack: str = "s", wanted: Mapping[ResourceKey, Wanted] | None = None
) -> list[LiveResource]:
    wanted = {KEY: Wanted("env:v1", digest("a"))} if wanted is None else wanted
    return list(LocalImages(images, stack, wanted).live())


def mark(item: LiveResource) -> Mark:
    assert item.mark is not None
    return item.mark


def test_both_tags_on_one_image_prove_it() -> None:
    (item,) = live(image(1, "env:v1", source("a"), of=labels(**{PROTECT: "true", PUSH: "true"})))
    assert (item.name, item.uid, item.spec["dockerfile"]) == ("env", "sha256:1", "a")
    assert mark(item).stack == "s"
    assert mark(item).protect
    assert item.raw.tags == {"env:v1": "sha256:1", source("a"): "sha256:1"}
    assert "retention" in item.notes[0]


def test_history_belongs_to_the_live_object() -> None:
    (item,) = live(
        image(1, source("b"), of=labels("b")), image(2, "env:v1", source("a"), of=labels())
    )
    assert item.uid == "sha256:2"
    assert item.raw.tags == {
        "env:v1": "sha256:2",
        source("a"): "sha256:2",
        source("b"): "sha256:1",
    }


def test_without_its_tag_the_wanted_content_stands_for_it_then_the_newest() -> None:
    contents = (
        image(1, source("a"), of=labels("a"), created=1),
        image(2, source("b"), of=labels("b"), created=2),
    )
    (item,) = live(*contents)
    assert (item.uid, "tag" in item.spec) == ("sha256:1", False)
    (item,) = live(*contents, wanted={})
    assert item.uid == "sha256:2"
    assert item.mark is not None


def test_a_wanted_tag_that_others_hold_hides_our_contents() -> None:
    (item,) = live(image(1, source("a"), of=labels()), image(9, "env:v1"))
    assert (item.uid, item.mark, item.detached) == ("sha256:9", None, None)
    (ours,) = live(image(1, source("a"), of=labels()), image(9, "env:v1"), wanted={})
    assert ours.mark is not None
    assert "env:v1" not in ours.raw.tags


def test_our_labels_without_the_source_tag_are_detached() -> None:
    (item,) = live(image(1, "env:v1", of=labels()))
    assert item.mark is None
    assert item.detached is not None
    assert "beside it" in item.detached
    assert item.spec == {"tag": "env:v1"}


def test_a_child_under_our_tag_is_not_what_it_inherits() -> None:
    (item,) = live(image(1, source("a"), of=labels()), image(2, "env:v1", of=labels()))
    assert (item.uid, item.mark, item.spec) == ("sha256:2", None, {"tag": "env:v1"})


def test_a_child_under_another_name_is_detached_and_an_extra_name_is_not() -> None:
    ours = image(1, "env:v1", "copy:v1", source("a"), of=labels())
    child = image(2, "child:v1", of=labels())
    items = live(ours, child)
    assert [(item.name, bool(item.detached)) for item in items] == [
        ("env", False),
        ("child:v1", True),
    ]
    assert items[1].spec == {"tag": "child:v1"}


def test_an_extra_name_of_ours_that_is_wanted_elsewhere_is_a_stranger() -> None:
    ours = image(1, "env:v1", "other:v1", source("a"), of=labels())
    wanted = {
        KEY: Wanted("env:v1", digest("a")),
        ResourceKey(IMAGE.name, "o"): Wanted("other:v1", digest("b")),
    }
    items = live(ours, wanted=wanted)
    assert [item.name for item in items] == ["env", "other:v1"]
    assert items[1].mark is None


def test_built_by_hand_is_unmarked() -> None:
    (item,) = live(image(1, "env:v1", source("a"), of=labels(stack="", key="")))
    assert (item.mark, item.detached, item.name) == (None, None, "env:v1")
    assert item.spec["dockerfile"] == "a"


def test_another_stack_keeps_its_mark_and_its_contents_are_not_listed() -> None:
    (item,) = live(
        image(1, "env:v1", source("a"), of=labels(stack="t")),
        image(2, source("b"), of=labels("b", stack="t")),
    )
    assert mark(item).stack == "t"


def test_two_repositories_of_one_stack_are_two_owners() -> None:
    """What one of them lets go of its tags holds nothing of the other's."""
    by = {REPOSITORY: "abcdefgh", COMMIT: "0123456789"}
    items = live(
        image(1, "env:v1", source("a"), of=labels("a")),
        image(2, source("b"), of=labels("b", **by)),
        image(3, "env:v2", source("c"), of=labels("c", tag="env:v2", **by)),
        image(4, "env:v3", source("c"), of=labels("c", tag="env:v3", **by | {COMMIT: "-x"})),
    )
    found = {item.uid: (set(item.raw.tags), mark(item).written) for item in items}
    assert found["sha256:1"] == ({"env:v1", source("a")}, Written())
    assert found["sha256:3"] == ({"env:v2", source("c")}, Written("abcdefgh", "0123456789"))
    assert len({mark(item).deposed for item in items}) == len(items)


@pytest.mark.parametrize("wanted_tag", ["env:v1", "env:v2"])
def test_of_two_tags_of_one_address_the_unwanted_one_is_left_over(wanted_tag: str) -> None:
    old = image(1, "env:v1", source("a"), of=labels("a"), created=1)
    new = image(2, "env:v2", source("b"), of=labels("b", tag="env:v2"), created=2)
    items = live(old, new, wanted={KEY: Wanted(wanted_tag, digest("a"))})
    assert [(item.spec["tag"], bool(mark(item).deposed)) for item in items] == [
        (wanted_tag, False),
        ("env:v1" if wanted_tag == "env:v2" else "env:v2", True),
    ]


def test_an_interrupted_rename_goes_on_with_the_new_tag() -> None:
    old = image(1, "env:v1", source("a"), of=labels("a"))
    new = image(2, source("b"), of=labels("b", tag="env:v2"))
    items = live(old, new, wanted={KEY: Wanted("env:v2", digest("b"))})
    assert [(item.uid, bool(mark(item).deposed)) for item in items] == [
        ("sha256:2", False),
        ("sha256:1", True),
    ]


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {DIGEST: digest("a")},
        {DIGEST: "x", TAG: "env:v1"},
        {DIGEST: digest("a"), TAG: "NOT A TAG"},
        {DIGEST: digest("a"), TAG: "env:src-1"},
    ],
)
def test_malformed_labels_are_none(odd: dict[str, str]) -> None:
    assert parse_labels(odd) is None
    (item,) = live(image(1, "env:v1", of=odd))
    assert (item.mark, item.detached) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "é",
        "AAAA",
        b64encode(zlib.compress(b"[]")).decode(),
        b64encode(zlib.compress(b"{")).decode(),
        b64encode(zlib.compress(b"[" * 100_000)).decode(),
        b64encode(zlib.compress(b" " * (64 << 20))).decode(),
        b64encode(zlib.compress(b"{}")[:-4]).decode(),
        *(
            b64encode(zlib.compress(b'{"tag": "x", "context": ' + value + b"}")).decode()
            for value in (
                b"1",
                b"NaN",
                b"[]",
                b"null",
                b'{"a": 1}',
                b'{"a": null}',
                b'{"a": "b", "a": "c"}',
                b'{"a":' * 100 + b'"b"' + b"}" * 100,
                b"[" * 400 + b"]" * 400,
            )
        ),
    ],
)
def test_a_damaged_spec_reads_as_empty(text: str) -> None:
    assert decode_spec(text) == {}


def test_a_spec_round_trips() -> None:
    spec = {"tag": "x", "context": {"é\n": "644:0"}}
    assert decode_spec(encode_spec(spec)) == json.loads(json.dumps(spec))
