"""Nodes of Erlang's virtual machine: terms and their format, the distribution protocol, and the driver that starts them."""
