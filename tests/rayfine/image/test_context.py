"""Contexts on disk: what is read, what is refused, what is remembered, what is sent."""

import hashlib
import io
import os
import socket
import stat
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from reconciler.errors import BuildError
from reconciler.rayfine.docker.builder import stream_tar
from reconciler.rayfine.image.context import Context, read_context
from reconciler.rayfine.image.hashcache import RACY_NANOSECONDS, HashCache, user_cache

TICK = 0.02
"""Seconds after which any kernel's clock for the times of files has gone on."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "context"
    root.mkdir()
    (root / "env.py").write_text("x")
    return root


def paths(root: Path) -> list[str]:
    return [entry.path for entry in read_context(root).entries]


def test_entries_are_sorted_by_bytes_and_named_exactly(root: Path) -> None:
    for name in ("B", "a", "é", "e\u0301", "Z/z", "a.b", "a-b"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("")
    found = paths(root)
    assert found == sorted(found, key=str.encode)
    assert {"é", "e\u0301"} <= set(found)


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o664, 0o4644, 0o646])
def test_only_the_owners_execute_bit_counts(root: Path, mode: int) -> None:
    (root / "env.py").chmod(mode)
    assert read_context(root).entries[0].mode == "644"
    (root / "env.py").chmod(mode | 0o100)
    assert read_context(root).entries[0].mode == "755"


def test_links_inside_are_kept_as_links(root: Path) -> None:
    (root / "d").mkdir()
    (root / "d" / "up").symlink_to("../env.py")
    (root / "all").symlink_to("d")
    (root / "nowhere").symlink_to("not-there")
    found = {entry.path: (entry.mode, entry.target) for entry in read_context(root).entries}
    assert found["d/up"] == ("link", "../env.py")
    assert found["all"] == ("link", "d")
    assert found["nowhere"] == ("link", "not-there")
    assert "all/up" not in found


@pytest.mark.parametrize("target", ["/etc/passwd", "..", "../other", "d/../../x", "hop/passwd"])
def test_links_that_leave_are_refused_even_through_other_links(root: Path, target: str) -> None:
    (root / "d").mkdir()
    (root / "hop").symlink_to("/etc")
    (root / ".dockerignore").write_text("hop\n")
    (root / "link").symlink_to(target)
    with pytest.raises(BuildError, match="leads out") as raised:
        read_context(root)
    assert raised.value.where.endswith("/link")
    (root / ".dockerignore").write_text("hop\nlink\n")
    assert paths(root) == [".dockerignore", "env.py"]


@pytest.mark.parametrize("ignored", ["", "!.reconcile\n", "*\n!env.py\n!sub\n!.reconcile/*\n"])
def test_our_own_directory_is_left_out_at_the_top_alone(root: Path, ignored: str) -> None:
    for directory in (root / ".reconcile", root / "sub" / ".reconcile"):
        (directory / "deeper").mkdir(parents=True)
        (directory / "sandbox.db").write_text("x")
        (directory / "deeper" / "file").write_text("x")
    os.mkfifo(root / ".reconcile" / "pipe")
    (root / ".dockerignore").write_text(ignored)
    found = [path for path in paths(root) if path != ".dockerignore"]
    assert found == ["env.py", "sub/.reconcile/deeper/file", "sub/.reconcile/sandbox.db"]


def test_a_file_with_the_name_of_our_directory_is_sent(root: Path) -> None:
    (root / ".reconcile").write_text("x")
    assert paths(root) == [".reconcile", "env.py"]


def test_a_link_circle_is_harmless(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    assert paths(root) == ["a", "b", "env.py"]


def test_pipes_sockets_and_devices_are_refused(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(BuildError, match="a named pipe"):
        read_context(root)
    (root / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "s"))
        with pytest.raises(BuildError, match="a socket"):
            read_context(root)
    (root / "s").unlink()
    if os.geteuid() == 0:
        os.mknod(root / "null", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        with pytest.raises(BuildError, match="a character device"):
            read_context(root)


def test_an_ignore_file_that_is_a_link_is_followed_within_the_context(root: Path) -> None:
    (root / "rules").write_text("env.py\n")
    (root / ".dockerignore").symlink_to("rules")
    assert read_context(root).find("env.py") is None


@pytest.mark.parametrize(
    ("target", "message"),
    [("../out", "outside"), (".dockerignore", "itself"), ("nothing", "nowhere")],
)
def test_an_ignore_file_that_leads_elsewhere_is_refused(
    root: Path, target: str, message: str
) -> None:
    (root.parent / "out").write_text("")
    (root / ".dockerignore").symlink_to(target)
    with pytest.raises(BuildError, match=message):
        read_context(root)


def test_names_that_are_no_text_or_too_long_are_refused(root: Path) -> None:
    (root / os.fsdecode(b"\xff")).write_text("")
    with pytest.raises(BuildError, match="not UTF-8"):
        read_context(root)
    (root / os.fsdecode(b"\xff")).unlink()
    deep = root
    for _ in range(6):
        deep = deep / ("x" * 200)
        deep.mkdir()
    (deep / "f").write_text("")
    with pytest.raises(BuildError, match="more than 1024 bytes"):
        read_context(root)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="does not exist"):
        read_context(tmp_path / "none")


def test_many_stars_take_no_exponential_time(root: Path) -> None:
    (root / ("a" * 200)).write_text("")
    (root / ".dockerignore").write_text("*a" * 30 + "b\n" + "**/a" * 30 + "b\n")
    assert "a" * 200 in paths(root)


# What is remembered.


def age(path: Path, seconds: int = 10) -> None:
    moment = path.stat().st_mtime_ns - seconds * 10**9
    os.utime(path, ns=(moment, moment))


def test_the_cache_saves_reading_and_notices_edits(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    first = read_context(root, cache).entries
    later = (root / "env.py").stat().st_ctime_ns + 2 * RACY_NANOSECONDS

    def at(moment: int) -> None:
        held = HashCache(cache, root.resolve(), clock=lambda: moment)
        found = (root / "env.py").stat()
        held.store("env.py", found, "remembered")
        held.save()

    at(later - 2 * RACY_NANOSECONDS)  # written just now: not to be trusted
    assert read_context(root, cache).entries == first
    at(later)
    assert read_context(root, cache).entries[0].digest == "remembered"
    time.sleep(TICK)
    (root / "env.py").write_text("y")
    assert read_context(root, cache).entries[0].digest == hashlib.sha256(b"y").hexdigest()


def test_a_same_size_edit_with_its_old_times_is_noticed(root: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    before = (root / "env.py").stat()
    held = HashCache(cache, root.resolve(), clock=lambda: before.st_ctime_ns + 10**12)
    held.store("env.py", before, "remembered")
    held.save()
    time.sleep(TICK)
    (root / "env.py").write_text("z")
    os.utime(root / "env.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert read_context(root, cache).entries[0].digest == hashlib.sha256(b"z").hexdigest()


@pytest.mark.parametrize("text", ["", "{", "[2, {}]", '[1, {"env.py": [1]}]', "[1, 5]", "[" * 9999])
def test_a_damaged_cache_is_no_cache(root: Path, tmp_path: Path, text: str) -> None:
    cache = tmp_path / "cache"
    HashCache(cache, root.resolve(), clock=lambda: 0).save()
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:32]
    (cache / "context").mkdir(parents=True)
    (cache / "context" / f"{name}.json").write_text(text)
    assert read_context(root, cache).entries[0].digest == hashlib.sha256(b"x").hexdigest()


def test_a_cache_that_cannot_be_written_is_no_error(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert read_context(root, tmp_path / "file").entries


@pytest.mark.parametrize(
    ("xdg", "home", "expected"),
    [
        ("/x", "/h", "/x/reconciler"),
        (None, "/h", "/h/.cache/reconciler"),
        ("", "/h", "/h/.cache/reconciler"),
        ("x/y", "/h", "/h/.cache/reconciler"),
        (None, "h", None),
        ("~/x", "~", None),
        (None, "/nonexistent", "/nonexistent/.cache/reconciler"),
    ],
)
def test_the_cache_is_where_the_user_has_one(
    monkeypatch: pytest.MonkeyPatch, xdg: str | None, home: str, expected: str | None
) -> None:
    monkeypatch.setenv("HOME", home)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if xdg is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    assert user_cache() == (Path(expected) if expected else None)


def test_a_user_without_entry_and_home_has_no_cache() -> None:
    """Only root can become one; anybody else sees the rule in the test above."""
    program = (
        "import os, pwd\n"
        "from reconciler.rayfine.image.hashcache import user_cache\n"
        "os.geteuid() or os.setuid(2**31 - 7)\n"
        "os.environ.pop('HOME', '')\n"
        "print(user_cache() if os.getuid() == 2**31 - 7 else None)\n"
    )
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    assert ran.stdout == "None\n"


# What is sent.


def unpack(
    context: Context, extra: dict[str, bytes] | None = None
) -> tuple[bytes, list[tarfile.TarInfo], dict[str, bytes]]:
    data = b"".join(stream_tar(context, extra or {}))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        items = archive.getmembers()
        files = {item.name: archive.extractfile(item) for item in items if item.isfile()}
        content = {name: file.read() for name, file in files.items() if file is not None}
    return data, items, content


def test_the_archive_is_normalised(root: Path) -> None:
    (root / "d/e").mkdir(parents=True)
    (root / "d/e" / ("ü" * 90)).write_bytes(b"1" * 700)
    (root / "run.sh").write_text("#!")
    (root / "run.sh").chmod(0o777)
    (root / "link").symlink_to("run.sh")
    (root / "empty").mkdir()
    data, items, content = unpack(read_context(root), {"Dockerfile": b"FROM scratch"})
    names = [item.name for item in items]
    assert names == ["Dockerfile", "d", "d/e", "d/e/" + "ü" * 90, "env.py", "link", "run.sh"]
    assert {(item.uid, item.gid, item.mtime) for item in items} == {(0, 0, 315_619_200)}
    assert {item.name: item.mode for item in items}["run.sh"] == 0o755
    assert content["d/e/" + "ü" * 90] == b"1" * 700
    os.utime(root / "env.py", (5, 5))
    assert unpack(read_context(root), {"Dockerfile": b"FROM scratch"})[0] == data


@pytest.mark.parametrize("text", ["", "y", "xx"])
def test_a_file_that_changed_since_is_not_sent(root: Path, text: str) -> None:
    context = read_context(root)
    (root / "env.py").write_text(text)
    with pytest.raises(BuildError, match="changed while"):
        unpack(context)


def test_a_file_that_is_gone_or_became_a_link_is_not_sent(root: Path) -> None:
    context = read_context(root)
    (root / "env.py").unlink()
    with pytest.raises(BuildError, match="cannot be read"):
        unpack(context)
    (root / "env.py").symlink_to("/etc/passwd")
    with pytest.raises(BuildError, match="cannot be read"):
        unpack(context)
