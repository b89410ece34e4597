"""The code with which each node was started.

Nodes may start at different times, and files may change in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from clusterlib.messages.plan import CodeSources

__all__ = ["CodeAtStart"]


class CodeAtStart:
    def __init__(self, sources: CodeSources, *, shares_modules: bool) -> None:
        self._sources = sources
        self._shares_modules = shares_modules
        self._of_node: dict[str, Mapping[str, str]] = {}

    async def at_start(
        self, living: Sequence[str], code: Mapping[str, str] | None = None
    ) -> Mapping[str, str]:
        """The code of a node that starts now. `code` is what is on disk, if the caller has just
        read it.

        A simulated node that starts among living ones uses the modules that they have loaded, so it
        runs their code."""
        if self._shares_modules and living:
            return self._of_node[living[0]]
        if code is None:
            from clusterlib.disk.code import code_on_disk  # most clusters end before a node starts again

            # A large project takes a while to read, and the keeper must answer meanwhile. Changes
            # of the cluster come one after the other, so this is one thread at most.
            code = await asyncio.to_thread(code_on_disk, self._sources)
        return code

    def runs(self, names: Iterable[str], code: Mapping[str, str]) -> None:
        """These nodes run this code now."""
        kept = next((known for known in self._of_node.values() if known == code), code)
        self._of_node.update(dict.fromkeys(names, kept))

    def forget(self, name: str) -> None:
        self._of_node.pop(name, None)

    def different(self, names: Iterable[str]) -> tuple[Mapping[str, str], ...]:
        """The code with which these nodes were started, each set of files once: usually there is
        only one."""
        return tuple({id(code): code for code in map(self._of_node.__getitem__, names)}.values())
