"""How a command fails: one line on standard error that says what, why and what to do.

Exit codes: 1 for an error, 2 for wrong usage, 130 when the user interrupts.
"""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn

import click

from artfs.errors import ArtfsError
from artfs.secrets.redaction import redacted
from artfs.text.printable import printable

UNLISTED = "a version that the catalog does not know, as an older one was restored"
FAILED = 1
INTERRUPTED = 130


class ReportingGroup(click.Group):
    """A group that turns every error of its commands into a line."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        run = partial(super().main, args, prog_name, complete_var, standalone_mode=False, **extra)
        if not standalone_mode:
            return run()
        try:
            code: object = run()
        except click.Abort:
            complain("interrupted")
            sys.exit(INTERRUPTED)
        except click.ClickException as error:
            _usage(error)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except BrokenPipeError:
            raise  # whoever reads the output has had enough
        except Exception as error:  # noqa: BLE001 - it is told, and with --debug in full
            if ctx.params.get("debug"):
                click.echo(printable(redacted(traceback.format_exc()), keep="\n"), err=True, nl=False)
            complain(explain(error))
            ctx.exit(FAILED)


def complain(message: str) -> None:
    """Print a line on standard error."""
    click.echo(f"artfs: {printable(redacted(message))}", err=True)


def explain(error: BaseException) -> str:
    """Return the line that tells an error to the user."""
    if isinstance(error, ArtfsError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        about = f"{error.filename}: " if error.filename is not None else ""
        return f"{about}{error.strerror}{_ADVICE.get(error.errno or 0, '')}"
    if isinstance(error, OSError):
        return str(error) or type(error).__name__
    return f"unexpected {type(error).__name__}: {error}; please report it with what 'artfs --debug ...' prints"


_ADVICE = {
    errno.EACCES: "; run it as somebody who may",
    errno.EPERM: "; run it as somebody who may",
    errno.ENOSPC: "; make room and try again",
    errno.EROFS: "; choose a place that can be written",
    errno.ENOTCONN: "; the daemon of this mount has died: mount it again",
    errno.ETIMEDOUT: "; the store or the daemon did not answer in time: see 'artfs status'",
}


def _usage(error: click.ClickException) -> NoReturn:
    message = error.format_message().strip().rstrip(".")
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        click.echo(error.format_message(), err=True)
    elif context is not None:
        complain(f"{message}; see '{context.command_path} --help'")
    else:
        complain(message)
    sys.exit(error.exit_code)
