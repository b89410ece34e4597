"""What a node was told, prints and calls itself, judged without Erlang."""

from __future__ import annotations

import pytest

from clusterlib.drivers.beam.diagnosis import VmArguments, Words, foreign_cookie, misnamed, unseen
from clusterlib.errors import EpmdUnavailable, NameTaken, NodeExited, NoDistribution


def test_words_of_a_vm_args_are_read_as_erlang_reads_them() -> None:
    asked = VmArguments.of(
        "# -sname of_nobody\n-name 'node1@127.0.0.1' # ours\n-kernel inet_dist_listen_min 4370\n"
    )

    assert asked.name == "node1@127.0.0.1"
    assert asked.after("inet_dist_listen_min") == "4370"
    assert asked.after("-setcookie") is None
    assert VmArguments.of("-name it's").name == "it's"
    assert VmArguments.of("-name").name is None


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("+S 1:1", "neither -name nor -sname"),
        ("-name a@b -no_epmd", "-no_epmd, so it would not register its port"),
        ("-name a@b -hidden", "-hidden, so no other node would count it"),
    ],
)
def test_a_node_that_nobody_would_see_is_told_before_it_is_started(text: str, cause: str) -> None:
    problem = unseen("node1", VmArguments.of(text), "/run/vm.args")

    assert problem is not None
    assert cause in str(problem.cause)
    assert problem.remedies[-1] == "cat /run/vm.args"


@pytest.mark.parametrize("text", ["-name a@b", "-sname a", "+S 1:1 -args_file more.args"])
def test_a_node_that_has_a_name_or_may_have_one_is_started(text: str) -> None:
    assert unseen("node1", VmArguments.of(text), "vm.args") is None


@pytest.mark.parametrize(
    ("line", "kind", "told"),
    [
        (
            "Protocol 'inet_tcp': the name a@127.0.0.1 seems to be in use by another Erlang node",
            NameTaken,
            "the name a@127.0.0.1",
        ),
        ("Can't set long node name!", NoDistribution, "no domain that would complete it"),
        ("Can't set short node name!", NoDistribution, "does not accept its name"),
        ("Protocol 'inet_tcp': register/listen error: eaddrinuse", NodeExited, "eaddrinuse"),
        (
            "Protocol 'inet_tcp': register/listen error: eaddrnotavail",
            NoDistribution,
            "not one of this machine",
        ),
        ("Protocol 'inet_tcp': register/listen error: econnrefused", EpmdUnavailable, "nothing listens"),
        ("Protocol 'inet_tcp': register/listen error: epmd_close", EpmdUnavailable, "is no epmd"),
        (
            "Protocol 'inet_tcp': register/listen error: {garbage_from_epmd,\"HTTP\"}",
            EpmdUnavailable,
            "is no epmd",
        ),
        ("Protocol 'inet6_tcp': register/listen error: badarg", NoDistribution, "Erlang says badarg"),
    ],
)
def test_what_a_node_says_before_it_ends_is_its_trouble_by_name(line: str, kind: type, told: str) -> None:
    words = Words()
    words.hear(b"=INFO REPORT====\n" + line[:9].encode())
    words.hear(line[9:].encode() + b"\r\nand more\n")
    error = words.last_words("node1")

    assert type(error) is kind
    assert error is not None
    assert told in str(error)
    assert error.evidence == (line,)
    assert error.remedies


def test_what_a_node_may_live_with_is_a_complaint_and_no_error() -> None:
    words = Words()
    for _ in range(1000):
        words.hear(b"** Connection attempt from node x rejected. Invalid challenge reply. **\n")
    words.hear(b"** Hostname localhost is illegal **\n")

    assert words.complaint == "** Connection attempt from node x rejected. Invalid challenge reply. **"
    assert words.said("Hostname localhost")
    assert words.last_words("node1") is None
    assert len(words.troubles) == 2


def test_bytes_that_are_no_text_and_lines_without_an_end_are_heard_too() -> None:
    words = Words()
    words.hear(b"\xff\xfe" * 200_000)
    words.hear(b"\n** Hostname localhost is illegal **\n")

    assert words.complaint == "** Hostname localhost is illegal **"


def test_a_name_is_compared_as_it_is_written() -> None:
    known = "node1@127.0.0.1"

    assert "localhost is not 127.0.0.1" in str(misnamed(known, "node1@localhost").cause)
    assert "x.invalid does not resolve" in str(misnamed(known, "node1@x.invalid", resolves=False).cause)
    assert "without a dot is a short name" in str(misnamed(known, "node1@host").cause)
    assert misnamed(known, "other@127.0.0.1").cause == "it calls itself other@127.0.0.1"


def test_a_cookie_of_the_template_is_told_from_one_that_came_later() -> None:
    assert "-setcookie" in str(foreign_cookie("node1@h", VmArguments.of("-setcookie a")).cause)
    assert "erlang:set_cookie" in foreign_cookie("node1@h", VmArguments()).remedies[0]
