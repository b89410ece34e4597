"""What every driver promises, one function a promise; and the program that asks the real one, as its keeper.

A keeper imports it: no test module. `python -m tests.contract.driver_cases MODE CASE FOLDER` ends with 0 if the promise holds."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from clusterlib.drivers.api import Driver, Link
from clusterlib.drivers.beam.driver import BeamDriver
from clusterlib.drivers.python.driver import PythonDriver
from clusterlib.drivers.registry import PRELOAD
from clusterlib.health.probes import Never, Ready, climb
from clusterlib.hosts.api import Host, Process
from clusterlib.hosts.containment import enter
from clusterlib.hosts.local import LocalHost
from clusterlib.hosts.nursery import Nursery
from clusterlib.hosts.places import runtime_dir
from clusterlib.hosts.proc import MARKER
from clusterlib.hosts.simulated import SimulatedHost
from clusterlib.keeper.provision import Provisioner
from clusterlib.messages.plan import NodePlan, Plan
from clusterlib.network.ports import PortAllocator
from clusterlib.profiles import template_folders
from clusterlib.rundir.folders import RunFolder, new_run
from clusterlib.values.ports import PortRange
from clusterlib.waiting import Deadline, poll_async
from tests.plans import backoff, restart_policy, timeouts

SECONDS = 30.0


class Stage:
    """Nodes of one driver on one host, placed as a keeper places them."""

    def __init__(
        self,
        driver: Driver,
        host: Host,
        project: Path,
        *,
        simulated: bool,
        templates: dict[str, str],
        alone: float = 0.5,
    ) -> None:
        self.driver = driver
        self.alone = alone
        """Seconds in which a node surely gets as far as missing the others."""
        self.host = host
        self._links: list[Link] = []
        self._outputs: list[int] = []
        self.plan = Plan(
            identifier="contract",
            name="contract",
            project=str(project),
            profile="contract",
            driver=driver.name,
            simulated=simulated,
            nodes=tuple(NodePlan(f"node{index}", index) for index in (1, 2, 3)),
            node_name="node{index}",
            node_host="localhost",
            fingerprint="",
            code={},
            timeouts=timeouts(),
            retry=backoff(),
            restart=restart_policy(),
            ports={"cluster": PortRange(28000, 28499), "http": PortRange(28500, 28999)},
            templates=templates,
            template_search=tuple(str(folder) for folder in template_folders(project)),
        )
        self.run: RunFolder = new_run(project, "contract")
        provisioner = Provisioner(self.run, driver, PortAllocator(runtime_dir()))
        self.places = {
            spec.name: (spec, claims) for spec, claims in provisioner.place(self.plan, self.plan.nodes, [])
        }
        specs = [spec for spec, _ in self.places.values()]
        provisioner.write_configs(self.plan, specs, specs, alive=[])
        self.names = frozenset(self.places)
        self.roster = provisioner.roster([spec for spec, _ in self.places.values()])

    async def start(self, name: str) -> tuple[Process, Link, asyncio.Event]:
        spec, claims = self.places[name]
        order, link = self.driver.order(spec, claims)
        process = await self.host.spawn(order)
        news = asyncio.Event()
        link.begin(process, news)
        self._links.append(link)
        self._outputs.append(process.output)
        return process, link, news

    def close(self) -> None:
        for link in self._links:
            link.close()
        for output in self._outputs:
            os.close(output)
        for _, claims in self.places.values():
            for claim in claims.values():
                claim.close()

    async def start_all(self) -> dict[str, tuple[Process, Link, asyncio.Event]]:
        nodes = {name: await self.start(name) for name in sorted(self.names)}
        for _, link, news in nodes.values():
            rung, answer = await climb(link.ladder(self.names), Deadline(SECONDS), news)
            assert answer == Ready(), (rung, answer)
        return nodes


async def it_climbs_until_every_node_sees_every_node(stage: Stage) -> None:
    nodes = await stage.start_all()

    assert {link.view for _, link, _ in nodes.values()} == {stage.names}


async def a_node_alone_waits_for_the_others_and_says_so(stage: Stage) -> None:
    _, link, news = await stage.start("node1")

    rung, answer = await climb(link.ladder(stage.names), Deadline(stage.alone), news)

    assert rung == "joined"
    assert not isinstance(answer, Ready | Never)
    assert answer.why


async def a_node_that_is_asked_to_stop_ends_well(stage: Stage) -> None:
    nodes = await stage.start_all()
    process, link, _ = nodes["node2"]

    assert await link.ask_to_stop()

    assert (await asyncio.wait_for(process.exit, SECONDS)).clean


async def the_others_notice_when_a_node_is_killed_and_when_it_is_back(stage: Stage) -> None:
    nodes = await stage.start_all()
    process, link, _ = nodes["node2"]

    process.signal(9)
    await process.exit
    link.close()
    others = [link for name, (_, link, _) in nodes.items() if name != "node2"]
    assert await poll_async(lambda: all("node2" not in o.view for o in others), Deadline(SECONDS))

    _, again, news = await stage.start("node2")
    assert await climb(again.ladder(stage.names), Deadline(SECONDS), news)
    assert await poll_async(lambda: all(o.view == stage.names for o in others), Deadline(SECONDS))


async def a_new_roster_is_taken_without_disturbance(stage: Stage) -> None:
    nodes = await stage.start_all()
    for _, link, _ in nodes.values():
        link.expect(stage.roster)

    assert {link.view for _, link, _ in nodes.values()} == {stage.names}


async def a_link_may_be_closed_twice_and_asked_when_closed(stage: Stage) -> None:
    nodes = await stage.start_all()
    process, link, _ = nodes["node1"]
    process.signal(9)
    await process.exit

    link.close()
    link.close()
    link.expect(stage.roster)
    assert link.failure is None


async def a_node_says_that_it_has_loaded_nothing_that_has_changed(stage: Stage) -> None:
    nodes = await stage.start_all()

    assert [list(await link.stale_files(SECONDS) or ()) for _, link, _ in nodes.values()] == [[], [], []]

    process, link, _ = nodes["node1"]
    process.signal(9)
    await process.exit
    link.close()
    assert not await link.stale_files(SECONDS)


async def a_stolen_port_is_told_from_other_failures(stage: Stage) -> None:
    assert stage.driver.ports_stolen(["OSError: [Errno 98] bind: Address already in use"])
    assert not stage.driver.ports_stolen(["ImportError: no module named shop"])


Case = Callable[[Stage], Awaitable[None]]
CASES: dict[str, Case] = {
    case.__name__: case
    for case in (
        it_climbs_until_every_node_sees_every_node,
        a_node_alone_waits_for_the_others_and_says_so,
        a_node_that_is_asked_to_stop_ends_well,
        the_others_notice_when_a_node_is_killed_and_when_it_is_back,
        a_new_roster_is_taken_without_disturbance,
        a_link_may_be_closed_twice_and_asked_when_closed,
        a_node_says_that_it_has_loaded_nothing_that_has_changed,
        a_stolen_port_is_told_from_other_failures,
    )
}


def keep(mode: str, case: Case, project: Path) -> int:
    marker = os.environ[MARKER]
    containment = enter("auto", marker=marker, on_keeper_death=lambda: None)
    nursery = Nursery.start(marker=marker, containment=containment, preload=PRELOAD)

    async def ask() -> None:
        host: Host = LocalHost(nursery, containment)
        if mode == "simulated":
            host = SimulatedHost(host)
        if mode == "beam":
            templates = {"vm.args": "beam/vm.args.j2"}
            stage = Stage(BeamDriver(), host, project, simulated=False, templates=templates, alone=5.0)
        else:
            templates = {"node.json": "python/node.json.j2"}
            stage = Stage(PythonDriver(), host, project, simulated=mode == "simulated", templates=templates)
        async with asyncio.timeout(2 * SECONDS):
            await case(stage)
        stage.close()
        assert await host.sweep(5) == []
        await host.close()

    asyncio.run(ask())
    return 0


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1], CASES[sys.argv[2]], Path(sys.argv[3])))
