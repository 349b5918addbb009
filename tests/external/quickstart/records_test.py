#!/usr/bin/env python3
"""The check of the quickstart: it accepts exactly the prefixes of dependent writes."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools/quickstart"))
import records  # noqa: E402


def written(count, salt=7):
    """The bytes of the three volumes after so many writes."""
    volumes = [bytearray() for _ in range(records.VOLUMES)]
    previous = 0
    for number in range(1, count + 1):
        record = records.make(number, salt, previous)
        previous = records.checksum(record)
        volume = volumes[records.volume_of(number)]
        offset = records.offset_of(number)
        volume.extend(bytes(offset + records.SIZE - len(volume)))
        volume[offset:offset + records.SIZE] = record
    return volumes


def prefix(volumes):
    return records.prefix([records.read(index, [bytes(volume)]) for index, volume in enumerate(volumes)])[0]


class Prefix(unittest.TestCase):
    def test_every_prefix_is_one(self):
        for count in range(20):
            self.assertEqual(prefix(written(count)), count)

    def test_a_volume_that_is_behind_is_a_hole(self):
        volumes = written(30)
        volumes[1] = written(20)[1]
        with self.assertRaisesRegex(records.Broken, "first of them 22"):
            prefix(volumes)

    def test_a_volume_that_is_ahead_is_a_later_write(self):
        volumes = written(20)
        volumes[2] = written(30)[2]
        with self.assertRaisesRegex(records.Broken, "record 29 is there"):
            prefix(volumes)

    def test_a_zeroed_record_is_a_hole(self):
        volumes = written(30)
        volumes[0][:records.SIZE] = bytes(records.SIZE)
        with self.assertRaisesRegex(records.Broken, "first of them 3"):
            prefix(volumes)

    def test_a_torn_record_is_damage(self):
        volumes = written(30)
        volumes[0][records.SIZE + 512:2 * records.SIZE] = bytes(records.SIZE - 512)
        with self.assertRaisesRegex(records.Broken, "damaged"):
            prefix(volumes)

    def test_volumes_that_are_swapped_are_told(self):
        volumes = written(30)
        volumes[0], volumes[1] = volumes[1], volumes[0]
        with self.assertRaisesRegex(records.Broken, "does not belong"):
            prefix(volumes)

    def test_records_of_another_history_do_not_follow(self):
        volumes = written(30)
        volumes[1] = written(30, salt=8)[1]
        with self.assertRaisesRegex(records.Broken, "does not follow"):
            prefix(volumes)


if __name__ == "__main__":
    unittest.main()
