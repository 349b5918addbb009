"""Dependent writes and their oracle: what a record looks like, and whether what a group of volumes holds is one prefix.

Record n (from 1 on) is written to volume n mod 3 only after record n-1 was acknowledged and flushed, and it carries
the checksum of record n-1. So the volumes of a consistent point in time hold exactly the records 1..k for some k: a
later record without an earlier one, or one that does not follow from the one before, proves that the point was not
consistent.
"""
import struct
import zlib

VOLUMES = 3
SIZE = 4096  # bytes of a record, one after the other in each volume's slots
_HEAD = struct.Struct("<8sQQI")  # magic, number, salt of the writer's run, checksum of the record before
_MAGIC = b"lockstep"
_TAIL = struct.Struct("<I")


class Broken(Exception):
    """The volumes hold no prefix of the dependent writes."""


def volume_of(number):
    return number % VOLUMES


def offset_of(number):
    """Where the record is in its volume's file, or in the volume itself."""
    return (number - 1) // VOLUMES * SIZE


def checksum(record):
    return _TAIL.unpack_from(record, SIZE - _TAIL.size)[0]


def make(number, salt, previous):
    """The record; `previous` is the checksum of the one before, 0 for the first."""
    head = _HEAD.pack(_MAGIC, number, salt, previous)
    fill = head + (number * 0x9E3779B97F4A7C15 ^ salt).to_bytes(16, "little") * 256
    body = fill[:SIZE - _TAIL.size]
    return body + _TAIL.pack(zlib.crc32(body))


def read(volume, pieces):
    """{number: (checksum, checksum of the one before)} of what one volume holds. `pieces` yields its bytes from
    offset 0 on, in multiples of SIZE but for the last one."""
    found = {}
    offset = 0
    empty = bytes(SIZE)
    for piece in pieces:
        for at in range(0, len(piece), SIZE):
            record = piece[at:at + SIZE]
            place = offset + at
            if record == empty[:len(record)]:
                continue
            if len(record) < SIZE:
                raise Broken(f"volume {volume} ends within the record at offset {place}")
            magic, number, _salt, previous = _HEAD.unpack_from(record)
            if magic != _MAGIC or zlib.crc32(record[:-_TAIL.size]) != checksum(record):
                raise Broken(f"volume {volume}: the record at offset {place} is damaged")
            if volume_of(number) != volume or offset_of(number) != place:
                raise Broken(f"volume {volume}: record {number} stands at offset {place}, where it does not belong")
            found[number] = (checksum(record), previous)
        offset += len(piece)
    return found


def prefix(volumes):
    """The length k of the prefix that the volumes hold together, and the checksum of record k. `volumes` are results of
    read(), in order. Raises Broken when they hold anything else than the records 1..k."""
    together = {}
    for found in volumes:
        together.update(found)
    if not together:
        return 0, 0
    last = max(together)
    missing = [number for number in range(1, last + 1) if number not in together]
    if missing:
        raise Broken(f"record {last} is there, but {len(missing)} before it are not, the first of them {missing[0]}")
    before = 0
    for number in range(1, last + 1):
        own, previous = together[number]
        if previous != before:
            raise Broken(f"record {number} does not follow from the record {number - 1} that is there")
        before = own
    return last, before
