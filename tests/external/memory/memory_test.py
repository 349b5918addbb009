#!/usr/bin/env python3
"""A pool keeps within its budget of memory, however much its volumes map: bench_memory at a small scale, with limits.

    memory_test.py --program PATH/bench_memory [unittest options]
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

ARGS = None
BUDGET = 32  # MiB
OTHER = 48   # MiB: the program, its libraries, threads and buffers, and what the allocator keeps
GIB = 1 << 30


class Memory(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="lockstep-memory-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def command(self, phase, **options):
        return [ARGS.program, f"--dir={self.folder}/pool", f"--memory={BUDGET}M", f"--phase={phase}",
                *(f"--{k}={v}" for k, v in options.items())]

    def run_phase(self, phase, **options):
        for _ in range(20):
            done = subprocess.run(self.command(phase, **options), capture_output=True, text=True, check=False)
            if "in use by another" not in done.stderr:
                break
            time.sleep(0.1)  # the kernel has not quite ended what was killed
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout.splitlines()[-1])

    def test_it_does_not_grow_with_what_is_mapped(self):
        size = 20 * GIB
        self.run_phase("fill", mapped=2 * GIB, size=size)
        quarter = self.run_phase("read", mapped=2 * GIB, seconds=2)
        self.run_phase("fill", **{"from": 2 * GIB}, mapped=8 * GIB, size=size)
        index = sum(f.stat().st_size for f in pathlib.Path(self.folder, "pool", "index").iterdir())
        self.assertGreater(index, 1.5 * (BUDGET << 20), "the index has to be larger than the budget to show anything")
        whole = self.run_phase("read", mapped=8 * GIB, seconds=2)
        self.assertGreater(whole["operations"], 1000)
        self.assertLess(whole["peak"], BUDGET + OTHER)
        self.assertLess(whole["peak"], quarter["peak"] + 16)

        # Written to at random, killed, opened again.
        with subprocess.Popen(self.command("write", mapped=8 * GIB, seconds=0), stdout=subprocess.PIPE,
                              text=True) as process:
            process.stdout.readline()
            time.sleep(3)
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
            process.kill()
        writing = next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
        self.assertLess(writing, BUDGET + OTHER)
        after = self.run_phase("read", mapped=8 * GIB, seconds=1)
        self.assertLess(after["peak"], BUDGET + OTHER)
        self.assertLess(after["open_seconds"], 20, "two on a machine that does nothing else")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    ARGS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
