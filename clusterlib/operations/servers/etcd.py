"""Operations of etcd, asked with etcdctl."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clusterlib.client.cluster import Cluster
from clusterlib.client.processes import Unasked
from clusterlib.errors import NotInTime, ServerRefused
from clusterlib.frozen import frozen
from clusterlib.messages.status import NodeStatus
from clusterlib.operations.declaring import operation
from clusterlib.operations.parameters import NodeName
from clusterlib.operations.result import Result
from clusterlib.operations.servers.asking import (
    ask_client,
    ask_one,
    ask_servers,
    parsed_answer,
    served_nodes,
)
from clusterlib.remedies import do
from clusterlib.waiting import Deadline, poll

__all__ = ["EtcdLeader", "EtcdMember", "EtcdMoved", "EtcdStatus", "leader", "move_leader", "status"]

TAKE_OVER_SECONDS = 10.0
SERVES = ("etcd",)


@frozen
class EtcdMember(Result):
    node: str
    member: str
    """Its id in the cluster of etcd."""
    version: str
    leads: bool
    leader: str | None
    """The node that it follows, by its id if that node gave no answer; None without a leader."""
    term: int
    index: int
    """Of the last entry in its log."""
    applied: int
    """Of the last entry that its data contains."""
    bytes: int
    """The size of its database."""
    errors: tuple[str, ...]


@frozen
class EtcdStatus(Result):
    cluster: str
    members: tuple[EtcdMember, ...]
    unasked: tuple[Unasked, ...]
    """The nodes that gave no answer, and why."""


@frozen
class EtcdLeader(Result):
    cluster: str
    node: str | None
    """None if the members know none, or have different ones."""
    term: int
    followers: tuple[str, ...]
    """The nodes that follow it."""
    others: tuple[str, ...]
    """The nodes that follow another one, or none."""
    unasked: tuple[Unasked, ...]


@frozen
class EtcdMoved(Result):
    cluster: str
    node: str
    """The leader now."""
    former: str
    term: int


@operation(effect="read", group="cluster.etcd", serves=SERVES)
def status(cluster: Cluster, node: NodeName | None = None) -> EtcdStatus:
    """Show the members of an etcd cluster: who leads, and how far each has come."""
    answers = ask_servers(cluster, SERVES, node, _status_of)
    seen = answers if node is None else ask_servers(cluster, SERVES, None, _status_of)
    names = {_id(answer["header"]["member_id"]): name for name, answer in seen.of.items()}
    members = tuple(_member(name, answer, names) for name, answer in answers.of.items())
    return EtcdStatus(cluster.name, members, tuple(answers.unasked))


@operation(effect="read", group="cluster.etcd", serves=SERVES)
def leader(cluster: Cluster, node: NodeName | None = None) -> EtcdLeader:
    """Say which member of an etcd cluster leads, as all members see it, or one."""
    return _leader_in(status.on(cluster, node))


@operation(effect="change", group="cluster.etcd", serves=SERVES)
def move_leader(cluster: Cluster, node: NodeName) -> EtcdMoved:
    """Make this member of an etcd cluster its leader, and wait until it is."""
    known = served_nodes(cluster, SERVES, node)  # refuses an unknown name before anything is asked
    members = status.on(cluster)
    found = _leader_in(members)
    if found.node is None or all(one.node != found.node for one in members.members):
        raise ServerRefused(
            "the members of etcd agree on no leader who could hand over",
            evidence=[f"{one.node} follows {one.leader or 'none'}" for one in members.members],
            remedies=[do("cluster.etcd.status")],
        )
    if found.node == node:
        return EtcdMoved(cluster.name, node, node, found.term)
    chosen = ask_one(cluster, SERVES, node, _status_of)["header"]["member_id"]
    ask_one(cluster, SERVES, found.node, lambda one: ask_client(one, ["move-leader", _id(chosen)]))

    def moved() -> EtcdLeader | None:
        now = _leader_in(status.on(cluster))
        return now if now.node == node else None

    if (now := poll(moved, Deadline(TAKE_OVER_SECONDS))) is None:
        raise NotInTime(
            f"{known[0].name} does not lead after {TAKE_OVER_SECONDS:g} s",
            remedies=[do("cluster.etcd.status")],
        )
    return EtcdMoved(cluster.name, node, found.node, now.term)


def _status_of(node: NodeStatus) -> dict[str, Any]:
    text = ask_client(node, ["endpoint", "status", "--write-out=json"])
    answer: dict[str, Any] = parsed_answer(node, text)[0]["Status"]
    return answer


def _member(node: str, answer: Mapping[str, Any], names: Mapping[str, str]) -> EtcdMember:
    own, leads = _id(answer["header"]["member_id"]), _id(answer.get("leader", 0))
    return EtcdMember(
        node=node,
        member=own,
        version=answer["version"],
        leads=own == leads,
        leader=names.get(leads, leads) if leads != _id(0) else None,
        term=answer.get("raftTerm", 0),
        index=answer.get("raftIndex", 0),
        applied=answer.get("raftAppliedIndex", 0),
        bytes=answer.get("dbSize", 0),
        errors=tuple(answer.get("errors", ())),
    )


def _leader_in(found: EtcdStatus) -> EtcdLeader:
    """Of the latest term: a member that was away may still follow an earlier one."""
    term = max(one.term for one in found.members)
    leaders = {one.leader for one in found.members if one.term == term and one.leader is not None}
    leads = leaders.pop() if len(leaders) == 1 else None
    follow = tuple(one.node for one in found.members if leads is not None and one.leader == leads)
    others = tuple(one.node for one in found.members if one.node not in follow)
    return EtcdLeader(
        found.cluster, leads, term, tuple(one for one in follow if one != leads), others, found.unasked
    )


def _id(number: int) -> str:
    """As etcdctl writes it."""
    return f"{number:x}"
