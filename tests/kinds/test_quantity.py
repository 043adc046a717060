"""Amounts of memory."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kinds.quantity import PATTERN, canonical_memory, parse_bytes, suggest_memory


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("65536Mi", "64Gi"),
        ("64Gi", "64Gi"),
        ("1000G", "1T"),
        ("1024M", "1024M"),
        ("1.5Gi", "1536Mi"),
        ("1e9", "1G"),
        ("1E3", "1k"),
        ("+2Ki", "2Ki"),
        ("2048", "2Ki"),
        ("0", "0"),
        ("0Gi", "0"),
        ("500m", "500m"),
        ("nonsense", "nonsense"),
        ("64GB", "64GB"),
    ],
)
def test_canonical_memory(text: str, canonical: str) -> None:
    assert canonical_memory(text) == canonical


@given(
    st.integers(1, 10**6), st.sampled_from(["", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti", "e3"])
)
def test_canonical_memory_is_the_same_amount_and_stays(number: int, suffix: str) -> None:
    text = f"{number}{suffix}"
    canonical = canonical_memory(text)
    assert parse_bytes(canonical) == parse_bytes(text)
    assert canonical_memory(canonical) == canonical
    assert len(canonical) <= len(text) or suffix == "e3"
    assert re.fullmatch(PATTERN, canonical)


@given(st.text(max_size=12))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    canonical_memory(text)
    suggest_memory(text)
    if parse_bytes(text) is not None:
        assert re.fullmatch(PATTERN, text)


@pytest.mark.parametrize(
    "text", ["", "GB", "64GB", "64GiB", "-1Gi", "1.2.3", "1e", "0x10", "9" * 5000, "٣Gi"]
)
def test_what_is_no_amount(text: str) -> None:
    assert parse_bytes(text) is None


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("64GB", "write 64G (powers of 1000) or 64Gi (powers of 1024)"),
        ("64GiB", "write 64Gi"),
        ("64 Gi", "write 64Gi"),
        ("64gib", "write 64Gi"),
        ("512mb", "write 512M (powers of 1000) or 512Mi (powers of 1024)"),
        ("512kb", "write it like 64Gi (2^30 bytes each), 64G (10^9 bytes each), 512Mi, 1Ti"),
        ("much", "write it like 64Gi (2^30 bytes each), 64G (10^9 bytes each), 512Mi, 1Ti"),
    ],
)
def test_suggestions(text: str, fix: str) -> None:
    assert suggest_memory(text) == fix
