"""What every driver promises: a function for each promise, which tries it on three nodes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from clusterlib.drivers.api import Driver, Link
from clusterlib.health.probes import Never, Ready, climb
from clusterlib.hosts.api import Host, Process
from clusterlib.hosts.places import runtime_dir
from clusterlib.keeper.provision import Provisioner
from clusterlib.messages.plan import Plan
from clusterlib.network.ports import PortAllocator
from clusterlib.rundir.folders import RunFolder, new_run
from clusterlib.waiting import Deadline, poll_async

__all__ = ["PROMISES", "SECONDS", "Promise", "Stage"]

SECONDS = 30.0


class Stage:
    """The nodes of a plan on one host, placed as a keeper places them."""

    def __init__(
        self,
        driver: Driver,
        host: Host,
        plan: Plan,
        folder: Path,
        *,
        waits_at: str = "joined",
        alone: float = 0.5,
    ) -> None:
        self.driver = driver
        self.waits_at = waits_at
        """The rung on which a node waits for the others."""
        self.alone = alone
        """Seconds after which a node without the others has surely reached that rung."""
        self.host = host
        self.plan = plan
        self.run: RunFolder = new_run(folder, "contract")
        self._links: list[Link] = []
        self._outputs: list[int] = []
        (role,) = plan.roles
        provisioner = Provisioner(plan, role, self.run, driver, PortAllocator(runtime_dir()))
        self.places = {spec.name: (spec, claims) for spec, claims in provisioner.place(role.nodes, [])}
        specs = [spec for spec, _ in self.places.values()]
        provisioner.write(provisioner.render(specs, specs, [], specs))
        self.names = frozenset(self.places)
        self.members = provisioner.members(specs)

    async def start(self, name: str) -> tuple[Process, Link, asyncio.Event]:
        spec, claims = self.places[name]
        await self.driver.prepare(spec, lambda _: None)
        order, link = self.driver.order(spec, claims)
        process = await self.host.spawn(order)
        news = asyncio.Event()
        link.begin(process, news)
        self._links.append(link)
        self._outputs.append(process.output)
        os.set_blocking(process.output, False)
        asyncio.get_running_loop().add_reader(process.output, self._hear, process.output, link, news)
        return process, link, news

    def _hear(self, output: int, link: Link, news: asyncio.Event) -> None:
        try:
            data = os.read(output, 65536)
        except BlockingIOError:
            return
        if not data:
            asyncio.get_running_loop().remove_reader(output)
            return
        link.hear(data)
        if link.matters:
            news.set()

    def close(self) -> None:
        for link in self._links:
            link.close()
        for output in self._outputs:
            asyncio.get_running_loop().remove_reader(output)
            os.close(output)
        for _, claims in self.places.values():
            for claim in claims.values():
                claim.close()

    async def start_all(self) -> dict[str, tuple[Process, Link, asyncio.Event]]:
        nodes = {name: await self.start(name) for name in sorted(self.names)}
        climbs = (climb(link.ladder(self.names), Deadline(SECONDS), news) for _, link, news in nodes.values())
        for rung, answer in await asyncio.gather(*climbs):
            assert answer == Ready(), (rung, answer)
        return nodes


async def nodes_climb_until_every_node_sees_every_node(stage: Stage) -> None:
    nodes = await stage.start_all()

    assert {link.view for _, link, _ in nodes.values()} == {stage.names}


async def a_node_alone_waits_for_the_others_and_says_why(stage: Stage) -> None:
    _, link, news = await stage.start("node1")

    rung, answer = await climb(link.ladder(stage.names), Deadline(stage.alone), news)

    assert rung == stage.waits_at, (
        f"after {stage.alone:g} s it is on rung {rung!r} ({answer}), and not on {stage.waits_at!r}; "
        "set waits_at (the rung on which it waits for others) or alone (the seconds until then)"
    )
    assert not isinstance(answer, Ready | Never), answer
    assert answer.why


async def a_node_ends_when_it_is_asked_to_stop(stage: Stage) -> None:
    nodes = await stage.start_all()
    process, link, _ = nodes["node2"]

    asked = await link.ask_to_stop()
    if not asked:
        process.signal(signal.SIGTERM)  # as the keeper does then

    ended = await asyncio.wait_for(process.exit, SECONDS)
    assert ended.clean or (not asked and ended.signal == signal.SIGTERM), ended


async def the_others_notice_when_a_node_is_killed_and_when_it_is_back(stage: Stage) -> None:
    nodes = await stage.start_all()
    process, link, _ = nodes["node2"]

    process.signal(9)
    await process.exit
    link.close()
    others = [link for name, (_, link, _) in nodes.items() if name != "node2"]
    assert await poll_async(lambda: all("node2" not in o.view for o in others), Deadline(SECONDS))

    _, again, news = await stage.start("node2")
    rung, answer = await climb(again.ladder(stage.names), Deadline(SECONDS), news)
    assert answer == Ready(), (rung, answer)
    assert await poll_async(lambda: all(o.view == stage.names for o in others), Deadline(SECONDS))


async def a_new_roster_is_accepted_without_disturbance(stage: Stage) -> None:
    nodes = await stage.start_all()
    for _, link, _ in nodes.values():
        link.expect(stage.members)

    assert {link.view for _, link, _ in nodes.values()} == {stage.names}


async def a_link_may_be_closed_twice_and_asked_when_closed(stage: Stage) -> None:
    nodes = await stage.start_all()
    process, link, _ = nodes["node1"]
    process.signal(9)
    await process.exit

    link.close()
    link.close()
    link.expect(stage.members)
    assert link.failure is None


async def new_nodes_have_loaded_nothing_that_has_changed(stage: Stage) -> None:
    nodes = await stage.start_all()

    assert [list(await link.stale_files(SECONDS) or ()) for _, link, _ in nodes.values()] == [[], [], []]

    process, link, _ = nodes["node1"]
    process.signal(9)
    await process.exit
    link.close()
    assert not await link.stale_files(SECONDS)


async def a_stolen_port_is_distinguished_from_other_failures(stage: Stage) -> None:
    assert stage.driver.ports_stolen(["OSError: [Errno 98] bind: Address already in use"])
    assert not stage.driver.ports_stolen(["ImportError: no module named shop"])


Promise = Callable[[Stage], Awaitable[None]]
PROMISES: dict[str, Promise] = {
    promise.__name__: promise
    for promise in (
        nodes_climb_until_every_node_sees_every_node,
        a_node_alone_waits_for_the_others_and_says_why,
        a_node_ends_when_it_is_asked_to_stop,
        the_others_notice_when_a_node_is_killed_and_when_it_is_back,
        a_new_roster_is_accepted_without_disturbance,
        a_link_may_be_closed_twice_and_asked_when_closed,
        new_nodes_have_loaded_nothing_that_has_changed,
        a_stolen_port_is_distinguished_from_other_failures,
    )
}
