"""Where nodes run: spawn, signal, reap, ports, log files. The only room that may use subprocess and psutil."""
