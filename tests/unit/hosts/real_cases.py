"""What only the real host can show, run by a keeper of its own; and keepers to be killed.

python -m tests.unit.hosts.real_cases RUNG CASE   asks, and ends with 0 if it is so
python -m tests.unit.hosts.real_cases RUNG        starts a family, prints its members, and
                                                  waits to be killed
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clusterlib.errors import ApplicationFailed, StartError
from clusterlib.hosts import belonging, proc
from clusterlib.hosts.api import Entry, Exit, Host, Process, Program, Spawn
from clusterlib.waiting import Deadline, poll_async
from tests.contract.host_cases import BEHAVIOURS, Case, keep, order, output_until, refusal
from tests.unit.hosts.ending_cases import ENDING_CASES

HERE = "tests.unit.hosts.real_cases"
MOST_LIVES = 100_000


# What the processes do.


def list_descriptors(_argument: Mapping[str, Any]) -> None:
    found = {}
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the descriptor that reads the folder
            found[int(link.name)] = str(link.readlink())
    print(json.dumps(dict(sorted(found.items()))))  # noqa: T201


def tell_who_i_am(_argument: Mapping[str, Any]) -> None:
    me = Path("/proc/self")
    told = {
        "pid": os.getpid(),
        "proc": int(me.readlink().name),
        "session": os.getsid(0),
        "directory": str(Path.cwd()),
        "argv": sys.argv,
        "title": me.joinpath("cmdline").read_text().strip("\0"),
        "loop": asyncio._get_running_loop() is not None,
        "blocked": list(signal.pthread_sigmask(signal.SIG_BLOCK, set())),
        "capabilities": [
            line for line in me.joinpath("status").read_text().splitlines() if line.startswith("CapEff")
        ],
    }
    print(json.dumps(told))  # noqa: T201


def daemonise(argument: Mapping[str, Any]) -> None:
    """Leaves a grandchild behind that has its own session, and no marker if it has to hide.

    Prints its PID when it is what it is going to be, and its parent is gone."""
    heard, written = os.pipe()  # closed by the exec
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            environment = {} if argument.get("hide") else dict(os.environ)
            if argument.get("untag"):
                resource.setrlimit(resource.RLIMIT_RTTIME, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            os.write(written, str(os.getpid()).encode())
            os.execve("/bin/sleep", ["sleep", "1000"], environment)
        os._exit(0)
    os.wait()
    os.close(written)
    with os.fdopen(heard) as file:
        print(f"daemon {file.read()}", flush=True)  # noqa: T201
    while argument.get("stay"):
        signal.pause()


def run_away(_argument: Mapping[str, Any]) -> None:
    """Stays. Its child starts another child and ends, again and again."""
    if os.fork() == 0:
        print("away")  # noqa: T201
        for _ in range(MOST_LIVES):
            if os.fork() != 0:
                os._exit(0)
            os.setsid()
        os._exit(0)
    while True:
        signal.pause()


# What is asked.


async def a_process_has_only_what_it_inherits(host: Host) -> None:
    read_end, write_end = os.pipe()
    process = await host.spawn(Spawn("n", Entry(f"{HERE}:list_descriptors"), "/", {}, {"mine": write_end}))
    os.close(read_end)
    os.close(write_end)
    open_ones: dict[str, str] = json.loads(await output_until(process))
    assert list(open_ones) == ["0", "1", "2", "3"], open_ones
    assert open_ones["0"] == "/dev/null"
    assert open_ones["1"] == open_ones["2"] != open_ones["3"]
    os.close(process.output)


async def a_program_has_only_what_it_inherits(host: Host) -> None:
    process = await host.spawn(Spawn("n", Program(("ls", "/proc/self/fd")), "/", {"PATH": os.defpath}))
    assert (await output_until(process)).split() == ["0", "1", "2", "3"]  # 3 is the folder that ls reads
    os.close(process.output)


async def a_forked_function_looks_freshly_started(host: Host) -> None:
    process = await host.spawn(Spawn("shop-node-1", Entry(f"{HERE}:tell_who_i_am"), "/usr"))
    told = json.loads(await output_until(process))
    assert told["pid"] == told["proc"] == told["session"]
    assert told["directory"] == "/usr"
    assert told["argv"] == [f"{HERE}:tell_who_i_am", "shop-node-1"]
    assert told["title"] == "shop-node-1"
    assert not told["loop"]
    assert told["blocked"] == []
    os.close(process.output)


async def the_pid_is_the_one_the_user_sees(host: Host) -> None:
    process = await host.spawn(order("wait"))
    outside = host._containment.proc  # type: ignore[attr-defined]
    seen = proc.status(process.pid, outside)
    assert seen is not None
    assert seen.command == "node1"
    await host.sweep(5)
    os.close(process.output)


async def a_program_that_cannot_run_says_why(host: Host) -> None:
    folder = Path(f"/tmp/clusterlib-test-{os.getpid()}-{os.environ[proc.MARKER]}")
    folder.mkdir()
    try:
        for text, mode, expected in (
            ("#!/no/such/interpreter\n", 0o700, "interpreter"),
            ("#!/bin/sh\n", 0o600, "Permission denied"),
            ("no program at all\n", 0o700, "Exec format error"),
        ):
            path = folder / "program"
            path.write_text(text)
            path.chmod(mode)
            error = await refusal(host, Spawn("node1", Program((str(path),)), "/"))
            assert expected in str(error), error
            assert isinstance(error, ApplicationFailed), "the program is what is tested, not the machine"
        error = await refusal(
            host, Spawn("node1", Program(("true",)), str(folder / "missing"), {"PATH": os.defpath})
        )
        assert "cannot start in" in error.problem
    finally:
        (folder / "program").unlink()
        folder.rmdir()


async def a_huge_environment_arrives_whole(host: Host) -> None:
    big = {f"KEY_{n}": "x" * 10_000 for n in range(60)}
    spawn = Spawn("node1", Program(("sh", "-c", "env | wc -c")), "/", {"PATH": os.defpath, **big})
    processes = await asyncio.gather(*(host.spawn(spawn) for _ in range(10)))
    for process in processes:
        assert int(await output_until(process)) > 600_000
        await process.exit
        os.close(process.output)


async def a_sweep_finds_daemons(host: Host) -> None:
    processes = [await host.spawn(_daemoniser(hide=hide, stay=stay)) for hide in (0, 1) for stay in (0, 1)]
    for process in processes:
        assert "daemon" in await output_until(process, b"\n")
    assert await host.sweep(10) == []
    for process in processes:
        await process.exit
        assert await output_until(process) == ""  # nobody has the other end of its output
        os.close(process.output)


async def a_kill_takes_what_left_the_session_and_only_that_of_this_node(host: Host) -> None:
    kinds = [(name, hide) for name in ("killed", "other") for hide in (0, 1)]
    processes = [
        await host.spawn(_daemoniser(hide=hide, stay=1, name=f"{name}{hide}")) for name, hide in kinds
    ]
    daemons = {one.name: int((await output_until(one, b"\n")).split()[1]) for one in processes}
    for process in processes[:2]:
        process.signal(signal.SIGKILL)
        assert await process.exit == Exit(signal=signal.SIGKILL)
    lives = {name: _lives(pid) for name, pid in daemons.items()}
    assert lives == {"killed0": False, "killed1": False, "other0": True, "other1": True}
    await _end(host, processes)


async def where_the_kernel_lists_no_children_a_kill_takes_what_left_the_session(host: Host) -> None:
    belonging.CHILDREN = "no-such-file"
    await a_kill_takes_what_left_the_session_and_only_that_of_this_node(host)


async def where_the_kernel_lists_no_children_they_count_in_what_is_used(host: Host) -> None:
    belonging.CHILDREN = "no-such-file"
    await what_left_the_session_counts_in_what_is_used(host)


async def what_lost_its_tag_and_kept_its_environment_ends_with_its_node(host: Host) -> None:
    """As what `su` starts, for which PAM sets all limits."""
    processes = [await host.spawn(_daemoniser(hide=0, stay=1, name=f"node{n}", untag=1)) for n in (0, 1)]
    daemons = [int((await output_until(process, b"\n")).split()[1]) for process in processes]
    processes[0].signal(signal.SIGKILL)
    await processes[0].exit
    assert [_lives(daemon) for daemon in daemons] == [False, True]
    await _end(host, processes)


async def what_left_the_session_ends_with_its_node_however_that_ends(host: Host) -> None:
    processes = [await host.spawn(_daemoniser(hide=hide, stay=1, name=f"node{hide}")) for hide in (0, 1)]
    for process in processes:
        daemon = int((await output_until(process, b"\n")).split()[1])
        process.signal(signal.SIGTERM)
        assert await process.exit == Exit(signal=signal.SIGTERM)
        assert not _lives(daemon)
    await _end(host, processes)


async def a_pause_and_its_end_reach_what_left_the_session(host: Host) -> None:
    process = await host.spawn(_daemoniser(hide=1, stay=1))
    daemon = int((await output_until(process, b"\n")).split()[1])
    for number, state in ((signal.SIGSTOP, "T"), (signal.SIGCONT, "S")):
        process.signal(number)
        assert await poll_async(lambda: _state(daemon) == state, Deadline(5)), _state(daemon)  # noqa: B023
    await _end(host, [process])


async def what_left_the_session_counts_in_what_is_used(host: Host) -> None:
    alone, together = await host.spawn(order("wait")), await host.spawn(_daemoniser(hide=1, stay=1))
    for process in (alone, together):
        await output_until(process, b"\n")
    one, two = alone.usage(), together.usage()
    assert one is not None
    assert two is not None
    assert two.threads == one.threads + 1
    await _end(host, [alone, together])


async def what_a_helper_leaves_belongs_to_the_node_of_its_name(host: Host) -> None:
    node = await host.spawn(order("wait"))
    await output_until(node, b"waiting")
    helper = await host.spawn(_daemoniser(hide=1, stay=0, name=node.name))
    daemon = int((await output_until(helper, b"\n")).split()[1])
    assert await helper.exit == Exit(code=0)
    assert _lives(daemon)
    node.signal(signal.SIGKILL)
    await node.exit
    assert not _lives(daemon)
    await _end(host, [node, helper])


async def what_a_helper_leaves_lives_on_before_it_has_left_the_group(host: Host) -> None:
    """As a daemon does a moment after its parent has ended."""
    text = "sh -c 'echo daemon $$; exec sleep 1000' &"
    helper = await host.spawn(
        Spawn("node", Program(("sh", "-c", text)), "/", {"PATH": os.defpath}, helper=True)
    )
    assert await helper.exit == Exit(code=0)
    daemon = int((await output_until(helper, b"\n")).split()[1])
    assert _lives(daemon)
    await _end(host, [helper])


async def one_that_forks_all_the_time_does_not_escape(host: Host) -> None:
    """Each child starts the next in a session of its own, and ends: it must be stopped to be
    found."""
    process = await host.spawn(Spawn("node1", Entry(f"{HERE}:run_away"), "/", {"PATH": os.defpath}))
    await output_until(process, b"\n")
    process.signal(signal.SIGKILL)
    await process.exit
    assert await output_until(process) == ""  # nobody has the other end of its output
    os.close(process.output)


def _lives(pid: int) -> bool:
    seen = proc.status(pid)
    return seen is not None and seen.alive


def _state(pid: int) -> str | None:
    seen = proc.status(pid)
    return seen.state if seen else None


async def _end(host: Host, processes: list[Process]) -> None:
    assert await host.sweep(10) == []
    for process in processes:
        os.close(process.output)


async def without_its_nursery_the_host_says_so(host: Host) -> None:
    process = await host.spawn(order("wait"))
    os.kill(host._nursery.pid, signal.SIGKILL)  # type: ignore[attr-defined]
    try:
        while True:
            extra = await host.spawn(order("exit_with", code=0))
            os.close(extra.output)
    except StartError as error:
        assert "gone" in error.problem  # noqa: PT017 - this module must not need pytest
    assert not process.exit.done()
    process.signal(signal.SIGKILL)
    assert await process.exit == Exit(signal=signal.SIGKILL)
    os.close(process.output)


async def an_abandoned_spawn_leaves_nothing(host: Host) -> None:
    for spawn in [asyncio.create_task(host.spawn(order("wait"))) for _ in range(10)]:
        await asyncio.wait([spawn], timeout=0)
        spawn.cancel()
        await asyncio.wait([spawn])
        if not spawn.cancelled():  # it was quicker than we
            os.close(spawn.result().output)
    process = await host.spawn(order("exit_with", code=0))  # behind the others in the queue
    await process.exit
    os.close(process.output)


CASES: dict[str, Case] = {
    case.__name__: case
    for case in (
        a_process_has_only_what_it_inherits,
        a_program_has_only_what_it_inherits,
        a_forked_function_looks_freshly_started,
        the_pid_is_the_one_the_user_sees,
        a_program_that_cannot_run_says_why,
        a_huge_environment_arrives_whole,
        a_sweep_finds_daemons,
        a_kill_takes_what_left_the_session_and_only_that_of_this_node,
        where_the_kernel_lists_no_children_a_kill_takes_what_left_the_session,
        where_the_kernel_lists_no_children_they_count_in_what_is_used,
        what_lost_its_tag_and_kept_its_environment_ends_with_its_node,
        what_left_the_session_ends_with_its_node_however_that_ends,
        a_pause_and_its_end_reach_what_left_the_session,
        what_left_the_session_counts_in_what_is_used,
        what_a_helper_leaves_belongs_to_the_node_of_its_name,
        what_a_helper_leaves_lives_on_before_it_has_left_the_group,
        one_that_forks_all_the_time_does_not_escape,
        without_its_nursery_the_host_says_so,
        an_abandoned_spawn_leaves_nothing,
    )
} | ENDING_CASES


# Keepers that are there to be killed.


def _daemoniser(*, hide: int, stay: int, name: str = "node", untag: int = 0) -> Spawn:
    """One that does not stay is a helper: what it leaves lives on."""
    what = Entry(f"{HERE}:daemonise", {"hide": hide, "stay": stay, "untag": untag})
    return Spawn(name, what, "/", {"PATH": os.defpath}, helper=not stay)


async def have_a_family(host: Host) -> None:
    processes: list[Process] = [await host.spawn(order("wait", name=f"node{n}")) for n in range(3)]
    processes += [await host.spawn(_daemoniser(hide=hide, stay=stay)) for hide in (0, 1) for stay in (0, 1)]
    processes.append(
        await host.spawn(Spawn("program", Program(("sh", "-c", "echo up; sleep 1000 & wait")), "/"))
    )
    for process in processes:
        await output_until(process, b"\n")
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    containment = host._containment  # type: ignore[attr-defined]
    asyncio.get_running_loop().add_reader(containment.guard_gone, told.set)
    print(json.dumps({"keeper": containment.keeper_pid, "guard": containment.guard_pid}), flush=True)  # noqa: T201
    await told.wait()
    print("told", flush=True)  # noqa: T201
    asyncio.get_running_loop().remove_reader(containment.guard_gone)
    await host.close()
    for process in processes:
        os.close(process.output)


if __name__ == "__main__":
    assert BEHAVIOURS
    sys.exit(keep(sys.argv[1], CASES[sys.argv[2]] if len(sys.argv) > 2 else have_a_family))
