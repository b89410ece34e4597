"""The program an embedded Python node runs: a small distributed runtime on asyncio.

User code on a node asks `this_node()` where it is. Everything else here is started by the keeper (`node:main`,
`simulation:main`) or used by the tool (`client`, `code`). This file stays light: the tool imports rooms of the
runtime without an event loop.
"""

from clusterlib.runtime.current import ThisNode, this_node

__all__ = ["ThisNode", "this_node"]
