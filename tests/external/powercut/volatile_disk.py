"""A disk with a volatile cache, served over NBD on a Unix socket, that can lose its power.

What was written is seen by every read at once, and is stable after a flush. When the power goes, each sector becomes
what it was at the last flush or any of the contents that were written to it since.
"""
import os
import random
import socket
import struct
import threading

SECTOR = 512
OPTION_MAGIC, REPLY_MAGIC = 0x49484156454F5054, 0x0003E889045565A9
REQUEST_MAGIC, SIMPLE_REPLY_MAGIC = 0x25609513, 0x67446698
EXPORT_NAME, ABORT, GO, INFO = 1, 2, 7, 6
READ, WRITE, DISCONNECT, FLUSH, TRIM, ZEROES = 0, 1, 2, 3, 4, 6
FLAGS = 1 | 4 | 8 | 32 | 64  # has flags, flush, FUA, trim, write zeroes


class VolatileDisk:
    def __init__(self, path, size, image=None):
        self.path = path
        self.stable = bytearray(size)
        if image:
            with open(image, "rb") as f:
                content = f.read()
            self.stable[:len(content)] = content
        self.current = bytearray(self.stable)
        self.unflushed = []  # (offset, bytes), oldest first
        self.lock = threading.Lock()
        self.powered = True
        self.writes = self.flushes = self.lost = 0
        self.listener = socket.socket(socket.AF_UNIX)
        if os.path.exists(path):
            os.unlink(path)
        self.listener.bind(path)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    # --- the medium

    def write(self, offset, data):
        with self.lock:
            if self.powered:
                self.current[offset:offset + len(data)] = data
                self.unflushed.append((offset, data))
                self.writes += 1

    def flush(self):
        with self.lock:
            if self.powered:
                for offset, data in self.unflushed:
                    self.stable[offset:offset + len(data)] = data
                self.unflushed = []
                self.flushes += 1

    def cut_power(self, rng):
        """From here on nothing reaches the medium any more; what was not flushed is decided."""
        with self.lock:
            self.powered = False
            versions = {}
            for number, (offset, data) in enumerate(self.unflushed):
                for sector in range(offset // SECTOR, (offset + len(data) + SECTOR - 1) // SECTOR):
                    versions.setdefault(sector, []).append(number)
            whole = rng.choice(["lost", "kept", "mixed", "mixed", "mixed", "mixed"])
            for sector, numbers in versions.items():
                pick = 0 if whole == "lost" else len(numbers) if whole == "kept" else rng.randrange(len(numbers) + 1)
                self.lost += pick != len(numbers)
                if pick == 0:
                    continue
                begin = sector * SECTOR
                for number in numbers[:pick]:
                    offset, data = self.unflushed[number]
                    first, last = max(begin, offset), min(begin + SECTOR, offset + len(data))
                    self.stable[first:last] = data[first - offset:last - offset]
            self.unflushed = []
            self.current = bytearray(self.stable)

    def restore_power(self):
        with self.lock:
            self.powered = True

    # --- the server

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            if self.handshake(connection):
                self.transmit(connection)
        except (OSError, EOFError):
            pass
        finally:
            connection.close()

    @staticmethod
    def take(connection, count):
        data = bytearray()
        while len(data) < count:
            piece = connection.recv(min(count - len(data), 1 << 20))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def handshake(self, connection):
        connection.sendall(struct.pack(">8sQH", b"NBDMAGIC", OPTION_MAGIC, 3))
        self.take(connection, 4)
        while True:
            _, option, length = struct.unpack(">QII", self.take(connection, 16))
            self.take(connection, length)
            if option == EXPORT_NAME:
                connection.sendall(struct.pack(">QH", len(self.stable), FLAGS))
                return True
            if option in (GO, INFO):
                info = struct.pack(">HQH", 0, len(self.stable), FLAGS)
                connection.sendall(struct.pack(">QIII", REPLY_MAGIC, option, 3, len(info)) + info)
                connection.sendall(struct.pack(">QIII", REPLY_MAGIC, option, 1, 0))
                if option == GO:
                    return True
            elif option == ABORT:
                return False
            else:
                connection.sendall(struct.pack(">QIII", REPLY_MAGIC, option, 0x80000001, 0))

    def transmit(self, connection):
        while True:
            _, flags, kind, handle, offset, length = struct.unpack(">IHHQQI", self.take(connection, 28))
            answer = b""
            if kind == DISCONNECT:
                return
            if kind == WRITE:
                self.write(offset, self.take(connection, length))
            elif kind == READ:
                with self.lock:
                    answer = bytes(self.current[offset:offset + length])
            elif kind == ZEROES:
                self.write(offset, bytes(length))
            elif kind == FLUSH:
                self.flush()
            if flags & 1 and kind in (WRITE, ZEROES):
                self.flush()
            if not self.powered:
                return
            connection.sendall(struct.pack(">IIQ", SIMPLE_REPLY_MAGIC, 0, handle) + answer)


def fresh_random():
    return random.Random(int.from_bytes(os.urandom(8), "little"))
