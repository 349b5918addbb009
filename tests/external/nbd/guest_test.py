#!/usr/bin/env python3
"""A real Linux guest (QEMU, TCG) whose disk is one of our volumes, over NBD.

    guest_test.py --server PATH/nbd_test_server --cache FOLDER
    guest_test.py --uri 'nbd+unix:///vol?socket=/run/x.sock' --cache FOLDER     (the volume is overwritten)

The guest is Debian's cloud kernel and busybox, taken from their packages (downloaded, not installed) into FOLDER once.
It writes numbered 4 KiB records to its disk and says "ACK n" when the kernel has told it that record n is synced. Then
the guest is started again, after a clean power-off or after its QEMU was killed, and must find every record that it had
acknowledged, unbroken. Skipped, with the reason, where QEMU or the packages cannot be had.
"""
import argparse
import glob
import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

options = None

INIT = r"""#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
for m in $(cat /modules/order); do insmod /modules/$m; done
for w in $(cat /proc/cmdline); do case $w in guest.*=*) k=${w%%=*}; eval "${k#guest.}=${w#*=}";; esac; done
i=0; while [ ! -b /dev/vda ] && [ $i -lt 200 ]; do usleep 50000; i=$((i+1)); done
[ -b /dev/vda ] || { echo "GUEST-FAIL there is no disk"; poweroff -f; }
record() { line="record $1 of run $run"; yes "$line" | head -c 4096; }
n=0
case $mode in
write)
  while [ $n -lt $count ]; do
    record $n | dd of=/dev/vda bs=4096 seek=$n conv=notrunc,fsync iflag=fullblock 2>/dev/null || break
    echo "ACK $n"; n=$((n+1))
  done
  echo "WROTE $n";;
check)
  while dd if=/dev/vda bs=4096 skip=$n count=1 iflag=direct of=/found 2>/dev/null; do
    record $n > /wanted
    cmp -s /found /wanted || break
    n=$((n+1))
  done
  head -c 4096 /dev/zero > /wanted
  cmp -s /found /wanted && echo "FOUND $n then zeroes" || echo "FOUND $n then something else";;
esac
poweroff -f
"""
# In the order of their dependencies; those that the kernel has built in are not there.
MODULES = ["virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_blk"]


def unpack(package, cache):
    """Downloads a Debian package into the cache, once, and unpacks it there."""
    folder = os.path.join(cache, package)
    if not os.path.isdir(folder):
        with tempfile.TemporaryDirectory(dir=cache) as work:
            done = subprocess.run(["apt-get", "download", package], cwd=work, capture_output=True, text=True)
            found = glob.glob(os.path.join(work, "*.deb"))
            if done.returncode != 0 or not found:
                raise unittest.SkipTest(f"{package} cannot be downloaded: {done.stderr.strip()}")
            subprocess.run(["dpkg-deb", "-x", found[0], os.path.join(work, "tree")], check=True)
            os.rename(os.path.join(work, "tree"), folder)
    return folder


def kernel_package():
    shown = subprocess.run(["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True).stdout
    match = re.search(r"Depends: (\S+)", shown)
    if not match:
        raise unittest.SkipTest("the package lists name no cloud kernel: run apt-get update")
    return match.group(1)


class Archive:
    """A cpio archive in the "newc" format, as the kernel takes for its first file system."""

    def __init__(self):
        self.parts, self.count = [], 0

    def add(self, name, mode, data=b""):
        self.count += 1
        fields = [self.count, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        entry = b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0"
        entry += b"\0" * (-len(entry) % 4) + data
        self.parts.append(entry + b"\0" * (-len(entry) % 4))

    def bytes(self):
        self.add("TRAILER!!!", 0)
        return b"".join(self.parts)


def build_guest(cache):
    """Answers the paths of a kernel and an initial file system."""
    os.makedirs(cache, exist_ok=True)
    kernel_tree, busybox_tree = unpack(kernel_package(), cache), unpack("busybox-static", cache)
    archive = Archive()
    for folder in ("bin", "dev", "proc", "sys", "modules"):
        archive.add(folder, 0o040755)
    with open(glob.glob(busybox_tree + "/**/bin/busybox", recursive=True)[0], "rb") as f:
        archive.add("bin/busybox", 0o100755, f.read())
    present = []
    for module in MODULES:
        found = glob.glob(f"{kernel_tree}/**/{module}.ko", recursive=True)
        if found:
            present.append(module + ".ko")
            with open(found[0], "rb") as f:
                archive.add("modules/" + present[-1], 0o100644, f.read())
    archive.add("modules/order", 0o100644, "\n".join(present).encode())
    archive.add("init", 0o100755, INIT.encode())
    initrd = os.path.join(cache, "initrd.gz")
    with gzip.open(initrd, "wb", compresslevel=1) as f:
        f.write(archive.bytes())
    return glob.glob(kernel_tree + "/boot/vmlinuz-*")[0], initrd


@unittest.skipIf(shutil.which("qemu-system-x86_64") is None, "not installed: qemu-system-x86")
class GuestTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kernel, cls.initrd = build_guest(options.cache)

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="nbd")
        self.server = None
        self.uri = options.uri
        if options.server:
            socket = os.path.join(self.folder, "nbd.sock")
            self.server = subprocess.Popen([options.server, "unix:" + socket, "vol=64MiB"], stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, text=True)
            self.assertTrue(self.server.stdout.readline().startswith("ready "))
            self.uri = "nbd+unix:///vol?socket=" + socket
        else:
            subprocess.run(["qemu-io", "-f", "raw", "-d", "unmap", "-c", "discard 0 64M", self.uri], check=True)

    def tearDown(self):
        if self.server:
            self.server.communicate(timeout=30)
        shutil.rmtree(self.folder)

    def start(self, mode, run, count=0):
        return subprocess.Popen(
            ["qemu-system-x86_64", "-machine", "pc", "-accel", "tcg", "-cpu", "max", "-m", "192", "-nodefaults",
             "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", self.kernel, "-initrd", self.initrd,
             "-append", f"console=ttyS0 quiet panic=-1 guest.mode={mode} guest.run={run} guest.count={count}",
             "-drive", f"if=none,id=d0,format=raw,cache=writeback,file={self.uri}",
             "-device", "virtio-blk-pci,drive=d0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")

    def check(self, run):
        """How many records of the run a fresh guest finds, in order and unbroken."""
        out, _ = self.start("check", run).communicate(timeout=300)
        found = re.search(r"FOUND (\d+) then (.*)", out)
        self.assertIsNotNone(found, out)
        return int(found.group(1)), found.group(2).strip()

    def test_records_are_there_after_a_reboot(self):
        out, _ = self.start("write", 1, 100).communicate(timeout=300)
        self.assertIn("WROTE 100", out)
        self.assertEqual(self.check(1), (100, "zeroes"))

    def test_acknowledged_records_survive_the_guests_sudden_end(self):
        guest = self.start("write", 2, 10000)
        acknowledged = 0
        for line in guest.stdout:
            match = re.match(r"ACK (\d+)", line)
            if match:
                acknowledged = int(match.group(1)) + 1
            if acknowledged == 50:
                guest.kill()
        guest.wait()
        guest.stdout.close()
        found, _ = self.check(2)
        self.assertGreaterEqual(found, acknowledged)
        self.assertGreaterEqual(acknowledged, 50)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--server", help="our nbd_test_server")
    where.add_argument("--uri", help="an export of a running server; it is overwritten")
    parser.add_argument("--cache", required=True, help="folder for the guest's kernel and tools")
    options, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], "-v"] + rest)
