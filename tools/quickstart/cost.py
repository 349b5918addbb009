"""What a group snapshot costs: the time of the call as its client sees it, and the longest that a write was held up."""
import os
import signal
import sys
import time

import processes

HERE = os.path.dirname(os.path.abspath(__file__))
BEFORE_S = 1.0  # how long the latency is watched before the call


class Cost:
    """Times in milliseconds: of the call, the longest write during it, the longest write in the second before it; and
    how many writes the call overlapped."""

    def __init__(self, call, held, before, writes):
        self.call, self.held, self.before, self.writes = call, held, before, writes

    def text(self):
        return (f"{self.call:.1f} ms for the call; the longest of {self.writes} writes meanwhile took "
                f"{self.held:.2f} ms (in the second before it: {self.before:.2f} ms)")


def measure(uri, act):
    """`act` makes the call and returns a Replica; a writer writes to `uri` meanwhile. The Cost and the Replica."""
    process = processes.start(sys.executable, os.path.join(HERE, "latency.py"), uri, stdout=-1, text=True)
    try:
        if process.stdout.readline() != "ready\n":
            raise processes.Failure("the writer that measures latency did not start")
        time.sleep(BEFORE_S)  # what is measured is exactly this time of normal work
        replica = act()
        process.send_signal(signal.SIGTERM)
        writes = [tuple(map(float, line.split())) for line in process.stdout]
        if process.wait(10) != 0:
            raise processes.Failure(f"the writer that measures latency ended with {process.returncode}")
    finally:
        processes.stop(process, signal.SIGKILL)
        process.stdout.close()
    before = [to - since for since, to in writes if replica.began - BEFORE_S <= since and to < replica.began]
    during = [to - since for since, to in writes if to >= replica.began and since <= replica.ended]
    if not before or not during:
        raise processes.Failure("the writer that measures latency did not write before and during the call")
    return Cost(replica.seconds * 1e3, max(during) * 1e3, max(before) * 1e3, len(during)), replica
