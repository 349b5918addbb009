"""The two ways to see a volume: as a file system (NBD, nbdfuse, a loop device, ext4), or raw through libnbd. Both have

    target()            where the writer of dependent writes shall write, in its own words
    records(index)      what it holds of them (records.read)
    fill(length)        some data beside the records, for a copy to take time
    mark(text), marks() writes something that is no record; what was written so
    close()             lets go of it in order, or however it can when the server is gone
"""
import contextlib
import glob
import os
import shutil
import signal
import subprocess

import processes
import records

PIECE = 1 << 20


def file_systems_missing():
    """Why real file systems cannot be put on volumes here; empty when they can."""
    for device in ("/dev/fuse", "/dev/loop-control"):
        if not os.path.exists(device):
            return f"there is no {device}"
    for program in ("nbdfuse", "losetup", "mkfs.ext4", "mountpoint", "fusermount3"):
        if not shutil.which(program):
            return f"{program} is not installed"
    if processes.run("losetup", "--find", check=False).returncode != 0:
        return "no loop device can be had"
    return ""


def is_mounted(path):
    """From the kernel's list: mountpoint(1) takes a FUSE mount whose server has died for none."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        return any(line.split()[4].encode().decode("unicode_escape") == path for line in mounts)


def unmount(command, path):
    """False when it was busy, and was only taken out of sight."""
    if not is_mounted(path) or processes.run(*command, path, check=False).returncode == 0:
        return True
    processes.run("umount", "-l", path, check=False)
    return False


def loop_of(path):
    """The loop device that is on the file, or None. It may be there although we were interrupted before losetup told
    us so."""
    for backing in glob.glob("/sys/block/loop*/loop/backing_file"):
        try:
            with open(backing, encoding="utf-8") as f:
                if f.read().rstrip("\n") == path:
                    return "/dev/" + backing.split("/")[3]
        except OSError:
            pass  # it has gone since
    return None


class FileSystem:
    """ext4 on a volume. `folder` is made, and removed by close()."""

    def __init__(self, uri, folder, make):
        self._folder = folder
        self._file = os.path.join(folder, "file")
        self._mounted = os.path.join(folder, "fs")
        self._loop = None
        os.makedirs(self._mounted)
        open(self._file, "w").close()
        with open(folder + ".log", "ab") as log:
            self._fuse = processes.start("nbdfuse", self._file, uri, stdout=log, stderr=log)
        try:
            self._attach()
            if make:
                processes.run("mkfs.ext4", "-q", "-F", self._loop)
            processes.run("mount", "-t", "ext4", self._loop, self._mounted)
            # Without this, writes would go to the file system of the machine.
            if processes.run("mountpoint", "-q", self._mounted, check=False).returncode != 0:
                raise processes.Failure(f"{self._mounted} is no mount point after mount")
        except BaseException:
            self.close()
            raise

    def _attach(self):
        processes.wait_until(lambda: is_mounted(self._file) or self._fuse.poll() is not None, "nbdfuse")
        if self._fuse.poll() is not None:
            raise processes.Failure(f"nbdfuse ended with {self._fuse.returncode}")
        done = processes.run("losetup", "--find", "--show", "--sector-size", "512", "--direct-io=on", self._file)
        self._loop = done.stdout.strip()

    def _record_path(self):
        return os.path.join(self._mounted, "records")

    def target(self):
        return "file:" + self._record_path()

    def records(self, index):
        if not os.path.exists(self._record_path()):
            return {}
        with open(self._record_path(), "rb") as f:
            return records.read(index, iter(lambda: f.read(PIECE), b""))

    def fill(self, length):
        with open(os.path.join(self._mounted, "filler"), "wb") as f:
            for _ in range(length // PIECE):
                f.write(os.urandom(PIECE))
            f.flush()
            os.fsync(f.fileno())

    def mark(self, text):
        with open(os.path.join(self._mounted, "mark-" + text), "w", encoding="utf-8") as f:
            f.write(text)
            f.flush()
            os.fsync(f.fileno())
        directory = os.open(self._mounted, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)

    def marks(self):
        return sorted(name.removeprefix("mark-") for name in os.listdir(self._mounted) if name.startswith("mark-"))

    def close(self):
        """Can be called again when it failed."""
        clean = unmount(["umount"], self._mounted)
        for loop in {self._loop, loop_of(self._file)} - {None}:
            processes.run("losetup", "-d", loop, check=False)
        self._loop = None
        clean = unmount(["fusermount3", "-u"], self._file) and clean
        # It flushes and disconnects once nothing is mounted any more; a dead server has ended it long since.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._fuse.wait(20)
        processes.stop(self._fuse, signal.SIGTERM)
        shutil.rmtree(self._folder, ignore_errors=True)
        if not clean:
            raise processes.Failure(f"{self._folder} was busy and could not be unmounted in order")


class Raw:
    """A volume without a file system: records from its beginning, filler and marks further on."""

    FILLER = 256 << 20
    MARKS = 480 << 20
    MARK = 4096

    def __init__(self, uri, _folder, _make):
        import nbd  # only here, so that the other way does not need it
        self._uri = uri
        self._handle = nbd.NBD()
        self._handle.connect_uri(uri)

    def target(self):
        return "nbd:" + self._uri

    def _pieces(self):
        for offset in range(0, self.FILLER, PIECE):
            piece = bytes(self._handle.pread(PIECE, offset))
            # The writer fills its slots in order and within one piece of each other: an empty piece is the end.
            if not any(piece):
                # ... and the next one proves that nothing stands behind a hole of that size.
                if any(self._handle.pread(PIECE, offset + PIECE)):
                    raise records.Broken(f"{PIECE} empty bytes at offset {offset}, and more behind")
                return
            yield piece

    def records(self, index):
        return records.read(index, self._pieces())

    def fill(self, length):
        for offset in range(0, length, PIECE):
            self._handle.pwrite(os.urandom(PIECE), self.FILLER + offset)
        self._handle.flush()

    def _marks(self):
        return bytes(self._handle.pread(self.MARK, self.MARKS)).rstrip(b"\0").decode().split()

    def mark(self, text):
        marks = " ".join(self._marks() + [text]).encode()
        self._handle.pwrite(marks.ljust(self.MARK, b"\0"), self.MARKS)
        self._handle.flush()

    def marks(self):
        return sorted(self._marks())

    def close(self):
        with contextlib.suppress(Exception):  # the server may be gone
            self._handle.shutdown()
