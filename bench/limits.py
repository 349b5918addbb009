"""What the engine should reach: for each kind of work the limit, what fio gets, and what the engine does.

Each row names the command that makes it; FILE is a fully written file of 4 GiB, DIR an empty directory.
"""

import dataclasses
import json
import os
import shutil
import statistics
import subprocess
import time

import targets
from targets import MIB, Cell


@dataclasses.dataclass(frozen=True)
class Work:
    name: str
    options: str          # of bench_engine
    target: str
    cell: Cell = None     # what fio does in place
    sync: bool = False    # fio with fdatasync after each write


WORKS = [
    Work("random 4 KiB writes, depth 32, over what was written", "--op=write", "1.5 x fio, 0.4 of the limit",
         Cell(True, True, 4096, 32)),
    Work("the same into new volumes", "--op=write --fill=0", "1.5 x fio, 0.4 of the limit", Cell(True, True, 4096, 32)),
    Work("the same, 80 % full, steady state", "--op=write --volume=3200M --age=2G --seconds=5", "0.7 x fio",
         Cell(True, True, 4096, 32)),
    Work("the same, 95 % full", "--op=write --volume=3891M --age=512M --seconds=5", "goes on",
         Cell(True, True, 4096, 32)),
    Work("random 4 KiB reads, depth 32, index 10 x its cache",
         "--op=read --volume=2G --age=1500M --cache=1M --memtable=1M", "0.8 x fio", Cell(False, True, 4096, 32)),
    Work("sequential 1 MiB writes", "--op=write --pattern=sequential --block=1M", "0.9 x fio",
         Cell(True, False, MIB, 32)),
    Work("sequential 1 MiB reads", "--op=read --pattern=sequential --block=1M --bytes=64G", "0.9 x fio",
         Cell(False, False, MIB, 32)),
    Work("4 KiB write + flush, depth 1", "--op=write --depth=1 --flush=1 --volume=64M", "time at most 1.1 x fio's",
         Cell(True, True, 4096, 1), True),
    Work("first overwrite after a point", "--op=write --point=1 --bytes=64M", "written at most 1.3 x"),
]


def _sync_rate(raw, seconds):
    command = ["fio", "--name=sync", f"--filename={raw}", "--direct=1", "--ioengine=io_uring", "--fdatasync=1",
               "--rw=randwrite", "--bs=4k", "--iodepth=1", f"--size={64 * MIB}", f"--runtime={seconds}", "--time_based",
               "--output-format=json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise targets.Failed(f"{' '.join(command)}: {done.stderr.strip()}")
    return json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]["write"]["iops"]


def _ours(programs, directory, pool, work):
    # The last run's index is deleted and its space discarded beforehand, or the first flushes pay for that.
    shutil.rmtree(directory / "index", ignore_errors=True)
    os.sync()
    time.sleep(1)
    return targets.run_program(programs / "bench_engine",
                               [f"--file={pool}", f"--index={directory / 'index'}", *work.options.split()])


def measure(programs, directory, pool, raw, rounds, seconds, progress):
    """By work: the rounds' (fio's rate or None, the engine's answer). fio and the engine take turns."""
    results = {}
    for number in range(rounds):
        for work in WORKS:
            peer = None
            if work.cell:
                direct = targets.Direct(raw)
                peer = _sync_rate(raw, seconds) if work.sync else direct.measure(work.cell, seconds).iops
            ours = _ours(programs, directory, pool, work)
            results.setdefault(work, []).append((peer, ours))
            progress(f"round {number + 1}/{rounds}: {work.name}: {ours['iops']:,.0f}/s")
    return results


def _limit(work, bandwidth, ours):
    if not work.cell or work.sync:
        return None
    bound = bandwidth[0 if work.cell.write else 1] / work.cell.block
    return bound / statistics.median(o["amplification"] for o in ours)


def rows(results, bandwidth, spread):
    """Rows of the table; `spread` writes a list of numbers."""
    for work, pairs in results.items():
        ours = [o for _, o in pairs]
        rate = statistics.median(o["iops"] for o in ours)
        limit = _limit(work, bandwidth, ours)
        peer = [p for p, _ in pairs if p is not None]
        ratios = [o["iops"] / p for p, o in pairs if p is not None]
        yield [work.name, f"{limit:,.0f}" if limit else "", spread(peer) if peer else "",
               spread([o["iops"] for o in ours]), spread(ratios, 2) if ratios else "",
               f"{rate / limit:.2f}" if limit else "", spread([o["written"] for o in ours], 2),
               f"{statistics.median(o['p99_us'] for o in ours):,.0f} / {max(o['longest_us'] for o in ours):,.0f}",
               f"{statistics.median(o['cpu_us_per_op'] for o in ours):.1f}", work.target, f"`{work.options}`"]
