"""The operations as tools of a coding assistant: a server of the Model Context Protocol (MCP) on
stdin and stdout, `clusterlib mcp`."""
