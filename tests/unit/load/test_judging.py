from __future__ import annotations

import pytest

from clusterlib.frozen import replace
from clusterlib.load.judging import Effort, limits_of
from clusterlib.load.results import Limiting

FREE = Effort(
    clients_cpu=(0.3,),
    late=0.0,
    wanted=None,
    sent=100.0,
    nodes=3,
    processors=8.0,
    simulated=False,
)


def test_a_load_that_leaves_room_everywhere_is_not_limited() -> None:
    assert limits_of(FREE) == ()


@pytest.mark.parametrize(
    ("effort", "by", "said"),
    [
        (replace(FREE, clients_cpu=(0.4, 0.97)), Limiting.CLIENT, "--processes 3"),
        (replace(FREE, late=0.02), Limiting.CLIENT, "20 ms late"),
        (replace(FREE, wanted=1000.0), Limiting.CLIENT, "100 requests a second were sent instead of 1000"),
        (replace(FREE, lost=1), Limiting.CLIENT, "1 process of clients ended early"),
        (
            replace(FREE, processors=2.0),
            Limiting.MACHINE,
            "3 processes of nodes and 1 process of clients share 2",
        ),
        (replace(FREE, simulated=True), Limiting.SIMULATED, "one process"),
    ],
)
def test_what_limits_a_load_is_said(effort: Effort, by: Limiting, said: str) -> None:
    (limit,) = limits_of(effort)

    assert limit.by is by
    assert said in limit.reason


def test_nodes_and_clients_may_use_all_processors() -> None:
    assert limits_of(replace(FREE, nodes=7)) == ()
    assert limits_of(replace(FREE, nodes=8)) != ()


def test_commands_count_as_processes_and_their_own_time_as_that_of_the_client() -> None:
    by_command, by_machine = limits_of(replace(FREE, nodes=1, commands=7, command_share=0.72))

    assert (by_command.by, by_machine.by) == (Limiting.CLIENT, Limiting.MACHINE)
    assert "72% of the latency" in by_command.reason
    assert "1 process of nodes and 1 process of clients, and 7 commands share 8" in by_machine.reason
