"""A keeper whose plan has two roles, web and store, each with a driver of its own."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from clusterlib.drivers.api import NodeSpec, NodeTexts
from clusterlib.drivers.fake import FakeDriver, FakeLink, Life
from clusterlib.drivers.registry import driver_of
from clusterlib.errors import ClusterError, NodeExited, NodeNotReady, NotSupported, StartError, UsageError
from clusterlib.health.probes import Answer, NotYet, Rung
from clusterlib.hosts.api import Spawn
from clusterlib.hosts.fake import FakeHost
from clusterlib.keeper.keeper import Keeper
from clusterlib.messages.codec import Packed
from clusterlib.messages.events import ClusterScaling
from clusterlib.messages.plan import CodeSources, NodePlan, Plan, RolePlan
from clusterlib.messages.states import ClusterState, NodeState
from clusterlib.network.ports import Claim, PortAllocator
from clusterlib.rundir.diary import read_events
from clusterlib.rundir.folders import new_run
from clusterlib.values.choices import AddressMode
from clusterlib.values.ports import PortRange
from clusterlib.waiting import Deadline, poll_async
from tests.plans import backoff, plan_of, restart_policy, role_plan, timeouts
from tests.unit.keeper.conftest import NOWHERE

PORTS = {"cluster": PortRange(28000, 28999)}
WEB = role_plan("fake", "web", count=3, ports=PORTS)
STORE = role_plan("fake", "store", count=2, ports=PORTS)


class RoleDriver(FakeDriver):
    """One that notes what it is told."""

    stuck: int = 0
    """Its nodes stay on the first rung of their ladder, below this many."""

    def __init__(self, program: str, lives: Mapping[str, list[Life]]) -> None:
        super().__init__(lives, program=program)
        self.texts: Mapping[str, NodeTexts] = {}
        self.left: list[list[str]] = []

    def order(self, node: NodeSpec, claims: Mapping[str, Claim]) -> tuple[Spawn, FakeLink]:
        spawn, link = super().order(node, claims)
        if self.stuck:
            listening, _ = link.ladder(frozenset())
            ladder = [listening, *[Rung("more", never_ready, polls=False)] * self.stuck]
            link.ladder = lambda expected: ladder  # type: ignore[method-assign]
        return spawn, link

    def learn(self, texts: Mapping[str, NodeTexts]) -> None:
        self.texts = texts

    def stopping(self, names: Collection[str]) -> None:
        self.left.append(list(names))

    def why_not_fresh(self, names: Collection[str]) -> str | None:
        return None if self.texts.keys() <= set(names) else "they begin together"


async def never_ready() -> Answer:
    return NotYet("it never will be")


@dataclass
class Two:
    keeper: Keeper
    web: RoleDriver
    store: RoleDriver
    host: FakeHost
    folder: Path

    def states(self) -> dict[str, str]:
        return {node.name: node.state for node in self.keeper.status().nodes}

    async def until(self, condition: Callable[[], object]) -> None:
        assert await poll_async(condition, Deadline(10)), self.states()


Story = Callable[[Two], Awaitable[None]]
Play = Callable[..., None]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Plays a story with the two roles, then shuts the keeper down and checks that nothing is
    left."""

    @contextlib.asynccontextmanager
    async def world(plan: Plan, lives: Mapping[str, list[Life]]) -> AsyncIterator[Two]:
        web, store = RoleDriver("a-web", lives), RoleDriver("a-store", lives)
        host = FakeHost({**web.behaviours, **store.behaviours})
        run = new_run(tmp_path, plan.name)
        drivers = {"web": web, "store": store}
        keeper = Keeper(plan, run, drivers, host, PortAllocator(tmp_path), NOWHERE)
        keeper.holding.leases.take("the test")
        yield Two(keeper, web, store, host, run.path)
        await keeper.shut_down("the story is over")
        assert [process for process in host.started if not process.exit.done()] == []

    def run_story(
        story: Story,
        lives: Mapping[str, list[Life]] | None = None,
        *,
        web: RolePlan = WEB,
        store: RolePlan = STORE,
        **changes: Any,
    ) -> None:
        usual = {
            "project": str(tmp_path),
            "timeouts": timeouts(start=10, stop=5),
            "retry": backoff(attempts=0),
        }
        plan = plan_of(web, store, **{**usual, **changes})

        async def go() -> None:
            async with world(plan, lives or {}) as two:
                await story(two)

        asyncio.run(go())

    return run_story


def test_each_node_has_its_role_and_sees_the_nodes_of_that_role(play: Play) -> None:
    async def story(two: Two) -> None:
        status = await two.keeper.start()

        assert status.state is ClusterState.READY
        assert [(node.name, node.role, node.index) for node in status.nodes] == [
            ("web1", "web", 1),
            ("web2", "web", 2),
            ("web3", "web", 3),
            ("store1", "store", 1),
            ("store2", "store", 2),
        ]
        assert {node.view for node in status.nodes} == {("web1", "web2", "web3"), ("store1", "store2")}
        assert [(role.name, role.driver) for role in status.roles] == [("web", "fake"), ("store", "fake")]

    play(story)


def test_roles_with_the_same_range_have_different_ports(play: Play) -> None:
    async def story(two: Two) -> None:
        status = await two.keeper.start()

        assert len({(node.address, node.ports["cluster"]) for node in status.nodes}) == 5

    play(story)


def test_roles_whose_nodes_have_addresses_of_their_own_can_have_the_same_port(play: Play) -> None:
    pinned = {"cluster": PortRange(28400, 28400)}

    async def story(two: Two) -> None:
        status = await two.keeper.start()

        assert {node.ports["cluster"] for node in status.nodes} == {28400}
        assert len({node.address for node in status.nodes}) == 5

    play(story, web=replace(WEB, ports=pinned), store=replace(STORE, ports=pinned), mode=AddressMode.PER_NODE)


def test_a_failed_start_of_one_role_ends_the_start_of_all(play: Play) -> None:
    async def story(two: Two) -> None:
        with pytest.raises(NodeExited, match="store2"):
            await two.keeper.start()
        assert two.keeper.nodes == {}

    play(story, {"store2": [Life(exits=3)]})


def test_a_killed_node_is_missed_in_its_role_only_and_healing_brings_it_back(play: Play) -> None:
    async def story(two: Two) -> None:
        await two.keeper.start()
        await two.keeper.faults.kill("store2")

        assert two.keeper.state is ClusterState.DEGRADED
        status = two.keeper.status()
        assert {node.view for node in status.nodes if node.role == "web"} == {("web1", "web2", "web3")}
        assert status.dirty == ("store2 was killed",)

        healed = await two.keeper.heal()
        assert healed.state is ClusterState.READY
        assert {node.name: node.starts for node in healed.nodes}["store2"] == 2
        assert sum(node.starts for node in healed.nodes) == 6

    play(story)


def test_the_restart_policy_holds_in_every_role(play: Play) -> None:
    async def story(two: Two) -> None:
        await two.keeper.start()
        for name in ("web1", "store1"):
            (process,) = [one for one in two.host.started if one.name == name]
            process.signal(signal.SIGKILL)
        await two.until(lambda: two.keeper.state is ClusterState.DEGRADED)
        await two.until(lambda: two.keeper.state is ClusterState.READY)

        assert {node.name: node.starts for node in two.keeper.status().nodes} == {
            "web1": 2,
            "web2": 1,
            "web3": 1,
            "store1": 2,
            "store2": 1,
        }

    play(story, restart=restart_policy("on-failure", first=0.001))


def test_one_role_is_scaled_while_the_other_stays_as_it_is(play: Play) -> None:
    async def story(two: Two) -> None:
        await two.keeper.start()
        grown = await two.keeper.scale(4, "web")

        assert [node.name for node in grown.nodes] == ["web1", "web2", "web3", "web4", "store1", "store2"]
        assert [member.name for member in two.web.rosters["web1"]] == ["web1", "web2", "web3", "web4"]
        assert two.store.rosters == {}, "nothing has changed for them"
        assert [one["name"] for one in two.store.texts["store1"].values["cluster"]["nodes"]][3] == "web4"

        shrunk = await two.keeper.scale(1, "store")
        assert [node.name for node in shrunk.nodes] == ["web1", "web2", "web3", "web4", "store1"]
        assert shrunk.state is ClusterState.READY
        events = [event.what for event in read_events(two.keeper.run.events)]
        assert [event.headline() for event in events if isinstance(event, ClusterScaling)] == [
            "scaling role web from 3 to 4 nodes",
            "scaling role store from 2 to 1 node",
        ]

    play(story)


def test_with_several_roles_scaling_needs_the_name_of_one(play: Play) -> None:
    async def story(two: Two) -> None:
        await two.keeper.start()
        for role, said in ((None, "has several roles, and none was named"), ("db", "has no role 'db'")):
            with pytest.raises(UsageError, match=said) as caught:
                await two.keeper.scale(4, role)
            assert caught.value.evidence == ("its roles: web, store",)
            with pytest.raises(UsageError, match=said):
                await two.keeper.load({}, {}, [], role)
        with pytest.raises(UsageError, match="each role has at least one node"):
            await two.keeper.scale(0, "web")
        assert len(two.states()) == 5

    play(story)


def test_a_role_of_a_fixed_size_does_not_keep_the_other_from_growing(play: Play) -> None:
    async def story(two: Two) -> None:
        await two.keeper.start()

        with pytest.raises(NotSupported, match="role 'store' stays at 2 nodes: its slots are dealt out once"):
            await two.keeper.scale(3, "store")
        await two.keeper.scale(4, "web")
        assert two.states()["web4"] == "ready"

    play(story, store=replace(STORE, fixed="its slots are dealt out once"))


def test_nodes_of_the_same_name_in_two_roles_are_refused_before_anything_starts(play: Play) -> None:
    async def story(two: Two) -> None:
        with pytest.raises(UsageError, match="two nodes of the cluster would be called 'web2'") as caught:
            await two.keeper.start()
        assert caught.value.cause == "role 'store' names its nodes 'store{index}'"
        assert two.host.started == []

    same = replace(STORE, nodes=(NodePlan("store1", 1), NodePlan("web2", 2)))
    play(story, store=same)


def test_a_role_cannot_grow_into_the_names_of_another(play: Play) -> None:
    async def story(two: Two) -> None:
        await two.keeper.start()
        with pytest.raises(UsageError, match="two nodes of the cluster would be called 'web4'"):
            await two.keeper.scale(5, "web")
        assert set(two.states()) == {"web1", "web2", "web3", "store1", "web4"}
        assert two.keeper.state is ClusterState.READY

    play(story, store=replace(STORE, nodes=(NodePlan("store1", 1), NodePlan("web4", 2))))


def test_templates_have_all_nodes_and_the_others_of_the_role(play: Play, tmp_path: Path) -> None:
    (tmp_path / "all.j2").write_text(
        "{% for one in cluster.nodes %}{{ one.name }} {{ one.role }}\n{% endfor %}"
        "I am {{ node.role }}, {{ python.app }}; first: {{ seed.name }}, "
        "others: {% for one in peers %}{{ one.name }} {% endfor %}"
    )
    texts: dict[str, Any] = {"templates": {"all": "all.j2"}, "template_search": (str(tmp_path),)}

    async def story(two: Two) -> None:
        await two.keeper.start()

        everyone = "web1 web\nweb2 web\nweb3 web\nstore1 store\nstore2 store\n"
        told = {
            name: (two.folder / "nodes" / name / "all").read_text().removeprefix(everyone)
            for name in ("web2", "store2")
        }
        assert told == {
            "web2": "I am web, shop:run; first: web1, others: web1 web3 ",
            "store2": "I am store, None; first: store1, others: store1 ",
        }

    play(story, web=replace(WEB, **texts, app="shop:run"), store=replace(STORE, **texts))


def test_nodes_have_the_environment_of_their_role(play: Play) -> None:
    async def story(two: Two) -> None:
        await two.keeper.start()
        seen = {process.name: process.environment.get("KIND") for process in two.host.started}
        assert seen == {"web1": "w", "web2": "w", "web3": "w", "store1": "s", "store2": "s"}

    play(
        story,
        web=replace(WEB, environment={"KIND": "w"}),
        store=replace(STORE, environment={"KIND": "s"}),
    )


def test_at_the_end_each_driver_hears_of_its_own_nodes_at_once(play: Play) -> None:
    left: list[list[list[str]]] = []

    async def story(two: Two) -> None:
        await two.keeper.start()
        await two.keeper.faults.stop("web3")
        left.extend([two.web.left, two.store.left])

    play(story)

    assert left == [[[], ["web1", "web2", "web3"]], [["store1", "store2"]]]


def test_a_role_can_begin_with_no_data_while_the_other_keeps_its_own(play: Play) -> None:
    async def story(two: Two) -> None:
        await two.keeper.start()
        for name in two.states():
            (two.folder / "nodes" / name / "data").write_text("kept")

        with pytest.raises(NotSupported, match="store1 cannot begin with no data"):
            await two.keeper.restart(["store1"], fresh=True)
        await two.keeper.restart(["store1", "store2"], fresh=True)

        kept = [name for name in two.states() if (two.folder / "nodes" / name / "data").exists()]
        assert kept == ["web1", "web2", "web3"]
        assert two.keeper.state is ClusterState.READY

    play(story)


def test_the_code_that_nodes_started_with_is_kept_by_role(play: Play) -> None:
    async def story(two: Two) -> None:
        await two.keeper.start()
        assert (await two.keeper.code()).files == {"web": ({"a": "1"},), "store": ({"b": "1"},)}
        await two.keeper.restart(["store1", "store2"])
        assert (await two.keeper.code()).files == {"web": ({"a": "1"},), "store": ({},)}

    play(story, web=replace(WEB, code={"a": "1"}), store=replace(STORE, code={"b": "1"}))


def test_simulated_nodes_have_the_code_that_their_process_has_loaded_for_another_role(
    play: Play, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.write_text("b")
    a, b = ({str(program): digest} for digest in ("a", hashlib.sha256(b"b").hexdigest()))

    async def story(two: Two) -> None:
        await two.keeper.start()
        await two.keeper.restart(["web1", "web2", "web3"])
        assert (await two.keeper.code()).files == {"web": (a,), "store": (a,)}
        await two.keeper.restart([])
        assert (await two.keeper.code()).files == {"web": (b,), "store": (b,)}

    sources = CodeSources(files=(str(program),))
    roles = {"web": replace(WEB, code=a, sources=sources), "store": replace(STORE, code=a, sources=sources)}
    play(story, simulated=True, **roles)


def test_nothing_is_written_if_the_files_of_a_role_cannot_be_rendered(play: Play, tmp_path: Path) -> None:
    for name in ("web", "store"):
        (tmp_path / f"{name}.j2").write_text("old")

    async def story(two: Two) -> None:
        await two.keeper.start()
        (tmp_path / "web.j2").write_text("new")
        (tmp_path / "store.j2").write_text("{{ nothing.of.that.name }}")

        with pytest.raises(ClusterError):
            await two.keeper.restart([])

        assert (two.folder / "nodes/web1/text").read_text() == "old"
        assert (await two.keeper.code()).files == {"web": ({"a": "1"},), "store": ({"b": "1"},)}
        assert {node.starts for node in two.keeper.status().nodes} == {1}

    web, store = (
        replace(role, templates={"text": f"{role.name}.j2"}, template_search=(str(tmp_path),), code=code)
        for role, code in ((WEB, {"a": "1"}), (STORE, {"b": "1"}))
    )
    play(story, web=web, store=store)


def test_the_error_of_the_node_that_has_got_least_far_on_its_own_ladder_is_shown(play: Play) -> None:
    async def story(two: Two) -> None:
        two.web.stuck, two.store.stuck = 1, 3
        with pytest.raises(NodeNotReady, match="store1"):
            await two.keeper.start()

    play(story, timeouts=timeouts(start=0.3, stop=5))


def test_a_node_that_waits_to_join_waits_for_its_role_only(play: Play) -> None:
    async def story(two: Two) -> None:
        starting = asyncio.ensure_future(two.keeper.start())
        await two.until(
            lambda: (
                [two.keeper.nodes[name].state for name in ("store1", "store2") if two.keeper.nodes]
                == [NodeState.READY] * 2
            )
        )
        assert two.states()["web3"] == "starting"
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting

    play(story, {"web3": [Life(silent=True)]})


def test_settings_that_the_driver_cannot_read_are_refused_by_role_and_field() -> None:
    role = replace(STORE, driver="beam", settings=Packed({"program": 3}))

    with pytest.raises(StartError, match="the settings of driver 'beam'") as caught:
        driver_of(role, FakeHost({}))

    assert caught.value.cause == "role 'store': program: 3 is no str"


def test_a_plan_with_two_roles_is_plain_data() -> None:
    plan = plan_of(WEB, STORE)

    assert [role["name"] for role in json.loads(plan.to_json())["roles"]] == ["web", "store"]
