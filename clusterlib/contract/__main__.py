"""The keeper of one promise: `python -m clusterlib.contract JSON`. Ends with 0 if it holds."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from clusterlib.client.planning import plan_for
from clusterlib.contract.promises import PROMISES, SECONDS, Stage
from clusterlib.contract.trial import ContractTrial
from clusterlib.drivers.registry import PRELOAD, driver_of
from clusterlib.hosts.api import Host
from clusterlib.hosts.containment import enter
from clusterlib.hosts.local import LocalHost
from clusterlib.hosts.nursery import Nursery
from clusterlib.hosts.proc import MARKER
from clusterlib.messages.codec import revive

__all__ = ["keep"]

NODES = {"nodes.count": 3, "nodes.name": "node{index}"}


def keep(trial: ContractTrial) -> int:
    plan = plan_for(
        trial.profile,
        name="contract",
        project=Path(trial.project),
        overrides={**NODES, **trial.overrides},
    )
    marker = os.environ[MARKER]
    containment = enter("auto", marker=marker, on_keeper_death=lambda: None)
    nursery = Nursery.start(marker=marker, containment=containment, preload=PRELOAD)

    async def ask() -> None:
        host: Host = LocalHost(nursery, containment)
        if plan.simulated:
            from clusterlib.hosts.simulated import SimulatedHost

            host = SimulatedHost(host)
        (role,) = plan.roles  # the contract is about one driver
        driver = driver_of(role, host)
        stage = Stage(
            driver,
            host,
            plan,
            Path(trial.folder),
            waits_at=trial.waits_at,
            alone=trial.alone,
        )
        async with asyncio.timeout(2 * SECONDS):
            await PROMISES[trial.promise](stage)
        stage.close()
        left = await host.sweep(5)
        assert left == [], f"processes are left: {left}"
        await host.close()

    asyncio.run(ask())
    return 0


if __name__ == "__main__":
    sys.exit(keep(revive(ContractTrial, json.loads(sys.argv[1]))))
