"""Assembles a node, and contains its program: `main`."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from clusterlib.errors import ClusterError, UsageError
from clusterlib.runtime import current, wire
from clusterlib.runtime.application import start_failure
from clusterlib.runtime.attempts import PEER_FRAME_LIMIT
from clusterlib.runtime.calls import Ask, Calls
from clusterlib.runtime.code import watch_imports
from clusterlib.runtime.config import Config, Sockets, read_peers
from clusterlib.runtime.control import Control
from clusterlib.runtime.current import ThisNode
from clusterlib.runtime.health import HealthServer
from clusterlib.runtime.link import PeerAddress
from clusterlib.runtime.links import Links
from clusterlib.runtime.log import Log
from clusterlib.runtime.membership import Membership
from clusterlib.runtime.network import NodeNetwork
from clusterlib.runtime.observing import allow_observing
from clusterlib.runtime.pages import NodePages, NodePhase
from clusterlib.runtime.sessions import Reception, SecuredSession
from clusterlib.runtime.stacks import allow_dump, running_stacks
from clusterlib.runtime.targets import resolve
from clusterlib.runtime.wire import Buffer, FrameKind, Role

if TYPE_CHECKING:
    from clusterlib.runtime.processes.service import ProcessService

__all__ = ["EmbeddedNode", "main"]

VIEW_SECONDS = 0.02
GOODBYE_SECONDS = 0.3
EXIT_FAILED = 1


class EmbeddedNode:
    """One node: its network, its members, its services.

    Two tables are open for extensions. `peer_frames` maps a kind of frame (from 64 up) to its
    handler between nodes, which gets the name of the peer and the payload; `links.tell` sends such
    frames to a neighbour. `asks` maps a question of clients to its answer:
    `NodeClient.ask(question, argument)`."""

    def __init__(
        self,
        config: Config,
        environment: Mapping[str, str],
        network: NodeNetwork,
        sockets: Sockets,
        ended: Callable[[int | None], None],
    ) -> None:
        """`ended` is called once: with an exit code, or with None if the keeper died."""
        self.config = config
        self.environment = environment
        self.network = network
        self.started = time.time()
        self.phase = NodePhase.STARTING
        self.log = Log()
        self.peers: dict[str, PeerAddress] = {peer.name: peer for peer in config.peers}
        self.membership = Membership(config.name, self.peers, incarnation=int(self.started * 1000))
        self.code = watch_imports()
        self.asks: dict[str, Ask] = {
            "ping": Ask(lambda _: "pong"),
            "members": Ask(lambda _: self.membership.alive()),
            "stacks": Ask(lambda _: running_stacks(network.loop, config.name)),
            "info": Ask(lambda _: self.info()),
            "digest": Ask(lambda _: self.code.report(), quick=False),
            "processes": Ask(self._look_at_processes),
            "do processes": Ask(self._act_on_processes, quick=False),
        }
        cookie = wire.read_cookie(config.cookie_file)
        self.links = Links(
            network,
            config.name,
            cookie,
            self.membership,
            self.peers,
            config.detect,
            self.log,
            self._view_changed,
        )
        self.peer_frames: dict[int, Callable[[str, Buffer], None]] = self.links.frames
        self.peer_frames[FrameKind.PROCESSES] = self._first_process_frame
        self._processes: ProcessService | None = None
        self.this = ThisNode(self)
        self._cookie = cookie
        self._sockets = sockets
        self._ended = ended
        self._view_sent = 0.0
        self._view_due = False
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Listens, links up, and starts the app.

        The caller's context becomes that of the whole node.
        """
        current.enter(self.this)
        config, network = self.config, self.network
        self.control = Control(
            network, self._sockets.control, self.log, self._ordered, lambda: self._end(None)
        )
        self.calls = Calls(
            config.name, network.loop, copy_context(), config.limit, self.asks, self.code.record, self.log
        )
        limits = {Role.PEER: PEER_FRAME_LIMIT, Role.CLIENT: config.limit}
        reception = Reception(network, self._cookie, config.name, limits, self.log, self._welcome)
        pages = NodePages(self.info, self.membership, self.calls, self.links)
        network.listen(self._sockets.cluster, reception.accept)
        network.listen_to_peers(config.address, self._sockets.cluster, reception.accept)
        network.listen(self._sockets.http, HealthServer(network, pages.by_path, self.log).accept)
        self.phase = NodePhase.RUNNING
        self.control.tell({"event": "listening"})
        self.links.start()
        if config.app is None:
            self._serving()
        else:
            self.calls.workers.run(copy_context(), partial(self._start_app, config.app))

    def leave(self) -> None:
        """Leaves in order: informs the others, closes everything, ends with code 0."""
        if self.phase in {NodePhase.LEAVING, NodePhase.ENDED}:
            return
        self.phase = NodePhase.LEAVING
        if self._processes is None:
            self._leave()
        else:
            self._task(self._leave_after(self._processes))

    def stop(self) -> None:
        """Stops everything at once, without informing the others."""
        self.phase = NodePhase.ENDED
        self.links.stop()
        self.calls.stop()
        self.this.close()
        if self._processes is not None:
            self._processes.stop()
        for task in self._tasks:
            task.cancel()
        self.network.close()

    @property
    def processes(self) -> ProcessService:
        """The processes of this node; made when it is first needed."""
        if self._processes is None:
            from clusterlib.runtime.processes.service import ProcessService

            self._processes = ProcessService(
                self.config.name,
                int(self.started * 1000),
                self.network,
                self.calls.context,
                self.links,
                self.membership,
                self.log,
            )
        return self._processes

    def _look_at_processes(self, question: object) -> object:
        from clusterlib.runtime.processes.asking import look

        return look(self.processes, question)

    def _act_on_processes(self, order: object) -> object:
        from clusterlib.runtime.processes.asking import act

        return act(self.this.processes, order)

    def info(self) -> dict[str, Any]:
        config = self.config
        return {
            "node": config.name,
            "cluster": config.cluster,
            "simulated": config.simulated,
            "state": str(self.phase),
            "members": list(self.membership.alive()),
            "expected": list(self.membership.ring),
            "uptime": round(time.time() - self.started, 3),
            "pid": os.getpid(),
            "index": config.index,
            "address": config.address,
            "host": config.host,
            "ports": dict(config.ports),
            "directory": config.directory,
            "code_roots": list(config.code_roots),
            "limit": config.limit,
            "version": wire.VERSION,
        }

    # -- orders and events ------------------------------------------------------------------------

    def _ordered(self, order: dict[str, Any]) -> None:
        match order.get("do"):
            case "stop":
                self.leave()
            case "peers":
                try:
                    roster = read_peers(order.get("peers"))
                except UsageError as error:
                    self.log.say(f"the keeper sent an invalid roster: {error.problem}")
                    return
                self.peers.clear()
                self.peers.update((peer.name, peer) for peer in roster)
                self.membership.expect(self.peers)
                self.links.roster_changed()
            case "code":
                self.calls.workers.run(copy_context(), partial(self._look_at_code, order.get("number")))
            case other:
                self.log.limited("control", f"the keeper sent the unknown order {other!r}")

    def _look_at_code(self, number: object) -> None:
        """Runs in a worker thread, because it examines every imported file."""
        stale = sorted(self.code.stale().values())
        event = {"event": "code", "number": number, "stale": stale}
        self.network.loop.call_soon_threadsafe(self.control.tell, event)

    def _view_changed(self) -> None:
        """Reports to the keeper: a complete view at once, other views at most every 20 ms."""
        if self._processes is not None:
            self._processes.members_changed()
        wait = self._view_sent + VIEW_SECONDS - self.network.now()
        if self.membership.complete or wait <= 0:
            self._tell_view()
        elif not self._view_due:
            self._view_due = True
            self.network.later(wait, self._tell_late_view)

    def _first_process_frame(self, peer: str, payload: Buffer) -> None:
        """Another node uses processes: from now on its frames go to the service of this node."""
        self.processes.received(peer, payload)

    def _tell_late_view(self) -> None:
        if self._view_due:
            self._tell_view()

    def _tell_view(self) -> None:
        self._view_due = False
        self._view_sent = self.network.now()
        self.control.tell(
            {"event": "view", "alive": list(self.membership.alive()), "version": self.membership.version}
        )

    def _welcome(self, role: Role, session: SecuredSession) -> None:
        if role is Role.PEER:
            self.links.accept(session)
        else:
            self.calls.accept(session)

    async def _leave_after(self, processes: ProcessService) -> None:
        """The processes end, and some move, while the others still reach this node."""
        try:
            await processes.leave()
        except TimeoutError:
            self.log.say("some processes did not end in time")
        self._leave()

    def _leave(self) -> None:
        self.network.stop_listening()
        self.links.leave()
        self.calls.stop()
        self._task(self._say_goodbye())

    async def _say_goodbye(self) -> None:
        await self.network.flushed(GOODBYE_SECONDS)
        self._end(0)

    def _end(self, code: int | None) -> None:
        if self.phase is not NodePhase.ENDED:
            self.stop()
            self._ended(code)

    def _task(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self.network.loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- the app ----------------------------------------------------------------------------------

    def _start_app(self, target: str) -> None:
        """Runs in a worker thread, because importing and starting a program may take long, and
        heartbeats must continue.
        """
        loop = self.network.loop
        try:
            started = resolve(target)()
        except BaseException as error:  # noqa: BLE001  also SystemExit: whatever ended the app is reported to the keeper
            loop.call_soon_threadsafe(self._failed, start_failure(self.config.name, target, error))
            return
        if inspect.isawaitable(started):
            loop.call_soon_threadsafe(lambda: self._task(self._await_app(target, started)))
        else:
            loop.call_soon_threadsafe(self._serving)

    async def _await_app(self, target: str, started: Any) -> None:
        try:
            await started
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  the same
            self._failed(start_failure(self.config.name, target, error))
            return
        self._serving()

    def _serving(self) -> None:
        self.code.record()
        self.control.tell({"event": "serving"})

    def _failed(self, error: ClusterError) -> None:
        self.log.say(str(error))
        self.control.tell({"event": "failed", "error": error.to_dict()})
        self._task(self._fail())

    async def _fail(self) -> None:
        await self.network.flushed(GOODBYE_SECONDS)
        self._end(EXIT_FAILED)


def main(argument: Mapping[str, object]) -> int:
    """The program of a node process.

    `argument` is the path of its configuration. Returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(
                line_buffering=True, errors="backslashreplace"
            )  # the keeper reads lines as they are printed
    try:
        config = Config.read(str(argument.get("config")))
        sockets = Sockets.inherited(os.environ)
        sys.path[:0] = config.code_roots
        return _live(config, sockets)
    except ClusterError as error:
        print(error, file=sys.stderr, flush=True)  # noqa: T201  the log of a node is its stderr
        return error.exit_code


def _live(config: Config, sockets: Sockets) -> int:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    over: asyncio.Future[int] = loop.create_future()

    def ended(code: int | None) -> None:
        if code is None:
            os._exit(EXIT_FAILED)  # the keeper died, so there is nothing to clean up
        if not over.done():
            over.set_result(code)

    allow_dump(config.directory)
    allow_observing(config.directory, loop)
    node = EmbeddedNode(config, os.environ, NodeNetwork(loop), sockets, ended)
    current.settle(node.this)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, node.leave)
    loop.call_soon(node.start)
    while not over.done():
        try:
            loop.run_until_complete(over)
        except (SystemExit, KeyboardInterrupt) as error:
            # A task of the user raised it; asyncio passes these on. A node ends only on request,
            # not because of this.
            node.log.say(f"ignored {type(error).__name__} raised by a task")
    return over.result()
