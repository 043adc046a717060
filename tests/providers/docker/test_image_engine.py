"""The provider on a real engine: the life of an image, and what others do to its tags."""

import os

import pytest

from reconciler.apply import Status

pytestmark = pytest.mark.docker


def applied(outcomes):
    assert [
        (item.status, item.message, item.fix)
        for item in outcomes
        if item.status is not Status.APPLIED
    ] == []
    return outcomes


def test_an_image_is_created_and_then_unchanged(bench):
    bench.environment()
    image = bench.image()
    assert bench.changes(image)["RayfineImage.env"][0] == "create"
    (outcome,) = applied(bench.apply(image))
    assert outcome.uid == bench.id_of(bench.tag())
    assert bench.changes(image) == {"RayfineImage.env": ("unchanged", [], None)}
    assert bench.observer.lines[0].startswith("Step 1/")


def test_touching_a_file_changes_nothing_and_one_byte_names_it(bench):
    path = bench.environment()
    image = bench.image(labels={"team": "a"}, build_args={"X": "1"})
    applied(bench.apply(image))
    os.utime(path / "env.py")
    assert bench.changes(image)["RayfineImage.env"] == ("unchanged", [], None)
    (path / "env.py").write_text("def hello(name='World!'):\n    return name\n")
    assert bench.changes(image)["RayfineImage.env"] == ("update", ['context["env.py"]'], None)
    applied(bench.apply(image))
    assert bench.changes(image)["RayfineImage.env"] == ("unchanged", [], None)


@pytest.mark.parametrize(
    ("edit", "names"),
    [
        ({"labels": {"team": "b"}}, ["labels.team"]),
        ({"labels": {}}, ["labels.team"]),
        ({"build_args": {"X": "2"}}, ["build_args.X"]),
        ({"platform": "linux/arm64"}, ["platform"]),
        ({"tag": "TAG2"}, ["tag"]),
        ({"protect": True}, ["metadata.protect"]),
    ],
)
def test_each_field_is_named_alone_and_applied(bench, edit, names):
    bench.environment()
    stated = {"labels": {"team": "a"}, "build_args": {"X": "1"}}
    applied(bench.apply(bench.image(**stated)))
    if "tag" in edit:
        edit = {"tag": bench.tag(tag="v2")}
    changed = bench.image(**{**stated, **edit})
    assert bench.changes(changed) == {"RayfineImage.env": ("update", names, None)}
    applied(bench.apply(changed))
    assert bench.changes(changed) == {"RayfineImage.env": ("unchanged", [], None)}


def test_mode_is_named(bench):
    path = bench.environment()
    image = bench.image()
    applied(bench.apply(image))
    (path / "env.py").chmod(0o755)
    assert bench.changes(image)["RayfineImage.env"] == ("update", ['context["env.py"]'], None)


def test_a_changed_tag_leaves_nothing_behind(bench):
    bench.environment()
    applied(bench.apply(bench.image()))
    moved = bench.image(tag=bench.tag(tag="v2"))
    applied(bench.apply(moved))
    assert {tag.split(":")[1][:4] for tag in bench.tags()} == {"v2", "src-"}
    assert len(bench.tags()) == 2


def test_a_delete_removes_every_tag_of_ours(bench):
    path = bench.environment()
    image = bench.image()
    applied(bench.apply(image))
    (path / "env.py").write_text("def other(): ...\n")
    applied(bench.apply(image))
    assert len(bench.tags()) == 3
    assert bench.changes() == {"RayfineImage.env": ("delete", [], None)}
    applied(bench.apply())
    assert bench.tags() == set()
    assert bench.changes() == {}


def test_going_back_is_a_retag(bench):
    path = bench.environment()
    image = bench.image()
    first = applied(bench.apply(image))[0].uid
    (path / "data.txt").write_text("new")
    applied(bench.apply(image))
    (path / "data.txt").unlink()
    bench.observer.lines.clear()
    assert bench.changes(image)["RayfineImage.env"] == ("update", ['context["data.txt"]'], None)
    assert applied(bench.apply(image))[0].uid == first
    assert bench.observer.lines == []


def test_a_missing_tag_comes_back_by_a_retag(bench):
    bench.environment()
    image = bench.image()
    first = applied(bench.apply(image))[0].uid
    bench.docker("rmi", bench.tag())
    assert bench.changes(image)["RayfineImage.env"] == ("update", ["tag"], None)
    bench.observer.lines.clear()
    assert applied(bench.apply(image))[0].uid == first
    assert bench.observer.lines == []
    assert bench.changes(image)["RayfineImage.env"] == ("unchanged", [], None)


def test_someone_elses_image_under_our_tag_is_a_conflict_until_adopted(bench):
    bench.environment()
    image = bench.image()
    bench.docker("build", "-t", bench.tag(), "-", stdin="FROM scratch\nLABEL mine=1\n")
    action, names, refusal = bench.changes(image)["RayfineImage.env"]
    assert (action, refusal) == ("adopt", "conflict")
    assert "dockerfile" in names
    adopted = bench.image(adopt=True)
    assert bench.changes(adopted)["RayfineImage.env"][0] == "adopt"
    applied(bench.apply(adopted))
    assert bench.changes(image)["RayfineImage.env"] == ("unchanged", [], None)


def test_a_tag_moved_by_hand_to_another_image(bench):
    bench.environment()
    image = bench.image()
    applied(bench.apply(image))
    bench.docker("build", "-t", bench.tag(), "-", stdin="FROM scratch\nLABEL mine=1\n")
    assert bench.changes(image)["RayfineImage.env"][::2] == ("adopt", "conflict")
    assert bench.changes() == {"RayfineImage.env": ("delete", [], None)}
    applied(bench.apply())
    assert bench.tags() == {bench.tag()}  # theirs


def test_a_tag_moved_back_to_older_content(bench):
    path = bench.environment()
    image = bench.image()
    old = applied(bench.apply(image))[0].uid
    (path / "env.py").write_text("def other(): ...\n")
    new = applied(bench.apply(image))[0].uid
    bench.docker("tag", old, bench.tag())
    assert bench.changes(image)["RayfineImage.env"] == ("update", ['context["env.py"]'], None)
    assert applied(bench.apply(image))[0].uid == new


def test_an_image_built_from_ours_is_not_ours(bench):
    bench.environment()
    image = bench.image()
    applied(bench.apply(image))
    child = bench.tag("child")
    bench.docker("build", "-t", child, "-", stdin=f"FROM {bench.tag()}\nLABEL child=1\n")
    plan, _ = bench.plan(image)
    assert [str(change.action) for change in plan.changes] == ["unchanged"]
    assert [(item.name, "FROM" in item.reason) for item in plan.detached] == [(child, True)]
    assert list(bench.changes()) == ["RayfineImage.env"]
    applied(bench.apply())
    assert bench.tags() == {child}


def test_an_image_built_from_ours_under_our_own_tag(bench):
    bench.environment()
    image = bench.image()
    applied(bench.apply(image))
    bench.docker("build", "-t", bench.tag(), "-", stdin=f"FROM {bench.tag()}\nLABEL child=1\n")
    action, _, refusal = bench.changes(image)["RayfineImage.env"]
    assert action == "adopt"  # its labels say the same spec; it is built anew
    applied(bench.apply(image))
    labels = bench.docker("image", "inspect", "-f", "{{json .Config.Labels}}", bench.tag())
    assert '"child"' not in labels


def test_an_extra_name_for_ours_is_no_matter(bench):
    bench.environment()
    image = bench.image()
    applied(bench.apply(image))
    bench.docker("tag", bench.tag(), bench.tag("other"))
    plan, _ = bench.plan(image)
    assert plan.detached == ()
    applied(bench.apply())
    assert bench.tags() == {bench.tag("other")}


def test_another_stacks_image_is_a_conflict_and_never_deleted(bench):
    bench.environment()
    image = bench.image()
    applied(bench.apply(image))
    bench.stack = "other"
    assert bench.changes(image)["RayfineImage.env"][::2] == ("adopt", "conflict")
    assert bench.changes() == {}


def test_an_image_in_use_is_named_and_left_alone(bench):
    bench.environment()
    image = bench.image()
    applied(bench.apply(image))
    bench.docker("create", "--name", f"{bench.prefix}-user", bench.tag(), "true")
    plan, provider = bench.plan()
    (change,) = plan.changes
    assert change.used_by == (f"container {bench.prefix}-user (created)",)
    (outcome,) = bench.carry_out(plan, provider)
    assert outcome.status is Status.FAILED
    assert f"in use by container {bench.prefix}-user" in outcome.message
    assert len(bench.tags()) == 2


def test_two_tags_of_one_repository_with_the_same_content(bench):
    bench.environment()
    first = bench.image(resource_id="one")
    second = bench.image(resource_id="two", tag=bench.tag(tag="v2"))
    applied(bench.apply(first, second))
    assert {value[0] for value in bench.changes(first, second).values()} == {"unchanged"}
    applied(bench.apply(first))
    assert bench.changes(first) == {"RayfineImage.one": ("unchanged", [], None)}


def test_a_move_of_the_tag_between_plan_and_apply_is_noticed(bench):
    bench.environment()
    image = bench.image()
    plan, provider = bench.plan(image)
    bench.docker("build", "-t", bench.tag(), "-", stdin="FROM scratch\nLABEL mine=1\n")
    (outcome,) = bench.carry_out(plan, provider)
    assert outcome.status is Status.FAILED
    assert "no longer" in outcome.message


def test_moved_from_keeps_the_image(bench):
    bench.environment()
    applied(bench.apply(bench.image()))
    renamed = bench.image(resource_id="new", moved_from="env")
    assert bench.changes(renamed) == {"RayfineImage.new": ("update", ["metadata.id"], None)}
    applied(bench.apply(renamed))
    assert bench.changes(renamed) == {"RayfineImage.new": ("unchanged", [], None)}


def test_an_interrupted_change_of_the_tag_converges(bench):
    bench.environment()
    applied(bench.apply(bench.image()))
    moved = bench.image(tag=bench.tag(tag="v2"))
    applied(bench.apply(moved))
    old = bench.plan(bench.image())[0]  # noqa: F841
    bench.docker("tag", bench.tag(tag="v2"), f"{bench.tag(tag='v2')}-kept")
    (source,) = [tag for tag in bench.tags() if ":src-" in tag]
    bench.docker("rmi", bench.tag(tag="v2"))
    assert bench.changes(moved) == {"RayfineImage.env": ("update", ["tag"], None)}
    applied(bench.apply(moved))
    assert bench.changes(moved) == {"RayfineImage.env": ("unchanged", [], None)}


def test_a_failing_build_says_where(bench):
    bench.environment(Dockerfile="FROM scratch\nCOPY missing.txt /\n")
    (outcome,) = bench.apply(bench.image())
    assert outcome.status is Status.FAILED
    assert "at Step 2/" in outcome.message
    assert "missing.txt" in outcome.message
    assert bench.tags() == set()


def test_a_file_that_changes_before_it_is_sent_fails_the_build(bench):
    path = bench.environment()
    plan, provider = bench.plan(bench.image())
    (path / "env.py").write_text("def other(): ...\n")
    (outcome,) = bench.carry_out(plan, provider)
    assert outcome.status is Status.FAILED
    assert "changed while" in outcome.message


def test_many_builds_at_once(bench):
    names = [f"env{number}" for number in range(6)]
    for name in names:
        bench.environment(name, **{"name.txt": name})
    images = [bench.image(name) for name in names]
    applied(bench.apply(*images))
    assert {value[0] for value in bench.changes(*images).values()} == {"unchanged"}
