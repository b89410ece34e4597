"""Nodes of Erlang's virtual machine.

This package has the terms and their format, the distribution protocol, and the driver that starts
the nodes."""
