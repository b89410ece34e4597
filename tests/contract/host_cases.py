"""What every host promises, one function a promise; and the program that asks the real host, as its
keeper.

Not a test module: a keeper imports it, so it must not need pytest.
`python -m tests.contract.host_cases RUNG CASE` ends with 0 if the promise is kept."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from clusterlib.errors import ProgramMissing, StartError
from clusterlib.hosts import proc, tags
from clusterlib.hosts.api import Entry, Exit, Host, Process, Program, Spawn
from clusterlib.hosts.fake import Behaviour, FakeProcess
from clusterlib.hosts.logs import unread

HERE = "tests.contract.host_cases"
SECONDS = 30.0


# What the processes do: for real, and as the fake plays it.


def exit_with(argument: Mapping[str, Any]) -> int:
    return int(argument["code"])


async def fake_exit_with(process: FakeProcess) -> int:
    return int(str(process.argument["code"]))


def say(argument: Mapping[str, Any]) -> None:
    print(argument["out"])  # noqa: T201
    print(argument["err"], file=sys.stderr)  # noqa: T201


async def fake_say(process: FakeProcess) -> None:
    process.print(str(process.argument["out"]))
    process.print(str(process.argument["err"]))


def fail(_argument: Mapping[str, Any]) -> None:
    raise RuntimeError("it went wrong on purpose")


async def fake_fail(_process: FakeProcess) -> None:
    raise RuntimeError("it went wrong on purpose")


def wait(_argument: Mapping[str, Any]) -> None:
    print("waiting")  # noqa: T201
    while True:
        signal.pause()


async def fake_wait(process: FakeProcess) -> None:
    process.print("waiting")
    await asyncio.Event().wait()


def leave_politely(_argument: Mapping[str, Any]) -> int:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    print("waiting")  # noqa: T201
    signal.sigwait({signal.SIGTERM})
    print("goodbye")  # noqa: T201
    return 7


async def fake_leave_politely(process: FakeProcess) -> int:
    came = asyncio.create_task(process.signalled(signal.SIGTERM))
    await asyncio.wait([came], timeout=0)
    process.print("waiting")
    await came
    process.print("goodbye")
    return 7


def echo(_argument: Mapping[str, Any]) -> None:
    with socket.socket(fileno=int(os.environ["CLUSTERLIB_FD_MY_CHANNEL"])) as channel:
        while data := channel.recv(100):
            channel.sendall(data.upper())


async def fake_echo(process: FakeProcess) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(fileno=os.dup(process.inherited["my-channel"])) as channel:
        channel.setblocking(False)
        while data := await loop.sock_recv(channel, 100):
            await loop.sock_sendall(channel, data.upper())


def tell_environment(_argument: Mapping[str, Any]) -> None:
    print(json.dumps(dict(os.environ)))  # noqa: T201


async def fake_tell_environment(process: FakeProcess) -> None:
    process.print(json.dumps(process.environment))


def print_and_say_so(_argument: Mapping[str, Any]) -> None:
    with socket.socket(fileno=int(os.environ["CLUSTERLIB_FD_MY_CHANNEL"])) as channel:
        print("a line\nand a beginning", end="", flush=True)  # noqa: T201
        channel.sendall(b"printed")
        channel.recv(100)


async def fake_print_and_say_so(process: FakeProcess) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(fileno=os.dup(process.inherited["my-channel"])) as channel:
        channel.setblocking(False)
        process.write(b"a line\nand a beginning")
        await loop.sock_sendall(channel, b"printed")
        await loop.sock_recv(channel, 100)


BEHAVIOURS: dict[str, Behaviour] = {
    f"{HERE}:exit_with": fake_exit_with,
    f"{HERE}:say": fake_say,
    f"{HERE}:fail": fake_fail,
    f"{HERE}:wait": fake_wait,
    f"{HERE}:leave_politely": fake_leave_politely,
    f"{HERE}:echo": fake_echo,
    f"{HERE}:tell_environment": fake_tell_environment,
    f"{HERE}:print_and_say_so": fake_print_and_say_so,
}


# How the promises ask.


def order(
    function: str, *, name: str = "node1", inherit: Mapping[str, int] | None = None, **argument: object
) -> Spawn:
    return Spawn(
        name, Entry(f"{HERE}:{function}", argument), "/", {"PATH": os.defpath, "KEY": "värde"}, inherit or {}
    )


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def output_until(process: Process, end: bytes = b"") -> str:
    """What the process prints, until `end` appears in it, or to its very end."""
    loop = asyncio.get_running_loop()
    text = b""
    while not end or end not in text:
        readable = loop.create_future()
        loop.add_reader(process.output, _settle, readable)
        await readable
        loop.remove_reader(process.output)
        piece = os.read(process.output, 65536)
        if not piece:
            break
        text += piece
    return text.decode()


async def an_exit_code_is_reported(host: Host) -> None:
    process = await host.spawn(order("exit_with", code=5))
    assert await process.exit == Exit(code=5)
    os.close(process.output)


async def a_killing_signal_is_reported(host: Host) -> None:
    for number in (signal.SIGKILL, signal.SIGTERM):
        process = await host.spawn(order("wait"))
        await output_until(process, b"waiting")
        process.signal(number)
        assert await process.exit == Exit(signal=number)
        os.close(process.output)


async def a_signal_can_be_handled(host: Host) -> None:
    process = await host.spawn(order("leave_politely"))
    await output_until(process, b"waiting\n")
    process.signal(signal.SIGTERM)
    assert await process.exit == Exit(code=7)
    assert await output_until(process) == "goodbye\n"
    os.close(process.output)


async def a_signal_to_an_ended_process_is_nothing(host: Host) -> None:
    process = await host.spawn(order("exit_with", code=0))
    await process.exit
    process.signal(signal.SIGKILL)
    assert process.exit.result().clean
    os.close(process.output)


async def both_streams_are_captured_to_the_end(host: Host) -> None:
    process = await host.spawn(order("say", out="to stdout", err="to stderr"))
    await process.exit
    assert sorted((await output_until(process)).splitlines()) == ["to stderr", "to stdout"]
    os.close(process.output)


async def an_exception_is_printed_and_ends_with_one(host: Host) -> None:
    process = await host.spawn(order("fail"))
    assert await process.exit == Exit(code=1)
    printed = await output_until(process)
    assert "Traceback" in printed
    assert "RuntimeError: it went wrong on purpose" in printed
    os.close(process.output)


async def an_inherited_descriptor_works(host: Host) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    process = await host.spawn(order("echo", inherit={"my-channel": theirs.fileno()}))
    theirs.close()
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(ours, b"hello")
    assert await loop.sock_recv(ours, 100) == b"HELLO"
    ours.close()  # only the process has the other end now, so it sees the end and leaves
    assert (await process.exit).clean
    os.close(process.output)


async def a_stopped_process_goes_on_when_continued(host: Host) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    process = await host.spawn(order("echo", inherit={"my-channel": theirs.fileno()}))
    theirs.close()
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(ours, b"one")
    assert await loop.sock_recv(ours, 100) == b"ONE"
    process.signal(signal.SIGSTOP)
    await loop.sock_sendall(ours, b"two")
    process.signal(signal.SIGCONT)
    assert await loop.sock_recv(ours, 100) == b"TWO"
    assert not process.exit.done()
    process.signal(signal.SIGSTOP)
    process.signal(signal.SIGKILL)
    assert await process.exit == Exit(signal=signal.SIGKILL)
    ours.close()
    os.close(process.output)


async def the_environment_is_the_ordered_one_and_the_marker(host: Host) -> None:
    pipe, other = os.pipe()
    process = await host.spawn(order("tell_environment", inherit={"b": pipe, "a.x": other}))
    os.close(pipe)
    os.close(other)
    told = json.loads(await output_until(process))
    assert told.pop(proc.MARKER)
    told.pop(tags.VARIABLE, None)  # of real processes
    told.pop("LC_CTYPE", None)
    assert told == {"PATH": os.defpath, "KEY": "värde", "CLUSTERLIB_FD_B": "3", "CLUSTERLIB_FD_A_X": "4"}
    os.close(process.output)


async def refusal(host: Host, wanted: Spawn) -> StartError:
    """Why the host does not start this."""
    try:
        await host.spawn(wanted)
    except StartError as error:
        return error
    raise AssertionError(f"{wanted} was started")


async def a_missing_program_is_an_error_that_teaches(host: Host) -> None:
    error = await refusal(
        host, Spawn("node1", Program(("no-such-program-anywhere",)), "/", {"PATH": "/usr/bin"})
    )
    assert isinstance(error, ProgramMissing)
    assert "no-such-program-anywhere" in error.problem
    assert error.evidence
    assert error.remedies


async def a_missing_function_is_an_error(host: Host) -> None:
    for target in (f"{HERE}:no_such_function", "no_such_module_anywhere:main"):
        error = await refusal(host, Spawn("node1", Entry(target), "/"))
        assert target in error.problem


async def fifty_start_side_by_side(host: Host) -> None:
    processes = await asyncio.gather(
        *(host.spawn(order("exit_with", name=f"node{code}", code=code)) for code in range(50))
    )
    exits = await asyncio.gather(*(process.exit for process in processes))
    assert [ending.code for ending in exits] == list(range(50))
    assert [process.name for process in processes] == [f"node{code}" for code in range(50)]
    assert len({process.pid for process in processes}) == 50
    for process in processes:
        os.close(process.output)


async def a_sweep_ends_everything(host: Host) -> None:
    processes = await asyncio.gather(*(host.spawn(order("wait", name=f"node{n}")) for n in range(5)))
    processes[0].signal(signal.SIGSTOP)
    assert await host.sweep(SECONDS) == []
    exits = await asyncio.gather(*(process.exit for process in processes))
    assert exits == [Exit(signal=signal.SIGKILL)] * 5
    for process in processes:
        os.close(process.output)


async def closing_ends_what_is_left_and_what_could_start(host: Host) -> None:
    process = await host.spawn(order("wait"))
    await host.close()
    await host.close()
    assert await process.exit == Exit(signal=signal.SIGKILL)
    os.close(process.output)
    await refusal(host, order("wait"))


async def what_a_process_uses_is_told_while_it_lives(host: Host) -> None:
    process = await host.spawn(order("wait"))
    await output_until(process, b"waiting")
    used = process.usage()
    assert used is not None
    assert used.pss > 0
    assert used.cpu_seconds >= 0
    process.signal(signal.SIGKILL)
    await process.exit
    assert process.usage() is None
    os.close(process.output)


async def after_a_drain_what_was_printed_can_be_read(host: Host) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    process = await host.spawn(order("print_and_say_so", inherit={"my-channel": theirs.fileno()}))
    theirs.close()
    assert await asyncio.get_running_loop().sock_recv(ours, 100) == b"printed"
    host.drain()
    assert unread(process.output) == len("a line\nand a beginning")
    assert os.read(process.output, 100) == b"a line\nand a beginning"
    ours.close()
    await process.exit
    os.close(process.output)


Case = Callable[[Host], Awaitable[None]]

CASES: dict[str, Case] = {
    case.__name__: case
    for case in (
        an_exit_code_is_reported,
        a_killing_signal_is_reported,
        a_signal_can_be_handled,
        a_signal_to_an_ended_process_is_nothing,
        both_streams_are_captured_to_the_end,
        an_exception_is_printed_and_ends_with_one,
        an_inherited_descriptor_works,
        a_stopped_process_goes_on_when_continued,
        the_environment_is_the_ordered_one_and_the_marker,
        a_missing_program_is_an_error_that_teaches,
        a_missing_function_is_an_error,
        fifty_start_side_by_side,
        what_a_process_uses_is_told_while_it_lives,
        after_a_drain_what_was_printed_can_be_read,
        a_sweep_ends_everything,
        closing_ends_what_is_left_and_what_could_start,
    )
}


def keep(rung: str, case: Case) -> int:
    """The life of a small keeper: contained, with a nursery, asking its host for one promise."""
    from clusterlib.hosts.containment import enter
    from clusterlib.hosts.nursery import Nursery

    marker = os.environ.get(proc.MARKER) or secrets.token_hex(8)
    containment = enter(rung, marker=marker, on_keeper_death=lambda: None)
    nursery = Nursery.start(marker=marker, containment=containment)

    async def ask() -> None:
        from clusterlib.hosts.local import LocalHost

        descriptors = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
        host = LocalHost(nursery, containment)
        async with asyncio.timeout(SECONDS):
            await case(host)
            await host.close()
        left = [seen for seen in map(proc.status, proc.processes()) if seen and seen.parent == os.getpid()]
        assert not left, f"children or zombies are left: {left}"
        extra = set(os.listdir("/proc/self/fd")) - descriptors  # noqa: PTH208
        assert not extra, f"descriptors are left open: {extra}"

    asyncio.run(ask())
    return 0


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1], CASES[sys.argv[2]]))
