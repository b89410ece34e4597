"""Invoke tasks. In a project's own tasks.py: `from clusterlib.doors.tasks import namespace`.

To keep tasks of one's own beside them: `ns = Collection(my_task); ns.add_collection(namespace.collections["cluster"])`."""

from __future__ import annotations

from types import ModuleType

from invoke.collection import Collection

from clusterlib.doors.tasks import life, look, profile, test, use
from clusterlib.doors.tasks.command import ClusterTask

__all__ = ["namespace"]


def _collection(name: str, *modules: ModuleType) -> Collection:
    collection = Collection(name)
    for module in modules:
        for task in vars(module).values():
            if isinstance(task, ClusterTask):
                task.full_name = f"{name}.{task.name}"
                collection.add_task(task)
    return collection


namespace = Collection(
    _collection("cluster", life, use, look), _collection("profile", profile), _collection("test", test)
)
