# SPDX-License-Identifier: MIT
"""A candidate of kazoo's election recipe: says "leading" when it leads, and ends at the end of its input."""
import sys
import threading

from kazoo.client import KazooClient

servers, path, name = sys.argv[1:4]
client = KazooClient(hosts=servers, timeout=3)
client.start()
over = threading.Event()


def lead():
    print("leading", flush=True)
    over.wait()
    print("done", flush=True)


election = client.Election(path, name)
thread = threading.Thread(target=election.run, args=(lead,), daemon=True)
thread.start()
print("started", flush=True)
for line in sys.stdin:
    if line.strip() == "contenders":
        print("contenders " + " ".join(election.contenders()), flush=True)
over.set()
thread.join(10)
client.stop()
