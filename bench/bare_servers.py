"""The bare minimum beside `up` of server programs: the same processes with the same files, started by one script.

    python -m bench.bare_servers PROFILE PROJECT

No keeper, guard or nursery: it starts the programs, asks the questions of the profile as tightly as it can, runs what
forms the cluster, and says how long that took. The files and ports are made before the clock runs. Then it kills what
it started, and ends."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from clusterlib.drivers.api import NodeSpec
from clusterlib.drivers.command.asking import ask
from clusterlib.drivers.command.driver import CommandDriver
from clusterlib.drivers.command.settings import Question
from clusterlib.health.probes import Ready
from clusterlib.hosts.api import Exit, Program, Spawn
from clusterlib.hosts.errands import Errand
from clusterlib.hosts.fake import FakeHost
from clusterlib.hosts.kernel import adopt_orphans
from clusterlib.hosts.places import runtime_dir
from clusterlib.hosts.ports import PortAllocator
from clusterlib.lifecycle.folders import new_run
from clusterlib.lifecycle.planning import plan_for
from clusterlib.lifecycle.provision import Provisioner
from clusterlib.rendering import render_text
from clusterlib.waiting import pause_async

TIGHT = 0.001


class Bare:
    """One cluster of a profile, places and files made, nothing started."""

    def __init__(self, profile: str, project: Path) -> None:
        plan = plan_for(profile, name="bare", project=project)
        self.driver = CommandDriver(plan.server, FakeHost({}))
        run = new_run(project, "bare")
        provisioner = Provisioner(run, self.driver, PortAllocator(runtime_dir()))
        self.places = provisioner.place(plan, plan.nodes, [])
        self.nodes = [spec for spec, _ in self.places]
        provisioner.write_configs(plan, self.nodes)
        for node in self.nodes:
            (Path(node.directory) / "data").mkdir()
        self.orders = {node.name: self.driver.order(node, {})[0] for node in self.nodes}
        self.started: list[subprocess.Popen[bytes]] = []

    async def up(self) -> float:
        begin = time.perf_counter()
        await asyncio.gather(*(self._start(node) for node in self.nodes))
        if self.driver.server.form:
            seed = self.nodes[0]
            await self._run(
                seed, [render_text(word, self.driver.values(seed.name)) for word in self.driver.server.form]
            )
        await asyncio.gather(*(self._until(node, self.driver.server.formed) for node in self.nodes))
        return time.perf_counter() - begin

    async def _start(self, node: NodeSpec) -> None:
        if self.driver.server.prepare:
            values = self.driver.values(node.name)
            await self._run(node, [render_text(word, values) for word in self.driver.server.prepare])
        order = self.orders[node.name]
        self.started.append(
            subprocess.Popen(  # noqa: ASYNC220 - as a script does it
                words(order),
                cwd=order.directory,
                env=order.environment,
                stdout=log(node),
                stderr=log(node),
                process_group=0,
            )
        )
        await self._until(node, self.driver.server.ready)

    async def _until(self, node: NodeSpec, question: Question) -> None:
        values = self.driver.values(node.name)
        while not isinstance(await ask(question, values, lambda asked: self._run(node, asked)), Ready):
            await pause_async(TIGHT)

    async def _run(self, node: NodeSpec, asked: Sequence[str]) -> Errand:
        order = self.orders[node.name]
        process = await asyncio.create_subprocess_exec(
            *asked,
            cwd=order.directory,
            env=dict(order.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return Errand(Exit(code=process.returncode), output.decode(errors="replace"))

    def kill(self) -> None:
        """Also what a server has put into the background: that has become a child of ours."""
        for process in self.started:
            os.killpg(process.pid, 9)
            process.wait()
        children = psutil.Process().children(recursive=True)
        for child in children:
            child.kill()
        psutil.wait_procs(children, timeout=10)


def words(order: Spawn) -> tuple[str, ...]:
    assert isinstance(order.run, Program)
    return order.run.argv


def log(node: NodeSpec) -> int:
    return os.open(f"{node.directory}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def main(profile: str, project: Path) -> None:
    adopt_orphans()
    bare = Bare(profile, project)
    try:
        seconds = asyncio.run(bare.up())
    finally:
        bare.kill()
    sys.stdout.write(json.dumps({"seconds": seconds}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).resolve())
