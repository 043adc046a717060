"""The provider on a real engine: the life of an image, and what others do to its tags."""

import io
import json
import os
import subprocess
import tarfile
import time
from dataclasses import replace
from typing import Any

import pytest

from reconciler.core.outcome import Outcome, Status
from reconciler.core.resource import Resource
from reconciler.rayfine.docker.builder import make_image
from reconciler.rayfine.image.build_input import BuildInput
from tests.providers.docker.conftest import Bench

pytestmark = pytest.mark.docker


def applied(outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    assert [
        (item.status, item.message, item.fix)
        for item in outcomes
        if item.status is not Status.APPLIED
    ] == []
    return outcomes


def test_an_image_is_created_and_then_unchanged(bench: Bench) -> None:
    bench.environment()
    image = bench.image()
    assert bench.changes(image)["RayfineImage.env"][0] == "create"
    (outcome,) = applied(bench.apply(image))
    assert outcome.uid == bench.id_of(bench.tag())
    assert bench.changes(image) == {"RayfineImage.env": ("unchanged", [], None)}
    assert bench.observer.lines[0].startswith("Step 1/")


def test_touching_a_file_changes_nothing_and_one_byte_names_it(bench: Bench) -> None:
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
def test_each_field_is_named_alone_and_applied(
    bench: Bench, edit: dict[str, Any], names: list[str]
) -> None:
    bench.environment()
    stated: dict[str, Any] = {"labels": {"team": "a"}, "build_args": {"X": "1"}}
    applied(bench.apply(bench.image(**stated)))
    if "tag" in edit:
        edit = {"tag": bench.tag(tag="v2")}
    changed = bench.image(**{**stated, **edit})
    assert bench.changes(changed) == {"RayfineImage.env": ("update", names, None)}
    applied(bench.apply(changed))
    assert bench.changes(changed) == {"RayfineImage.env": ("unchanged", [], None)}


def test_mode_is_named(bench: Bench) -> None:
    path = bench.environment()
    image = bench.image()
    applied(bench.apply(image))
    (path / "env.py").chmod(0o755)
    assert bench.changes(image)["RayfineImage.env"] == ("update", ['context["env.py"]'], None)


def test_a_changed_tag_leaves_nothing_behind(bench: Bench) -> None:
    bench.environment()
    applied(bench.apply(bench.image()))
    moved = bench.image(tag=bench.tag(tag="v2"))
    applied(bench.apply(moved))
    assert {tag.split(":")[1][:4] for tag in bench.tags()} == {"v2", "src-"}
    assert len(bench.tags()) == 2


def test_a_delete_removes_every_tag_of_ours(bench: Bench) -> None:
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


def test_going_back_is_a_retag(bench: Bench) -> None:
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


def test_a_missing_tag_comes_back_by_a_retag(bench: Bench) -> None:
    bench.environment()
    image = bench.image()
    first = applied(bench.apply(image))[0].uid
    bench.docker("rmi", bench.tag())
    assert bench.changes(image)["RayfineImage.env"] == ("update", ["tag"], None)
    bench.observer.lines.clear()
    assert applied(bench.apply(image))[0].uid == first
    assert bench.observer.lines == []
    assert bench.changes(image)["RayfineImage.env"] == ("unchanged", [], None)


def test_someone_elses_image_under_our_tag_is_a_conflict_until_adopted(bench: Bench) -> None:
    bench.environment()
    image = bench.image()
    bench.docker(
        "build", "-t", bench.tag(), "-", stdin=f"FROM scratch\nLABEL mine={bench.prefix}\n"
    )
    action, names, refusal = bench.changes(image)["RayfineImage.env"]
    assert (action, refusal) == ("adopt", "conflict")
    assert "dockerfile" in names
    adopted = bench.image(adopt=True)
    assert bench.changes(adopted)["RayfineImage.env"][0] == "adopt"
    applied(bench.apply(adopted))
    assert bench.changes(image)["RayfineImage.env"] == ("unchanged", [], None)


def test_a_tag_moved_by_hand_to_another_image(bench: Bench) -> None:
    bench.environment()
    image = bench.image()
    applied(bench.apply(image))
    bench.docker(
        "build", "-t", bench.tag(), "-", stdin=f"FROM scratch\nLABEL mine={bench.prefix}\n"
    )
    assert bench.changes(image)["RayfineImage.env"][::2] == ("adopt", "conflict")
    assert bench.changes() == {"RayfineImage.env": ("delete", [], None)}
    applied(bench.apply())
    assert bench.tags() == {bench.tag()}  # theirs


def test_a_tag_moved_back_to_older_content(bench: Bench) -> None:
    path = bench.environment()
    image = bench.image()
    old = applied(bench.apply(image))[0].uid
    (path / "env.py").write_text("def other(): ...\n")
    new = applied(bench.apply(image))[0].uid
    bench.docker("tag", old, bench.tag())
    assert bench.changes(image)["RayfineImage.env"] == ("update", ['context["env.py"]'], None)
    assert applied(bench.apply(image))[0].uid == new


def test_an_image_built_from_ours_is_not_ours(bench: Bench) -> None:
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


@pytest.mark.parametrize("line", ["LABEL child=1", "COPY env.py /theirs"])
def test_an_image_built_from_ours_under_our_own_tag_is_a_conflict_until_adopted(
    bench: Bench, line: str
) -> None:
    path = bench.environment()
    (path / "Dockerfile.theirs").write_text(f"FROM {bench.tag()}\n{line}\n")
    image = bench.image()
    ours = applied(bench.apply(image))[0].uid
    bench.docker("build", "-t", bench.tag(), "-f", str(path / "Dockerfile.theirs"), str(path))
    theirs = bench.id_of(bench.tag())
    assert bench.changes(image)["RayfineImage.env"][::2] == ("adopt", "conflict")
    assert bench.id_of(bench.tag()) == theirs != ours
    applied(bench.apply(bench.image(adopt=True)))
    assert bench.id_of(bench.tag()) == ours
    assert bench.changes(image) == {"RayfineImage.env": ("unchanged", [], None)}
    bench.docker("rmi", theirs)


def test_our_tag_without_the_source_tag_proves_nothing(bench: Bench) -> None:
    bench.environment()
    image = bench.image()
    applied(bench.apply(image))
    bench.docker("rmi", *(tag for tag in bench.tags() if ":src-" in tag))
    assert bench.changes(image)["RayfineImage.env"][::2] == ("adopt", "conflict")


def test_an_extra_name_for_ours_is_no_matter(bench: Bench) -> None:
    bench.environment()
    image = bench.image()
    applied(bench.apply(image))
    bench.docker("tag", bench.tag(), bench.tag("other"))
    plan, _ = bench.plan(image)
    assert plan.detached == ()
    applied(bench.apply())
    assert bench.tags() == {bench.tag("other")}


def test_another_stacks_image_is_a_conflict_and_never_deleted(bench: Bench) -> None:
    bench.environment()
    image = bench.image()
    applied(bench.apply(image))
    bench.stack = "other"
    assert bench.changes(image)["RayfineImage.env"][::2] == ("adopt", "conflict")
    assert bench.changes() == {}


def test_an_image_in_use_is_named_and_left_alone(bench: Bench) -> None:
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


def test_two_tags_of_one_repository_with_the_same_content(bench: Bench) -> None:
    bench.environment()
    first = bench.image(resource_id="one")
    second = bench.image(resource_id="two", tag=bench.tag(tag="v2"))
    applied(bench.apply(first, second))
    assert {value[0] for value in bench.changes(first, second).values()} == {"unchanged"}
    applied(bench.apply(first))
    assert bench.changes(first) == {"RayfineImage.one": ("unchanged", [], None)}


def test_a_move_of_the_tag_between_plan_and_apply_is_noticed(bench: Bench) -> None:
    bench.environment()
    image = bench.image()
    plan, provider = bench.plan(image)
    bench.docker(
        "build", "-t", bench.tag(), "-", stdin=f"FROM scratch\nLABEL mine={bench.prefix}\n"
    )
    (outcome,) = bench.carry_out(plan, provider)
    assert outcome.status is Status.FAILED
    assert "no longer" in outcome.message


def test_moved_from_keeps_the_image(bench: Bench) -> None:
    bench.environment()
    applied(bench.apply(bench.image()))
    renamed = bench.image(resource_id="new", moved_from="env")
    assert bench.changes(renamed) == {"RayfineImage.new": ("update", ["metadata.id"], None)}
    applied(bench.apply(renamed))
    assert bench.changes(renamed) == {"RayfineImage.new": ("unchanged", [], None)}


def only_content(bench: Bench, resource: Resource, **labels: str) -> BuildInput:
    """Build as far as the `:src-` tag: what a kill at the worst moment leaves."""
    provider = bench.provider()
    provider.resolve([resource])
    desired = provider._desired[resource.key]
    making = provider._making(desired, bench.observer.lines.append)
    make_image(bench.engine, desired.build, replace(making, labels=labels or making.labels))
    return desired.build


def test_an_interrupted_change_of_the_tag_converges(bench: Bench) -> None:
    bench.environment()
    applied(bench.apply(bench.image()))
    moved = bench.image(tag=bench.tag(tag="v2"))
    only_content(bench, moved)
    found = bench.changes(moved)
    assert found.pop("RayfineImage.env") == ("update", ["tag"], None)
    ((address, (action, _, _)),) = found.items()
    assert (address[:26], action) == ("RayfineImage.env (deposed ", "delete")
    applied(bench.apply(moved))
    assert bench.changes(moved) == {"RayfineImage.env": ("unchanged", [], None)}
    assert len(bench.tags()) == 2


def test_an_image_built_by_hand_from_the_same_inputs_is_adopted_without_a_build(
    bench: Bench,
) -> None:
    bench.environment()
    image = bench.image()
    build = only_content(bench, image, someone="else")
    bench.docker("tag", build.source_tag, bench.tag())
    assert bench.changes(image) == {"RayfineImage.env": ("adopt", [], None)}
    bench.observer.lines.clear()
    applied(bench.apply(image))
    assert "only its labels are changed" in bench.observer.lines[0]
    assert not any("COPY" in line for line in bench.observer.lines)
    assert bench.changes(image) == {"RayfineImage.env": ("unchanged", [], None)}


def test_an_image_with_triggers_is_built_instead_of_relabelled(bench: Bench) -> None:
    bench.environment(Dockerfile="FROM scratch\nCOPY . /\nONBUILD COPY missing /\n")
    applied(bench.apply(bench.image()))
    image = bench.image(protect=True)
    applied(bench.apply(image))
    assert bench.changes(image) == {"RayfineImage.env": ("unchanged", [], None)}


def test_odd_labels_and_arguments_survive(bench: Bench) -> None:
    bench.environment()
    odd = {"a": '$HOME "q" \\ `x` é', "b": "two\nlines", "c": "x" * 20_000, "d": "", "e/f": " = '"}
    image = bench.image(labels=odd)
    applied(bench.apply(image))
    assert bench.changes(image) == {"RayfineImage.env": ("unchanged", [], None)}
    text = bench.docker("image", "inspect", "-f", "{{json .Config.Labels}}", bench.tag())
    assert {name: json.loads(text)[name] for name in odd} == odd


def test_a_generated_dockerfile_runs(bench: Bench) -> None:
    path = bench.environment()
    (path / "Dockerfile").unlink()
    image = bench.image(base_image="reconciler/python-base:local")
    applied(bench.apply(image))
    words = ("run", "--rm", "--network=none", "--entrypoint", "python3", bench.tag(), "-c")
    assert bench.docker(*words, "import env; print(env.hello())") == "World"
    labels = json.loads(
        bench.docker("image", "inspect", "-f", "{{json .Config.Labels}}", bench.tag())
    )
    assert labels["org.opencontainers.image.base.name"] == "reconciler/python-base:local"
    assert labels["org.opencontainers.image.title"] == "env"
    assert json.loads(labels["io.reconciler.methods"]) == {"hello": "hello(name='World')"}


@pytest.mark.parametrize("ignored", ["", "Dockerfile\n.dockerignore\n", "*\n!env.py\n"])
def test_the_image_holds_what_docker_build_puts_there(bench: Bench, ignored: str) -> None:
    path = bench.environment(**{"a/b.txt": "b", ".hidden": "h"})
    (path / ".dockerignore").write_text(ignored)
    (path / "link").symlink_to("a/b.txt")
    applied(bench.apply(bench.image()))
    bench.docker("build", "-t", bench.tag("cli"), str(path))

    def content(tag: str) -> dict[str, tuple[bytes, int, int, str]]:
        container = bench.docker("create", "--name", f"{bench.prefix}-x", tag, "x")
        data = subprocess.run(["docker", "export", container], capture_output=True, check=True)
        bench.docker("rm", container)
        with tarfile.open(fileobj=io.BytesIO(data.stdout)) as archive:
            return {
                item.name: (item.type, item.mode, item.size, item.linkname)
                for item in archive
                if item.name.startswith("app/") and not item.isdir()
            }

    assert content(bench.tag()) == content(bench.tag("cli"))


def test_an_interrupted_build_ends_and_leaves_nothing(bench: Bench) -> None:
    step = f"echo begun; sleep 300 # {bench.prefix}"
    bench.environment(Dockerfile=f"FROM reconciler/python-base:local\nRUN {step}\n")
    plan, provider = bench.plan(bench.image())

    running: list[str] = []

    def interrupt(line: str) -> None:
        if line == "begun":
            running.append(bench.docker("ps", "--no-trunc", "--format", "{{.Command}}"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        provider.write(plan.changes[0], interrupt)
    assert step in running[0]
    assert bench.tags() == set()
    deadline = time.monotonic() + 60
    while step in bench.docker("ps", "--no-trunc", "--format", "{{.Command}}"):
        assert time.monotonic() < deadline, "the engine still works on the build"
        time.sleep(0.1)


def test_a_failing_build_says_where(bench: Bench) -> None:
    bench.environment(Dockerfile="FROM scratch\nCOPY missing.txt /\n")
    (outcome,) = bench.apply(bench.image())
    assert outcome.status is Status.FAILED
    assert "at Step 2/" in outcome.message
    assert "missing.txt" in outcome.message
    assert bench.tags() == set()


def test_a_file_that_changes_before_it_is_sent_fails_the_build(bench: Bench) -> None:
    path = bench.environment()
    plan, provider = bench.plan(bench.image())
    (path / "env.py").write_text("def other(): ...\n")
    (outcome,) = bench.carry_out(plan, provider)
    assert outcome.status is Status.FAILED
    assert "changed while" in outcome.message


def test_many_builds_at_once(bench: Bench) -> None:
    names = [f"env{number}" for number in range(6)]
    for name in names:
        bench.environment(name, **{"name.txt": name})
    images = [bench.image(name) for name in names]
    applied(bench.apply(*images))
    assert {value[0] for value in bench.changes(*images).values()} == {"unchanged"}


SPELLINGS = """\
# escape=`
ARG TAG=none ARCH=
FROM`
\t --platform=${TARGETPLATFORM:-linux/amd64} \t"reconciler"/python-base:${TAG:+local}\tas  One

# a comment
ONBUILD\tCOPY --from=0 /app /two/
COPY\t. /app/

from one
RUN echo "<<NAME>>" $((1<<2)) `

  # within
  > /tmp/three
"""


def test_a_dockerfile_of_many_spellings_behind_a_link_builds(bench: Bench) -> None:
    """What is read of it is what the engine reads: the base, a stage, its trigger, its name."""
    path = bench.environment(**{"docker.gpu": SPELLINGS})
    (path / "Dockerfile").unlink()
    (path / "Dockerfile").symlink_to("docker.gpu")
    image = bench.image()
    applied(bench.apply(image))
    assert bench.changes(image) == {"RayfineImage.env": ("unchanged", [], None)}
    said = bench.docker("run", "--rm", bench.tag(), "cat", "/tmp/three", "/two/env.py")
    assert said.startswith("<<NAME>> 4")
    assert "def " in said
