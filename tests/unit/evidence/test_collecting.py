"""Copies of run folders: redacted, bounded, only what is new, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import json
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlib.evidence.collecting import Collector
from clusterlib.evidence.redaction import Redactor
from clusterlib.hosts.places import write_private

STAMP = "2026-01-01T00:00:{:09.6f}Z"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder as a keeper leaves it."""
    run = tmp_path / ".clusterlib" / "pytest" / "run1"
    (run / "nodes" / "node1").mkdir(parents=True)
    (run / "cookie").write_text("s3cr3ts3cr3t")
    (run / "events.jsonl").write_text('{"kind": "a"}\n{"kind": "b", "text": "s3cr3ts3cr3t"}\n')
    (run / "state.json").write_text('{"cookie": "s3cr3ts3cr3t"}')
    (run / "plan.json").write_text('{"profile": "dev"}')
    (run / "keeper.log").write_text("")
    (run / "nodes" / "node1.log").write_text(f"{STAMP.format(1)} hello\n{STAMP.format(2)} s3cr3ts3cr3t\n")
    (run / "nodes" / "node1" / "node.json").write_text('{"secret": "s3cr3ts3cr3t"}')
    return run


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


def everything(folder: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_run_is_copied_without_its_secrets(run: Path, artifacts: Path) -> None:
    place = Collector(artifacts).collect("pytest", run, Redactor(["s3cr3ts3cr3t"]))

    assert place == artifacts / "clusters" / "pytest" / "run1"
    copied = sorted(str(path.relative_to(place)) for path in place.rglob("[!.]*") if path.is_file())
    assert copied == [
        "configs/node1/node.json", "events.jsonl", "keeper.log", "logs/node1.log", "plan.json", "state.json",
    ]  # fmt: skip
    assert "s3cr3t" not in everything(place)
    assert "hello" in (place / "logs" / "node1.log").read_text()


def test_cookies_are_never_copied_whatever_they_are_called_by_a_node(run: Path, artifacts: Path) -> None:
    (run / "nodes" / "node1" / ".erlang.cookie").write_text("monster")
    (run / "nodes" / "node1" / "link").symlink_to(run / "cookie")

    place = Collector(artifacts).collect("pytest", run, Redactor())

    names = {path.name for path in place.rglob("*")}
    assert not {name for name in names if name.endswith(("cookie", "link"))}


def test_what_is_new_is_appended(run: Path, artifacts: Path) -> None:
    collector = Collector(artifacts)
    place = collector.collect("pytest", run, Redactor())
    copy = place / "logs" / "node1.log"
    first = copy.stat().st_ino

    with (run / "nodes" / "node1.log").open("a") as file:
        file.write(f"{STAMP.format(3)} more\n{STAMP.format(4)} unfini")
    collector.collect("pytest", run, Redactor())
    with (run / "nodes" / "node1.log").open("a") as file:
        file.write("shed\n")
    collector.collect("pytest", run, Redactor())

    assert copy.read_text() == (run / "nodes" / "node1.log").read_text()
    assert copy.stat().st_ino == first, "it was appended to, not copied anew"


def test_what_has_not_changed_is_not_touched(run: Path, artifacts: Path) -> None:
    collector = Collector(artifacts)
    place = collector.collect("pytest", run, Redactor())
    before = {
        path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in place.rglob("*") if path.is_file()
    }

    collector.collect("pytest", run, Redactor())

    assert {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in before} == before


def test_collecting_again_from_scratch_gives_the_same(run: Path, artifacts: Path) -> None:
    first = everything(Collector(artifacts).collect("pytest", run, Redactor()))

    assert everything(Collector(artifacts).collect("pytest", run, Redactor())) == first


def test_a_secret_that_becomes_known_later_is_taken_out_of_what_was_copied_before(
    run: Path, artifacts: Path
) -> None:
    collector = Collector(artifacts)
    place = collector.collect("pytest", run, Redactor())
    assert "hello" in everything(place)

    collector.collect("pytest", run, Redactor(["s3cr3ts3cr3t"]))

    assert "s3cr3t" not in everything(place)


def test_who_reports_later_without_knowing_the_secrets_does_not_bring_them_back(
    run: Path, artifacts: Path
) -> None:
    place = Collector(artifacts).collect("pytest", run, Redactor(["s3cr3ts3cr3t"]))
    with (run / "nodes" / "node1.log").open("a") as file:
        file.write(f"{STAMP.format(3)} more\n")

    Collector(artifacts).collect("pytest", run, Redactor(["hello"]))

    assert "s3cr3t" not in everything(place)
    assert "hello" in everything(place), "shorter than what is searched for"
    assert "more" in everything(place)
    Collector(artifacts).collect("pytest", run, Redactor(["hello and more", "[redacted]"]))


def test_lines_that_a_killed_process_appended_are_not_appended_twice(run: Path, artifacts: Path) -> None:
    place = Collector(artifacts).collect("pytest", run, Redactor())
    noted = (place / ".collected").read_text()
    with (run / "events.jsonl").open("a") as file:
        file.write('{"kind": "c"}\n')
    Collector(artifacts).collect("pytest", run, Redactor())
    (place / ".collected").write_text(noted)  # as if it had been killed before it noted the new sizes

    Collector(artifacts).collect("pytest", run, Redactor())

    assert (place / "events.jsonl").read_text() == (run / "events.jsonl").read_text()


def test_a_repetition_after_a_kill_keeps_what_was_redacted_before(run: Path, artifacts: Path) -> None:
    place = Collector(artifacts).collect("pytest", run, Redactor(["s3cr3ts3cr3t"]))
    with (place / "events.jsonl").open("a") as file:
        file.write('{"kind": "c"}\n')  # appended before a kill
    with (run / "events.jsonl").open("a") as file:
        file.write('{"kind": "c"}\n')

    Collector(artifacts).collect("pytest", run, Redactor())

    copied = (place / "events.jsonl").read_text()
    assert copied.count('"c"') == 1
    assert "s3cr3t" not in copied


def test_a_full_disk_leaves_whole_lines_which_are_completed_later(run: Path, artifacts: Path) -> None:
    collector = Collector(artifacts)
    copy = collector.collect("pytest", run, Redactor()) / "events.jsonl"
    before = copy.read_text()
    with (run / "events.jsonl").open("a") as file:
        file.write('{"kind": "c"}\n')

    with files_of_at_most(copy.stat().st_size + 5):
        collector.collect("pytest", run, Redactor())

    assert copy.read_text() == before
    with (run / "events.jsonl").open("a") as file:
        file.write('{"kind": "d"}\n')
    collector.collect("pytest", run, Redactor())
    assert copy.read_text() == (run / "events.jsonl").read_text()


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """For a process, a file that may not grow is like a full disk."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


def test_a_copy_that_a_kill_left_unfinished_does_not_keep_secrets(run: Path, artifacts: Path) -> None:
    place = Collector(artifacts).collect("pytest", run, Redactor())
    unfinished = place / ".events.jsonl.0123456789ab"
    unfinished.write_text('{"text": "s3cr3ts3cr3t"}')

    Collector(artifacts).collect("pytest", run, Redactor(["s3cr3ts3cr3t"]))

    assert not unfinished.exists()
    assert "s3cr3t" not in everything(place)


def test_a_killed_removal_of_secrets_does_not_confuse_later_copies(
    run: Path, artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Collector(artifacts).collect("pytest", run, Redactor())

    class Killed(BaseException):
        pass

    def write_and_die(path: Path, content: str) -> None:
        write_private(path, content)
        if path.name == "events.jsonl":
            raise Killed

    with monkeypatch.context() as killing:
        killing.setattr("clusterlib.evidence.collecting.write_private", write_and_die)
        with pytest.raises(Killed):
            Collector(artifacts).collect("pytest", run, Redactor(["s3cr3ts3cr3t"]))
    with (run / "events.jsonl").open("a") as file:
        file.write('{"kind": "c"}\n')
    Collector(artifacts).collect("pytest", run, Redactor(["s3cr3ts3cr3t"]))

    copied = [json.loads(line)["kind"] for line in (place / "events.jsonl").read_text().splitlines()]
    assert copied == ["a", "b", "c"]


def test_a_memory_that_is_broken_is_no_memory(run: Path, artifacts: Path) -> None:
    place = Collector(artifacts).collect("pytest", run, Redactor())
    before = everything(place / "logs")
    for broken in (
        "{",
        "[]",
        '{"events.jsonl": 3}',
        '{"events.jsonl": [1]}',
        '{"events.jsonl": ["a", 1, 2, 3, 4]}',
        '{"events.jsonl": [0, 0, 0, 0, 0]}',
    ):
        (place / ".collected").write_text(broken)

        Collector(artifacts).collect("pytest", run, Redactor())

        assert everything(place / "logs") == before


def test_a_large_log_keeps_its_beginning_and_its_end(run: Path, artifacts: Path) -> None:
    log = run / "nodes" / "node1.log"
    log.write_text("".join(f"{STAMP.format(n % 60)} line {n}\n" for n in range(20_000)))

    place = Collector(artifacts, most=100_000).collect("pytest", run, Redactor())

    text = (place / "logs" / "node1.log").read_text()
    assert len(text) < 101_000
    assert "line 0\n" in text
    assert "line 19999\n" in text
    assert "MiB of this log are left out here" in text
    assert all(line.startswith("2026-01-01T") for line in text.splitlines()), "only whole lines are kept"


def test_a_log_that_was_rotated_is_one_file(run: Path, artifacts: Path) -> None:
    log = run / "nodes" / "node1.log"
    log.rename(run / "nodes" / "node1.log.1")
    log.write_text(f"{STAMP.format(9)} after the rotation\n")

    place = Collector(artifacts).collect("pytest", run, Redactor())

    lines = (place / "logs" / "node1.log").read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["hello", "s3cr3ts3cr3t", "after the rotation"]


def test_a_log_that_was_rotated_and_is_large_keeps_both_ends(run: Path, artifacts: Path) -> None:
    (run / "nodes" / "node1.log.1").write_text("".join(f"{STAMP.format(1)} old {n}\n" for n in range(5000)))
    (run / "nodes" / "node1.log").write_text("".join(f"{STAMP.format(2)} new {n}\n" for n in range(5000)))

    place = Collector(artifacts, most=50_000).collect("pytest", run, Redactor())

    text = (place / "logs" / "node1.log").read_text()
    assert "old 0\n" in text
    assert "old 4999" not in text
    assert "new 4999\n" in text


def test_a_run_that_is_gone_is_no_problem_and_its_copies_stay(run: Path, artifacts: Path) -> None:
    collector = Collector(artifacts)
    place = collector.collect("pytest", run, Redactor())
    run.rename(run.with_name("elsewhere"))

    assert collector.collect("pytest", run, Redactor()) == place
    assert Collector(artifacts).collect("pytest", run, Redactor()) == place
    assert (place / "events.jsonl").exists()


def test_files_that_vanish_or_may_not_be_read_are_left_out(run: Path, artifacts: Path) -> None:
    (run / "events.jsonl").unlink()
    (run / "state.json").unlink()
    (run / "state.json").mkdir()
    (run / "nodes" / "dangling.log").symlink_to("nowhere")

    place = Collector(artifacts).collect("pytest", run, Redactor())

    assert (place / "logs" / "node1.log").exists()
    assert not (place / "events.jsonl").exists()


def test_data_of_a_node_is_no_configuration(run: Path, artifacts: Path) -> None:
    (run / "nodes" / "node1" / "data.db").write_bytes(b"SQLite\0" + bytes(1000))
    (run / "nodes" / "node1" / "dump.txt").write_text("x" * 3_000_000)

    place = Collector(artifacts).collect("pytest", run, Redactor())

    assert [path.name for path in (place / "configs" / "node1").iterdir()] == ["node.json"]


def test_a_configuration_that_has_grown_too_large_does_not_stay_in_its_former_state(
    run: Path, artifacts: Path
) -> None:
    collector = Collector(artifacts)
    place = collector.collect("pytest", run, Redactor())
    assert (place / "configs/node1/node.json").exists()

    (run / "nodes/node1/node.json").write_text("x" * 3_000_000)
    collector.collect("pytest", run, Redactor())

    assert not (place / "configs/node1/node.json").exists()


def test_events_of_a_run_whose_cookie_is_a_word_of_ours_are_still_events(run: Path, artifacts: Path) -> None:
    (run / "events.jsonl").write_text('{"kind": "cluster.ready", "text": "the cluster runs"}\n')

    place = Collector(artifacts).collect("pytest", run, Redactor(["cluster"]))

    assert json.loads((place / "events.jsonl").read_text()) == {
        "kind": "cluster.ready",
        "text": "the [redacted] runs",
    }
