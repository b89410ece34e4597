"""Records are on disk at once, private, without secrets, and nothing that goes wrong with them
breaks a run."""

from __future__ import annotations

import fcntl
import json
import resource
import stat
import subprocess
import sys
import threading
from pathlib import Path

from clusterlib.evidence.recorder import Recorder, read_records, writers
from clusterlib.evidence.records import (
    PreflightRecorded,
    Record,
    RunEnded,
    RunStarted,
    TestEnded,
    TestStarted,
    UnknownRecord,
)


def test_a_record_is_on_disk_as_soon_as_it_is_made(tmp_path: Path) -> None:
    record = Recorder(tmp_path)

    record(TestStarted("pytest", None, "test_a"))

    (found,) = read_records(tmp_path)
    assert (found.what, found.worker) == (TestStarted("pytest", None, "test_a"), "main")
    assert found.time.endswith("Z")
    record.close()


def test_records_are_private(tmp_path: Path) -> None:
    Recorder(tmp_path / "artifacts")(RunStarted())

    folder = tmp_path / "artifacts" / "records"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "main.jsonl").stat().st_mode) == 0o600


def test_the_records_of_all_workers_are_read_by_time(tmp_path: Path) -> None:
    main, other = Recorder(tmp_path), Recorder(tmp_path, "gw0")

    main(RunEnded(1))
    other(RunEnded(2))
    main(RunEnded(3))

    assert [(one.what, one.worker) for one in read_records(tmp_path)] == [
        (RunEnded(1), "main"),
        (RunEnded(2), "gw0"),
        (RunEnded(3), "main"),
    ]


def test_a_line_that_was_cut_short_is_left_out_and_spoils_no_other(tmp_path: Path) -> None:
    before = Recorder(tmp_path)
    before(RunEnded(1))
    before.close()
    with (tmp_path / "records" / "main.jsonl").open("a") as file:
        file.write('{"time": "2026-01-01T00:00:00.000000Z", "ki')

    after = Recorder(tmp_path)
    after(RunEnded(2))

    assert [record.what for record in read_records(tmp_path)] == [RunEnded(1), RunEnded(2)]


def test_what_is_no_record_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    lines = [
        "[]",
        "7",
        '{"kind": "without a time"}',
        '{"time": 3, "kind": "x"}',
        "",
        "\0\0",
        '{"time": "t", "kind": "k"}',
    ]
    (tmp_path / "records" / "gw1.jsonl").write_text("\n".join(lines))

    assert read_records(tmp_path) == [Record("t", "gw1", UnknownRecord("k", {}))]
    assert read_records(tmp_path / "nowhere") == []


def test_a_full_disk_costs_records_and_nothing_else(tmp_path: Path) -> None:
    story = f"""
import resource, signal
from pathlib import Path
from clusterlib.evidence.recorder import Recorder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from clusterlib.evidence.records import RunEnded, TestStarted
record = Recorder(Path({str(tmp_path)!r}))
resource.setrlimit(resource.RLIMIT_FSIZE, (200, resource.RLIM_INFINITY))
for number in range(20):
    record(TestStarted(line=number))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
record(RunEnded())
print(record.lost)
"""
    done = subprocess.run(
        [sys.executable, "-c", story], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10
    kinds = [record.what.kind for record in read_records(tmp_path)]
    assert kinds[0] == "test.started"
    assert kinds[-1] == "run.ended"
    assert len(kinds) + int(done.stdout) == 21


def test_a_folder_that_cannot_be_written_breaks_nothing(tmp_path: Path) -> None:
    (tmp_path / "records").write_text("a file where the folder should be")

    record = Recorder(tmp_path)
    record(RunStarted())
    record.close()

    assert record.lost == 1


def test_descriptors_that_ran_out_break_nothing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        record = Recorder(tmp_path)
        record(RunStarted())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert record.lost == 1


def test_secrets_are_not_recorded(tmp_path: Path) -> None:
    record = Recorder(tmp_path, environ={"SHOP_TOKEN": 'a"very\\secret'})

    record(TestEnded(message='the token is a"very\\secret'))

    text = (tmp_path / "records" / "main.jsonl").read_text()
    assert json.loads(text)["message"] == "the token is [redacted]"
    assert "very" not in text


def test_the_cookie_of_a_run_that_is_named_is_not_recorded(tmp_path: Path) -> None:
    run = tmp_path / "run1"
    run.mkdir()
    (run / "cookie").write_text("c00k1ec00k1e")
    record = Recorder(tmp_path, environ={})

    record(RunStarted())
    record(TestEnded(run=str(run), message="refused: c00k1ec00k1e"))

    assert read_records(tmp_path)[1].to_dict()["message"] == "refused: [redacted]"


def test_who_still_writes_is_known_and_who_was_killed_does_not(tmp_path: Path) -> None:
    story = f"""
import os, signal
from pathlib import Path
from clusterlib.evidence.recorder import Recorder
record = Recorder(Path({str(tmp_path)!r}), "gw0")
from clusterlib.evidence.records import TestStarted
record(TestStarted(test="test_a"))
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", story], check=False, timeout=60)
    main = Recorder(tmp_path)
    main(RunStarted())

    assert writers(tmp_path) == {"main"}
    main.close()
    main.close()
    assert writers(tmp_path) == frozenset()


def test_two_readers_at_once_do_not_take_each_other_for_a_writer(tmp_path: Path) -> None:
    record = Recorder(tmp_path)
    record(RunStarted())
    record.close()
    with (tmp_path / "records" / "main.jsonl").open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # as another reader does

        assert writers(tmp_path) == frozenset()


def test_a_writer_is_seen_although_a_reader_was_looking_when_it_began(tmp_path: Path) -> None:
    Recorder(tmp_path).close()
    reader = (tmp_path / "records" / "main.jsonl").open()
    fcntl.flock(reader, fcntl.LOCK_SH)
    reading = threading.Timer(0.05, reader.close)
    reading.start()

    record = Recorder(tmp_path)
    reading.join()

    assert writers(tmp_path) == {"main"}
    record.close()


def test_what_json_does_not_know_costs_one_record_and_nothing_else(tmp_path: Path) -> None:
    record = Recorder(tmp_path)

    record(PreflightRecorded(findings=(object(),)))  # type: ignore[arg-type]
    record(RunEnded(1))

    assert record.lost == 1
    assert [one.what for one in read_records(tmp_path)] == [RunEnded(1)]


def test_a_worker_of_any_name_gets_a_file(tmp_path: Path) -> None:
    Recorder(tmp_path, "../../etc/passwd")(RunStarted())

    (found,) = (tmp_path / "records").iterdir()
    assert found.name.endswith(".jsonl")
    assert len(read_records(tmp_path)) == 1
