"""Why an Erlang node does not become a member, judged by its vm.args, its output, and the name that
it gives itself.

Nothing here reads files or asks nodes, so each problem is tested without having it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Final

from clusterlib.drivers.beam.errors import CookieMismatch, EpmdUnavailable, NameTaken, NoDistribution
from clusterlib.errors import ClusterError, NodeExited
from clusterlib.frozen import frozen
from clusterlib.remedies import do

__all__ = [
    "INVALID_COOKIE",
    "TroubleLine",
    "VmArguments",
    "Words",
    "foreign_cookie",
    "misnamed",
    "registered_elsewhere",
    "unseen",
]

TEMPLATE: Final = "templates/beam/vm.args.j2"
NAME_LINE: Final = f"in {TEMPLATE}: -name {{{{ node.name }}}}@{{{{ node.address }}}}"
LONGEST_LINE: Final = 64 * 1024
UNSEEN: Final = {
    "-no_epmd": "it would not register its port",
    "-erl_epmd_port": "it would not register its port",
    "-hidden": "no other node would count it as a member",
}
"""Arguments with which a node starts well, but is invisible to the others."""


# -- its arguments


@frozen
class VmArguments:
    """What a vm.args requests from the virtual machine."""

    words: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str) -> VmArguments:
        try:
            return cls(tuple(shlex.split(text, comments=True)))
        except ValueError:
            return cls(tuple(text.split()))

    @property
    def name(self) -> str | None:
        return self.after("-name") or self.after("-sname")

    def after(self, word: str) -> str | None:
        """The word that follows this one; None if either is missing."""
        if word not in self.words[:-1]:
            return None
        return self.words[self.words.index(word) + 1]


def unseen(node: str, asked: VmArguments, file: str) -> NoDistribution | None:
    """A node without a name starts well, prints nothing, and is never visible to others: so it is
    not started at all."""
    if "-args_file" in asked.words:
        return None  # the name may be there
    cut_off = next((word for word in UNSEEN if word in asked.words), None)
    if asked.name is None:
        cause = "its vm.args has neither -name nor -sname, so its virtual machine would be nonode@nohost"
        remedy = NAME_LINE
    elif cut_off is not None:
        cause, remedy = (
            f"its vm.args has {cut_off}, so {UNSEEN[cut_off]}",
            f"take {cut_off} out of {TEMPLATE}",
        )
    else:
        return None
    return NoDistribution(
        f"{node} would run unseen by the others, and was not started",
        cause=cause,
        remedies=[remedy, f"cat {file}"],
    )


# -- its name


def misnamed(known_as: str, calls_itself: str, *, resolves: bool = True) -> NameTaken:
    """Erlang compares names as they are written, so a host has no second name."""
    node, host = known_as.partition("@")[0], calls_itself.partition("@")[2]
    cause = f"it calls itself {calls_itself}"
    if host == "localhost":
        cause += (
            "; to Erlang localhost is not 127.0.0.1, and nodes with long names call it an illegal host name"
        )
    elif not resolves:
        cause += f"; the host name {host} does not resolve here"
    elif host and "." not in host:
        cause += "; a host without a dot is a short name, and nodes with long names do not talk to it"
    return NameTaken(
        f"{node} has another name than the cluster knows it by, {known_as}",
        cause=cause,
        remedies=[NAME_LINE, do("cluster.logs", node)],
    )


def foreign_cookie(known_as: str, asked: VmArguments) -> CookieMismatch:
    node = known_as.partition("@")[0]
    sets_cookie = "-setcookie" in asked.words
    return CookieMismatch(
        f"{node} has another cookie than its cluster",
        cause="its vm.args sets one: -setcookie"
        if sets_cookie
        else "it closed the connection when it was shown the proof of ours",
        remedies=[
            f"take -setcookie out of {TEMPLATE}: the cookie is in the node's home folder"
            if sets_cookie
            else "take erlang:set_cookie out of what the node runs when it starts",
            do("cluster.logs", node),
        ],
    )


def registered_elsewhere(node: str, epmd_port: int) -> EpmdUnavailable:
    return EpmdUnavailable(
        f"{node} has registered at another epmd than that of its cluster",
        cause=f"it accepts connections, but has registered elsewhere: the cluster's epmd has port {epmd_port}, "
        "and ERL_EPMD_PORT of the node says so when it is started",
        remedies=[
            "take ERL_EPMD_PORT out of the program that starts the node ([beam] program)",
            "epmd -names",
        ],
    )


# -- its output


@frozen
class TroubleLine:
    """A line of output that shows a problem."""

    line: str
    found: re.Match[str]
    explain: Callable[[str, str], ClusterError] | None
    """Creates an error from the node's name and the match; None for a problem that a node may
    survive."""

    def error(self, node: str) -> ClusterError | None:
        if self.explain is None:
            return None
        error = self.explain(node, self.found[self.found.lastindex or 0])
        error.evidence = (self.line,)
        return error


def _name_in_use(node: str, name: str) -> ClusterError:
    return NameTaken(
        f"{node} cannot have the name {name}: it is in use",
        cause="another node of this cluster has registered by that name",
        remedies=[NAME_LINE, do("cluster.logs", node)],
    )


def _no_distribution(node: str, kind: str) -> ClusterError:
    return NoDistribution(
        f"{node} cannot have its name, and without one there is no distribution (nodistribution)",
        cause="its long name has no host, and this machine has no domain that would complete it"
        if kind == "long"
        else "Erlang does not accept its name",
        remedies=[NAME_LINE, do("cluster.logs", node)],
    )


def _not_listening(node: str, reason: str) -> ClusterError:
    look = do("cluster.logs", node)
    if reason == "eaddrinuse":
        return NodeExited(
            f"{node} cannot have its distribution port",
            cause="another process has taken it (eaddrinuse)",
            remedies=[
                f"grep -n inet_dist_listen {TEMPLATE}",
                "ss -ltnp",
                do("cluster.doctor", profile="beam"),
            ],
        )
    if reason in {"econnrefused", "epmd_close", "no_reg_reply_from_epmd", "timeout", "etimedout"} or (
        "garbage_from_epmd" in reason
    ):
        missing = reason == "econnrefused"
        return EpmdUnavailable(
            f"{node} cannot register its port with epmd",
            cause="nothing listens where it looks for one"
            if missing
            else f"what listens where it looks for one is no epmd ({reason[:80]})",
            remedies=[
                "take ERL_EPMD_PORT out of the program that starts the node ([beam] program): the keeper is its epmd",
                "epmd -names",
                "ss -ltnp",
            ],
        )
    return NoDistribution(
        f"{node} cannot take connections of other nodes",
        cause=f"the address it is to listen at is not one of this machine ({reason})"
        if reason == "eaddrnotavail"
        else f"Erlang says {reason}",
        remedies=[f"grep -nE 'inet_dist|proto_dist' {TEMPLATE}", look],
    )


INVALID_COOKIE: Final = "nvalid challenge reply"
SIGNS: Final[tuple[tuple[re.Pattern[str], Callable[[str, str], ClusterError] | None], ...]] = (
    (re.compile(r"the name (\S+) seems to be in use"), _name_in_use),
    (re.compile(r"Can't set (long|short) node name"), _no_distribution),
    (re.compile(r"register/listen error: (.+)"), _not_listening),
    (re.compile(INVALID_COOKIE), None),
    (re.compile(r"Hostname \S+ is illegal"), None),
)


class Words:
    """Reads the output of a node, and keeps lines that show problems."""

    def __init__(self) -> None:
        self.troubles: dict[re.Pattern[str], TroubleLine] = {}
        """The first of each kind."""
        self._line = b""

    def hear(self, data: bytes) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        self._line = self._line[-LONGEST_LINE:]
        for line in lines:
            self._read(line.decode("utf-8", errors="replace").strip())

    @property
    def complaint(self) -> str | None:
        """The first line that shows a problem."""
        return next((trouble.line for trouble in self.troubles.values()), None)

    def said(self, words: str) -> bool:
        return any(words in trouble.line for trouble in self.troubles.values())

    def last_words(self, node: str) -> ClusterError | None:
        """The cause of the node's end, if it has printed it."""
        errors = (trouble.error(node) for trouble in self.troubles.values())
        return next((error for error in errors if error is not None), None)

    def _read(self, line: str) -> None:
        for pattern, explain in SIGNS:
            if pattern not in self.troubles and (found := pattern.search(line)):
                self.troubles[pattern] = TroubleLine(line, found, explain)
