#!/usr/bin/env python3
"""Tests the simulator: each bug of planted.txt must be found within as many seeds as are stated there.

    planted.py PROGRAM [--most N] [--jobs N] [--only NUMBER]

--most: only bugs that are to be found within N seeds. Exit code 1 when one is not found. The sound engine must find
nothing wrong in the same seeds: that is the other test, `simulate`.
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def bugs():
    with open(os.path.join(HERE, "planted.txt"), encoding="utf-8") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                number, seeds, what = line.strip().split(" ", 2)
                yield int(number), int(seeds), what


def find(program, number, seeds, what):
    began = time.monotonic()
    run = subprocess.run([program, "--plant", str(number), "--seed", "1", "--count", str(seeds), "--quiet"],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    found = [line for line in run.stdout.splitlines() if re.match(r"seed \d+: ", line)]
    ok = run.returncode == 1 and bool(found)
    seed = re.match(r"seed (\d+)", found[0]).group(1) if found else "-"
    print(f"{'found' if ok else 'NOT FOUND':9} bug {number:2} at seed {seed:>4} of {seeds:4}, "
          f"{time.monotonic() - began:5.1f} s: {what}", flush=True)
    if ok:
        print(f"          {found[0][:150]}", flush=True)
    return ok


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--most", type=int, default=10**9)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", type=int)
    arguments = parser.parse_args()
    chosen = [b for b in bugs() if b[1] <= arguments.most and arguments.only in (None, b[0])]
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        results = list(pool.map(lambda b: find(arguments.program, *b), chosen))
    print(f"{sum(results)} of {len(results)} planted bugs found")
    sys.exit(0 if results and all(results) else 1)


if __name__ == "__main__":
    main()
