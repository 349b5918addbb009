"""Group snapshots through SMI-S, as a client sees them; run by bench/run with a Python that has pywbem and libnbd.

    smis_group.py BUILD FOLDER SNAPSHOTS MEMBERS ...

Starts lockstepd in FOLDER, makes as many volumes as the largest group needs, and for each number of MEMBERS calls
CreateGroupReplicaFromElements SNAPSHOTS times while a client writes to one of the volumes over NBD, one 4 KiB write
after another. Prints a JSON list with, for each number, the milliseconds of each call and of the longest write.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools" / "quickstart"))

import cost  # noqa: E402
import smis  # noqa: E402
from node import Node  # noqa: E402


def measure(node, client, members, snapshots):
    names = [f"v_{number}" for number in range(1, members + 1)]
    costs = []
    for number in range(snapshots):
        result, _ = cost.measure(node.uri("v_1"),
                                 lambda: client.snapshot_elements(names, f"s-{members}-{number}"))  # noqa: B023
        costs.append(result)
    return {"members": members, "call_ms": [c.call for c in costs], "held_ms": [c.held for c in costs],
            "before_ms": [c.before for c in costs]}


def main():
    build, folder, snapshots, *members = sys.argv[1:]
    members = [int(m) for m in members]
    node = Node(build, folder)
    node.start()
    try:
        node.cli("pool", "create", "main", str(pathlib.Path(folder) / "smis-pool"), "--size", "1G")
        # Two at least: a name is numbered only when it stands for several.
        node.cli("volume", "create", "v", "64M", "--count", str(max(2, *members)))
        node.cli("export", "create", "v_1")
        client = smis.Pywbem(node.cim_url)
        client.discover()
        print(json.dumps([measure(node, client, count, int(snapshots)) for count in members]))
        node.check_alive()
    finally:
        node.stop()


if __name__ == "__main__":
    main()
