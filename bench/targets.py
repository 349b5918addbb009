"""The processes that are measured and those that measure."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

MIB = 2**20
GIB = 2**30
VOLUME = 1 * GIB  # of the volume, and of the peer's raw file
POOL = 4 * GIB    # room for the volume and for what one cell writes over it


class Failed(Exception):
    """A program that is measured, or that measures, did not do what it should."""


@dataclasses.dataclass(frozen=True)
class Cell:
    write: bool
    random: bool
    block: int
    depth: int

    @property
    def rw(self):
        return ("rand" if self.random else "") + ("write" if self.write else "read")

    @property
    def name(self):
        size = f"{self.block // MIB} MiB" if self.block >= MIB else f"{self.block // 1024} KiB"
        order = "random" if self.random else "sequential"
        return f"{order} {'write' if self.write else 'read'} {size}, depth {self.depth}"


@dataclasses.dataclass(frozen=True)
class Rate:
    iops: float
    median_us: float
    p99_us: float
    cpu_us: float  # of the server, for each request; nan where there is none


def _cpu_seconds(pid):
    # utime and stime, fields 14 and 15 of proc(5) .../stat; the command's name may contain blanks.
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fio(cell, seconds, engine, server_pid=None):
    """Runs one cell; `engine` is the list of options that say where to."""
    command = ["fio", "--name=cell", f"--rw={cell.rw}", f"--bs={cell.block}", f"--iodepth={cell.depth}",
               f"--size={VOLUME}", f"--runtime={seconds}", "--norandommap", "--randrepeat=0", "--output-format=json",
               *engine]
    # Reads go on for the whole time; a cell writes the volume's size at most, so that the pool's size bounds it.
    if not cell.write:
        command.append("--time_based")
    cpu = _cpu_seconds(server_pid) if server_pid else float("nan")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    if server_pid:
        cpu = _cpu_seconds(server_pid) - cpu
    # The nbd engine says a line before the JSON.
    job = json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]["write" if cell.write else "read"]
    latency = job["clat_ns"]["percentile"]
    return Rate(job["iops"], latency["50.000000"] / 1e3, latency["99.000000"] / 1e3,
                cpu * 1e6 / max(job["total_ios"], 1))


def write_fully(path, size):
    """Makes a file whose every block is allocated and written, so that nobody is measured converting extents."""
    command = ["fio", "--name=fill", f"--filename={path}", "--rw=write", "--bs=1M", f"--size={size}", "--direct=1",
               "--ioengine=io_uring", "--iodepth=8", "--end_fsync=1", "--refill_buffers", "--output-format=terse"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"cannot write {path}: {done.stderr.strip()}")


class Direct:
    """fio on the file itself: what the disk gives through the file system."""

    name = "fio on the disk"

    def __init__(self, raw):
        self._raw = raw

    def measure(self, cell, seconds):
        return fio(cell, seconds, ["--ioengine=io_uring", "--direct=1", f"--filename={self._raw}"])


class _Server:
    def _wait_until_it_listens(self, socket):
        deadline = time.monotonic() + 60
        while not os.path.exists(socket):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"{self.name} does not listen: {self._process.args}")
            time.sleep(0.01)

    def _measure(self, cell, seconds, export, socket):
        uri = f"nbd+unix:///{export}?socket={socket}"
        return fio(cell, seconds, ["--ioengine=nbd", f"--uri={uri}"], self._process.pid)


class QemuNbd(_Server):
    """The peer, on a raw file of the same disk."""

    name = "qemu-nbd"

    def __init__(self, directory, raw):
        self._socket = str(directory / "qemu.sock")
        self._process = subprocess.Popen(["qemu-nbd", "--format=raw", "--cache=none", "--aio=io_uring", "--shared=8",
                                          "--persistent", f"--socket={self._socket}", str(raw)])
        self._wait_until_it_listens(self._socket)

    def measure(self, cell, seconds):
        return self._measure(cell, seconds, "", self._socket)

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()


class Lockstep(_Server):
    """Ours. A cell that writes gets a new pool, so that each begins alike; those that read share one."""

    name = "lockstep"

    def __init__(self, programs, directory, pool):
        self._command = [str(programs / "bench_nbd_server"), f"--file={pool}", f"--index={directory / 'index'}",
                         f"--at=unix:{directory / 'lockstep.sock'}", f"--volume={VOLUME}"]
        self._socket = str(directory / "lockstep.sock")
        self._process = None

    def _start(self):
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self._process.stdout.readline().strip() != "ready":
            raise Failed("bench_nbd_server did not start")

    def measure(self, cell, seconds):
        if cell.write:
            self.stop()
        if self._process is None:
            self._start()
        rate = self._measure(cell, seconds, "v", self._socket)
        if cell.write:
            self.stop()
        return rate

    def stop(self):
        if self._process is not None:
            self._process.communicate()
            self._process = None


def engine(programs, directory, pool, cell, seconds):
    """The engine without a protocol."""
    done = run_program(programs / "bench_engine", [
        f"--file={pool}", f"--index={directory / 'index'}", f"--op={'write' if cell.write else 'read'}",
        f"--pattern={'random' if cell.random else 'sequential'}", f"--block={cell.block}", f"--depth={cell.depth}",
        f"--seconds={seconds}", f"--volume={VOLUME}", f"--bytes={VOLUME if cell.write else 64 * GIB}"])
    return Rate(done["iops"], done["median_us"], done["p99_us"], done["cpu_us_per_op"])


def group_point(programs, directory, pool, members, snapshots):
    """Group snapshots in the engine; the answer is the program's own, see bench/group_point.cc."""
    return run_program(programs / "bench_group_point", [f"--file={pool}", f"--index={directory / 'index'}",
                                                     f"--members={members}", f"--snapshots={snapshots}"])


def past(programs, directory, pool, options, seconds):
    """A long past: points by the thousand or a deep chain; the answer is the program's own, see bench/past.cc."""
    return run_program(programs / "bench_past", [f"--file={pool}", f"--index={directory / 'index'}",
                                                 f"--seconds={seconds}", *options.split()])


def smis_group(python, build, directory, snapshots, members):
    """Group snapshots through SMI-S and lockstepd; the answer is that of smis_group.py."""
    script = pathlib.Path(__file__).resolve().parent / "smis_group.py"
    return run_program(python, [str(script), str(build), str(directory), str(snapshots), *map(str, members)])


def smis_catalog(python, build, directory, seconds):
    """A whole node with a full catalog; the answer is that of smis_catalog.py."""
    script = pathlib.Path(__file__).resolve().parent / "smis_catalog.py"
    return run_program(python, [str(script), str(build), str(directory), str(seconds)])


def python_with_pywbem(directory):
    """Of a virtual environment, which sees Debian's libnbd too; made when it is not there."""
    python = directory / "bin" / "python"
    if not python.exists():
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--system-site-packages", str(directory)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        "pywbem>=1.7,<2"], check=True, stdout=sys.stderr)
    return python


def run_program(path, arguments):
    """Runs one of the benchmark programs; its answer is a line of JSON."""
    done = subprocess.run([str(path), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{path.name}: {done.stderr.strip()}")
    return json.loads(done.stdout)
