"""The program of an embedded Python node: a small distributed runtime on asyncio.

User code on a node calls `this_node()` to find out where it runs. Everything else is started by the
keeper (`node:main`, `simulation:main`) or used by clients (`client`, `code`). This file imports
little, because clients import modules of the runtime without an event loop."""

from clusterlib.runtime.current import ThisNode, this_node

__all__ = ["ThisNode", "this_node"]
