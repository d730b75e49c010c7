"""Secrets in text that is kept or logged: command lines, URIs, errors.

What a secret is, is told by what stands before it (a name such as `--db-password` or `HF_TOKEN`, the user part of a
URI, a header) or by its own shape (keys of well-known services). Names are compared word by word, so that
`--tokenizer` and `--max-tokens` are left alone, as are the tokens of language models (`--pad-token`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

HIDDEN = "***"

_SECRET_WORDS = frozenset(
    re.findall(
        r"\w+",
        """apikey auth authorization authtoken credential credentials passphrase passwd password pat pwd sas secret
        token""",
    )
)
_SECRET_PAIRS = frozenset(
    f"{first} {second}"
    for first in ("access", "account", "api", "auth", "encryption", "private", "secret", "service", "shared", "signing")
    for second in ("key", "pass", "signature")
) | {"db pass", "user pass", "client pass", "storage key", "subscription key"}
_OF_LANGUAGE_MODELS = frozenset(
    re.findall(
        r"\w+",
        """added audio begin bos cls end eos eot image mask new next out pad per prompt sep special start stop unk
        video word""",
    )
)
"""Words before `token` that make it one of a text, and no secret."""
_NO_SECRETS = frozenset(("pwd", "oldpwd"))
"""Whole names: the working directory of a shell."""

_QUERY = (
    "access_token|accesstoken|api[_-]?key|apikey|auth|awsaccesskeyid|client_secret|code|credential|id_token|key|passwd|"
    "password|pwd|refresh_token|sas|secret|sig|signature|token|x-amz-credential|x-amz-security-token|x-amz-signature|"
    "x-goog-credential|x-goog-signature"
)
_HEADERS = (
    "api-key|authorization|cookie|private-token|proxy-authorization|set-cookie|"
    "x-amz-security-token|x-api-key|x-auth-token"
)

_WITH_PASSWORD_OPTION = frozenset(("mysql", "mysqldump", "mysqladmin", "mariadb", "mariadb-dump", "sshpass"))
"""Programs whose `-p` is followed at once by a password."""
_WITH_USER_OPTION = frozenset(("curl",))
"""Programs whose `-u` takes `user:password`."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def redacted(text: str) -> str:
    """Return a text with what looks like a secret hidden.

    >>> redacted("cannot open s3://KEY:SECRET@bucket/x with --password=hunter2")
    'cannot open s3://***@bucket/x with --password=***'
    """
    for pattern, replacement in _rules():
        text = pattern.sub(replacement, text)
    return _assignment().sub(_without_value, text)


def redacted_command(command: Sequence[str]) -> list[str]:
    """Return a command line with the secrets in its arguments hidden.

    >>> redacted_command(["train.py", "--api-key", "abc", "TOKEN=xyz", "--max-tokens", "5"])
    ['train.py', '--api-key', '***', 'TOKEN=***', '--max-tokens', '5']
    """
    shown: list[str] = []
    programs = {os.path.basename(word) for word in command[:4]}
    before = ""
    for word in command:
        shown.append(_argument(word, before, programs))
        before = word
    return shown


def redacted_values(value: Any, name: str = "") -> Any:
    """Return plain values, at any depth, with secrets hidden: by the name that a value has, or by what is in a text."""
    if isinstance(value, str):
        return HIDDEN if value and is_secret_name(name) else redacted(value)
    if isinstance(value, Mapping):
        return {key: redacted_values(each, str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [redacted_values(each, name) for each in value]
    return value


def has_secret(uri: str) -> bool:
    """Whether a URI has a secret in it: a password before its host, a token or signature in its query."""
    return redacted(uri) != uri


def is_secret_name(name: str) -> bool:
    """Whether what is called so is a secret.

    >>> [is_secret_name(name) for name in ("AWS_SECRET_ACCESS_KEY", "--hf-token", "dbPassword", "pad_token", "PWD")]
    [True, True, True, False, False]
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or (len(words) == 1 and words[0] in _NO_SECRETS):
        return False
    if words[-1] == "token" and len(words) > 1 and words[-2] in _OF_LANGUAGE_MODELS:
        return False
    return words[-1] in _SECRET_WORDS or " ".join(words[-2:]) in _SECRET_PAIRS


def _argument(word: str, before: str, programs: set[str]) -> str:
    is_option = before.startswith("-") and "=" not in before
    if is_option and not word.startswith("-") and is_secret_name(before):
        return HIDDEN
    if programs & _WITH_USER_OPTION and before in ("-u", "--user", "--proxy-user") and ":" in word:
        return f"{word.partition(':')[0]}:{HIDDEN}"
    if programs & _WITH_PASSWORD_OPTION:
        if word.startswith("-p") and len(word) > 2 and not word.startswith("-p="):
            return f"-p{HIDDEN}"
        if "sshpass" in programs and before == "-p":
            return HIDDEN
    name, equals, value = word.partition("=")
    if equals and value and not re.search(r"\s", name) and is_secret_name(name):
        return f"{name}={HIDDEN}"
    # A script within an argument (`sh -c '...'`) has options of its own.
    return _option().sub(_without_value, redacted(word)) if " " in word else redacted(word)


def _without_value(found: re.Match[str]) -> str:
    if not is_secret_name(found["name"]):
        return found[0]
    quote = found["quote"] or ""
    return f"{found['before']}{found['name']}{found['sign']}{quote}{HIDDEN}{quote}"


@cache
def _rules() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Compiled when first needed: most programs that import artfs never do."""
    ignoring_case = re.IGNORECASE
    return (
        # scheme://user:password@host; a port, and what follows it, is none.
        (
            re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@:'\"<>]*:(?!\d+(?:/|$))[^\s@'\"<>]+@", ignoring_case),
            rf"\1{HIDDEN}@",
        ),
        # ?token=... and the signatures of presigned URLs
        (re.compile(rf"([?&](?:{_QUERY})=)[^&\s#'\"<>]+", ignoring_case), rf"\1{HIDDEN}"),
        # Authorization: Bearer ...; to the end of its quotes or line
        (re.compile(rf"\b((?:{_HEADERS})\"?\s*:\s*\"?)[^\s'\"][^'\"\r\n]*", ignoring_case), rf"\1{HIDDEN}"),
        (re.compile(r"\b(bearer\s+)[a-z0-9._~+/=-]{16,}", ignoring_case), rf"\1{HIDDEN}"),
        (re.compile(r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?(?:-----END \1PRIVATE KEY-----|\Z)", re.DOTALL), HIDDEN),
        (
            re.compile(
                r"\b(?:gh[oprsu]_[A-Za-z0-9]{30,}|github_pat_\w{22,}|glpat-[\w-]{20,}|hf_[A-Za-z0-9]{30,}"
                r"|sk-[A-Za-z0-9_-]{20,}|xox[abeprs]-[\w-]{10,}|eyJ[\w-]{5,}\.eyJ[\w-]{5,}\.[\w-]+)"
            ),
            HIDDEN,
        ),
    )


@cache
def _assignment() -> re.Pattern[str]:
    """`NAME=value`, `--name=value`, `"name": "value"`; the value as far as it surely goes."""
    return re.compile(
        r"(?P<before>(?<![\w-])-{0,2}['\"]?)(?P<name>[A-Za-z_][\w.-]*)"
        r"(?P<sign>=|['\"]\s*:\s*(?=['\"]))"  # in words, as in "no option 'token': it takes", no value follows
        r"(?:(?P<quote>['\"])(?!\*\*\*['\"])[^'\"]+['\"]|(?!\*\*\*)(?P<bare>[^\s'\",;&)}\]]+))"
    )


@cache
def _option() -> re.Pattern[str]:
    """`--name value` within a script."""
    return re.compile(
        r"(?P<before>(?<![\w-])--?)(?P<name>[A-Za-z][\w.-]*)(?P<sign>\s+)"
        r"(?:(?P<quote>['\"])[^'\"]+['\"]|(?P<bare>[^\s'\"-][^\s'\"]*))"
    )
