from __future__ import annotations

from clusterlib.messages.plan import NodePlan, Plan
from clusterlib.values.ports import PortRange
from tests.plans import backoff, restart_policy, timeouts


def test_a_plan_crosses_to_the_keeper_unchanged() -> None:
    plan = Plan(
        identifier="abc",
        name="default",
        project="/p",
        profile="dev",
        driver="python",
        simulated=True,
        nodes=(NodePlan("node1", 1), NodePlan("node2", 2)),
        node_name="node{index}",
        node_host="localhost",
        fingerprint="f",
        code={"shop/cart.py": "1234"},
        ports={"cluster": PortRange(20000, 20010)},
        timeouts=timeouts(start=3),
        retry=backoff(attempts=1),
        restart=restart_policy("always"),
        templates={"node.json": "python/node.json.j2"},
        template_search=("/p/templates",),
        app=None,
    )

    assert Plan.from_json(plan.to_json()) == plan
