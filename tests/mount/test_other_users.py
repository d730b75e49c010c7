"""Others reach through root's mount only what they could reach without it, and order only about what is theirs."""

from __future__ import annotations

import json
import os
import stat
import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from support.drafts import NEVER_BY_ITSELF, commit, drafts, raises, state, versions, wait_for_version
from support.mount import ARTFS, MYSELF, Mount, User, new_base, remove_base
from support.stores import stored_files
from support.users import BEA, CARL, may, open_mount, run, shell

QUIET_LINKS = {**NEVER_BY_ITSELF, "quiet_file_seconds": 0.3}


@pytest.fixture(scope="module")
def mount(fuse_for_everyone: None) -> Iterator[Mount]:
    """Where links, and files, become versions soon."""
    yield from open_mount(QUIET_LINKS)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name of the test's own for its draft."""
    return request.node.name.removeprefix("test_").replace("[", "-").replace("]", "").replace(" ", "-")


@pytest.fixture
def data(mount: Mount, name: str) -> Path:
    """A folder of the test's own, which everybody may enter."""
    folder = mount.base / "data" / name
    folder.mkdir(parents=True)
    return folder


def link(mount: Mount, name: str, target: Path) -> None:
    run(BEA, ["ln", "-s", target, mount.incoming / name])


def held(mount: Mount, name: str) -> str:
    """Waits until a link is held, and returns why."""
    mount.wait_until(lambda: state(mount, name)[0] == "held", "the link being held")
    assert versions(mount, name) == []
    return state(mount, name)[1]


def secret(path: Path, mode: int = 0o600) -> Path:
    path.write_text("secret")
    path.chmod(mode)
    return path


# Links.


def test_a_link_to_a_file_that_its_maker_may_not_read_registers_nothing(mount: Mount, name: str, data: Path) -> None:
    link(mount, name, secret(data / "secret"))
    assert "31234, who made the link, may not read" in held(mount, name)


def test_nor_one_to_a_file_behind_a_folder_that_he_may_not_enter(mount: Mount, name: str, data: Path) -> None:
    (data / "closed").mkdir(mode=0o700)
    link(mount, name, secret(data / "closed" / "public", 0o644))
    assert "may not read" in held(mount, name)


def test_nor_one_to_a_folder_with_one_such_file_in_it(mount: Mount, name: str, data: Path) -> None:
    (data / "deep").mkdir()
    secret(data / "deep" / "secret")
    (data / "open").write_text("open")
    link(mount, name, data)
    assert "may not read" in held(mount, name)


def test_nor_one_to_a_link_that_leads_there(mount: Mount, name: str, data: Path) -> None:
    secret(data / "secret")
    data.chmod(0o777)
    run(BEA, ["ln", "-s", data / "secret", data / "way"])
    link(mount, name, data / "way")
    assert "may not read" in held(mount, name)


def test_a_commit_by_root_follows_a_link_of_another_with_the_rights_of_the_other(
    mount: Mount, name: str, data: Path
) -> None:
    link(mount, name, secret(data / "secret"))
    done = mount.artfs("commit", mount.incoming / name, check=False)
    assert done.returncode == 1 and "may not read" in done.stderr
    assert versions(mount, name) == []


def test_what_its_maker_may_read_is_registered_and_shows_whose_it_is(mount: Mount, name: str, data: Path) -> None:
    data.chmod(0o777)
    shell(BEA, 'umask 077; echo mine > "$1/mine"', data)
    link(mount, name, data / "mine")
    wait_for_version(mount, name, "1")
    version = mount.artifacts / name / "1" / "mine"
    assert run(BEA, ["cat", version]).stdout == "mine\n"
    assert not may(CARL, "cat", version)
    assert (version.stat().st_uid, stat.S_IMODE(version.stat().st_mode)) == (BEA.uid, 0o400)


def test_what_root_registers_stays_closed_to_those_who_cannot_reach_it(mount: Mount, name: str, data: Path) -> None:
    (data / "closed").mkdir(mode=0o700)
    secret(data / "closed" / "public", 0o644)
    (mount.incoming / name).symlink_to(data / "closed" / "public")
    wait_for_version(mount, name, "1")
    assert (mount.artifacts / name / "1" / "public").read_text() == "secret"
    assert not may(BEA, "cat", mount.artifacts / name / "1" / "public")


def test_nor_is_it_open_where_an_access_control_list_keeps_some_out(mount: Mount, name: str, data: Path) -> None:
    file = secret(data / "listed", 0o644)
    tags = [(0x01, 6, -1), (0x02, 0, BEA.uid), (0x04, 4, -1), (0x10, 4, -1), (0x20, 4, -1)]
    entries = b"".join(struct.pack("<HHi", *tag) for tag in tags)  # owner, user bea: nothing, group, mask, others
    os.setxattr(file, "system.posix_acl_access", struct.pack("<I", 2) + entries)
    assert not may(BEA, "cat", file)
    (mount.incoming / name).symlink_to(file)
    wait_for_version(mount, name, "1")
    assert not may(BEA, "cat", mount.artifacts / name / "1" / "listed")


# Closed folders.


def test_what_is_saved_from_a_closed_folder_stays_closed(mount: Mount, name: str, data: Path) -> None:
    for folder, mode in (("closed", 0o700), ("open", 0o755)):
        (data / folder).mkdir()
        (data / folder).chmod(mode)
        secret(data / folder / "file", 0o644)
        script = "import sys, artfs; artfs.save_artifact(__import__('pathlib').Path(sys.argv[1]), sys.argv[2])"
        command = [sys.executable, "-c", script, data / folder / "file", f"{name}-{folder}"]
        subprocess.run(command, check=True, env={**os.environ, "ARTFS_HOME": str(mount.home)})
    shown = {folder: mount.artifacts / f"{name}-{folder}" / "1" / "file" for folder in ("closed", "open")}
    assert shown["closed"].read_text() == "secret"
    assert not may(BEA, "cat", shown["closed"])
    assert may(BEA, "cat", shown["open"])


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_version_of_a_draft_in_a_closed_incoming_stays_closed(mount: Mount, name: str, is_folder: bool) -> None:
    draft = mount.incoming / name
    mount.incoming.chmod(0o700)
    try:
        if is_folder:
            draft.mkdir(mode=0o755)
        file = secret(draft / name if is_folder else draft, 0o644)
        assert not may(BEA, "cat", file)
        commit(draft)
    finally:
        mount.incoming.chmod(0o1777)
    version = mount.artifacts / name / "1"
    assert (version / name).read_text() == "secret"
    assert not may(BEA, "cat", version / name)
    assert not may(BEA, "ls", version)


# Orders.


def test_an_order_about_another_draft_than_the_one_it_is_set_on_is_refused(mount: Mount, name: str) -> None:
    (mount.incoming / f"{name}-root").mkdir()
    (mount.incoming / f"{name}-root" / "file").write_text("half")
    shell(BEA, 'echo > "$1"', mount.incoming / name)
    wish = json.dumps({"draft": f"{name}-root", "version": "pwned", "tags": ["best"]})
    assert not may(BEA, "setfattr", "-n", "user.artfs.commit", "-v", wish, mount.incoming / name)
    assert versions(mount, f"{name}-root") == []
    assert not (mount.path / "tags" / "best").exists()
    run(BEA, ["setfattr", "-n", "user.artfs.commit", "-v", json.dumps({"version": "own"}), mount.incoming / name])
    assert versions(mount, name) == ["own"]


def test_who_may_write_a_draft_may_have_a_version_made_of_it(mount: Mount, name: str) -> None:
    draft = mount.incoming / name
    draft.mkdir()
    (draft / "file").write_text("x")
    shell(BEA, 'echo > "$1"', mount.incoming / f"{name}-own")
    order = ["setfattr", "-n", "user.artfs.commit", "-v", json.dumps({"draft": name}), mount.incoming / f"{name}-own"]
    assert not may(BEA, *order)
    draft.chmod(0o777)
    run(BEA, order)
    assert versions(mount, name) == ["1"]


def test_a_sync_finishes_only_what_is_the_callers(mount: Mount, name: str) -> None:
    for user in (MYSELF, BEA):
        shell(user, 'mkdir "$1"; echo > "$1/file"', mount.incoming / f"{name}-{user.name}")
    answer = json.loads(run(BEA, ["getfattr", "--only-values", "-n", "user.artfs.sync", mount.path]).stdout)
    told = {draft["draft"] for draft in answer["held"] + answer["waiting"]}
    assert answer["done"] and f"{name}-myself" not in told
    assert versions(mount, f"{name}-bea") == ["1"]
    assert versions(mount, f"{name}-myself") == []
    json.loads(os.getxattr(mount.path, "user.artfs.sync"))
    wait_for_version(mount, f"{name}-myself", "1")


def test_a_run_of_somebody_else_is_not_his_to_finish(mount: Mount, name: str) -> None:
    mount.artfs("exec", "--name", name, "--", "sh", "-c", f"echo > {mount.incoming}/{name}")
    (run_folder,) = (path for path in (mount.path / "runs" / name).iterdir() if not path.is_symlink())
    wish = json.dumps({"run": json.loads((run_folder / "run.json").read_text())["id"], "failure": "said bea"})
    mount.incoming.chmod(0o777)  # a sticky directory keeps him from setting anything on it
    try:
        assert not may(BEA, "setfattr", "-n", "user.artfs.finish", "-v", wish, mount.path / ".artfs/orders/run")
    finally:
        mount.incoming.chmod(0o1777)


def test_a_draft_of_somebody_else_can_neither_be_moved_nor_replaced_nor_linked(mount: Mount, name: str) -> None:
    draft = mount.incoming / name
    draft.write_text("root's")
    shell(BEA, 'echo > "$1"', mount.incoming / f"{name}-own")
    assert not may(BEA, "rm", draft)
    assert not may(BEA, "mv", draft, mount.incoming / f"{name}-taken")
    assert not may(BEA, "mv", mount.incoming / f"{name}-own", draft)
    assert not may(BEA, "mv", draft, mount.artifacts / name)
    assert run(BEA, ["ln", draft, mount.incoming / f"{name}-second"], check=False).returncode != 0
    assert draft.read_text() == "root's"


def test_the_command_commits_a_users_own_draft_in_a_sticky_incoming(mount: Mount, name: str) -> None:
    if not BEA.can_run_python:
        pytest.skip("the project's Python lies where other users cannot enter")
    shell(BEA, 'echo mine > "$1"', mount.incoming / name)
    assert run(BEA, [ARTFS, "commit", mount.incoming / name]).stdout == f"{name}/1\n"


# The daemon's state.


def test_the_status_shows_each_user_his_own_drafts(mount: Mount, name: str) -> None:
    for user in (MYSELF, BEA, CARL):
        shell(user, 'umask 077; echo > "$1"', mount.incoming / f"{name}-{user.name}")
    shell(CARL, 'umask 022; echo > "$1"', mount.incoming / f"{name}-open")
    status = mount.path / ".artfs" / "status.json"
    seen = {draft["name"] for draft in json.loads(run(BEA, ["cat", status]).stdout)["drafts"]}
    assert {each for each in seen if each.startswith(name)} == {f"{name}-bea", f"{name}-open"}
    assert {f"{name}-myself", f"{name}-bea", f"{name}-carl", f"{name}-open"} <= drafts(mount).keys()


def test_a_status_file_that_was_made_for_one_user_is_closed_to_others(mount: Mount) -> None:
    assert run(BEA, ["stat", "-c", "%u %a", mount.path / ".artfs" / "status.json"]).stdout == f"{BEA.uid} 400\n"
    listed = run(CARL, ["ls", "-ln", mount.path / ".artfs"]).stdout.split()
    assert str(CARL.uid) in listed and str(BEA.uid) not in listed


# What is shown.


def test_versions_show_who_wrote_them_and_no_more_bits_than_were_there(mount: Mount, name: str) -> None:
    script = """
        mkdir "$1"; cd "$1"; mkdir closed open
        for mode in 600 644 640 755 700 604; do echo $mode > $mode; chmod $mode $mode; done
        cp 644 closed; cp 644 open; chmod 700 closed
    """
    shell(BEA, f"umask 022; {script}", mount.incoming / name)
    run(BEA, ["setfattr", "-n", "user.artfs.commit", mount.incoming / name])
    version = mount.artifacts / name / "1"
    listed = run(MYSELF, ["find", version, "-mindepth", "1", "-printf", "%P %U %m\n"]).stdout.splitlines()
    # Which group it was is not kept, so its bits count where others have them too.
    modes = {"600": 400, "644": 444, "640": 400, "755": 555, "700": 500, "604": 400, "closed": 500, "open": 555}
    assert sorted(listed) == sorted(
        f"{path} {BEA.uid} {mode}" for path, mode in {**modes, "closed/644": 444, "open/644": 444}.items()
    )
    readable = {path.name for path in version.iterdir() if path.is_file() and may(CARL, "cat", path)}
    assert readable == {"644", "755"}
    assert run(BEA, ["cat", version / "600", version / "closed" / "644"]).stdout == "600\n644\n"
    assert not may(CARL, "ls", version / "closed")


def test_a_file_of_several_users_is_shown_as_the_daemons(mount: Mount, name: str) -> None:
    shell(BEA, 'mkdir -m 777 "$1"; umask 077; echo bea > "$1/bea"', mount.incoming / name)
    shell(CARL, 'umask 077; echo carl > "$1/carl"', mount.incoming / name)
    commit(mount.incoming / name)
    version = mount.artifacts / name / "1"
    assert {path.name: path.stat().st_uid for path in version.iterdir()} == {"bea": 0, "carl": 0}
    assert not may(BEA, "cat", version / "carl") and not may(BEA, "cat", version / "bea")
    assert (version / "carl").read_text() == "carl\n"


def test_equal_files_of_two_users_are_each_their_own(mount: Mount, name: str) -> None:
    for user in (MYSELF, BEA, CARL):
        draft = mount.incoming / f"{name}-{user.name}"
        shell(user, 'umask 077; echo equal > "$1"; touch -d 2026-01-01 "$1"', draft)
        commit(draft)
    for user, others in ((BEA, "carl"), (CARL, "bea")):
        assert may(user, "cat", mount.artifacts / f"{name}-{user.name}" / "1" / f"{name}-{user.name}")
        assert not may(user, "cat", mount.artifacts / f"{name}-{others}" / "1" / f"{name}-{others}")
        assert not may(user, "cat", mount.artifacts / f"{name}-myself" / "1" / f"{name}-myself")


def test_what_tells_of_all_files_is_for_those_who_may_read_them_all(mount: Mount, name: str) -> None:
    shell(BEA, 'mkdir "$1"; echo > "$1/open"; umask 077; echo secret > "$1/closed"', mount.incoming / name)
    commit(mount.incoming / name)
    known = mount.artifacts / name / "1" / ".artfs"
    for text in ("B3SUMS", "manifest.json"):
        assert may(BEA, "cat", known / text) and not may(CARL, "cat", known / text)
    assert may(CARL, "cat", known / "info.json")
    assert json.loads((known / "info.json").read_text())["user"] == str(BEA.uid)


def test_the_log_of_a_run_is_for_whoever_ran_it(mount: Mount, name: str) -> None:
    mount.artfs("exec", "--name", name, "--", "sh", "-c", f"echo secret; cat {mount.path}/README.txt")
    (log,) = (mount.path / "runs" / name / "latest").glob("steps/*/log.txt")
    assert "secret" in log.read_text()
    assert not may(BEA, "cat", log)


def test_a_file_that_was_private_only_while_it_was_temporary_is_shown_as_its_writer_would_have_made_it(
    mount: Mount, name: str
) -> None:
    draft = mount.incoming / name
    draft.mkdir()
    script = """
        import os, sys
        os.chdir(sys.argv[1]); os.umask(0o027)
        for first, last in ((".tmpAb3dEf", "tensors"), ("plain", "kept"), (".tmpZyXwVu", "chosen")):
            os.close(os.open(first, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            if last == "chosen": os.chmod(first, 0o600)
            os.rename(first, last)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), draft], check=True)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in draft.iterdir()}
    assert modes == {"tensors": 0o640, "kept": 0o600, "chosen": 0o600}


# What is stored.


def store_files(mount: Mount, name: str) -> list[os.stat_result]:
    return [path.stat() for path in stored_files(mount.home / "store" / name)]


def test_the_stores_files_are_the_daemons_and_cannot_be_written(mount: Mount, name: str) -> None:
    shell(BEA, 'mkdir "$1"; echo "$1" > "$1/a"; umask 0; echo "b $1" > "$1/b"; ln "$1/b" "$1/c"', mount.incoming / name)
    commit(mount.incoming / name)
    found = [(status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) for status in store_files(mount, name)]
    assert found == [(0, 0, 0o400)] * 2
    mode = stat.S_IMODE((mount.incoming / name / "b").stat().st_mode)
    assert (mode, (mount.incoming / name / "b").stat().st_uid) == (0o666, BEA.uid), "the draft's own stay as they were"


def test_so_are_those_whose_sealing_a_kill_cut_short(mount: Mount, name: str) -> None:
    shell(BEA, 'umask 0; echo "$1" > "$1"', mount.incoming / name)
    commit(mount.incoming / name)
    uuid = os.getxattr(mount.artifacts / name / "1", "user.artfs.id").decode()
    mount.unmount()
    (stored,) = stored_files(mount.home / "store" / name)
    os.chown(stored, BEA.uid or 0, BEA.gid or 0)
    stored.chmod(0o666)
    for record in mount.home.glob("mounts/*/drafts/*.json"):
        facts = json.loads(record.read_text())
        if facts["name"] == name:
            record.write_text(json.dumps({**facts, "state": "sealing", "uuid": uuid}))
    mount.remount()
    assert (stored.stat().st_uid, stat.S_IMODE(stored.stat().st_mode)) == (0, 0o400)


def test_a_descriptor_from_before_changes_the_draft_and_not_the_version(mount: Mount, name: str) -> None:
    draft = mount.incoming / name
    with open(draft, "w+b") as kept:
        kept.write(b"before")
        kept.flush()
        with raises(16):  # EBUSY
            commit(draft)
    with open(draft, "rb") as kept:
        commit(draft)
        with open(f"/proc/self/fd/{kept.fileno()}", "r+b") as again:
            again.write(b"after!")
        assert draft.read_bytes() == b"after!"
    assert (mount.artifacts / name / "1" / name).read_bytes() == b"before"


def test_what_the_daemon_keeps_is_for_its_user_alone(mount: Mount, name: str) -> None:
    (mount.incoming / name).write_text(name)
    commit(mount.incoming / name)
    area = mount.home / "mounts" / "1"
    kept = [path for path in mount.home.rglob("*") if area / "work" not in (path, *path.parents)]
    kept.remove(mount.home / "config.toml")  # which the test has written
    assert {"daemon.log", "stacks.txt", "lock", "mount.json", "catalog.db-wal"} <= {path.name for path in kept}
    assert [str(path) for path in kept if path.stat().st_mode & 0o077] == []


# Descriptors.


class Limited(User):
    """Whoever runs the tests, with few descriptors."""

    def python_command(self, command: Sequence[str | Path]) -> list[str]:
        return ["prlimit", f"--nofile={DESCRIPTORS}", *super().python_command(command)]


DESCRIPTORS = 600


def test_one_user_cannot_keep_the_others_from_opening_files(fuse_for_everyone: None) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can act as other users")
    user = Limited("myself")
    mount = Mount(new_base(user), user, options=["--allow-other"], settings=NEVER_BY_ITSELF).mount()
    mount.incoming.chmod(0o1777)
    script = 'mkdir "$1"; for i in $(seq 1000); do exec {fd}>"$1/$i" || break; done; echo; read'
    greedy = subprocess.Popen(
        BEA.command(["bash", "-c", script, "bash", mount.incoming / "many"]),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert greedy.stdout is not None
        greedy.stdout.readline()
        opened = len(list((mount.incoming / "many").iterdir()))
        assert 100 < opened < DESCRIPTORS / 2
        shell(CARL, 'echo carl > "$1"; cat "$1"', mount.incoming / "carl")
        (mount.incoming / "root").write_text("root")
        assert commit(mount.incoming / "root") == "1"
        assert (mount.artifacts / "root" / "1" / "root").read_text() == "root"
        _, said = greedy.communicate("go on\n", timeout=60)
        assert "Too many open files" in said
        shell(BEA, 'echo again > "$1"', mount.incoming / "again")
    finally:
        greedy.kill()
        mount.unmount()
        mount.end()
        remove_base(mount.base)
