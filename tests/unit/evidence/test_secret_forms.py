"""Unknown secrets are found by form and name; what only looks like one stays."""

from __future__ import annotations

import base64
import json
import pprint
from collections.abc import Callable
from urllib.parse import quote

import pytest

from clusterlib.evidence.redaction import MARK, Redactor

KNOWN = "tr0ub4dor&3/horse+battery"
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
HEX = "9f86d081884c7d659a2feaa0c55ad015"

SECRETS = [
    # what is known, as others write it
    (f"login with {KNOWN}", KNOWN),
    (f"GET /?q={quote(KNOWN, safe='')}", quote(KNOWN, safe="")),
    (f"GET /?q={quote(KNOWN, safe='').lower()}", quote(KNOWN, safe="").lower()),
    (f"Basic {base64.b64encode(KNOWN.encode()).decode()}", base64.b64encode(KNOWN.encode()).decode()[:12]),
    (
        base64.b64encode(f"shop:{KNOWN}".encode()).decode(),
        base64.b64encode(f"shop:{KNOWN}".encode()).decode()[12:24],
    ),
    (base64.urlsafe_b64encode(f"me:{KNOWN}".encode()).decode().rstrip("="), "dHIwdWI0ZG9y"),
    (KNOWN.encode().hex(), KNOWN.encode().hex()[4:20]),
    (KNOWN.encode().hex().upper(), KNOWN.encode().hex().upper()[4:20]),
    (json.dumps({"a": KNOWN}).replace("/", "\\/"), "tr0ub4dor"),
    (json.dumps(json.dumps({"a": f'{KNOWN} "'})), "tr0ub4dor"),
    ('{"a": "tr0ub4dor\\u00263/horse+battery"}', "tr0ub4dor"),
    (f"GET /?next={quote('/?q=' + quote(KNOWN, safe=''), safe='')}", "tr0ub4dor"),
    (f"GET /?next={quote('/?q=' + quote(KNOWN, safe=''), safe='').lower()}", "tr0ub4dor"),
    # half of it
    (f"assert {{'a': 1, 'b': '{KNOWN[:14]}...the end'}}", KNOWN[:14]),
    (f"'the beginning of it...{KNOWN[-14:]}' == 3", KNOWN[-14:]),
    (f"'the beginning of it\N{HORIZONTAL ELLIPSIS}{KNOWN[-14:]}' == 3", KNOWN[-14:]),
    (f"a message that was cut off: {KNOWN[:18]}", KNOWN[:18]),
    # beside a name
    ("SESSION_JWT=abc", "abc"),
    ("export REGISTRY_CREDS=joe:hunter2", "hunter2"),
    ("DB_PW: hunter2", "hunter2"),
    ("CARD_PIN=4711", "4711"),
    ('{"pin": "QQQ123"}', "QQQ123"),
    ('{"pin": 471100}', "471100"),
    ("joe typed PIN 48QQQ213 twice", "48QQQ213"),
    ("PIN: 4711", "4711"),
    ("API_BEARER='s3cr3t-value'", "s3cr3t"),
    ("MYSQL_PWD=hunter2 mysql", "hunter2"),
    ("API_KEY=abcdef", "abcdef"),
    ("ERLANG_COOKIE=MONSTER", "MONSTER"),
    ('{"password": "hunter two"}', "hunter two"),
    ("{'api_key': 'k-12345678'}", "k-12345678"),
    ("config: token=a1b2c3d4e5", "a1b2c3d4e5"),
    ("connect db_password=hunter22 now", "hunter22"),
    ('{"db_password": "hunter22"}', "hunter22"),
    ("{'admin_token': 'abc123def'}", "abc123def"),
    ("smtp_password: hunter22", "hunter22"),
    ('{"dbPassword": "hunter22"}', "hunter22"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI"),
    ("X-Api-Key: abcdef123", "abcdef123"),
    ("X-Auth-Token: abcdef123", "abcdef123"),
    ("private_token=abcdef123", "abcdef123"),
    ("api-key: abcdef123", "abcdef123"),
    ("client-secret=abc12345", "abc12345"),
    ("PW=hunter2", "hunter2"),
    ('{"pw": "hunter2"}', "hunter2"),
    ('{"creds": "joe:hunter2"}', "hunter2"),
    ("Bearer=abc123def456", "abc123def456"),
    ("psql --password=hunter22", "hunter22"),
    # connection strings
    (
        "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=bW9ua2V5/a+b==;EndpointSuffix=core",
        "bW9ua2V5",
    ),
    ("Endpoint=sb://shop.example/;SharedAccessKeyName=root;SharedAccessKey=abcdefghij=", "abcdefghij"),
    ("Server=db;User Id=sa;Password=correct horse;Encrypt=yes", "correct"),
    ("host=db dbname=shop user=joe password=letmein", "letmein"),
    ("postgres://joe:letmein@db/shop", "letmein"),
    (f"https://{HEX}@sentry.example/4", HEX),
    # URLs
    ("POST https://hooks.slack.com/services/T000/B000/XXXXXXXX", "B000"),
    ("https://discord.com/api/webhooks/123456/abcDEF-ghi", "abcDEF"),
    ("https://shop.webhook.office.com/webhookb2/0a1b2c", "0a1b2c"),
    ("https://ci.example/hooks/1234567890abcdef", "1234567890abcdef"),
    ("https://api.telegram.org/bot123456:ABC-DEF/sendMessage", "ABC-DEF"),
    ("GET /blob?sv=2024&sig=abc%2Bdef&se=1", "abc%2Bdef"),
    ("GET /v1/items?access_token=abcdefgh&page=2", "abcdefgh"),
    ("GET /blob?X-Amz-Date=2024&X-Amz-Signature=abcdefgh", "abcdefgh"),
    # headers and forms
    (f"Authorization: Bearer {JWT}", "dozjgNryP4J3"),
    ("authorization: Basic am9lOmh1bnRlcjI=", "am9lOmh1bnRlcjI"),
    ("curl -H 'Bearer abc123def456'", "abc123def456"),
    ("Set-Cookie: sid=31d4d96e407aad42; Path=/", "31d4d96e407aad42"),
    (f"token is {JWT}", "eyJzdWIi"),
    ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "16C7e42F"),
    ("key AKIAIOSFODNN7EXAMPLE of AWS", "IOSFODNN7"),
    ("xoxb-123456789012-abcdef", "123456789012"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "MIIEow"),
]

HARMLESS = [
    "PWD=/home/joe/shop",
    "oldpwd=/home/joe/shop2",
    "max_tokens: 1000000",
    "password_file=/run/secrets/db1",
    "token_count=1234567",
    "next_token = tokens[10]",
    "monkey: banana12",
    "PASS: test_it (0.3 s)",
    "--- PASS: TestStock (0.00s)",
    "12 passed, 3 failed in 0.4s",
    "AUTH: ok",
    "KEY: item",
    "CLUSTERLIB_COOKIE_FILE=/run/shop/cookie",
    "SSH_AUTH_SOCK=/run/agent.sock",
    "PRIMARY_KEY=id and CACHE_KEY=stock:12",
    "    token = next(tokens)",
    "    token = tokens[0]",
    "    return login(user, password=password)",
    "    password=None,",
    "secret = read_secret(path)",
    "unexpected token: ';' at line 3",
    "{'token': ''}",
    "{'key': 'node1', 'secretary': 'joe smith'}",
    "for key=tea the stock is 3",
    "GET /items?key=tea&page=2",
    "http://127.0.0.1:24603/health",
    "http://node1:24603/members?since=12",
    "https://example.com/webhooks/docs",
    "https://git.example/shop/hooks/",
    "Bearer authentication failed",
    "the bearer of bad news",
    "Authorization failed for user joe",
    "cookie-mismatch: the node refuses this cookie",
    "the cookie of the cluster differs",
    "eyJ is how a JSON Web Token begins",
    "ghp_ is the prefix of tokens",
    "sk-learn and sk-image are installed",
    "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "id 123e4567-e89b-12d3-a456-426614174000",
    "node2@127.0.0.1 joined",
    "tests pass...",
    "waiting for node1 ... done",
    "KeyError: 'password'",
    "assert stock['tea'] == 3",
    "MONKEYS = 12",
    "PIN: A4 is wired to D7",
    "PIN GPIO17 is high",
    '{"pin": "A4", "pins": 1024}',
    "PINNED 48213 pages",
    "PIN number 12",
    "spinning 1024 times",
    "{'a': 'x '\n      'y'}",
    "-----BEGIN CERTIFICATE-----\nMIIDdz\n-----END CERTIFICATE-----",
    "2026-11-28T02:38:29Z keeper: node.state ready",
    "Traceback (most recent call last):",
    "host=db port=5432 is not reachable",
    "base64 of nothing: AAAAAAAAAAAAAAAAAAAA",
]


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor([KNOWN, "password1"])


@pytest.mark.parametrize(("text", "secret"), SECRETS, ids=range(len(SECRETS)))
def test_a_secret_goes(redactor: Redactor, text: str, secret: str) -> None:
    assert secret in text, "the test looks for something"

    found = redactor.text(text)

    assert secret not in found
    assert MARK in found
    assert redactor.text(found) == found, "what is redacted stays as it is"


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_one_stays(redactor: Redactor, text: str) -> None:
    assert redactor.text(text) == text


def test_what_stands_around_a_secret_stays(redactor: Redactor) -> None:
    text = "12:00 host=db user=joe password=letmein connect_timeout=3\n12:01 connected to node1"

    assert redactor.text(text) == text.replace("letmein", MARK)


SPACED = "hunter2/very+long=Secret%value x9Qz7 and 'more' of it"


@pytest.mark.parametrize("shown", [str, lambda text: text.replace("\n", "\nE         -  "), json.dumps])
@pytest.mark.parametrize("value", [SPACED, SPACED.encode()])
def test_a_secret_that_a_pretty_printer_lays_out_over_lines_goes(
    value: str | bytes, shown: Callable[[str], str]
) -> None:
    redactor = Redactor([SPACED])
    for width in range(12, 60, 3):
        text = shown(pprint.pformat({"before": "some words", "auth": value, "after": "others"}, width=width))
        found = redactor.text(text)
        assert not [part for part in ("hunter2", "x9Qz7", "more", "of it") if part in found], text
        assert "before" in found
        assert "others" in found


def test_pytests_shortened_texts_keep_no_half_of_a_secret(redactor: Redactor) -> None:
    from _pytest._io.saferepr import saferepr

    for width in range(20, 200, 3):
        shown = saferepr({"before": "x" * 30, "auth": KNOWN, "after": "y" * 30}, maxsize=width)
        found = redactor.text(shown)
        for length in (len(KNOWN) // 2 + 1, len(KNOWN)):
            assert KNOWN[:length] not in found, shown
            assert KNOWN[-length:] not in found, shown
