"""A test process that asks its pool for the cluster again and again.

    python -m bench.turns PROJECT COUNT

Prints one line of JSON: the seconds of each lease, and of two requests over the keeper's bare
socket."""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path

from clusterlib.leases.need import Need
from clusterlib.leases.pool import Pool, Settings

__all__ = ["main"]


def main(project: Path, count: int) -> None:
    pool = Pool(project, Settings(profile="dev", prefix="bench"))
    try:
        first = pool.acquire(Need(), "the first")
        control = first.status.control
        first.release()
        ours = [_turn(pool) for _ in range(count)]
        bare = [_bare(control) for _ in range(count)]
    finally:
        pool.close()
    sys.stdout.write(json.dumps({"ours": ours, "bare": bare}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


def _turn(pool: Pool) -> float:
    begin = time.perf_counter()
    pool.acquire(Need(), "a test").release()
    return time.perf_counter() - begin


def _bare(control: str) -> float:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(control)
        begin = time.perf_counter()
        for number in (1, 2):
            connection.sendall(json.dumps({"id": number, "op": "status"}).encode() + b"\n")
            answer = b""
            while b"\n" not in answer:
                answer += connection.recv(1 << 16)
        return time.perf_counter() - begin


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
