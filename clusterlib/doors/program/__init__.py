"""The program `clusterlib`: the commands without Invoke, and without a tasks.py."""
