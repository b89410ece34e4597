"""The bare minimum of `up` of server programs: the same processes with the same files, started by
one script.

    python -m bench.bare_servers PROFILE PROJECT [honcho | circusd]

There is no keeper, guard or nursery. It starts the programs, probes them without a pause as the
profile says, runs the commands that form the cluster, and prints how long that took. Files and
ports are made before the clock starts. Then it kills what it started. With the name of another
tool, that tool starts the programs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from clusterlib.client.planning import plan_for
from clusterlib.drivers.api import NodeSpec
from clusterlib.drivers.command.asking import ask
from clusterlib.drivers.command.driver import CommandDriver
from clusterlib.drivers.command.settings import Question, Server
from clusterlib.health.probes import Answer, NotYet, Ready
from clusterlib.hosts.api import Exit, Program, Spawn
from clusterlib.hosts.fake import FakeHost
from clusterlib.hosts.kernel import adopt_orphans
from clusterlib.hosts.places import runtime_dir
from clusterlib.hosts.run_program import ProgramRun
from clusterlib.keeper.provision import Provisioner
from clusterlib.network.ports import PortAllocator
from clusterlib.rendering import render_text
from clusterlib.rundir.folders import new_run
from clusterlib.waiting import Deadline, pause_async

__all__ = ["TOOLS"]

TIGHT = 0.001
PATIENCE = 60.0
TOOLS = {
    "honcho": lambda file: ["honcho", "start", "-f", str(file)],
    "circusd": lambda file: ["circusd", str(file)],
}
"""How another tool is called with its file."""


class Bare:
    """One cluster of a profile: ports and files are made, nothing is started."""

    def __init__(self, profile: str, project: Path) -> None:
        plan = plan_for(profile, name="bare", project=project)
        (role,) = plan.roles
        self.driver = CommandDriver(role.settings.unpack(Server), FakeHost({}))
        run = new_run(project, "bare")
        provisioner = Provisioner(plan, role, run, self.driver, PortAllocator(runtime_dir()))
        self.places = provisioner.place(role.nodes, [])
        self.nodes = [spec for spec, _ in self.places]
        provisioner.write(provisioner.render(self.nodes, self.nodes, [], self.nodes))
        for node in self.nodes:
            (Path(node.directory) / "data").mkdir(mode=0o700)
        self.orders = {node.name: self.driver.order(node, {})[0] for node in self.nodes}
        for order in self.orders.values():
            if order.user is not None:
                _give(Path(order.directory), order.user, project)
        self.started: list[subprocess.Popen[bytes]] = []

    async def up(self) -> float:
        begin = time.perf_counter()
        first = self.nodes[:1] if self.driver.server.seed_first else []
        for node in first:
            await self._start(node)
        await asyncio.gather(*(self._start(node) for node in self.nodes if node not in first))
        if self.driver.server.form.command:
            seed = self.nodes[0]
            await self._run(
                seed,
                [
                    render_text(word, self.driver.values(seed.name))
                    for word in self.driver.server.form.command
                ],
            )
        await asyncio.gather(*(self._until(node, self.driver.server.formed) for node in self.nodes))
        return time.perf_counter() - begin

    async def up_by(self, tool: str, project: Path) -> float:
        """The same with another tool, from the start of its process."""
        orders = {name: (order.directory, shlex.join(words(order))) for name, order in self.orders.items()}
        file = project / f"{tool}.conf"
        file.write_text(_procfile(orders) if tool == "honcho" else _circus_file(orders))
        begin = time.perf_counter()
        with Path(f"{file}.log").open("wb") as output:
            called = TOOLS[tool](file)
            self.started.append(
                subprocess.Popen(called, stdout=output, stderr=output, cwd=project, process_group=0)  # noqa: ASYNC220
            )
        for question in (self.driver.server.ready, self.driver.server.formed):
            await asyncio.gather(*(self._until(node, question) for node in self.nodes))
        return time.perf_counter() - begin

    async def _start(self, node: NodeSpec) -> None:
        values = self.driver.values(node.name)
        preparing = [render_text(word, values) for word in self.driver.server.prepare]
        if preparing and preparing[0]:
            done = await self._run(node, preparing)
            if not done.exit.clean:
                raise RuntimeError(f"{node.name} could not be prepared: {done.output}")
        order = self.orders[node.name]
        self.started.append(
            subprocess.Popen(  # noqa: ASYNC220 - as a script does it
                words(order),
                cwd=order.directory,
                env=order.environment,
                stdout=log(node),
                stderr=log(node),
                process_group=0,
                user=order.user,
            )
        )
        await self._until(node, self.driver.server.ready)

    async def _until(self, node: NodeSpec, question: Question) -> None:
        # The driver knows of no answers here: each node is asked whether it has found all.
        values = {**self.driver.values(node.name), "alive": [one.name for one in self.nodes]}
        deadline = Deadline(PATIENCE)

        async def answer() -> Answer:
            if question.log and not re.search(question.log, Path(f"{node.directory}.log").read_text()):
                return NotYet(f"it has not printed {question.log!r} yet")
            return await ask(question, values, lambda asked: self._run(node, asked))

        while not isinstance(answered := await answer(), Ready):
            if deadline.passed:
                raise RuntimeError(f"{node.name}: {answered.why}")
            await pause_async(TIGHT)

    async def _run(self, node: NodeSpec, asked: Sequence[str]) -> ProgramRun:
        order = self.orders[node.name]
        process = await asyncio.create_subprocess_exec(
            *asked,
            cwd=order.directory,
            env=dict(order.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            user=order.user,
        )
        output, _ = await process.communicate()
        return ProgramRun(Exit(code=process.returncode), output.decode(errors="replace"))

    def kill(self) -> None:
        """Also kills what a server put into the background or a tool started: now our child."""
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait()
        children = psutil.Process().children(recursive=True)
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(children, timeout=10)


def _procfile(orders: Mapping[str, tuple[str, str]]) -> str:
    return "".join(
        f"{name}: cd {shlex.quote(folder)} && exec {line}\n" for name, (folder, line) in orders.items()
    )


def _circus_file(orders: Mapping[str, tuple[str, str]]) -> str:
    return "".join(
        f"[watcher:{name}]\ncmd = {line}\nworking_dir = {folder}\ncopy_env = True\n\n"
        for name, (folder, line) in orders.items()
    )


def _give(folder: Path, user: str, project: Path) -> None:
    """Gives the node's folder to the user of its server, and lets that user pass its parents."""
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, user, user)
    for parent in folder.parents:
        parent.chmod(0o755)
        if parent == project:
            break


def words(order: Spawn) -> tuple[str, ...]:
    assert isinstance(order.run, Program)
    return order.run.argv


def log(node: NodeSpec) -> int:
    return os.open(f"{node.directory}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def main(profile: str, project: Path, tool: str | None = None) -> None:
    adopt_orphans()
    bare = Bare(profile, project)
    try:
        seconds = asyncio.run(bare.up() if tool is None else bare.up_by(tool, project))
    finally:
        bare.kill()
    sys.stdout.write(json.dumps({"seconds": seconds}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).resolve(), *sys.argv[3:4])
