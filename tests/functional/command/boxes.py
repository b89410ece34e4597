"""A small server program, a profile for it, and how to talk to it."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import clusterlib
from clusterlib.hosts import proc

__all__ = ["FORMING", "PROFILE", "SERVER", "arguments", "nothing_is_left", "say"]

SERVER = """\
import os, signal, socket, sys, time

port, mode = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "well"
os.write(1, b"caf\\xe9 says hello\\n")
if mode == "bad":
    sys.exit("unknown argument: bad")
if mode == "daemon" and os.fork():
    sys.exit(0)
if mode == "daemon":
    os.setsid()
if mode == "deaf":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
if mode in ("crashes", "deaf"):
    print("PANIC: the index is broken", flush=True)
    time.sleep(600)
def stop(*_):
    print("asked to stop", flush=True)
    sys.exit(0)
signal.signal(signal.SIGINT, stop)
try:
    listener = socket.create_server(("127.0.0.1", port))
except OSError as error:
    print(error, flush=True)
    if mode != "stubborn":
        raise
    time.sleep(600)
print(f"listening, {os.environ.get('GREETING')}, uid {os.getuid()}", flush=True)
first = 0.0
while True:
    client, _ = listener.accept()
    with client:
        asked = client.recv(100)
        if asked.startswith(b"DIE"):
            os._exit(9)
        if mode == "slow":
            first = first or time.monotonic()
            print("asked", flush=True)
            if time.monotonic() < first + 1.5:
                client.sendall(b"WAIT")
                continue
        if asked.startswith(b"LEAVE"):
            listener.close()
            client.close()
            time.sleep(600)
        if asked:
            known = sorted(os.listdir("../../members")) if os.path.isdir("../../members") else []
            client.sendall(b"PONG " + " ".join(known).encode())
"""

PROFILE = f"""\
driver = "command"
[nodes]
count = 3
name = "box{{index}}"
[ports]
client = "29000-29199"
[timeouts]
start = 10.0
[environment]
GREETING = "I am {{{{ node.name }}}}"
[command]
program = "{sys.executable}"
arguments = ["-u", "{{{{ cluster.project }}}}/server.py", "{{{{ node.ports.client }}}}", "{{% if false %}}bad{{% endif %}}"]
stop = "SIGINT"
crash = ["^PANIC"]
shell = ["echo", "{{{{ node.name }}}}"]
[ready]
send = "hello"
answer = "^PONG"
"""

FORMING = '''
[form]
command = ["sh", "-c", """
mkdir ../../members; cd ../../members
for n in{% for n in cluster.nodes %} {{ n.name }}{% endfor %}; do echo joining $n; echo x >> $n; done"""]
[formed]
send = "who"
answer = "{% for n in alive %}{{ n }}.*{% endfor %}"
'''


def arguments(mode: str) -> str:
    return f'["-u", "{{{{ cluster.project }}}}/server.py", "{{{{ node.ports.client }}}}", "{mode}"]'


def say(cluster: clusterlib.Cluster, name: str, text: bytes) -> bytes:
    with socket.create_connection((cluster[name].address, cluster[name].ports["client"]), timeout=5) as talk:
        talk.sendall(text)
        return talk.recv(1000)


def nothing_is_left(project: Path) -> bool:
    return not [pid for pid in proc.processes() if str(project) in (proc.command_line(pid) or "")]
