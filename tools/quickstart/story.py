"""What the person in front of it sees: progress as it goes, claims that are checked, a summary at the end."""
import sys
import time

import processes


class Story:
    def __init__(self):
        self._begin = time.monotonic()
        self._summary = []
        self.claims = 0

    def seconds(self):
        return time.monotonic() - self._begin

    def _print(self, text):
        print(f"[{self.seconds():6.1f} s] {text}", flush=True)

    def chapter(self, title):
        self._print("")
        self._print("== " + title)

    def say(self, text):
        self._print("   " + text)

    def claim(self, true, text):
        """Says it when it is true, ends the run when it is not."""
        if not true:
            raise processes.Failure("NOT TRUE: " + text)
        self.claims += 1
        self._print("ok " + text)

    def loud(self, text):
        print(f"\n!!! {text}\n", file=sys.stderr, flush=True)

    def remember(self, text):
        """For the summary."""
        self._summary.append(text)

    def tell_summary(self):
        print("\nWhat this showed:", flush=True)
        for number, line in enumerate(self._summary, 1):
            print(f" {number:2}. {line}", flush=True)
        print(f"\n{self.claims} claims checked, all true, in {self.seconds():.0f} s", flush=True)
