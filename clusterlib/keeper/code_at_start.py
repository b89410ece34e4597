"""The code with which each node of a role was started.

Nodes may start at different times, and files may change in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from clusterlib.messages.plan import CodeSources

__all__ = ["CodeAtStart", "SharedModules"]


class SharedModules:
    """What the one process of simulated nodes has read since it began, for all roles.

    What it has loaded stays loaded, also when the nodes that needed it have ended."""

    def __init__(self) -> None:
        self._of_role: dict[str, Mapping[str, str]] = {}

    def forget(self) -> None:
        """The process has ended."""
        self._of_role.clear()

    def used(self, role: str, on_disk: Mapping[str, str]) -> Mapping[str, str]:
        """The code of a node that starts in it now."""
        known = {path: digest for code in self._of_role.values() for path, digest in code.items()}
        first_read = {path: known.get(path, digest) for path, digest in on_disk.items()}
        code = self._of_role[role] = {**first_read, **self._of_role.get(role, {})}
        return code


class CodeAtStart:
    """`shared`: None, unless the nodes of all roles are one process."""

    def __init__(self, role: str, sources: CodeSources, shared: SharedModules | None = None) -> None:
        self._role = role
        self._sources = sources
        self._shared = shared
        self._read: dict[str, Mapping[str, str]] = {}
        """For nodes that are about to start."""
        self._of_node: dict[str, Mapping[str, str]] = {}

    async def read(self, names: Iterable[str], code: Mapping[str, str] | None = None) -> None:
        """These nodes are about to start. `code` is what is on disk, if the caller has just read
        it.

        It is not theirs yet: a restart may fail while their old processes still run."""
        starting = list(names)
        if code is None and starting:
            from clusterlib.disk.code import code_on_disk  # most clusters end before a node starts again

            # A large project takes a while to read, and the keeper must answer meanwhile. Changes
            # of the cluster come one after the other, so this is one thread at most.
            code = await asyncio.to_thread(code_on_disk, self._sources)
        self._read.update(dict.fromkeys(starting, code or {}))

    def starts(self, names: Iterable[str]) -> None:
        """These nodes start now: their old processes have ended."""
        read = {name: self._read.pop(name) for name in names if name in self._read}
        for code in {id(code): code for code in read.values()}.values():
            used = code if self._shared is None else self._shared.used(self._role, code)
            self.runs([name for name, its in read.items() if its is code], used)

    def runs(self, names: Iterable[str], code: Mapping[str, str]) -> None:
        """These nodes run this code now."""
        kept = next((known for known in self._of_node.values() if known == code), code)
        self._of_node.update(dict.fromkeys(names, kept))

    def forget(self, name: str) -> None:
        self._read.pop(name, None)
        self._of_node.pop(name, None)

    def different(self, names: Iterable[str]) -> tuple[Mapping[str, str], ...]:
        """The code with which these nodes were started, each set of files once: usually there is
        only one."""
        started = (self._of_node[name] for name in names if name in self._of_node)
        return tuple({id(code): code for code in started}.values())
