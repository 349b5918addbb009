#!/usr/bin/env python3
"""Power cuts on the real stack: lockstepd in a QEMU guest, on disks with volatile caches.

    powercut.py --build FOLDER [--times N] [--seed N] [--cache FOLDER]

The guest is Debian's cloud kernel and busybox with lockstepd, lockstep and their libraries in its first file system.
Its two disks (the pool, and an ext4 for the data directory) are served from here, by volatile_disk.py. Clients outside
the guest write to three volumes over NBD and flush, while a group replica is renewed inside; then QEMU is killed, each
disk's cache is torn apart, and the guest is started again on what is left. The oracle (oracle.py) is outside as well:
it knows what was acknowledged and flushed, and reads everything back before the next round. Exit code 1 when something
was lost; 77 where it cannot run (no QEMU, no packages to download).
"""
import argparse
import glob
import gzip
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "nbd")]
import guest_test as guest  # noqa: E402
from oracle import BLOCK, Oracle, paint, recognize  # noqa: E402
from volatile_disk import VolatileDisk  # noqa: E402

POOL_SIZE, DATA_SIZE, VOLUME_BLOCKS = 192 << 20, 64 << 20, 2048
VOLUMES = ["db_1", "db_2", "db_3"]
MODULES = ["virtio_pci", "virtio_blk", "virtio_net", "crc32c_generic", "ext4", "virtio_rng"]
BOOT_LIMIT = 240

INIT = r"""#!/bin/busybox sh
export PATH=/bin:/sbin
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev; mount -t tmpfs run /run
for m in $(cat /modules/order); do insmod /modules/$m; done
for w in $(cat /proc/cmdline); do case $w in guest.*=*) k=${w%%=*}; eval "${k#guest.}=${w#*=}";; esac; done
ip link set lo up; ip addr add 10.0.2.15/24 dev eth0; ip link set eth0 up
i=0; while [ ! -b /dev/vdb ] && [ $i -lt 200 ]; do usleep 50000; i=$((i+1)); done
mkdir -p /data /run/lockstep
mount -t ext4 /dev/vdb /data || { echo "GUEST-FAIL the data disk cannot be mounted"; poweroff -f; }
lockstepd --config /etc/lockstep.conf --schema /schema >/run/out 2>&1 &
i=0; while ! grep -q ^ready /run/out && [ $i -lt 1200 ]; do
  kill -0 $! 2>/dev/null || break; usleep 50000; i=$((i+1)); done
grep -q ^ready /run/out || { cat /run/out; echo "GUEST-FAIL lockstepd does not start"; poweroff -f; }
try() { lockstep "$@" >/run/said 2>&1 || { cat /run/said /run/out; echo "GUEST-FAIL lockstep $*"; poweroff -f; }; }
if [ "$first" = 1 ]; then
  try pool create main /dev/vda
  try volume create db ${volume_mib}M --count 3
  for v in db_1 db_2 db_3; do try export create $v; done
  try group create databases db_1 db_2 db_3
  try replica create group databases --name nightly
  sync
fi
try status
echo "GUEST-READY"
while lockstep replica resync nightly >/run/said 2>&1; do echo "RESYNC"; usleep 300000; done
cat /run/said /run/out; echo "GUEST-FAIL a resync"
"""

CONFIG = """[node]
data_directory = "/data/lockstep"
[nbd]
listen = ["tcp:0.0.0.0:10809"]
allow_remote = true
[cim]
listen = []
"""


class CannotRun(Exception):
    pass


def module_closure(tree, names):
    """Files of the modules and of what they depend on, in the order in which they are to be loaded."""
    order = []

    def add(name):
        found = glob.glob(f"{tree}/**/{name}.ko", recursive=True) or \
            glob.glob(f"{tree}/**/{name.replace('_', '-')}.ko", recursive=True)
        if not found or found[0] in order:
            return
        with open(found[0], "rb") as f:
            depends = re.search(rb"\0depends=([^\0]*)\0", f.read())
        for other in (depends.group(1).decode().split(",") if depends else []):
            if other:
                add(other)
        if found[0] not in order:
            order.append(found[0])
    for name in names:
        add(name)
    return order


def build_guest(build, cache):
    """Answers kernel and initial file system."""
    os.makedirs(cache, exist_ok=True)
    try:
        kernel, busybox = guest.unpack(guest.kernel_package(), cache), guest.unpack("busybox-static", cache)
    except unittest.SkipTest as why:
        raise CannotRun(str(why)) from why
    archive = guest.Archive()
    folders = set()

    def folder(path):
        if path and path not in folders:
            folder(os.path.dirname(path))
            folders.add(path)
            archive.add(path, 0o040755)

    def add(name, data, mode=0o100755):
        folder(os.path.dirname(name))
        archive.add(name, mode, data)

    def add_file(name, path):
        with open(path, "rb") as f:
            add(name, f.read())
    for name in ("dev", "proc", "sys", "run", "data", "sbin", "tmp"):
        folder(name)
    add_file("bin/busybox", glob.glob(busybox + "/**/bin/busybox", recursive=True)[0])
    libraries = set()
    for program in ("lockstepd", "lockstep"):
        built = os.path.join(build, "apps", program, program)
        with tempfile.TemporaryDirectory() as work:
            stripped = os.path.join(work, program)
            subprocess.run(["strip", "-o", stripped, built], check=True)
            add_file("bin/" + program, stripped)
        shown = subprocess.run(["ldd", built], capture_output=True, text=True, check=True).stdout
        libraries |= set(re.findall(r"(/\S+\.so\S*)", shown))
    for library in sorted(libraries):
        add_file(library.lstrip("/"), os.path.realpath(library))
    for path in glob.glob(os.path.join(HERE, "..", "..", "..", "schema", "**", "*"), recursive=True):
        if os.path.isfile(path):
            add_file("schema/" + os.path.relpath(path, os.path.join(HERE, "..", "..", "..", "schema")), path)
    modules = module_closure(kernel, MODULES)
    for path in modules:
        add_file("modules/" + os.path.basename(path), path)
    add("modules/order", "\n".join(os.path.basename(m) for m in modules).encode())
    add("etc/lockstep.conf", CONFIG.encode())
    add("init", INIT.encode())
    initrd = os.path.join(cache, "powercut.gz")
    with gzip.open(initrd, "wb", compresslevel=1) as f:
        f.write(archive.bytes())
    return glob.glob(kernel + "/boot/vmlinuz-*")[0], initrd


class Guest:
    """One life of the machine."""

    def __init__(self, kernel, initrd, disks, first):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "768", "-nodefaults", "-display", "none",
                   "-no-reboot", "-serial", "stdio", "-kernel", kernel, "-initrd", initrd, "-append",
                   f"console=ttyS0 quiet panic=-1 guest.first={int(first)} "
                   f"guest.volume_mib={VOLUME_BLOCKS * BLOCK >> 20}",
                   "-netdev", f"user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-10.0.2.15:10809",
                   "-device", "virtio-net-pci,netdev=n0", "-device", "virtio-rng-pci"]
        for number, disk in enumerate(disks):
            command += ["-blockdev", f"driver=nbd,server.type=unix,server.path={disk.path},node-name=d{number}",
                        "-device", f"virtio-blk-pci,drive=d{number},write-cache=on"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, errors="replace")
        self.lines = []
        self.ready, self.over = threading.Event(), threading.Event()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if "GUEST-READY" in line:
                self.ready.set()
            if "GUEST-FAIL" in line:
                self.ready.set()
        self.over.set()
        self.ready.set()

    def failed(self):
        return [line for line in self.lines if "GUEST-FAIL" in line]

    def kill(self):
        self.process.kill()
        self.process.wait()


class Load(threading.Thread):
    """A client: writes, reads and flushes one volume until the connection breaks."""

    def __init__(self, port, volume, oracle, seed, problems):
        super().__init__(daemon=True)
        self.port, self.volume, self.oracle, self.problems = port, volume, oracle, problems
        self.rng = random.Random(seed)
        self.requests = 0

    def run(self):
        import nbd  # Debian's binding
        try:
            handle = nbd.NBD()
            handle.connect_uri(f"nbd://127.0.0.1:{self.port}/{self.volume}")
            while True:
                self.step(handle)
                self.requests += 1
        except nbd.Error:
            pass  # the power is gone

    def step(self, handle):
        what = self.rng.random()
        first = self.rng.randrange(VOLUME_BLOCKS if self.rng.random() < 0.3 else VOLUME_BLOCKS // 16)
        count = min(VOLUME_BLOCKS - first, self.rng.choice([1, 1, 1, 2, 4, 16]))
        if what < 0.12:
            submitted = self.oracle.tick()
            handle.flush()
            self.oracle.flushed(submitted)
        elif what < 0.2:
            submitted = self.oracle.tick()
            data = handle.pread(BLOCK, first * BLOCK)
            tag = recognize(bytes(data), first)
            with self.oracle.lock:
                if tag is None or self.oracle.explains(self.volume, first, tag, submitted) is None:
                    self.problems.append(f"a read of {self.volume} block {first} answers {tag}")
        else:
            write = self.oracle.submit(self.volume, first, count)
            handle.pwrite(b"".join(paint(write[0], first + i) for i in range(count)), first * BLOCK)
            self.oracle.acknowledge(write)


def read_all(port):
    import nbd
    seen = {}
    for volume in VOLUMES:
        handle = nbd.NBD()
        handle.connect_uri(f"nbd://127.0.0.1:{port}/{volume}")
        tags = []
        for at in range(0, VOLUME_BLOCKS, 256):
            data = bytes(handle.pread(256 * BLOCK, at * BLOCK))
            tags += [recognize(data[i * BLOCK:(i + 1) * BLOCK], at + i) for i in range(256)]
        seen[volume] = tags
        handle.shutdown()
    return seen


class Rehearsal:
    def __init__(self, arguments, folder):
        self.arguments = arguments
        self.rng = random.Random(arguments.seed)
        self.kernel, self.initrd = build_guest(arguments.build, arguments.cache)
        image = os.path.join(folder, "data.img")
        with open(image, "wb") as f:
            f.truncate(DATA_SIZE)
        subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", image], check=True)
        self.disks = [VolatileDisk(os.path.join(folder, "pool.sock"), POOL_SIZE),
                      VolatileDisk(os.path.join(folder, "data.sock"), DATA_SIZE, image)]
        self.oracle = Oracle(VOLUMES, VOLUME_BLOCKS)
        self.problems = []
        self.requests = self.resyncs = 0

    def boot(self, first):
        machine = Guest(self.kernel, self.initrd, self.disks, first)
        if not machine.ready.wait(BOOT_LIMIT) or machine.over.is_set() or machine.failed():
            machine.kill()
            self.problems += machine.failed() or ["the guest does not come up"]
            print("\n".join(machine.lines[-40:]), flush=True)
            return None
        return machine

    def round(self, number):
        machine = self.boot(number == 0)
        if machine is None:
            return
        if number != 0:
            self.problems += self.oracle.restarted(read_all(machine.port))
        clients = [Load(machine.port, volume, self.oracle, self.rng.random(), self.problems)
                   for volume in VOLUMES for _ in range(2)]
        for client in clients:
            client.start()
        time.sleep(self.rng.uniform(0.5, self.arguments.longest))
        # The disks first: what the dying guest still sends reaches nobody.
        pending = [len(d.unflushed) for d in self.disks]
        for disk in self.disks:
            disk.cut_power(self.rng)
        machine.kill()
        for client in clients:
            client.join(30)
            self.requests += client.requests
        for disk in self.disks:
            disk.restore_power()
        self.problems += machine.failed()
        resyncs = sum("RESYNC" in line for line in machine.lines)
        self.resyncs += resyncs
        print(f"cut {number + 1}: {sum(c.requests for c in clients)} requests, {resyncs} resyncs, unflushed writes "
              f"{pending[0]} (pool) and {pending[1]} (data)", flush=True)

    def run(self):
        began = time.monotonic()
        number = 0
        while number < self.arguments.times and not self.problems:
            self.round(number)
            number += 1
        if not self.problems and (machine := self.boot(False)):
            self.problems += self.oracle.restarted(read_all(machine.port))
            machine.kill()
        for problem in self.problems[:20]:
            print("LOST:", problem)
        print(f"{number} power cuts, {self.requests} requests, {self.oracle.acknowledged} acknowledged writes, "
              f"{self.resyncs} resyncs, {sum(d.lost for d in self.disks)} sectors lost of what was not flushed, "
              f"{time.monotonic() - began:.0f} s, seed {self.arguments.seed}: "
              f"{'FAILED' if self.problems else 'nothing lost'}")
        return 1 if self.problems else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--longest", type=float, default=5, help="seconds of load before a cut, at most")
    parser.add_argument("--cache", help="where downloaded packages are kept (BUILD/guest)")
    arguments = parser.parse_args()
    arguments.cache = arguments.cache or os.path.join(arguments.build, "guest")
    if shutil.which("qemu-system-x86_64") is None:
        print("skipped: qemu-system-x86 is not installed")
        return 77
    with tempfile.TemporaryDirectory(prefix="powercut") as folder:
        try:
            return Rehearsal(arguments, folder).run()
        except CannotRun as why:
            print(f"skipped: {why}")
            return 77


if __name__ == "__main__":
    sys.exit(main())
