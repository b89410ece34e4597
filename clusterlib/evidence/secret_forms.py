"""Finds unknown secrets: by the name beside them, or by the form that their issuer gave them.

A pattern may miss a secret, but must not remove other text, because that would destroy evidence. So
a lower-case name, which is common in program code, counts only with a value that does not look like
code."""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["MARK", "hide_forms", "is_secret"]

MARK = "[redacted]"
_MARK = MARK.encode()

# -- names

_ANYWHERE = ("TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "COOKIE", "CREDENTIAL", "JWT", "BEARER")
_WORDS = frozenset({"AUTH", "PASS", "PAT", "DSN", "CREDS", "CRED", "PW", "PIN", "WEBHOOK", "CONNSTR"})
_TOGETHER = ("CONNECTION_STRING", "CONN_STR", "CONNECTIONSTRING")
_PLACES = frozenset({"FILE", "PATH", "DIR", "SOCK", "HOME"})
"""A variable with this suffix contains the place of a secret, not the secret itself."""


def is_secret(name: str) -> bool:
    """Whether a variable of this name contains a secret."""
    upper = name.upper()
    words = re.split(r"[^A-Z0-9]+", upper)
    if words[-1] in _PLACES:
        return False
    return (
        any(part in upper for part in (*_ANYWHERE, *_TOGETHER))
        or not _WORDS.isdisjoint(words)
        or any(word.endswith(("KEY", "KEYS")) for word in words)
        or (words[-1] == "PWD" and len(words) > 1)  # PWD and OLDPWD are folders
    )


# -- beside a name

_VARIABLE = re.compile(
    rb"\b([A-Z][A-Z0-9_]*)([\"']?\s{0,2}[:=]\s{0,2}[\"']?)(?!\[redacted\])([^\s\"',;}]{3,400})"
)
"""As environments and configurations have them.

Also of another process, which is not known here."""
_PLAIN = frozenset({"AUTH", "PASS", "PAT", "PIN", "PW", "KEY", "KEYS", "CRED", "DSN"})
"""Alone these are headings and outcomes: PASS: test_it."""
_KEYS = re.compile(r"(?:API|ACCESS|ACCOUNT|SECRET|PRIVATE|SIGNING|ENCRYPTION|AUTH|SSH|MASTER|SHARED)_?KEYS?")

_SMALL = (
    rb"password|passwd|passphrase|secret|token|jwt|bearer"
    rb"|(?:api|account|access|secret|private|signing)[_-]?key(?:[_-]id)?"
)
"""At the end of a name, with any beginning: db_password, X-Api-Key, dbPassword."""
_ALONE = rb"(?<![\w-])(?:pwd|pw|creds|credentials)"
"""As a whole name."""
_ASSIGNED = re.compile(
    rb"(?i)(" + _SMALL + rb"|" + _ALONE + rb")([\"']?\s{0,2}[:=]\s{0,2}[\"']?)(?!\[redacted\])"
    rb"((?=[^\s\"',;&]*\d)[^\s\"',;&()\[\]{}<>/][^\s\"',;&()\[\]{}<>]{5,400})(?![(\[\w])"
)
"""In a log: with a value that has a digit, and is not a call, an index or a path."""
_QUOTED = re.compile(
    rb"(?i)([\"'][\w.-]{0,40}?(?:"
    + _SMALL
    + rb"|(?<=[\"'])(?:pwd|pw|creds|credentials))[\"']\s{0,2}:\s{0,2}[\"'])(?!\[redacted\])([^\"']{4,400})"
)
"""JSON, and a dict of Python."""
_PIN = re.compile(
    rb"(\bPIN[\"']?(?:\s{0,2}[:=]\s{0,2}|\s)[\"']?|[\"']pin[\"']\s{0,2}:\s{0,2}[\"']?)"
    rb"(?!GPIO)(?=(?:[A-Za-z]*\d){2})[A-Za-z0-9]{4,12}(?![\w.-])"
)
"""A number that identifies somebody: at least four characters, two of them digits.

Those of electronics have fewer."""
_CONNECTION = re.compile(
    rb"(?i)\b(?:host|server|data source|endpoint|defaultendpointsprotocol|accountname|user id|uid|dbname|hostaddr)"
    rb"\s?=\s?[^\s;]"
)
_IN_CONNECTION = re.compile(
    rb"(?i)\b((?:password|pwd|accountkey|sharedaccesskey|sharedaccesssignature|access_?key|secret)\s?=\s?)"
    rb"(?!\[redacted\])('[^']*'|\"[^\"]*\"|[^\s;\"']{3,400})"
)
"""In a line that names a server, too: there any value is one."""
_QUERY = re.compile(
    rb"(?i)([?&](?:access_|refresh_|auth_|api_|id_|private_|x-amz-|x-goog-)?(?:token|security-token|credential|api_?key|sig|signature|secret|client_secret|password|pwd|jwt)=)"
    rb"(?!\[redacted\])[^\s&\"'<>#]{4,2000}"
)
_HEADER = re.compile(
    rb"(?i)((?:proxy-)?authorization[\"']?\s{0,2}[:=,]\s{0,2}[\"']?(?:(?:basic|bearer|digest|token|negotiate)\s+)?+)"
    rb"(?!\[redacted\])[A-Za-z0-9+/._~=-]{6,4000}"
)
_SET_COOKIE = re.compile(
    rb"(?i)((?:set-)?cookie[\"']?\s{0,2}:\s{0,2}[\"']?[\w.-]{1,80}=)(?!\[redacted\])[^\s;\"',]{6,4000}"
)

# -- by form

_BEARER = re.compile(rb"(?i)\b(bearer\s+)(?=[^\s\"']*\d)(?!\[redacted\])[A-Za-z0-9._~+/=-]{8,4000}")
_IN_URL = re.compile(rb"(://[^\s/:@\"'<>]{0,200}:)[^\s/\"'<>]{1,400}@")
_KEY_IN_URL = re.compile(rb"(://)(?=[^@/\s]*\d)[A-Za-z0-9]{20,200}@")
_WEBHOOK = re.compile(
    rb"(?i)(https?://(?:hooks\.slack\.com/(?:services|workflows|triggers)/|(?:\w+\.)?discord(?:app)?\.com/api/(?:v\d+/)?webhooks/"
    rb"|[\w.-]+\.webhook\.office\.com/|api\.telegram\.org/bot|chat\.googleapis\.com/v1/spaces/"
    rb"|[\w.:-]+/(?:[\w-]+/)*(?:web)?hooks?/(?=[^\s\"'<>]*\d)(?=[^\s\"'<>]{16,})))(?!\[redacted\])[^\s\"'<>]+"
)
_TOKENS = re.compile(
    rb"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"  # a JSON Web Token
    rb"|\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}|(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    rb"|AIza[\w-]{30,}|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{30,}|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|sk-(?=[\w-]*\d)[\w-]{20,}"
    rb"|hvs\.[\w-]{20,}|dop_v1_[0-9a-f]{32,}|SG\.[\w-]{16,}\.[\w-]{16,})"
)
_PRIVATE_KEY = re.compile(
    rb"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----)(?!\[redacted\]).{1,20000}?"
    rb"(-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----)",
    re.DOTALL,
)

Change = Callable[[bytes], bytes]


def hide_forms(data: bytes) -> bytes:
    """The data without text that looks like a secret.

    Patterns run only if a word that they all contain is present."""
    lower = data.lower()
    for signs, change in _CHANGES:
        if any(sign in lower for sign in signs):
            data = change(data)
    return data


def _keeping(pattern: re.Pattern[bytes], *, after: bytes = b"") -> Change:
    return lambda data: pattern.sub(rb"\1" + _MARK + after, data)


def _variables(data: bytes) -> bytes:
    return _VARIABLE.sub(_variable, data)


def _variable(found: re.Match[bytes]) -> bytes:
    name = found[1].decode()
    words = name.split("_")
    secret = (
        is_secret(name)
        and name not in _PLAIN
        and (not words[-1].endswith(("KEY", "KEYS")) or _KEYS.search(name) is not None or len(words) == 1)
    )
    return found[1] + found[2] + _MARK if secret else found[0]


def _assignments(data: bytes) -> bytes:
    data = _QUOTED.sub(rb"\1" + _MARK, data)
    return _ASSIGNED.sub(rb"\1\2" + _MARK, data)


def _connections(data: bytes) -> bytes:
    lines = data.split(b"\n")
    return b"\n".join(
        _IN_CONNECTION.sub(rb"\1" + _MARK, line) if b"=" in line and _CONNECTION.search(line) else line
        for line in lines
    )


_CHANGES: tuple[tuple[tuple[bytes, ...], Change], ...] = (
    ((b"private key",), lambda data: _PRIVATE_KEY.sub(rb"\1" + _MARK + rb"\2", data)),
    ((b"authorization",), _keeping(_HEADER)),
    ((b"cookie",), _keeping(_SET_COOKIE)),
    ((b"bearer",), _keeping(_BEARER)),
    ((b"hook", b"api.telegram.org/bot", b"chat.googleapis.com"), _keeping(_WEBHOOK)),
    ((b"://",), _keeping(_IN_URL, after=b"@")),
    ((b"://",), _keeping(_KEY_IN_URL, after=b"@")),
    ((b"?", b"&"), _keeping(_QUERY)),
    ((b"password", b"pwd", b"key", b"secret", b"sharedaccess"), _connections),
    ((b"passw", b"pw", b"passphrase", b"secret", b"token", b"jwt", b"key", b"cred", b"bearer"), _assignments),
    ((b"=", b":"), _variables),
    ((b"pin",), _keeping(_PIN)),
    (
        (b"eyj", b"gh", b"glpat-", b"xox", b"akia", b"asia", b"aiza", b"npm_", b"pypi-",
         b"k_live_", b"k_test_", b"sk-", b"hvs.", b"dop_v1_", b"sg."),
        lambda data: _TOKENS.sub(_MARK, data),
    ),
)  # fmt: skip
