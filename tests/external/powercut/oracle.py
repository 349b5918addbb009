"""What volumes may hold after a power cut, from the contract of block/volume.h alone.

Every write carries a tag of its own. Writes are known by the moments of their submission and of their acknowledgement.
What a crash leaves must be what a set of writes leaves that holds everything acknowledged before one of its members was
submitted, and everything acknowledged before a flush that completed was submitted.
"""
import struct
import threading

BLOCK = 4096
NEVER = 1 << 62


def paint(tag, number):
    return struct.pack("<II", number, tag) * (BLOCK // 8) if tag else bytes(BLOCK)


def recognize(data, number):
    """The tag of a block, or None for one that nobody wrote there as a whole."""
    if data == bytes(BLOCK):
        return 0
    found, tag = struct.unpack_from("<II", data)
    return tag if found == number and data == paint(tag, number) else None


class Oracle:
    def __init__(self, volumes, blocks):
        self.lock = threading.Lock()
        self.now = 1
        self.tag = 0
        self.durable = 0
        self.base = {v: [0] * blocks for v in volumes}
        self.writes = {v: [[] for _ in range(blocks)] for v in volumes}  # [tag, submitted, acknowledged]
        self.acknowledged = 0

    def tick(self):
        with self.lock:
            self.now += 1
            return self.now

    def submit(self, volume, first, count):
        with self.lock:
            self.now += 1
            self.tag += 1
            write = [self.tag, self.now, NEVER]
            for block in range(first, first + count):
                self.writes[volume][block].append(write)
            return write

    def acknowledge(self, write):
        with self.lock:
            self.now += 1
            write[2] = self.now
            self.acknowledged += 1

    def flushed(self, submitted):
        with self.lock:
            self.durable = max(self.durable, submitted)

    def explains(self, volume, block, tag, least):
        """The earliest moment up to which everything must have happened for the block to hold `tag`, or None."""
        writes = self.writes[volume][block]

        def superseded(acknowledged):
            return any(w[1] > acknowledged and w[2] < least for w in writes)
        found = [w[1] for w in writes if w[0] == tag and not superseded(w[2])]
        if self.base[volume][block] == tag and not superseded(0):
            found.append(0)
        return min(found) if found else None

    def restarted(self, seen):
        """`seen`: tags by volume. Answers what is wrong, a sentence each, and goes on from what is there."""
        problems, least, again = [], self.durable, True
        while again and not problems:
            again = False
            for volume, tags in seen.items():
                for block, tag in enumerate(tags):
                    moment = self.explains(volume, block, tag, least)
                    if moment is None:
                        problems.append(f"{volume} block {block} holds {tag}; all acknowledged before {least} must be "
                                        f"there; it began with {self.base[volume][block]}, then "
                                        f"{self.writes[volume][block][-8:]}")
                    elif moment > least:
                        least, again = moment, True
        for volume, tags in seen.items():
            self.base[volume] = list(tags)
            self.writes[volume] = [[] for _ in tags]
        self.now += 1
        self.durable = self.now
        return problems
