"""Which repository this is: one by every address that it has, and no other."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.git.identity import identify, normalise, sibling_names
from tests.acceptance.git_project import git


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://github.com/acme/ml.git", "github.com/acme/ml"),
        ("https://GitHub.com/Acme/ML", "github.com/acme/ml"),
        ("http://github.com:80/acme/ml/", "github.com/acme/ml"),
        ("https://user:secret@github.com:443/acme//ml.git/", "github.com/acme/ml"),
        ("ssh://git@github.com:22/acme/ml.git", "github.com/acme/ml"),
        ("git@github.com:acme/ml.git", "github.com/acme/ml"),
        ("github.com:/acme/ml", "github.com/acme/ml"),
        ("git://github.com:9418/acme/ml", "github.com/acme/ml"),
        ("https://github.com/acme/m%6C", "github.com/acme/ml"),
        ("ssh://git@host:2222/ml", "host:2222/ml"),
        ("https://host/ml", "host/ml"),
        ("ssh://git@[::1]:2222/ml", "[::1]:2222/ml"),
        ("/srv/git/ml.git", ""),
        ("../ml", ""),
        ("./a:b", ""),
        ("file:///srv/git/ml.git", ""),
        ("file://host/srv/git/ml.git", ""),
    ],
)
def test_an_address_as_people_know_it(address: str, name: str) -> None:
    assert normalise(address) == name


@given(st.text(max_size=30))
def test_any_text_has_some_name(address: str) -> None:
    found = normalise(address)
    assert found == found.lower()


def begin(place: Path, text: str = "a") -> Path:
    place.mkdir(parents=True)
    git(place, "init", "--quiet")
    (place / "reconciler.yaml").write_text(text)
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "-m", "Begin")
    return place


def test_without_an_origin_the_first_commits_count(tmp_path: Path) -> None:
    one, two = begin(tmp_path / "one", "a"), begin(tmp_path / "two", "b")
    assert identify(one).name != identify(two).name
    before = identify(one)
    git(one, "commit", "--quiet", "--allow-empty", "-m", "More")
    assert identify(one) == before
    assert (before.source, before.place) == ("", "")
    git(tmp_path, "clone", "--quiet", str(one), "clone")
    assert identify(tmp_path / "clone").name == before.name
    git(tmp_path, "clone", "--quiet", "--depth", "1", one.as_uri(), "shallow")
    assert identify(tmp_path / "shallow").name == ""
    git(one, "remote", "add", "origin", "https://u:p@example.com/acme/ml")
    found = identify(one)
    assert found.name != before.name
    assert (found.source, found.place) == ("https://example.com/acme/ml", "example.com/acme/ml")


def test_nothing_is_known_outside_of_git_and_before_the_first_commit(tmp_path: Path) -> None:
    assert identify(tmp_path).name == ""
    assert list(sibling_names(tmp_path)) == []
    git(tmp_path, "init", "--quiet", "empty")
    assert identify(tmp_path / "empty").name == ""


@pytest.mark.parametrize("words", [(), ("--bare",), ("--mirror",), ("--depth", "1")], ids=str)
def test_a_clone_on_this_machine_is_what_it_was_cloned_from(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    top = begin(tmp_path / "top of all")
    git(top, "remote", "add", "origin", "https://github.com/acme/ml")
    first = identify(top)
    git(tmp_path, "clone", "--quiet", *words, top.as_uri(), "between")
    git(tmp_path, "clone", "--quiet", "between", "last")
    assert (identify(tmp_path / "last").name, first.place) == (first.name, "github.com/acme/ml")
    git(tmp_path / "last", "remote", "set-url", "origin", "../between")
    assert identify(tmp_path / "last").name == first.name
    git(tmp_path / "last", "remote", "set-url", "origin", ".")
    assert identify(tmp_path / "last").place == "", "a circle ends"
    git(tmp_path / "last", "remote", "set-url", "origin", "/nowhere/at/all")
    assert identify(tmp_path / "last").place == ""


def test_a_directory_is_part_of_it_whatever_the_origin_is(tmp_path: Path) -> None:
    top = begin(tmp_path / "mono")
    for name in ("a", "b"):
        (top / name).mkdir()
        (top / name / "reconciler.yaml").write_text(name)
    git(top, "add", "--all")
    a, b, root = (identify(place).name for place in (top / "a", top / "b", top))
    assert len({a, b, root}) == 3
    assert len({a[:5], b[:5], root[:5]}) == 1
    assert set(sibling_names(top / "a")) == {b[5:], root[5:]}
    git(top, "remote", "add", "origin", "https://example.com/renamed")
    assert identify(top / "a").name[5:] == a[5:]
    assert identify(top / "a").name[:5] != a[:5]
    (top / "b" / "more.yaml").write_text("stack: b\nmanifests: './more/'  # ours\ntargets: {}\n")
    (top / "b" / "values.yaml").write_text("manifests: none\n")
    git(top, "add", "--all")
    more = identify(top / "b", "more").name[5:]
    assert more not in {a[5:], b[5:], root[5:]}
    assert set(sibling_names(top / "b")) == {a[5:], root[5:], more}
    assert set(sibling_names(top / "b", "more")) == {a[5:], root[5:], b[5:]}
    (tmp_path / "link").symlink_to(top / "a")
    assert identify(tmp_path / "link") == identify(top / "a")
