"""The base of all kinds of events: their names, their sentences, and their lines in
`events.jsonl`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from clusterlib.frozen import field_names, frozen, shape_of
from clusterlib.messages.codec import plain

__all__ = ["Happening", "Unknown", "count_of", "facts_of", "kinds_of", "names_of", "unexpected_end"]

MOST_NAMES = 6
"""A sentence names at most this many nodes; of more it gives the number."""


class Happening:
    """An event. The class `NodeRestartFailed` has the name "node.restart-failed"."""

    __slots__ = ()
    kind: ClassVar[str] = "."

    def __init_subclass__(cls) -> None:
        if "kind" not in vars(cls):
            about, *rest = re.findall("[A-Z][a-z]*", cls.__name__)
            cls.kind = f"{about}.{'-'.join(rest)}".lower()

    says: ClassVar[str] = ""
    """The headline, with the names of fields in braces."""
    why: ClassVar[str] = ""
    """The detail."""

    def headline(self) -> str:
        """The sentence for people; empty for an event that only programs need."""
        return self.says.format(**self._values())

    def detail(self) -> str:
        """The reason, or other text after the headline."""
        return self.why.format(**self._values())

    def _values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in field_names(self)}

    def deed(self) -> str:
        """The deliberate action behind this event, as "killed node1"; empty if there was none."""
        return ""

    def sentence(self) -> str:
        headline, detail = self.headline(), self.detail()
        return f"{headline}: {detail}" if headline and detail else headline


@frozen
class Unknown(Happening):
    """An event of another version of clusterlib, or of another program."""

    name: str
    facts: Mapping[str, Any]

    @property
    def node(self) -> str:
        return str(self.facts.get("node", ""))

    def headline(self) -> str:
        about, _, what = self.name.partition(".")
        return f"{what} {self.node}".strip() if about in {"fault", "heal"} else ""

    def deed(self) -> str:
        about, _, what = self.name.partition(".")
        return f"caused a {what}{f' of {self.node}' if self.node else ''}" if about == "fault" else ""


def kinds_of(module: object) -> dict[str, type[Happening]]:
    """The kinds of events that this module declares, by name; base classes have none."""
    found = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, Happening)]
    return {kind.kind: kind for kind in found if not kind.kind.endswith(".")}


def facts_of(what: Happening) -> Mapping[str, Any]:
    """Without optional fields that are empty."""
    if isinstance(what, Unknown):
        return what.facts
    needless = {name for name, default in shape_of(what).defaults.items() if default is None}
    facts: dict[str, Any] = plain(what)
    return {key: value for key, value in facts.items() if value is not None or key not in needless}


def count_of(nodes: int) -> str:
    return f"{nodes} node" + ("" if nodes == 1 else "s")


def names_of(nodes: Sequence[str]) -> str:
    return ", ".join(nodes) if len(nodes) <= MOST_NAMES else count_of(len(nodes))


def unexpected_end(exit_text: str) -> tuple[str, str]:
    """The sentence about a node that ended although clusterlib did not end it, and the rest of the
    information.

    A signal may come from the node, from the kernel, or from outside. The origin is unknown, so the
    sentence does not say that the node ended by itself."""
    _, killed, signal = exit_text.partition("killed by ")
    if killed and exit_text.startswith(killed):
        return f"died unexpectedly ({signal})", ""
    return "ended by itself", exit_text
