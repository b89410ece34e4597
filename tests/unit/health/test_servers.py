from __future__ import annotations

from clusterlib.health.servers import judge
from clusterlib.messages.findings import failed
from clusterlib.messages.measurements import Examined
from clusterlib.messages.states import NodeState
from clusterlib.remedies import do
from tests.unit.health.test_matrix import node


def test_no_row_advises_to_restart_a_server_that_is_only_paused() -> None:
    missing = failed("formed", "1/2", do("cluster.restart", "node2"))
    told = Examined({"node": (("cluster", "formed"),)}, {"node1": {"formed": missing}})

    _, found = judge("node", [node("node1", []), node("node2", [], state=NodeState.PAUSED)], told, "x")

    assert found[0].checks["formed"].remedies == ("invoke cluster.resume node2 --name x",)
