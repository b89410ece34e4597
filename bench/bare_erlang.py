"""The bare minimum of a cluster of Erlang nodes: the same flags, and an epmd on a port of its own.

    python -m bench.bare_erlang FOLDER NODES [APPLICATION PATH...]

Each node connects to the others as fast as it can, waits until global names are synchronised, as
ours do, starts the application if there is one, and reports it. A line on stdin makes it kill and
reap them."""

import sys
import time

BEGIN = time.perf_counter()

import json  # noqa: E402
import os  # noqa: E402
import socket  # noqa: E402
import subprocess  # noqa: E402

from clusterlib.drivers.beam.starting import SMALL  # noqa: E402

MEET = """
    Peers = [{peers}],
    Meet = fun Again() ->
        [net_kernel:connect_node(Peer) || Peer <- Peers],
        case length(nodes()) of
            {others} -> ok = global:sync(), {then}, io:put_chars("met\\n");
            _ -> timer:sleep(1), Again()
        end
    end,
    Meet().
"""


def main() -> None:
    folder, count, application, *paths = [*sys.argv[1:3], *(sys.argv[3:] or ["kernel"])]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with open(os.open(f"{folder}/.erlang.cookie", os.O_WRONLY | os.O_CREAT, 0o400), "w") as file:  # noqa: PTH123
        file.write("crumbs")
    environment = {**os.environ, "HOME": folder, "ERL_EPMD_PORT": f"{port}", "ERL_EPMD_ADDRESS": "127.0.0.1"}
    epmd = subprocess.Popen(["epmd"], env=environment)
    while not answers(port):
        pass
    names = [f"node{number}@127.0.0.1" for number in range(1, int(count) + 1)]
    path = ("-pa", *reversed(paths)) if paths else ()
    nodes = [
        start(name, [other for other in names if other != name], application, path, environment)
        for name in names
    ]
    for node in nodes:
        assert node.stdout is not None
        assert node.stdout.readline() == b"met\n"
    answer({"seconds": time.perf_counter() - BEGIN, "pids": [node.pid for node in nodes]})
    sys.stdin.readline()
    begin = time.perf_counter()
    for process in (*nodes, epmd):
        process.kill()
    for process in (*nodes, epmd):
        process.wait()
    answer({"seconds": time.perf_counter() - begin})


def start(
    name: str, others: list[str], application: str, path: tuple[str, ...], environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    peers = ", ".join(f"'{other}'" for other in others)
    then = f"{{ok, _}} = application:ensure_all_started({application})"
    meet = MEET.format(peers=peers, others=len(others), then=then)
    return subprocess.Popen(
        [
            *(
                "erl",
                "-noinput",
                "-boot",
                "no_dot_erlang",
                *SMALL,
                "-start_epmd",
                "false",
                "-name",
                name,
                *path,
            ),
            *("-kernel", "inet_dist_use_interface", "{127,0,0,1}"),
            *("-kernel", "prevent_overlapping_partitions", "false", "-eval", " ".join(meet.split())),
        ],
        env=environment,
        stdout=subprocess.PIPE,
    )


def answers(port: int) -> bool:
    with socket.socket() as channel:
        return channel.connect_ex(("127.0.0.1", port)) == 0


def answer(facts: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
