"""The writer of dependent writes, a process of its own: record n goes to volume n mod 3 only after record n-1 was
acknowledged and flushed.

    writer.py --progress FILE --first N --previous CHECKSUM TARGET TARGET TARGET

A target is file:PATH (pwrite and fdatasync on a file system) or nbd:URI (write and flush by libnbd). It runs until
SIGTERM (exit code 0, after the write in hand) or until a write fails (exit code 3, with the reason on standard error).
FILE tells how far it is: two 64-bit numbers, the last record that was begun, and the last that was flushed.
"""
import argparse
import mmap
import os
import signal
import sys

import records

PROGRESS_SIZE = 16
BEGUN, FLUSHED = 0, 1  # the numbers in it


class FileTarget:
    def __init__(self, path):
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def write(self, record, offset):
        if os.pwrite(self._fd, record, offset) != len(record):
            raise OSError("a short write")
        os.fdatasync(self._fd)


class NbdTarget:
    def __init__(self, uri):
        import nbd  # only the raw mode needs it
        self._handle = nbd.NBD()
        self._handle.connect_uri(uri)

    def write(self, record, offset):
        self._handle.pwrite(record, offset)
        self._handle.flush()


def open_target(text):
    kind, _, where = text.partition(":")
    return {"file": FileTarget, "nbd": NbdTarget}[kind](where)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--progress", required=True)
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--previous", type=int, required=True)
    parser.add_argument("targets", nargs=records.VOLUMES)
    options = parser.parse_args()

    stop = False

    def on_term(_signal, _frame):
        nonlocal stop
        stop = True

    signal.signal(signal.SIGTERM, on_term)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the quickstart, which ends us
    with open(options.progress, "r+b") as f:
        progress = memoryview(mmap.mmap(f.fileno(), PROGRESS_SIZE)).cast("Q")
    number, previous, salt = options.first, options.previous, int.from_bytes(os.urandom(8), "little")
    try:
        targets = [open_target(text) for text in options.targets]
        while not stop:
            record = records.make(number, salt, previous)
            progress[BEGUN] = number
            targets[records.volume_of(number)].write(record, records.offset_of(number))
            progress[FLUSHED] = number
            previous = records.checksum(record)
            number += 1
    except Exception as error:  # libnbd raises an error of its own, which is no OSError
        print(f"writer: record {number}: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
