"""New code for running nodes: compared with the disk, loaded into all of them, and compared
again."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from clusterlib.drivers.beam.link import BeamLink
from clusterlib.drivers.beam.terms import show, text
from clusterlib.errors import StaleCode
from clusterlib.remedies import do

__all__ = ["load_everywhere"]

SECONDS: Final = 30.0
"""For one node to answer; loading a thousand modules takes about one."""


async def load_everywhere(
    links: Sequence[BeamLink], modules: Mapping[str, str], gone: Collection[str]
) -> dict[str, list[str]]:
    """Makes all these nodes run the modules as their files are now, and removes modules without a
    file.

    Returns what each node has loaded. All nodes get the same bytes, and each gets all of its
    modules or none."""
    stale = await _stale(links, modules)
    contents = {
        name: Path(modules[name]).read_bytes() for name in {n for names in stale.values() for n in names}
    }

    async def one(link: BeamLink) -> None:
        new = [[name, modules[name], contents[name]] for name in stale[link.name]]
        refused = await link.ask("load", [new], SECONDS) if new else []
        if gone:
            await link.ask("unload", [[*gone]], SECONDS)
        if refused:
            raise StaleCode(
                f"{link.name} does not take the new code",
                cause="; ".join(f"{module}: {show(why)}" for module, why in refused),
                remedies=[do("cluster.restart", rolling=True), do("cluster.logs", link.name)],
            )

    for outcome in await asyncio.gather(*(one(link) for link in links), return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome  # when no node is still busy with it
    await _verify(links, modules)
    return stale


async def _stale(links: Sequence[BeamLink], modules: Mapping[str, str]) -> dict[str, list[str]]:
    """By node, the modules that it runs, or must load, and that differ from their files."""
    asked: list[Any] = [[name, file] for name, file in modules.items()]
    answers = await asyncio.gather(*(link.ask("compare", [asked], SECONDS) for link in links))
    return {
        link.name: sorted(text(name) for name, running, on_disk in answer if running != on_disk)
        for link, answer in zip(links, answers, strict=True)
    }


async def _verify(links: Sequence[BeamLink], modules: Mapping[str, str]) -> None:
    stale = {name: names for name, names in (await _stale(links, modules)).items() if names}
    if stale:
        raise StaleCode(
            f"{', '.join(stale)} still run{'s' if len(stale) == 1 else ''} other code than what is on disk",
            cause="the files were changed again meanwhile, or another process loads code into the nodes",
            evidence=[f"{name}: {', '.join(names)}" for name, names in stale.items()],
            remedies=[do("cluster.sync"), do("cluster.restart", rolling=True)],
        )
