"""`artfs sync` and `artfs commit`: make versions of what lies in /incoming. The daemon is asked through the mount."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from artfs.cli.printing import json_option, print_json, readable_size, say, waiting
from artfs.cli.reporting import FAILED, complain, explain
from artfs.cli.session import Session, pass_session
from artfs.describe.owed import owed
from artfs.errors import DraftHeld, DraftNotFound, InvalidValue, MountError
from artfs.linux import mounts
from artfs.names import check_tag_name, check_version_name

if TYPE_CHECKING:
    from artfs.home.home import Home
    from artfs.transfers.pending import Owed

SYNC = "user.artfs.sync"
COMMIT = "user.artfs.commit"
INCOMING = "incoming"


@click.command()
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--timeout", type=click.FloatRange(min=0), help="Seconds after which to give up.  [default: never]")
@json_option
@pass_session
@click.pass_context
def sync(
    context: click.Context, session: Session, directory: Path | None, timeout: float | None, as_json: bool
) -> None:
    """Wait until everything written so far is a version, and in its artifact store.

    DIR is a mount, or a directory in one. Drafts that cannot become versions are told, each on a line with the reason,
    and make the exit code 1. So does what could not be brought to its store for a minute; it is tried again later.
    What is no artifact, such as a temporary file, is told in one line, and is no error. Without DIR only what the home
    owes to stores is waited for.
    """
    give_up = None if timeout is None else time.monotonic() + timeout
    answer: dict[str, Any] = {}
    home: Home | None = session.home
    with waiting("syncing") as show:
        if directory is not None:
            root = mounts.artfs_of(directory)
            answer = _asked(root)
            while not answer["done"] and (give_up is None or time.monotonic() < give_up):
                show(f"waiting for {_named(answer['waiting'], answer['waiting_count'])}")
                answer = _asked(root)
            home = _home_of(root) if answer["owed"] else None
        left = _left(home, give_up, show) if home is not None else []
    if as_json:
        print_json({**answer, "owed": owed(left)})
    if answer.get("aside"):
        say(f"left as they are: {_named(answer['aside'], answer['aside_count'])}", err=True)
    for draft in answer.get("held", []):
        complain(f"{draft['draft']}: it is held: {_reason(draft['draft'], draft['reason'])}")
    if not answer.get("done", True):
        complain(f"{directory}: not done after {timeout:g} s: {_named(answer['waiting'], answer['waiting_count'])}")
    if left:
        from artfs.transfers.pending import told

        complain(told(left))
    if left or answer.get("held") or not answer.get("done", True):
        context.exit(FAILED)


@click.command()
@click.argument("draft", type=click.Path(path_type=Path))
@click.option("--version", metavar="NAME", help="The version's name, instead of the next number.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="Put a tag on the version; may be repeated.")
def commit(draft: Path, version: str | None, tags: tuple[str, ...]) -> None:
    """Make a version of DRAFT now, and print its name.

    DRAFT is an entry of the mount's incoming directory, for example mnt/incoming/my_model. Prints ARTIFACT/VERSION.
    Where nothing has changed since the last version, no new one is made, and that one is printed. What was held is
    taken all the same, and told on a line each; only what is open for writing is not.
    """
    if version is not None:
        check_version_name(version)
    for tag in tags:
        check_tag_name(tag)
    path = _draft_path(draft)
    try:
        wish = json.dumps({"draft": path.name, "version": version, "tags": list(tags)}).encode()
        os.setxattr(mounts.order_at(path.parent.parent, path.name), COMMIT, wish)
    except OSError as error:
        why = _status_of(path).get("error") or explain(error)
        raise DraftHeld(f"{draft}: {_reason(path.name, why)}", subject=str(draft)) from error
    status = _status_of(path)
    for each in status.get("took", []):
        say(f"took {os.path.join(path.name, each['path']).rstrip('/')}: {each['why']}", err=True)
    say(f"{path.name}/{status['version']}")


def _asked(root: Path) -> dict[str, Any]:
    """What the daemon answers to a question for sync; it waits up to a second with it."""
    try:
        answer = json.loads(os.getxattr(root, SYNC))
    except (OSError, ValueError) as error:
        raise MountError(f"{root}: the mount does not answer: {explain(error)}", subject=root) from error
    assert isinstance(answer, dict)
    return answer


def _home_of(root: Path) -> Home | None:
    """The home that a mount shows; None if this user cannot work in it."""
    from artfs.home.home import Home

    home = Home(Path(mounts.read_status(root)["home"]))
    return home if home.is_writable else None


def _left(home: Home, give_up: float | None, show: Callable[[str], None]) -> list[Owed]:
    """What a home still owes when it was waited for."""
    from artfs.workspace.workspace import Workspace

    def show_owed(left: Sequence[Owed]) -> None:
        show(f"bringing {left[0].what} to {left[0].store}, {readable_size(sum(each.left for each in left))} left")

    with Workspace.of(home.existing()) as workspace:
        seconds = None if give_up is None else max(give_up - time.monotonic(), 0)
        return workspace.transfers.wait(seconds, show=show_owed)


def _named(drafts: list[dict[str, str]], how_many: int) -> str:
    first = ", ".join(f"{draft['draft']} ({draft['reason']})" for draft in drafts[:3])
    return first + (f" and {how_many - 3} more" if how_many > 3 else "")


def _reason(draft: str, reason: str) -> str:
    """The reason without the draft's name, which the daemon may have put in front."""
    return reason.removeprefix(f"{draft}: ")


def _draft_path(given: Path) -> Path:
    """The path of a draft, whose last part is not followed if it is a link."""
    named = given.name not in ("", "..")
    path = mounts.without_links(given.parent) / given.name if named else mounts.without_links(given)
    root = mounts.artfs_of(path.parent, given)
    if path.parent == root / INCOMING and os.path.lexists(path):
        return path
    if why := mounts.read_status(root).get("read_only"):
        raise MountError(f"{given}: {why}; commit in a mount of a home that can be written", subject=str(given))
    if path.parent != root / INCOMING:
        raise InvalidValue(
            f"{given}: it is not a draft; give an entry of {root / INCOMING}, such as {root / INCOMING}/my_model",
            subject=str(given),
        )
    raise DraftNotFound(f"{given}: no such draft; 'artfs status {root}' lists them", subject=str(given))


def _status_of(path: Path) -> dict[str, Any]:
    """What the daemon says of a draft; nothing if it is gone."""
    drafts = mounts.read_status(path.parent.parent).get("drafts", [])
    return next((draft for draft in drafts if draft["name"] == path.name), {})
