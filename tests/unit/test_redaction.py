"""Secrets are hidden wherever text is kept or logged, and what is none stays readable."""

from __future__ import annotations

import time

import pytest

from artfs.errors import StoreError
from artfs.redaction import has_secret, is_secret_name, redacted, redacted_command, redacted_values

SECRET = "hunter2Z9q"

TEXTS = [
    "s3://KEY:{}@bucket/x",
    "s3://KEY:ab/{}+x=@bucket/x",
    "cannot open 'https://me:{}@host:8080/a?b=c' here",
    "postgresql+psycopg://u:{}@db/x",
    "https://host/x?token={}",
    "https://host/x?a=1&access_token={}&b=2",
    "https://acct.blob.core.windows.net/c/b?sv=2022&sig={}%3D&se=1",
    "https://b.s3.amazonaws.com/k?X-Amz-Credential=AK&X-Amz-Signature={}",
    "--password={}",
    "python train.py --db-password={} --epochs=3",
    "TOKEN={} python x.py",
    "AWS_SECRET_ACCESS_KEY={}",
    "export HF_TOKEN='{} and more'",
    "AccountName=x;AccountKey={};EndpointSuffix=y",
    '{{"user": "me", "password": "{}"}}',
    "{{'api_key': '{}'}}",
    'curl -H "Authorization: Bearer {}" https://host',
    "Authorization: Basic {}",
    "X-Api-Key: {}",
    "sent bearer {}abcdefghijkl",
    "key ghp_{}abcdefghijklmnopqrstuvwxyz end",
    "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("text", TEXTS)
def test_no_secret_stays_in_a_text(text: str) -> None:
    hidden = redacted(text.format(SECRET))
    assert SECRET not in hidden and "***" in hidden
    assert redacted(hidden) == hidden


PLAIN = [
    "s3://bucket/key with spaces/x@y",
    "https://host:8080/user@example.com",
    "http://host:8080",
    "file:///data/a:b@c",
    "git+ssh://git@host/x.git",
    "abfs://container@account.dfs.core.windows.net/x",
    "--tokenizer=bert --max-tokens=100 --pad-token=<pad> --num_tokens 5 --author=me --eos_token=</s>",
    "unexpected token: foo; the password was wrong, and the secret is out",
    "a store has no option 'token': it takes 'password': none",
    "PWD=/home/me OLDPWD=/tmp",
    "basic information is in the bearer certificate",
    "https://host/x?page=2&sort=asc:name&keyword=a",
    "best.ckpt: val_acc=0.97, lr=0.1, key=value",
    "--password-file=/run/secrets/db --key=sort",
    "/artifacts/token/1/x: No such file or directory",
    "b3:00112233445566778899aabbccddeeff",
    "model/12 and 123e4567-e89b-12d3-a456-426614174000",
]


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text
    assert redacted_command(["prog", *text.split()]) == ["prog", *text.split()]


COMMANDS = [
    ["sh", "-c", "exec train", "sh", "--password={}"],
    ["train", "--password", "{}"],
    ["train", "-password", "{}"],
    ["train", "--api-key", "{}", "--epochs", "3"],
    ["env", "TOKEN={}", "train"],
    ["env", "DB_PASS=two words {}", "train"],
    ["bash", "-c", "train --epochs 3 --hf-token {} && echo done"],
    ["bash", "-c", "WANDB_API_KEY={} train"],
    ["mysql", "-p{}", "-u", "root"],
    ["/usr/bin/sshpass", "-p", "{}", "ssh", "host"],
    ["curl", "-u", "me:{}", "https://host"],
    ["curl", "-H", "Authorization: Bearer {}", "https://host"],
    ["rclone", "copy", "s3://K:{}@b/x", "."],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_secret_stays_in_a_command(command: list[str]) -> None:
    given = [word.format(SECRET) for word in command]
    shown = redacted_command(given)
    assert SECRET not in " ".join(shown) and "***" in " ".join(shown)
    assert len(shown) == len(given)
    assert redacted_command(shown) == shown


def test_options_of_other_programs_keep_their_letters() -> None:
    command = ["mkdir", "-p/x", "-p", "y", "python", "-u", "a:b"]
    assert redacted_command(command) == command


def test_values_are_hidden_by_their_names_at_any_depth() -> None:
    values = {"rate": 0.1, "db": {"password": SECRET, "hosts": ["a", f"s3://k:{SECRET}@b"]}, "tokens": 5, "secret": ""}
    assert redacted_values(values) == {
        "rate": 0.1,
        "db": {"password": "***", "hosts": ["a", "s3://***@b"]},
        "tokens": 5,
        "secret": "",
    }


def test_names_are_compared_word_by_word() -> None:
    secret = "password db_password dbPassword DB-PASSWORD apiKey api_key X-Api-Key GITHUB_TOKEN secretAccessKey SAS"
    assert all(map(is_secret_name, secret.split()))
    plain = "passwords_file tokens tokenizer author keyboard sort_key primary_key PWD pad_token secretary password.txt"
    assert not any(map(is_secret_name, plain.split()))


def test_a_uri_with_a_secret_is_told_from_one_without() -> None:
    assert has_secret("s3://K:S@b/x") and has_secret("https://h/x?sig=abc")
    assert not has_secret("s3://b/x") and not has_secret("/data/set") and not has_secret("file:///data/x")


def test_no_error_of_artfs_says_a_secret() -> None:
    assert str(StoreError(f"cannot register 's3://K:{SECRET}@b/x'")) == "cannot register 's3://***@b/x'"


def test_long_texts_are_quick() -> None:
    texts = ["a" * 200_000, "a=b&" * 50_000, "--x " * 50_000, "://" * 60_000, '"a": "b", ' * 20_000, "a:" * 100_000]
    start = time.process_time()
    for text in texts:
        redacted(text)
        redacted_command(["p", text])
    assert time.process_time() - start < 20
