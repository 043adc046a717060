"""pydantic's errors in plain words."""

from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from reconciler.field_errors import Fault, explain, field_names
from reconciler.kinds.base import Strict, field_fault
from reconciler.support.suggest import did_you_mean, label, nearest, shorten


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Leaf(Strict):
    size: int | None = None
    from_: str | None = Field(default=None, alias="from")


class Named(Strict):
    name: str
    key: str


class Branch(Strict):
    leaves: list[Leaf] = Field(default_factory=list)
    by_name: dict[str, Leaf] = Field(default_factory=dict)


class Tree(Strict):
    count: int = 0
    share: float = Field(default=0, ge=0, le=1)
    more: float = Field(default=1, gt=0, lt=10)
    flag: Annotated[bool, Field(strict=True)] = False
    text: Annotated[str, Field(min_length=2, max_length=4)] = "ab"
    code: str = Field(default="a", pattern="^a+$", examples=["aa"])
    plain_code: str = Field(default="a", pattern="^a+$")
    colour: Colour | None = None
    word: Literal["one", "two"] = "one"
    few: list[int] = Field(default_factory=list, max_length=2)
    some: list[int] = Field(default_factory=lambda: [1, 2], min_length=2)
    any_of: list[Literal["a", "b"]] | Branch | None = None
    pair: str | Named | Leaf | None = None
    number: int | list[int] | None = None
    branch: Branch | None = None
    keys: dict[Annotated[str, Field(pattern="^k")], int] = Field(default_factory=dict)
    checked: str = ""
    odd: str = ""

    @field_validator("checked")
    @classmethod
    def _check(cls, value: str) -> str:
        if value == "bad":
            raise field_fault("it is bad", "make it good")
        if value == "named":
            raise field_fault("checked is bad", "", ("deeper",))
        return value

    @field_validator("odd")
    @classmethod
    def _check_odd(cls, value: str) -> str:
        if value:
            raise ValueError("no odd text")
        return value


def faults_of(data: Any, model: type[BaseModel] = Tree) -> list[Fault]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(data)
    return explain(caught.value, data, model, ("spec",))


CASES = yaml.safe_load(
    Path(__file__).with_name("field_error_cases.yaml").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_one_fault(case: dict[str, Any]) -> None:
    (fault,) = faults_of(case["data"])
    assert fault.path == ("spec", *case["path"])
    assert (fault.message, fault.fix) == (case["message"], case.get("fix", ""))


def test_an_ambiguous_union_names_the_unknown_field_only() -> None:
    """Both members lack what they need; only the fault that they share is told."""

    class First(Strict):
        alpha: str

    class Second(Strict):
        beta: str

    class Both(Strict):
        either: First | Second

    (fault,) = faults_of({"either": {"bta": "x"}}, Both)
    assert (fault.message, fault.fix) == ("unknown field `spec.either.bta`", "did you mean `beta`?")
    (fault,) = faults_of({"either": {"alpha": "x", "beta": "y"}}, Both)
    assert fault.message.startswith("unknown field")
    assert fault.fix == "it does not go with the other fields here"
    (fault,) = faults_of({"either": {}}, Both)
    assert fault.message == "`spec.either.alpha` is missing"


def test_an_error_that_has_no_words_of_ours_keeps_pydantic_s() -> None:
    class Bytes(BaseModel):
        model_config = ConfigDict(hide_input_in_errors=True)
        link: Annotated[list[int], Field(fail_fast=True)] | None = None
        when: complex = 1j

    (fault,) = faults_of({"when": "no number"}, Bytes)
    assert fault.message.startswith("`spec.when`: Input should be a valid")
    assert "no number" not in fault.message


def test_missing_fields_that_are_only_misspelt_are_left_out() -> None:
    (fault,) = faults_of({"nmae": "x", "key": "y"}, Named)
    assert (fault.message, fault.fix, fault.at_key) == (
        "unknown field `spec.nmae`",
        "did you mean `name`?",
        True,
    )


def test_labels() -> None:
    assert label(("spec", "tools", 1, "a b", "é" * 80)) == (
        'spec.tools[1]["a b"]["' + "\\u00e9" * 61 + '..."]'
    )
    assert label(("a.b", "c")) == '["a.b"].c'
    assert shorten("x" * 64) == "x" * 64
    assert len(shorten("x" * 65)) == 64


def test_nearest_names() -> None:
    known = ["image", "image_pull_policy", "distFramework"]
    assert nearest("imgae", known) == "image"
    assert nearest("IMAGE-PULL-POLICY", known) == "image_pull_policy"
    assert nearest("distframework", known) == "distFramework"
    assert nearest("compute", known) is None
    assert nearest("i" * 10_000, known) is None
    assert did_you_mean("x", [], "they are") == ""
    assert field_names(Leaf) == ["size", "from"]
