"""Secrets are hidden wherever text is kept or logged, and what is none stays readable."""

from __future__ import annotations

import re
import shlex
import time

import pytest

from artfs.errors import StoreError
from artfs.secrets.names import is_secret_name
from artfs.secrets.redaction import has_secret, redacted, redacted_command, redacted_values

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
    "ftp://{}@host/x",
    "https://{}:@h/",
    "dbpassword={}",
    "MYPASS={} x",
    "PGPASSWORD={} psql",
    "OPENAI_KEY={}",
    "openai_key={}",
    "SECRET_KEY_BASE={}",
    "DB_PASSWORD_2={}",
    "train --token {} --epochs 3",
    "train --password 'a {}'",
    'train --password "a {}" x',
    "it ran train --bearer {}: refused",
    "train --pass {}",
    "train --pw {}",
    "mysql -p{} db",
    "/usr/bin/mysqldump -u root -p'{} x' db | gzip",
    "redis-cli -h host -a {} ping",
    "docker login -u me -p {} host",
    "sshpass -p {} ssh -p 2222 host",
    "curl -sSu bob:{} https://host",
    "curl -ubob:{} https://host",
    "curl -H 'A: b; c' -d 'a=1&b=2' -u bob:{} https://host",
    "curl -u bob:'{} x' host",
    "wget --proxy-user a:{} host",
    "smbclient //h/s -U a%{}",
    "openssl rsa -passin pass:{}",
    "sh -c 'curl -u bob:{} https://host; true'",
    "Command '['mysql', '-p{}']' returned non-zero exit status 1.",
    "Command '['curl', '-H', 'A: b; c', '-u', 'bob:{}', 'x']' returned non-zero exit status 1.",
    "Command '['train', '--db-password', '{}']' returned non-zero exit status 1.",
    "password: {}",
    "db:\n  password: two words {}\n  port: 3",
    "config is {{password: {}, port: 3}}",
    "curl -H 'password: {}' host",
    "hf_token: {}",
    "token: {}",
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
    "sort --key value; KEY=3 SORT_KEY=3 monkey=3 turkey: x keyboard=us hotkey=a",
    "compass=n bypass=1 forward_pass=x lowpass=x --bypass x --max-tokens 5 --max-token 5 padtoken=x",
    "pass: 3 failed: 0",
    "2 of them pass: 120 skipped: 1",
    "token: it takes none",
    "pass=3 fail=4 -pass 2",
    "docker run -p 80:80 --user 1000:1000 -u me:x image:tag",
    "ssh -p 2222 host; tar -pxf a; redis-server -a x; date -u",
    "db_password:3 db_password:latest",
    "https://git@host/x.git ftp://anonymous@host/x",
    "b3:00112233445566778899aabbccddeeff",
    "model/12 and 123e4567-e89b-12d3-a456-426614174000",
]


SENTENCES = [
    "error: argument --token: expected one argument",
    "--password is required, and --token must be set",
    "def connect(password: str, api_key: str) -> None",
    "curl -o x https://host; mkdir -p/x; python -u a:b",
    "mysql -p db; cp -px a b",
]


@pytest.mark.parametrize(
    ("text", "command"),
    [
        *[(text, ["prog", *text.split()]) for text in PLAIN],
        *[(text, ["sh", "-c", text]) for text in SENTENCES],
    ],
)
def test_what_is_no_secret_stays(text: str, command: list[str]) -> None:
    assert redacted(text) == text
    assert redacted_command(command) == command


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
    ["sh", "-c", "curl -u bob:{} https://host"],
    ["run", "sshpass -p {} ssh"],
    ["env", "PGPASSWORD={}", "psql"],
    ["train", "--pass", "{}"],
    ["train", "--pw", "{}"],
    ["train", "--password", "two words {}"],
    ["wget", "--proxy-user", "a:{}", "host"],
    ["smbclient", "//h/s", "-U", "a%{}"],
    ["train", "--bearer", "{}"],
    ["echo", "password: {}"],
    ["echo", "password:", "{}"],
    ["wget", "ftp://{}@host"],
    ["sudo", "-u", "me", "env", "A=b", "timeout", "9", "mysql", "-p{}"],
    ["redis-cli", "-a", "{}"],
    ["docker", "login", "-p", "{}", "host"],
    ["curl", "-sSubob:{}", "host"],
    ["curl", "--user=bob:{}", "host"],
    ["bash", "-c", "ssh host \"mysql -p'{}' db\""],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_secret_stays_in_a_command(command: list[str]) -> None:
    given = [word.format(SECRET) for word in command]
    shown = redacted_command(given)
    assert SECRET not in " ".join(shown) and "***" in " ".join(shown)
    assert len(shown) == len(given)
    assert redacted_command(shown) == shown


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_secret_of_a_command_stays_in_a_text_that_tells_of_it(command: list[str]) -> None:
    given = [word.format(SECRET) for word in command]
    for text in (" ".join(given), shlex.join(given), f"Command '{given}' returned non-zero exit status 1."):
        if not re.search(r"DB_PASS=two|--password two|password: *'", text):  # without its quotes nobody knows its end
            assert SECRET not in redacted(text)


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
    glued = "dbpassword MYPASS PGPASSWORD OPENAI_KEY openaikey SECRET_KEY_BASE hftoken clientsecret MYSQL_PWD dbpw"
    assert all(map(is_secret_name, glued.split()))
    no_glued = "monkey compass bypass surpass KEY key keyboard SORT_KEY max_token eostoken highpass token_1 num_pass"
    assert not any(map(is_secret_name, no_glued.split()))
    plain = "passwords_file tokens tokenizer author keyboard sort_key primary_key PWD pad_token secretary password.txt"
    assert not any(map(is_secret_name, plain.split()))


def test_a_uri_with_a_secret_is_told_from_one_without() -> None:
    assert has_secret("s3://K:S@b/x") and has_secret("https://h/x?sig=abc")
    assert not has_secret("s3://b/x") and not has_secret("/data/set") and not has_secret("file:///data/x")


def test_no_error_of_artfs_says_a_secret() -> None:
    assert str(StoreError(f"cannot register 's3://K:{SECRET}@b/x'")) == "cannot register 's3://***@b/x'"


def test_long_texts_are_quick() -> None:
    texts = ["a" * 200_000, "a=b&" * 50_000, "--x " * 50_000, "://" * 60_000, '"a": "b", ' * 20_000, "a:" * 100_000]
    texts += [
        "mysql '-p " * 20_000,
        "-u 'x" * 40_000,
        "curl -u \"a:'b " * 20_000,
        "password: " * 20_000,
        "-p" * 100_000,
    ]
    start = time.process_time()
    for text in texts:
        redacted(text)
        redacted_command(["p", text])
    assert time.process_time() - start < 20
