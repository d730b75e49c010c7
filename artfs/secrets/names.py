"""Which names are those of secrets, such as `--db-password`, `HF_TOKEN`, `PGPASSWORD` or `openai_key`.

Names are compared word by word, so that `--tokenizer` and `--max-tokens` are left alone, as are the tokens of language
models (`--pad-token`), the keys of sorting and databases, and words that merely end like one (`monkey`, `bypass`).
"""

from __future__ import annotations

import re


def is_secret_name(name: str) -> bool:
    """Whether what is called so is a secret.

    >>> [is_secret_name(name) for name in ("AWS_SECRET_ACCESS_KEY", "--hf-token", "PGPASSWORD", "pad_token", "PWD")]
    [True, True, True, False, False]
    """
    words = _words(name)
    if not words or (len(words) == 1 and words[0] in _NO_SECRETS):
        return False
    before, last = (words[-2] if len(words) > 1 else ""), words[-1]
    if last == "token":
        return before not in _OF_LANGUAGE_MODELS
    if last == "pass":
        return before not in _PASSES
    if last == "key":
        # Variables of the environment are written in capitals, and those that end so are mostly secrets.
        return before in _WITH_KEY or (bool(before) and name.isupper() and before not in _PLAIN_KEYS)
    return last in _SECRET_WORDS or (before, last) in _SECRET_PAIRS or _is_glued(last)


def is_doubtful_name(name: str) -> bool:
    """Whether a secret's name is also a word of texts about something else: `pass: 3`, `unexpected token: x`."""
    words = _words(name)
    return len(words) == 1 and words[0] in _DOUBTFUL


def _words(name: str) -> list[str]:
    """The words of a name, without what may follow those that count: SECRET_KEY_BASE, PASSWORD_2."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if len(words) > 1 and words[-1].isdigit() and words[-2] != "token":
        words.pop()
    if len(words) > 2 and words[-2:] == ["key", "base"]:
        words.pop()
    return words


def _is_glued(word: str) -> bool:
    """Whether a word without a mark within ends in a secret's: dbpassword, MYPASS, openaikey."""
    found = _GLUED.fullmatch(word)
    if found is None:
        return False
    before, last = found["before"], found["last"]
    if last == "pass":
        return before not in _PASSES
    if last == "token":
        return before not in _OF_LANGUAGE_MODELS
    if last == "key":
        return before in _WITH_KEY
    return last != "pw" or before in _WITH_PW


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_GLUED = re.compile(r"(?P<before>[a-z]+?)(?P<last>password|passwd|passphrase|pwd|secret|token|pass|key|pw)")

_SECRET_WORDS = _set(
    "apikey auth authorization authtoken bearer credential credentials passphrase passwd password pat pw pwd sas secret"
)
_DOUBTFUL = _set("auth authorization bearer credential credentials pass pat pw sas secret token")
_NO_SECRETS = _set("pwd oldpwd")
"""Whole names: the working directory of a shell."""
_SECRET_PAIRS = frozenset(
    (first, "signature") for first in _set("access account api auth encryption private secret service shared signing")
)
_WITH_KEY = _set(
    """access account api auth encryption master private secret service shared signing storage subscription
    anthropic aws azure cohere datadog deepseek gcp gemini github gitlab groq hf huggingface mistral openai replicate
    sendgrid sentry stripe twilio wandb"""
)
"""Words before `key` that make it a secret."""
_PLAIN_KEYS = _set(
    """batch cache column composite config data default dict dictionary feature foreign group hash hot index join key
    label lookup map merge metric natural object partition primary public range row s3 sample search shard sort split
    state surrogate target unique"""
)
"""Words before `key` that make it none, also in capitals."""
_OF_LANGUAGE_MODELS = _set(
    """added audio begin bos byte cls current de each end eos eot first image last mask max min multi n new next non num
    out pad per pre prompt re sep single special start stop sub unexpected unk video word"""
)
"""Words before `token` that make it one of a text, and no secret."""
_PASSES = _set(
    """all backward band boarding by com current every encom final first forward full high is last low max min
    multi n next no nth num one over per second single sur test third tres two under"""
)
"""Words before `pass` that make it no password: compass, bypass, forward_pass."""
_WITH_PW = _set("admin db ftp ldap mail my pg root smtp sql user")
