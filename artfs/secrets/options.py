"""Secrets in the options of commands: those that a name tells (`--token X`), and those that only its program knows.

A command line is read argument by argument. A script, or any text in which a command may stand, is read from left to
right: quotes are no borders there, as scripts lie within arguments, and arguments within errors and tracebacks.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import cache

from artfs.secrets.names import is_doubtful_name, is_secret_name

HIDDEN = "***"


def without_secrets_of_options(text: str) -> str:
    """Return a text with the secrets hidden that options of commands in it have.

    >>> without_secrets_of_options("sh -c 'curl -u bob:hunter4 host; train --token abc'")
    "sh -c 'curl -u bob:*** host; train --token ***'"
    """
    if "-" not in text:
        return text
    shown: list[str] = []
    options, position, copied = OptionReader(), 0, 0
    while (found := _token().search(text, position)) is not None:
        position = found.end()
        part = "inner" if found["inner"] else 0
        # A quote right after a letter (-p'X') begins the value of that.
        ahead = text[position : position + 1] if len(found[0]) == 2 and text[position : position + 1] in _QUOTES else ""
        takes = options.read(found[part] + ahead)
        if takes.glued:
            value = _glued_value().match(text, found.start(part) + takes.glued)
        else:
            value = _next_value().match(text, position) if takes.next_word else None
        if value is None or value.lastgroup is None or is_prose(value[value.lastgroup]):
            continue
        hidden = takes.hidden(value[value.lastgroup])
        if hidden is not None:
            shown += text[copied : value.start(value.lastgroup)], hidden
            position = copied = value.end(value.lastgroup)
            options.done()
    return "".join([*shown, text[copied:]])


@dataclass(frozen=True, slots=True)
class Takes:
    """What an option takes.

    Args:
        glued: where in the word itself its value begins; 0 if it is not in it.
        next_word: whether the next word is its value.
        account: whether that is `user:password`, of which the user may be shown.
        doubtful: whether a small number is no secret there (`-pass 2`).
        separators: characters between user and password.
    """

    glued: int = 0
    next_word: bool = False
    account: bool = False
    doubtful: bool = False
    separators: str = ":%"

    def hidden(self, value: str) -> str | None:
        """Return how to show a value; None if it is no secret."""
        if self.account:
            found = re.match(rf"[^{self.separators}]*[{self.separators}](?=.)", value, re.DOTALL)
            return None if found is None else found[0] + HIDDEN
        return None if self.doubtful and is_small_number(value) else HIDDEN


_NOTHING = Takes()


@dataclass(slots=True)
class OptionReader:
    """Reads the words of a command, or of a text with commands in it, one after the other."""

    _program: _Program | None = None
    _is_awaited: bool = False
    _open_quotes: set[str] = field(default_factory=set)

    def read(self, word: str) -> Takes:
        """Return what a word takes; of a text also quotes and separators of commands are words."""
        if word in _QUOTES:
            self._open_quotes ^= {word}
        elif word in _SEPARATORS:
            if not self._open_quotes or word == "\n":
                self._program = None
        elif word.startswith("-"):
            return self._option(word)
        else:
            self._plain(word)
        return _NOTHING

    def done(self) -> None:
        """Say that a secret was found: what sshpass starts has options of its own."""
        if self._program is not None and self._program.starts_another:
            self._program = None

    def _plain(self, word: str) -> None:
        program = _programs().get(os.path.basename(word))
        if program is not None:
            self._program, self._is_awaited = program, bool(program.subcommand)
            # A quote that is open already is around the command, and not within it.
            self._open_quotes.clear()
        elif self._program is not None and word == self._program.subcommand:
            self._is_awaited = False

    def _option(self, word: str) -> Takes:
        name, equals, _ = word.partition("=")
        letter = f"-{word[-1]}" if re.fullmatch(r"-[A-Za-z]{1,6}", word) else word
        program = None if self._is_awaited else self._program
        if name in ("--proxy-user", "--user", "-U") and equals:
            separators = ":%" if name == "--proxy-user" or (program and name in program.accounts) else "%"
            return Takes(glued=len(name) + 1, account=True, separators=separators)
        if equals and not (program and word[:2] in program.glued):
            return _NOTHING
        if program is not None:
            if word[:2] in program.glued and len(word) > 2 and word[1] != "-" and word[2] != "=":
                return Takes(glued=2)
            cluster = re.match(r"-[A-Za-z]{0,6}?(?P<last>[uU])(?=['\"]|.*:)", word, re.DOTALL)
            if cluster is not None and f"-{cluster['last']}" in program.accounts:
                return Takes(glued=cluster.end(), account=True)
            if letter in program.secrets:
                return Takes(next_word=True)
            if letter in program.accounts:
                return Takes(next_word=True, account=True)
        if word == "--proxy-user":
            return Takes(next_word=True, account=True)
        if word in ("-U", "--user"):
            return Takes(next_word=True, account=True, separators="%")
        if is_secret_name(word):
            return Takes(next_word=True, doubtful=is_doubtful_name(word))
        return _NOTHING


def is_small_number(value: str) -> bool:
    """Whether a value is a count, such as one of passes, rather than a password."""
    return re.fullmatch(r"\d{1,3}(?:\.\d*)?%?", value) is not None


def is_prose(word: str) -> bool:
    """Whether a word is one that follows a name in a sentence, an annotation or a listing of settings."""
    return word.lower().strip(".,:;") in _PROSE


@dataclass(frozen=True, slots=True)
class _Program:
    """Options that only this program gives their meaning.

    Args:
        glued: are followed at once by a password (`-pX`).
        secrets: the next word is a password.
        accounts: the next word is `user:password`.
        subcommand: the word after which they are meant so.
        starts_another: whether a program of its own follows.
    """

    glued: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    subcommand: str = ""
    starts_another: bool = False


@cache
def _programs() -> dict[str, _Program]:
    kinds = {
        "mysql mysqldump mysqladmin mysqlimport mysqlsh mariadb mariadb-dump mariadb-admin": _Program(glued=("-p",)),
        "7z 7za": _Program(glued=("-p",)),
        "sshpass": _Program(glued=("-p",), secrets=("-p",), starts_another=True),
        "curl": _Program(accounts=("-u", "-U", "--user", "--proxy-user")),
        "redis-cli": _Program(secrets=("-a",)),
        "docker podman nerdctl helm az oc skopeo buildah": _Program(secrets=("-p",), subcommand="login"),
        "mongo mongosh mongodump mongorestore mongoexport mongoimport cqlsh rabbitmqadmin": _Program(secrets=("-p",)),
        "ldapsearch ldapadd ldapmodify ldapdelete ldapwhoami": _Program(secrets=("-w",)),
        "zip unzip sqlcmd bcp ipmitool mosquitto_pub mosquitto_sub": _Program(secrets=("-P",)),
    }
    return {name: kind for names, kind in kinds.items() for name in names.split()}


_QUOTES = frozenset("'\"")
_SEPARATORS = frozenset(";|&\n`")
_PROSE = frozenset(
    re.findall(
        r"\w+",
        """a an and any are as at bool boolean but by bytes cannot class could did does empty expected expects expired
        failed false float for from get give given has have if in incorrect int invalid is it its itself may missing
        must my need needed needs no none not null of ok on only optional option or please refused required requires set
        should str string takes than that the then this to too true try type union unknown unset use used using value
        wants was were what when where which who will with without wrong yes you your""",
    )
)


@cache
def _token() -> re.Pattern[str]:
    word = r"[^\s'\"\[\](){},;|&`]+"
    return re.compile(rf"(?P<quote>['\"])(?P<inner>{word})(?P=quote)|[;|&\n`'\"]|{word}")


_QUOTED = (
    r"['\"\\]{2,}(?P<nested>[^\s'\"\\][^'\"\n\\]*)"  # a quote within quotes, as shells need it
    r"|'(?=[^'\n]+')(?P<single>[^'\n]+)|\"(?=[^\"\n]+\")(?P<double>[^\"\n]+)"
)
_BARE = r"[^\s'\";|&`)\]]"


@cache
def _glued_value() -> re.Pattern[str]:
    """A value that begins here."""
    return re.compile(rf"{_QUOTED}|(?P<half>{_BARE}*[:%]['\"][^'\"\n]+)|(?P<bare>{_BARE}+)")


@cache
def _next_value() -> re.Pattern[str]:
    """A value after blanks, or after what separates two texts of a list."""
    return re.compile(
        rf"['\"]?(?:,\s+|(?:[ \t]|\\\r?\n)+)"
        rf"(?:{_QUOTED}|(?P<half>(?!-){_BARE}*[:%]['\"][^'\"\n]+)|(?P<bare>(?!-){_BARE}+))"
    )
