"""Runs the processes of nodes: spawning, signals, reaping, ports, log files.

The only room that may use subprocess and psutil."""
