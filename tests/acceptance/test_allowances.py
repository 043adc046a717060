"""`Reconcile-Allow` trailers: bound to one plan, from the pull request to the merge."""

import json
import re

import pytest

from tests.acceptance.git_project import commit, git, start
from tests.acceptance.live_side import assets, edit_live
from tests.acceptance.project import Project, Ran, environment

OTHER = "sha256:" + "0" * 64


@pytest.fixture
def branch(world: Project) -> Project:
    """Five objects on `main`; `work` deletes four of them, which is too many."""
    world.write(*[environment(f"e{number}") for number in range(5)])
    world.apply()
    start(world)
    world.write(environment("e0"))
    commit(world, "Delete most")
    return world


def plan(world: Project, *options: str) -> Ran:
    return world.reconcile("plan", "--allow-from-commit", *options)


def trailer(ran: Ran) -> str:
    (found,) = re.findall(r"^  (Reconcile-Allow: .*)$", ran.out, re.MULTILINE)
    return str(found)


def test_the_trailer_that_a_refusal_prints_allows_it(branch: Project) -> None:
    refused = plan(branch)
    assert refused.code == 4
    line = trailer(refused)
    assert re.fullmatch(r"Reconcile-Allow: deletes=4 digest=sha256:[0-9a-f]{64}", line)
    made = commit(branch, f"Delete most, really\n\nIt is meant.\n\n{line}")
    allowed = plan(branch)
    assert allowed.code == 0, allowed.out
    assert f"Reconcile-Allow of {made} (Ada Lovelace) is for this plan: deletes=4." in allowed.out
    assert branch.reconcile("plan").code == 4  # not unless it is asked for
    ran = branch.reconcile("apply", "--apply", "--allow-from-commit")
    assert ran.code == 0, ran.err
    assert len(assets(branch)) == 1


def test_what_allows_nothing_does_not_hide_what_does(branch: Project) -> None:
    idle = "\n".join(f"Reconcile-Allow: deletes={n} digest={OTHER}" for n in range(30))
    made = commit(branch, f"Really\n\n{trailer(plan(branch))}\n{idle}")
    ran = plan(branch, "-o", "text", "-o", "markdown=page.md")
    assert ran.code == 0
    page = (branch.directory / "page.md").read_text()
    for text in (ran.out, page):
        assert f"Reconcile-Allow of {made} (Ada Lovelace) is for this plan: deletes=4." in text
        assert text.count("is for another plan") == 3
        assert "27 more Reconcile-Allow lines: nothing." in text


def test_it_holds_for_no_other_plan(branch: Project) -> None:
    commit(branch, f"Really\n\n{trailer(plan(branch))}")
    edit_live(branch, "RunaiEnvironment.e4", lambda asset: asset["spec"].update(image="other"))
    ran = plan(branch)
    assert ran.code == 4
    assert "is for another plan, sha256:" in ran.out
    assert "and allows nothing here. This plan is sha256:" in ran.out
    ran = branch.reconcile("apply", "--apply", "--allow-from-commit")
    assert ran.code == 4
    assert len(assets(branch)) == 5


def test_it_comes_along_with_a_merge_and_a_squash(branch: Project) -> None:
    line = trailer(plan(branch))
    commit(branch, f"Really\n\n{line}")
    commit(branch, "A later commit")
    assert plan(branch).code == 4  # HEAD alone does not say it
    git(branch.directory, "checkout", "--quiet", "main")
    git(branch.directory, "merge", "--quiet", "--no-ff", "-m", "Merge work", "work")
    assert plan(branch).code == 0
    git(branch.directory, "reset", "--quiet", "--hard", "HEAD^1")
    git(branch.directory, "merge", "--quiet", "--squash", "work")
    git(branch.directory, "commit", "--quiet", "-m", f"Delete most (#1)\n\n* Really\n\n{line}")
    assert plan(branch).code == 0


def test_an_address(branch: Project) -> None:
    digest = branch.reconcile("plan", "-o", "digest").out.strip()
    names = " ".join(f"destroy=RunaiEnvironment.e{number}" for number in range(1, 5))
    commit(branch, f"Really\n\nReconcile-Allow: {names} digest={digest}")
    assert plan(branch).code == 0


def test_a_part_of_the_plan_that_was_allowed(branch: Project) -> None:
    digest = branch.reconcile("plan", "-o", "digest").out.strip()
    commit(branch, f"Really\n\nReconcile-Allow: deletes=4 digest={digest}")
    assert plan(branch, "--only", "RunaiEnvironment.e[1-3]").code == 4
    assert plan(branch, "--only", "RunaiEnvironment.e[1-4]").code == 0


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("deletes=4", "it needs one digest=sha256:..."),
        ("digest=" + OTHER, "it allows neither deletes=N nor destroy=ADDRESS"),
        ("everything digest=" + OTHER, "'everything' is not deletes=N"),
        ("deletes=many digest=" + OTHER, "deletes= takes one number"),
        ("deletes=4 deletes=5 digest=" + OTHER, "deletes= takes one number"),
        ("deletes='4 digest=" + OTHER, "cannot be read"),
        ("deletes=4 digest=" + OTHER, "is for another plan"),
    ],
)
def test_what_allows_nothing_says_why(branch: Project, value: str, words: str) -> None:
    commit(branch, f"Really\n\nReconcile-Allow: {value}")
    ran = plan(branch)
    assert ran.code == 4
    assert words in ran.out


def test_a_saved_plan_of_a_refused_change(branch: Project) -> None:
    """What was reviewed as blocked is carried out once a commit allows it."""
    file = str(branch.directory / "plan.json")
    line = trailer(plan(branch, "--out", file))
    ran = branch.reconcile("apply", file, "--apply", "--allow-from-commit")
    assert ran.code == 4
    commit(branch, f"Really\n\n{line}")
    ran = branch.reconcile("apply", file, "--apply", "--allow-from-commit")
    assert ran.code == 0, ran.err
    assert len(assets(branch)) == 1


def test_a_first_commit_and_a_shallow_clone(branch: Project) -> None:
    line = trailer(plan(branch))
    commit(branch, f"Really\n\n{line}")
    clone = branch.directory.parent / "clone"
    url = branch.directory.as_uri()
    words = ("clone", "--quiet", "--depth", "1", "--branch", "work", url)
    git(branch.directory.parent, *words, str(clone))
    assert branch.reconcile("-C", str(clone), "plan", "--allow-from-commit").code == 0


COAUTHOR = "Co-authored-by: Grace <grace@example.com>"


@pytest.mark.parametrize(
    "shape",
    [
        "Delete most (#7)\n\n* Delete most\n\n{line}\n\n* Later\n\n---------\n\n" + COAUTHOR,
        "Delete most (#7)\n\n{line}\n\nMore words.\n",
        "Delete most (#7)\n\n{line}\n" + COAUTHOR,
        "{line}",
        "Delete most (#7)\r\n\r\n{line}\r\n\r\n" + COAUTHOR,
    ],
)
def test_it_is_found_in_any_paragraph_of_a_squash(branch: Project, shape: str) -> None:
    line = trailer(plan(branch))
    git(branch.directory, "checkout", "--quiet", "main")
    git(branch.directory, "merge", "--quiet", "--squash", "work")
    commit(branch, shape.format(line=line))
    assert plan(branch).code == 0


@pytest.mark.parametrize("before", ["> ", "    ", "* ", "Write "])
def test_one_that_is_quoted_is_seen_and_said_to_count_for_nothing(
    branch: Project, before: str
) -> None:
    made = commit(branch, f"Really\n\n{before}{trailer(plan(branch))}\n")
    ran = plan(branch)
    assert ran.code == 4
    words = f"Reconcile-Allow of {made} (Ada Lovelace) does not begin its line, and allows nothing."
    assert words in ran.out


def test_the_commits_of_a_squash_that_keeps_the_title_alone(branch: Project) -> None:
    """They are in no history any more; whoever runs this fetches what they say."""
    line = trailer(plan(branch))
    git(branch.directory, "checkout", "--quiet", "main")
    git(branch.directory, "merge", "--quiet", "--squash", "work")
    commit(branch, "Delete most (#7)")
    assert plan(branch).code == 4
    said = [{"commit": "c" * 40, "author": "Grace", "message": f"Really\n\n{line}"}]
    path = branch.directory.parent / "messages.json"
    path.write_text(json.dumps(said))
    ran = plan(branch, "--messages", str(path))
    assert ran.code == 0
    assert "Reconcile-Allow of ccccccc (Grace) is for this plan: deletes=4." in ran.out
    assert branch.reconcile("plan", "--messages", str(path)).code == 4  # only if asked for
    more = ("--allow-from-commit", "--messages", str(path))
    assert branch.reconcile("apply", "--apply", *more).code == 0


@pytest.mark.parametrize("text", ["", "{}", '[{"commit": 1}]', "[1]"])
def test_messages_of_no_use_are_an_error(branch: Project, text: str) -> None:
    path = branch.directory.parent / "messages.json"
    path.write_text(text)
    ran = plan(branch, "--messages", str(path))
    assert (ran.code, "messages of commits cannot be read" in ran.err) == (1, True)
