#!/usr/bin/env python3
"""lockstep-inspect on the pool of a real lockstepd: after a stop and after kill -9, with damage on the device, with and
without an index, and making the index anew. What the daemon then serves is what was written.

    inspect_test.py --lockstep PROGRAM --lockstepd PROGRAM --inspect PROGRAM [unittest options]
"""
import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

try:
    import nbd
except ImportError:
    nbd = None

ARGS = None
SOUND, USAGE, UNREADABLE, PROBLEMS, NOT_REBUILT = 0, 2, 3, 4, 5
MIB = 1 << 20


def tree(folder):
    """Every file under it with a hash of what it holds."""
    found = {}
    for at, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(at, name), "rb") as f:
                found[os.path.join(at, name)] = hashlib.sha256(f.read()).hexdigest()
    return found


@unittest.skipIf(nbd is None, "not installed: libnbd for Python")
class Inspect(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="lockstep-inspect-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.daemon = None
        self.addCleanup(self.stop)
        self.pool = self.path("main.pool")
        self.start()
        self.cli("pool", "create", "main", self.pool, "--size", "256M")
        self.cli("volume", "create", "db", "64M")
        self.cli("export", "create", "db")
        self.id = json.loads(self.cli("pool", "show", "main"))["id"]
        self.index = self.path("data", "index", self.id)
        # Some blocks of each MiB, twice, with a replica between: live blocks, dead ones, old versions.
        draw = random.Random(7)
        self.image = bytearray(64 * MIB)
        for turn in range(2):
            client = self.connect()
            for at in range(0, 48 * MIB, MIB):
                for offset in draw.sample(range(0, MIB, 65536), 4):
                    data = draw.randbytes(8192)
                    client.pwrite(data, at + offset)
                    self.image[at + offset:at + offset + len(data)] = data
            client.trim(MIB, 40 * MIB)
            self.image[40 * MIB:41 * MIB] = bytes(MIB)
            client.flush()
            client.shutdown()
            if turn == 0:
                self.cli("replica", "create", "element", "db", "--name", "before")
        self.cli("pool", "check", "main")  # which folds everything into the index first

    def connect(self):
        client = nbd.NBD()
        client.connect_uri(f"nbd+unix:///db?socket={self.path('nbd.sock')}")
        return client

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def start(self):
        with open(self.path("log"), "ab") as log:
            self.daemon = subprocess.Popen(
                [ARGS.lockstepd, "--config", "/dev/null", "--data-directory", self.path("data"), "--admin-socket",
                 self.path("admin.sock"), "--nbd", "unix:" + self.path("nbd.sock"), "--cim", "tcp:127.0.0.1:0",
                 "--cim-anonymous", "administrator"],
                stdout=subprocess.PIPE, stderr=log, text=True)
        for line in self.daemon.stdout:
            if line == "ready\n":
                return
        with open(self.path("log"), encoding="utf-8") as log:
            self.fail("lockstepd did not start:\n" + log.read())

    def stop(self, how=signal.SIGTERM):
        if self.daemon is None:
            return
        self.daemon.send_signal(how)
        self.daemon.wait(timeout=60)
        self.daemon.stdout.close()
        self.daemon = None

    def cli(self, *arguments):
        done = subprocess.run([ARGS.lockstep, "--socket", self.path("admin.sock"), *arguments, "--json"],
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr}")
        return done.stdout

    def served(self):
        """What the daemon serves of the volume; None where it cannot be read."""
        client = self.connect()
        parts = []
        for at in range(0, 64 * MIB, MIB):
            try:
                parts.append(bytes(client.pread(MIB, at)))
            except nbd.Error:
                parts.append(None)
        client.shutdown()
        return parts

    def written(self):
        return [bytes(self.image[at:at + MIB]) for at in range(0, 64 * MIB, MIB)]

    def inspect(self, code, *options):
        done = subprocess.run([ARGS.inspect, self.pool, "--json", *options], capture_output=True, text=True,
                              timeout=120, check=False)
        self.assertEqual(done.returncode, code, f"{options}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout) if done.stdout else done.stderr

    def test_a_stopped_pool_is_sound_and_nothing_is_changed(self):
        self.stop()
        before = tree(self.folder)
        found = self.inspect(SOUND, "--index", self.index, "--segments")
        self.assertEqual(found["problems"], [])
        self.assertEqual(found["pool"], self.id)
        self.assertGreater(found["index"]["blocks"], 300)
        self.assertGreater(found["index"]["oldVersions"], 20)
        self.assertEqual(len(found["volumes"]), 2)
        self.assertGreater(sum(s["blocks"] for s in found["segments"] if s["inUse"]), 700)
        self.assertEqual(self.inspect(SOUND, "--no-index")["log"]["to"], found["log"]["to"])
        self.assertEqual(tree(self.folder), before)

    def test_a_killed_pool_is_sound(self):
        self.stop(signal.SIGKILL)
        self.inspect(SOUND, "--index", self.index)
        self.inspect(SOUND, "--no-index")
        self.start()
        self.assertEqual(self.served(), self.written())

    def test_a_pool_that_is_in_use_is_refused(self):
        self.assertIn("in use", self.inspect(UNREADABLE, "--index", self.index))
        self.assertIn("in use", self.inspect(UNREADABLE, "--rebuild-index", self.path("new")))
        self.assertFalse(os.path.exists(self.path("new")))

    def test_a_damaged_block_is_named(self):
        self.stop()
        with open(self.pool, "r+b") as f:
            device = f.read()
            place = device.index(bytes(self.image[self.first_data():][:4096]))
            f.seek(place + 100)
            f.write(b"damage")
        found = self.inspect(PROBLEMS, "--index", self.index)
        block = self.first_data() // 4096
        self.assertTrue(any(f"block {block} of volume" in p and "cannot be read" in p for p in found["problems"]),
                        found["problems"])
        text = subprocess.run([ARGS.inspect, self.pool, "--index", self.index], capture_output=True, text=True,
                              check=False)
        self.assertEqual(text.returncode, PROBLEMS)
        self.assertIn(f"block {block} of volume", text.stdout)
        # The daemon finds the same: only that place cannot be read.
        self.start()
        served, written = self.served(), self.written()
        bad = [i for i, part in enumerate(served) if part is None]
        self.assertEqual(bad, [self.first_data() // MIB])
        for i, part in enumerate(served):
            self.assertTrue(i in bad or part == written[i])

    def first_data(self):
        return next(at for at in range(0, len(self.image), 4096) if any(self.image[at:at + 4096]))

    def test_the_index_is_made_anew_from_the_device(self):
        self.stop()
        shutil.move(self.index, self.path("old-index"))
        rebuilt = self.inspect(SOUND, "--rebuild-index", self.index)
        self.assertEqual(rebuilt["problems"], [])
        old = self.inspect(SOUND, "--index", self.path("old-index"))
        self.assertEqual(rebuilt["index"]["blocks"], old["index"]["blocks"])
        self.assertEqual(rebuilt["index"]["oldVersions"], old["index"]["oldVersions"])
        self.assertIn("not empty", self.inspect(NOT_REBUILT, "--rebuild-index", self.index))
        self.start()
        self.assertEqual(self.served(), self.written())
        with open(self.path("log"), encoding="utf-8") as log:
            self.assertNotIn("rebuilding", log.read(), "the daemon takes the index that was made")

    def test_a_damaged_index_is_told_and_the_device_still_read(self):
        self.stop()
        tables = [n for n in os.listdir(self.index) if n.startswith("MANIFEST")]
        with open(os.path.join(self.index, tables[0]), "r+b") as f:
            f.write(bytes(64))
        found = self.inspect(PROBLEMS, "--index", self.index)
        self.assertTrue(found["problems"][0].startswith("index: "), found["problems"])
        self.assertNotIn("index", found)
        self.assertEqual(len(found["volumes"]), 2)

    def test_no_pool_and_wrong_command_lines(self):
        nothing = self.path("nothing")
        with open(nothing, "wb") as f:
            f.truncate(64 * MIB)
        run = lambda *options: subprocess.run([ARGS.inspect, *options], capture_output=True, text=True, check=False)
        self.assertEqual(run(nothing).returncode, UNREADABLE)
        self.assertEqual(run(self.path("missing")).returncode, UNREADABLE)
        self.assertEqual(run().returncode, USAGE)
        self.assertEqual(run(nothing, "--no-index", "--rebuild-index", "x").returncode, USAGE)
        self.assertEqual(run("--version").returncode, 0)
        self.stop()
        self.assertEqual(run(self.pool, "--index", self.path("missing")).returncode, UNREADABLE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--lockstep", required=True)
    parser.add_argument("--lockstepd", required=True)
    parser.add_argument("--inspect", required=True)
    ARGS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
