"""A writer that records how long each of its writes takes, a process of its own.

    latency.py URI

Writes 4 KiB blocks, one at a time, to the first 16 MiB of the volume; says "ready" when it has begun, and on SIGTERM
prints one line "BEGIN END" for each write, in seconds of CLOCK_MONOTONIC, and ends.
"""
import gc
import os
import random
import signal
import sys
import time

BLOCK = 4096
SPAN = 16 << 20
WARM_UP = 200  # writes before "ready"


def main():
    import nbd
    stop = False

    def on_term(_signal, _frame):
        nonlocal stop
        stop = True

    signal.signal(signal.SIGTERM, on_term)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    handle = nbd.NBD()
    handle.connect_uri(sys.argv[1])
    block, rng, now = os.urandom(BLOCK), random.Random(1), time.monotonic
    times = []
    # A collection in the middle of a write would be taken for the server's doing.
    gc.disable()
    while not stop:
        offset = rng.randrange(SPAN // BLOCK) * BLOCK
        begin = now()
        handle.pwrite(block, offset)
        times.append((begin, now()))
        if len(times) == WARM_UP:
            print("ready", flush=True)
    sys.stdout.writelines(f"{begin:.7f} {end:.7f}\n" for begin, end in times)


if __name__ == "__main__":
    main()
