"""The dependent writer as a process under our hand: start, how far it is, stop, and how it ended."""
import os
import signal
import sys

import processes
import records
import writer

HERE = os.path.dirname(os.path.abspath(__file__))


class Workload:
    def __init__(self, folder):
        self._path = os.path.join(folder, "writer.progress")
        self._errors = os.path.join(folder, "writer.log")
        self._process = None
        with open(self._path, "wb") as f:
            f.write(bytes(writer.PROGRESS_SIZE))

    def start(self, targets, after, previous):
        """Goes on after record `after`, whose checksum is `previous`."""
        with open(self._path, "r+b") as f:
            f.write(after.to_bytes(8, "little") * 2)
        with open(self._errors, "ab") as errors:
            self._process = processes.start(
                sys.executable, os.path.join(HERE, "writer.py"), "--progress", self._path, "--first", after + 1,
                "--previous", previous, *targets, stderr=errors)

    def _number(self, which):
        with open(self._path, "rb") as f:
            numbers = memoryview(f.read(writer.PROGRESS_SIZE)).cast("Q")
        return numbers[which]

    def begun(self):
        return self._number(writer.BEGUN)

    def flushed(self):
        return self._number(writer.FLUSHED)

    def wait_for(self, number):
        """Until that record is flushed."""
        processes.wait_until(lambda: self.flushed() >= number or self._process.poll() is not None,
                             f"record {number} flushed", 60)
        if self._process.poll() is not None:
            raise processes.Failure(f"the writer ended with {self._process.returncode}: {self.last_words()}")

    def wait_for_more(self, count=3 * records.VOLUMES):
        """Some more records than there are now."""
        self.wait_for(self.flushed() + count)

    def last_words(self):
        with open(self._errors, encoding="utf-8") as errors:
            return (errors.read().splitlines() or [""])[-1]

    def wait_for_failure(self):
        """Until a write has failed; what it says."""
        self._process.wait(60)
        if self._process.returncode != 3:
            raise processes.Failure(f"the writer ended with {self._process.returncode} and not because a write failed")
        return self.last_words()

    def end(self):
        """However it is."""
        if self._process is not None:
            processes.stop(self._process, signal.SIGTERM, timeout=5)

    def stop(self):
        """After the write in hand; the last record flushed."""
        if self._process is not None and processes.stop(self._process, signal.SIGTERM) not in (0, 3):
            raise processes.Failure(f"the writer ended with {self._process.returncode}: {self.last_words()}")
        return self.flushed()
