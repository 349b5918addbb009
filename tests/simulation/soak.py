#!/usr/bin/env python3
"""Runs histories with fresh seeds for as long as one likes, on every processor.

    soak.py PROGRAM --hours H [--jobs N] [--twice]

Prints how far it is once a minute, and each seed that fails with what is wrong and the command that repeats it, and
goes on. Nothing is minimised: `PROGRAM --seed N --trace FILE` writes every event of the history, and the failure is at
its end. Exit code 1 when a seed failed.
"""
import argparse
import os
import random
import re
import subprocess
import sys
import threading
import time

AT_ONCE = 20  # seeds of one process


class Soak:
    def __init__(self, arguments):
        self.arguments = arguments
        self.end = time.monotonic() + arguments.hours * 3600
        self.lock = threading.Lock()
        self.done = 0
        self.failed = []

    def work(self):
        while time.monotonic() < self.end:
            seed = random.SystemRandom().randrange(1, 2**48)
            self.run(seed)

    def run(self, seed):
        command = [self.arguments.program, "--seed", str(seed), "--count", str(AT_ONCE), "--quiet",
                   "--seconds", str(max(1, int(self.end - time.monotonic())))]
        if self.arguments.twice:
            command.append("--twice")
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                             check=False)
        with self.lock:
            done = re.search(r"^(\d+) histories", run.stdout, re.M)
            bad = re.search(r"^seed (\d+): ", run.stdout, re.M)
            self.done += int(done.group(1)) if done else int(bad.group(1)) - seed + 1 if bad else 0
            if run.returncode != 0:
                self.failed.append(bad.group(1) if bad else str(seed))
                print(run.stdout.strip() + f"\nexit code {run.returncode}", flush=True)

    def report(self):
        print(f"{self.done} histories, {len(self.failed)} failed, "
              f"{max(0, self.end - time.monotonic()) / 3600:.2f} hours to go", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--hours", type=float, required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--twice", action="store_true")
    soak = Soak(parser.parse_args())
    workers = [threading.Thread(target=soak.work) for _ in range(soak.arguments.jobs)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        workers[0].join(60)
        for worker in workers[1:]:
            worker.join(0 if workers[0].is_alive() else None)
        soak.report()
    if soak.failed:
        print("seeds that failed:", " ".join(soak.failed))
    sys.exit(1 if soak.failed else 0)


if __name__ == "__main__":
    main()
