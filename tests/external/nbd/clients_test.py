#!/usr/bin/env python3
"""Stock NBD clients against the server: nbdinfo, nbdcopy, libnbd, qemu-img, qemu-io, fio, nbdfuse with a file system.

    clients_test.py --server PATH/nbd_test_server [unittest options]
    clients_test.py --uri 'nbd+unix:///vol?socket=/run/x.sock' [unittest options]

With --uri it uses the export of a running server, of at least 64 MiB; EVERYTHING ON IT IS OVERWRITTEN.
A client that this machine does not have is skipped, and says so.
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

try:
    import nbd
except ImportError:
    nbd = None

MIB = 1 << 20
SIZE = 512 * MIB
SEED = 20261120
options = None


def needs(*programs):
    missing = [p for p in programs if shutil.which(p) is None]
    return unittest.skipIf(missing, "not installed: " + ", ".join(missing))


class Server:
    """Our own test server on a Unix socket, or somebody's that runs already."""

    def __init__(self, folder):
        self.process = None
        if options.uri:
            self.uri = options.uri
            return
        socket = os.path.join(folder, "nbd.sock")
        self.process = subprocess.Popen(
            [options.server, "unix:" + socket, f"vol={SIZE}", f"other={MIB}", "frozen=1MiB:ro"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline()
        if not ready.startswith("ready "):
            raise RuntimeError("the server did not start: " + ready)
        self.socket = socket
        self.uri = self.export("vol")

    def export(self, name):
        return f"nbd+unix:///{name}?socket={self.socket}"

    def stop(self):
        """True when it stopped cleanly."""
        if self.process is None:
            return True
        out, _ = self.process.communicate(timeout=30)
        return self.process.returncode == 0 and "stopped" in out


class ClientsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="nbd")
        self.server = Server(self.folder)
        self.uri = self.server.uri
        self.size = int(self.run_ok("nbdinfo", "--size", self.uri)) if shutil.which("nbdinfo") else SIZE
        self.random = random.Random(SEED)
        if options.uri:
            self.discard_all()

    def tearDown(self):
        clean = self.server.stop()
        shutil.rmtree(self.folder)
        self.assertTrue(clean, "the server did not stop cleanly")

    def run_ok(self, *command, timeout=120):
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        self.assertEqual(done.returncode, 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def discard_all(self):
        pieces = []
        for offset in range(0, self.size, 1 << 30):  # qemu-io takes less than 2 GiB at once
            pieces += ["-c", f"discard {offset} {min(1 << 30, self.size - offset)}"]
        self.run_ok("qemu-io", "-f", "raw", "-d", "unmap", *pieces, self.uri)

    def image(self, name, size=None):
        """A file with data and holes, as large as the volume unless said otherwise."""
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            for _ in range(40):
                f.seek(self.random.randrange((size or self.size) - 300000))
                f.write(self.random.randbytes(self.random.randrange(1, 300000)))
            f.truncate(size or self.size)
        return path

    def skip_unless_ours(self):
        if options.uri:
            self.skipTest("this test needs the exports of the test server")

    @needs("nbdinfo")
    def test_nbdinfo_lists_exports_and_what_they_can_do(self):
        info = json.loads(self.run_ok("nbdinfo", "--json", self.uri))["exports"][0]
        self.assertEqual(info["export-size"], self.size)
        for flag in ("can_multi_conn", "can_flush", "can_fua", "can_trim", "can_zero", "can_df", "can_fast_zero"):
            self.assertTrue(info[flag], flag)
        self.assertFalse(info["is_read_only"])
        self.assertEqual(info["contexts"], ["base:allocation"])
        self.assertEqual([info["block_size_" + k] for k in ("minimum", "preferred", "maximum")], [1, 4096, 32 * MIB])
        self.skip_unless_ours()
        listed = json.loads(self.run_ok("nbdinfo", "--list", "--json", self.server.export("")))["exports"]
        self.assertEqual(sorted(e["export-name"] for e in listed), ["frozen", "other", "vol"])
        frozen = next(e for e in listed if e["export-name"] == "frozen")
        self.assertTrue(frozen["is_read_only"])
        self.assertEqual(frozen["description"], "a volume in memory")
        missing = subprocess.run(["nbdinfo", self.server.export("missing")], capture_output=True)
        self.assertNotEqual(missing.returncode, 0)

    @needs("nbdinfo", "qemu-io")
    def test_nbdinfo_maps_data_and_holes(self):
        self.run_ok("qemu-io", "-f", "raw", "-c", "write 64k 128k", "-c", "flush", self.uri)
        extents = json.loads(self.run_ok("nbdinfo", "--map", "--json", self.uri))
        self.assertEqual([(e["offset"], e["length"], e["type"]) for e in extents],
                         [(0, 65536, 3), (65536, 131072, 0), (196608, self.size - 196608, 3)])

    @needs("nbdcopy", "cmp")
    def test_nbdcopy_brings_an_image_in_and_out_again(self):
        image = self.image("in.raw")
        back = os.path.join(self.folder, "out.raw")
        self.run_ok("nbdcopy", "--flush", image, self.uri)
        self.run_ok("nbdcopy", self.uri, back)
        self.run_ok("cmp", image, back)
        self.run_ok("nbdcopy", "--connections=4", "--requests=64", "--destination-is-zero", self.uri, back)
        self.run_ok("cmp", image, back)

    @needs("qemu-img")
    def test_qemu_img_converts_compares_and_maps(self):
        image = self.image("in.raw")
        back = os.path.join(self.folder, "out.qcow2")
        self.run_ok("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", "-W", "-m", "8", image, self.uri)
        self.run_ok("qemu-img", "compare", "-f", "raw", "-F", "raw", image, self.uri)
        self.run_ok("qemu-img", "convert", "-f", "raw", "-O", "qcow2", self.uri, back)
        self.run_ok("qemu-img", "compare", "-f", "raw", "-F", "qcow2", self.uri, back)
        info = json.loads(self.run_ok("qemu-img", "info", "--output=json", "-f", "raw", self.uri))
        self.assertEqual(info["virtual-size"], self.size)
        extents = json.loads(self.run_ok("qemu-img", "map", "--output=json", "-f", "raw", self.uri))
        self.assertEqual(sum(e["length"] for e in extents), self.size)
        self.assertTrue(any(e["data"] for e in extents) and any(not e["data"] for e in extents))

    @needs("qemu-io")
    def test_qemu_io_writes_reads_discards_and_zeroes(self):
        self.run_ok("qemu-io", "-f", "raw", "-d", "unmap",
                    "-c", "write -P 0x11 0 1M", "-c", "write -f -P 0x22 4096 8192", "-c", "flush",
                    "-c", "read -P 0x11 0 4096", "-c", "read -P 0x22 4096 8192", "-c", "read -P 0x11 12288 4096",
                    "-c", "discard 64k 64k", "-c", "read -P 0 64k 64k", "-c", "write -z 128k 4k",
                    "-c", "write -z -u 132k 4k", "-c", "read -P 0 128k 8k", "-c", "read -P 0x11 136k 1000",
                    self.uri)

    @needs("qemu-io")
    def test_qemu_io_touches_single_bytes(self):
        self.run_ok("qemu-io", "-f", "raw",
                    "-c", "write -P 0x33 0 16k", "-c", "write -P 0x44 4095 2", "-c", "write -P 0x55 5000 1",
                    "-c", "read -P 0x33 0 4095", "-c", "read -P 0x44 4095 2", "-c", "read -P 0x33 4097 903",
                    "-c", "read -P 0x55 5000 1", "-c", "read -P 0x33 5001 100", "-c", "write -z 8191 1026",
                    "-c", "read -P 0x33 8190 1", "-c", "read -P 0 8191 1026", "-c", "read -P 0x33 9217 1",
                    self.uri)

    @needs("fio")
    def test_fio_verifies_random_writes_at_depth(self):
        engines = subprocess.run(["fio", "--enghelp"], capture_output=True, text=True).stdout
        if "nbd" not in engines.split():
            self.skipTest("this fio has no nbd engine")
        for block_size, pattern in (("4k", "randwrite"), ("512-64k", "randrw"), ("1M", "write")):
            self.run_ok("fio", "--name=verify", "--ioengine=nbd", "--uri=" + self.uri, "--rw=" + pattern,
                        "--bs" + ("range" if "-" in block_size else "") + "=" + block_size, "--iodepth=32",
                        "--size=48M", "--verify=crc32c", "--verify_fatal=1", "--do_verify=1", f"--randseed={SEED}",
                        "--fsync=64" if pattern == "randwrite" else "--end_fsync=1")

    @unittest.skipIf(nbd is None, "not installed: python3-libnbd")
    def test_libnbd_connections_are_coherent(self):
        one, other = nbd.NBD(), nbd.NBD()
        for handle in (one, other):
            handle.add_meta_context("base:allocation")
            handle.connect_uri(self.uri)
        self.assertTrue(one.can_multi_conn())
        for i in range(200):
            data = self.random.randbytes(self.random.randrange(1, 70000))
            offset = self.random.randrange(8 * MIB)
            writer, reader = (one, other) if i % 2 else (other, one)
            writer.pwrite(data, offset, nbd.CMD_FLAG_FUA if i % 7 == 0 else 0)
            self.assertEqual(bytes(reader.pread(len(data), offset)), data)
        one.flush()
        for handle in (one, other):
            handle.shutdown()

    @unittest.skipIf(nbd is None, "not installed: python3-libnbd")
    def test_libnbd_is_told_the_documented_errors(self):
        handle = nbd.NBD()
        handle.set_strict_mode(0)
        handle.connect_uri(self.uri)
        for call, errno in ((lambda: handle.pwrite(b"x" * 512, self.size), "ENOSPC"),
                            (lambda: handle.zero(512, self.size), "ENOSPC"),
                            (lambda: handle.pread(512, self.size - 511), "EINVAL"),
                            (lambda: handle.trim(512, self.size), "EINVAL")):
            with self.assertRaises(nbd.Error) as raised:
                call()
            self.assertEqual(raised.exception.errno, errno)
        handle.pwrite(b"still here", 0)
        self.assertEqual(bytes(handle.pread(10, 0)), b"still here")
        handle.shutdown()

    @needs("nbdfuse", "losetup", "mkfs.ext4", "e2fsck", "fusermount3")
    def test_a_file_system_lives_on_a_loop_device(self):
        if not os.access("/dev/fuse", os.R_OK | os.W_OK) or not os.path.exists("/dev/loop-control") or os.geteuid():
            self.skipTest("no /dev/fuse, no loop devices or not root: no file system was mounted")
        mounted, tree = os.path.join(self.folder, "volume"), os.path.join(self.folder, "tree")
        os.mkdir(tree)
        open(mounted, "w").close()
        fuse = subprocess.Popen(["nbdfuse", mounted, self.uri])
        device = None
        try:
            self.wait_until(lambda: os.path.ismount(mounted) or fuse.poll() is not None)
            self.assertTrue(os.path.ismount(mounted), "nbdfuse did not mount")
            device = self.run_ok("losetup", "--find", "--show", mounted).strip()
            self.run_ok("mkfs.ext4", "-q", "-F", device)
            self.run_ok("mount", device, tree)
            content = {f"file{i}": self.random.randbytes(self.random.randrange(200000)) for i in range(50)}
            for name, data in content.items():
                with open(os.path.join(tree, name), "wb") as f:
                    f.write(data)
                    f.flush()
                    os.fsync(f.fileno())
            self.run_ok("fstrim", tree)
            self.run_ok("umount", tree)
            self.run_ok("e2fsck", "-f", "-n", device)
            self.run_ok("mount", device, tree)
            for name, data in content.items():
                with open(os.path.join(tree, name), "rb") as f:
                    self.assertEqual(f.read(), data)
            self.run_ok("umount", tree)
        finally:
            if os.path.ismount(tree):
                subprocess.run(["umount", tree])
            if device:
                subprocess.run(["losetup", "-d", device])
            subprocess.run(["fusermount3", "-u", mounted])
            fuse.wait(timeout=30)

    def wait_until(self, condition, seconds=10):
        """For a program of somebody else that tells nobody when it is ready."""
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.02)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--server", help="our nbd_test_server")
    where.add_argument("--uri", help="an export of a running server; it is overwritten")
    options, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], "-v"] + rest)
