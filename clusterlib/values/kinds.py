"""The kinds of values in a profile, each with messages for what is wrong and what would be right.

Every `parse_*` and `check_*` raises `Wrong`; none of them knows about files or lines."""

from __future__ import annotations

import re
import signal

from clusterlib.numbering import NUMBERS, name_of
from clusterlib.values.ports import FIRST_PORT, LAST_PORT, PortRange

__all__ = [
    "INHERITED",
    "Wrong",
    "check_derived",
    "check_environment_name",
    "check_function",
    "check_host",
    "check_identifier",
    "check_name",
    "check_output",
    "check_packages",
    "check_pattern",
    "check_purpose",
    "check_signal",
    "check_template",
    "check_url",
    "check_watch",
    "derived_port",
    "memory_text",
    "packages_of",
    "parse_memory",
    "parse_ports",
]

INHERITED = "..."
"""In a list: all inherited items."""
LONGEST_NAME = 48  # a node's name is part of socket paths, which are short
MOST_MEMORY = 2**50
UNITS = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}
PACKAGE = r"@?[A-Za-z0-9][A-Za-z0-9.+@/_-]*"
VERSION = r"\s*(?:===|==|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9.*+!_-]+"
PACKAGES = {
    "debian": PACKAGE,
    "homebrew": PACKAGE,
    "pip": rf"[A-Za-z0-9][A-Za-z0-9._-]*(?:\s*\[[A-Za-z0-9._,\s-]+\])?(?:{VERSION}(?:\s*,{VERSION})*)?",
    "npm": PACKAGE,
}
"""The syntax of package names for each installer: for pip with extras and versions, such as
`uvicorn[standard]>=0.2,<1`."""


class Wrong(ValueError):
    """A value that is not accepted, and a correction."""

    def __init__(self, problem: str, right: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.right = right


def parse_ports(value: object) -> PortRange:
    if isinstance(value, PortRange):
        return value
    right = 'write the first and the last port, for example "20000-23999"; or one port, for example 6379'
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Wrong("must be a range of ports in quotes, or one port", right)
    found = re.fullmatch(r"\s*([0-9]{1,6})\s*(?:-\s*([0-9]{1,6})\s*)?", str(value), re.ASCII)
    if found is None:
        raise Wrong("is not a range of ports", right)
    first, last = int(found[1]), int(found[2] or found[1])
    if first > last:
        raise Wrong("ends before it begins", f'write "{last}-{first}"')
    if first < FIRST_PORT:
        raise Wrong(
            f"holds ports below {FIRST_PORT}, which need privileges", f"begin at {FIRST_PORT} or above"
        )
    if last > LAST_PORT:
        raise Wrong(f"goes beyond {LAST_PORT}, the last port there is", f"end at {LAST_PORT} or below")
    return PortRange(first, last)


def parse_memory(value: object) -> int:
    right = 'write a number and a unit, for example "32MiB"'
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Wrong("must be an amount of memory", right)
    amount = value if isinstance(value, int) else _bytes_of(value, right)
    if not 0 < amount <= MOST_MEMORY:
        raise Wrong("is no amount of memory a node can have", right)
    return amount


def _bytes_of(text: str, right: str) -> int:
    found = re.fullmatch(r"\s*([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([A-Za-z]*)\s*", text, re.ASCII)
    if found is None:
        raise Wrong("is not an amount of memory", right)
    factor = UNITS.get(found[2].upper())
    if factor is None:
        raise Wrong(f'has an unknown unit "{found[2]}"', "use B, KB, MB, GB, TB, KiB, MiB, GiB or TiB")
    return int(float(found[1]) * factor)


def memory_text(amount: int) -> str:
    """The shortest exact way to write an amount."""
    for unit, factor in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if amount % factor == 0:
            return f"{amount // factor}{unit}"
    return f"{amount}B"


def check_name(pattern: str) -> str:
    _check_placeholders(pattern, NUMBERS)
    if not any("{" + number + "}" in pattern for number in NUMBERS):
        raise Wrong(
            "gives every node the same name", f'put {{index}} into it, for example "{pattern[:20]}{{index}}"'
        )
    example = name_of(pattern, 1)
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", example, re.ASCII) is None or ".." in example:
        raise Wrong("is no name for a node", 'use letters, digits and . _ -, for example "node{index}"')
    if len(pattern) > LONGEST_NAME:
        raise Wrong(f"is longer than {LONGEST_NAME} characters", "shorten it: it is part of file names")
    return pattern


def check_host(pattern: str) -> str:
    _check_placeholders(pattern, (*NUMBERS, "name", "address"))
    bare = re.sub(r"\{(index0?|name|address)\}", "1", pattern)
    if re.fullmatch(r"[A-Za-z0-9:_][A-Za-z0-9_.:-]{0,252}", bare, re.ASCII) is None:
        raise Wrong("is no host name", 'write a name such as "localhost" or "{name}.test"')
    return pattern


def _check_placeholders(pattern: str, known: tuple[str, ...]) -> None:
    rest = pattern
    for name in known:
        rest = rest.replace("{" + name + "}", "")
    if "{" in rest or "}" in rest:
        names = ", ".join("{" + name + "}" for name in known)
        raise Wrong("has a placeholder that does not exist here", f"known here: {names}")


def check_purpose(name: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name, re.ASCII) is None:
        raise Wrong("is no name for what ports are for", "use small letters, digits and _, for example http")
    return name


def check_output(path: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9._@+=/-]{1,200}", path, re.ASCII) is None or not _is_plain(path):
        raise Wrong(
            "is no file name in a node's folder", 'write a plain relative path, for example "node.json"'
        )
    return path


def check_template(path: str) -> str:
    if not path.isprintable() or not path.strip() or "\\" in path or not _is_plain(path):
        raise Wrong(
            "is no path inside a templates folder",
            'write it relative to templates/, for example "python/node.json.j2"',
        )
    return path


def check_watch(pattern: str) -> str:
    if not pattern.strip() or not pattern.isprintable() or "\\" in pattern:
        raise Wrong("names no files", 'write a path relative to the project, for example "config/**"')
    return pattern


def _is_plain(path: str) -> bool:
    return all(part not in ("", ".", "..") for part in path.split("/"))


def check_environment_name(name: str) -> str:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII) is None:
        raise Wrong("is no name for an environment variable", "use letters, digits and _")
    if name.startswith("CLUSTERLIB_"):
        raise Wrong("is a name kept for clusterlib itself", "choose a name that does not begin so")
    return name


def check_function(target: str) -> str:
    if re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*", target) is None:
        raise Wrong("does not name a function", 'write "package.module:function"')
    return target


def check_derived(text: str) -> str:
    derived_port(text)
    return text


def derived_port(text: str) -> tuple[str, int]:
    """`client + 10000`: the purpose it depends on, and the distance."""
    found = re.fullmatch(r"\s*([a-z][a-z0-9_]{0,31})\s*([+-])\s*([0-9]{1,5})\s*", text, re.ASCII)
    if found is None or int(found[3]) == 0:
        raise Wrong("does not say how one port follows from another", 'write "client + 10000", for example')
    return found[1], int(found[2] + found[3])


def check_packages(text: str) -> str:
    packages_of(text)
    return text


def packages_of(text: str) -> dict[str, str]:
    """`debian redis-server, homebrew redis`: the package that brings a program, by what installs
    it."""
    packages = {}
    for part in re.split(rf",\s*(?=(?:{'|'.join(PACKAGES)})\s)", text.strip()):
        system, package = (*part.split(maxsplit=1), "", "")[:2]
        package = package.strip()
        if system not in PACKAGES or re.fullmatch(PACKAGES[system], package, re.ASCII) is None:
            raise Wrong(
                "does not name the packages that bring a program",
                'write "debian redis-server, homebrew redis", for example; pip and npm are known, too',
            )
        packages[system] = package
    return packages


def check_pattern(pattern: str) -> str:
    if "{{" in pattern or "{%" in pattern:
        return pattern  # the result is only known when there are nodes
    try:
        re.compile(pattern)
    except re.error as error:
        raise Wrong(f"is no regular expression: {error}", "write one that Python's re module reads") from None
    return pattern


def check_signal(name: str) -> str:
    if name not in signal.Signals.__members__:
        raise Wrong("is no signal", "write its name, for example SIGTERM or SIGINT")
    return name


def check_url(url: str) -> str:
    if url and not url.startswith("http://"):
        raise Wrong("is no URL that can be asked", 'write "http://{{ node.address }}:{{ node.ports.http }}/"')
    return url


def check_identifier(name: str) -> str:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", name, re.ASCII) is None:
        raise Wrong("is no name of a user", 'write one such as "postgres"')
    return name
