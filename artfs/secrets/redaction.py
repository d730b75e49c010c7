"""Secrets in text that is kept or logged: command lines, URIs, errors.

A secret is recognised by what is before it (a name, see `names`; an option, see `options`; the
user part of a URI, a header) or by its own shape (keys of well-known services).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from artfs.secrets.names import is_doubtful_name, is_secret_name
from artfs.secrets.options import HIDDEN, OptionReader, is_prose, is_small_number, without_secrets_of_options

_QUERY = (
    "access_token|accesstoken|api[_-]?key|apikey|auth|awsaccesskeyid|client_secret|code|credential|id_token|key|passwd|"
    "password|pwd|refresh_token|sas|secret|sig|signature|token|x-amz-credential|x-amz-security-token|x-amz-signature|"
    "x-goog-credential|x-goog-signature"
)
_HEADERS = (
    "api-key|authorization|cookie|private-token|proxy-authorization|set-cookie|"
    "x-amz-security-token|x-api-key|x-auth-token"
)


def redacted(text: str) -> str:
    """Return a text with what looks like a secret hidden.

    >>> redacted("cannot open s3://KEY:SECRET@bucket/x with --password=hunter2")
    'cannot open s3://***@bucket/x with --password=***'
    """
    for pattern, replacement in _rules():
        text = pattern.sub(replacement, text)
    text = without_secrets_of_options(_assignment().sub(_without_value, text))
    for pattern in _fields():
        text = pattern.sub(_without_field, text)
    return text


def redacted_command(command: Sequence[str]) -> list[str]:
    """Return a command line with the secrets in its arguments hidden.

    >>> redacted_command(["train.py", "--api-key", "abc", "TOKEN=xyz", "--max-tokens", "5"])
    ['train.py', '--api-key', '***', 'TOKEN=***', '--max-tokens', '5']
    """
    shown: list[str] = []
    options, before, takes = OptionReader(), "", None
    for word in command:
        hidden = takes.hidden(word) if takes is not None and takes.next_word and not word.startswith("-") else None
        if hidden is None and before.endswith(":") and word.strip() and _is_field(before[:-1], word):
            hidden = HIDDEN
        takes = None
        if hidden is not None:
            options.done()
        else:
            read = options.read(word)
            within = read.hidden(word[read.glued :]) if read.glued else None
            if within is not None:
                hidden = word[: read.glued] + within
                options.done()
            takes = read if read.next_word else None
        shown.append(_argument(word) if hidden is None else hidden)
        before = word
    return shown


def redacted_values(value: Any, name: str = "") -> Any:
    """Return plain values, at any depth, with secrets hidden: by the name that a value has, or by what is in a text."""
    if isinstance(value, str):
        return HIDDEN if value and is_secret_name(name) else redacted(value)
    if isinstance(value, Mapping):
        if any(str(key).startswith("$") for key in value):
            return _redacted_form(value, name)
        return {key: redacted_values(each, str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [redacted_values(each, name) for each in value]
    return value


def _redacted_form(form: Mapping[str, Any], name: str) -> Any:
    """Return {"$type": content}, as values that JSON has no word for are written; its name is that of the content."""
    if is_secret_name(name):
        return HIDDEN
    if "$dict" in form:
        return {
            "$dict": [[key, redacted_values(each, key if isinstance(key, str) else "")] for key, each in form["$dict"]]
        }
    return {key: redacted_values(each, name) for key, each in form.items()}


def has_secret(uri: str) -> bool:
    """Whether a URI has a secret in it: a password before its host, a token or signature in its query."""
    return redacted(uri) != uri


def _argument(word: str) -> str:
    name, equals, value = word.partition("=")
    if equals and value and not re.search(r"\s", name) and _is_secret(name, value):
        return f"{name}={HIDDEN}"
    return redacted(word)


def _is_secret(name: str, value: str) -> bool:
    return is_secret_name(name) and not (is_doubtful_name(name) and is_small_number(value))


def _is_field(name: str, value: str) -> bool:
    """Whether the word after a colon is a secret: sentences and reports go on so too (`pass: 3`)."""
    first = value.split(maxsplit=1)[0]
    if not is_secret_name(name) or is_prose(first):
        return False
    looks_made = len(first) >= 6 and re.search(r"[A-Za-z]", first) and re.search(r"\d", first)
    return not is_doubtful_name(name) or bool(looks_made)


def _without_field(found: re.Match[str]) -> str:
    value, is_reference = found["value"], found["sign"] == ":"  # to a version: db_password:3
    if (is_reference and (is_small_number(value) or value == "latest")) or not _is_field(found["name"], value):
        return found[0]
    return f"{found['before']}{found['name']}{found['sign']}{HIDDEN}"


def _without_value(found: re.Match[str]) -> str:
    if not _is_secret(found["name"], found["bare"] or ""):
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
            re.compile(r"(\b[a-z][a-z0-9+.-]{0,30}://)[^\s/@:'\"<>]*:(?!\d+(?:/|$))[^\s@'\"<>]*@", ignoring_case),
            rf"\1{HIDDEN}@",
        ),
        # https://token@host: a word alone there is often all it takes.
        (
            re.compile(r"(\b(?:https?|ftps?)://)(?!(?:git|anonymous|ftp)@)[^\s/@:?#'\"<>]+@", ignoring_case),
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
def _fields() -> tuple[re.Pattern[str], ...]:
    """`name: value`: on a line of its own, as in YAML, all of that line; within one, a word."""
    name = r"(?P<name>[A-Za-z_][\w.-]*)"
    return (
        re.compile(
            rf"(?P<before>^[ \t]*(?:-[ \t]+)?){name}(?P<sign>:[ \t]+['\"]?)"
            r"(?P<value>[^\s'\"](?:(?!,\s|\s#)[^\n'\"])*)",
            re.MULTILINE,
        ),
        re.compile(
            rf"(?P<before>(?<![\w./:@-])){name}(?P<sign>:(?:[ \t]+['\"]?|(?![\s/:'\"])))"
            r"(?P<value>[^\s'\",;|&)}\]]+)"
        ),
    )
