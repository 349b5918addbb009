"""A whole node with a full catalog, as a client of SMI-S meets it; run by bench/run with a Python that has pywbem.

    smis_catalog.py BUILD FOLDER SECONDS

Starts lockstepd in FOLDER, makes 10,000 volumes and a snapshot of each in groups of 1,000: 10,000 relationships, 20,000
volumes. pywbem writes the requests once; bench_cim_load sends them. Prints a JSON list of what it answers, by work.
"""

import json
import pathlib
import subprocess
import sys

import pywbem

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools" / "quickstart"))

import smis  # noqa: E402
from node import Node  # noqa: E402

VOLUMES, TOGETHER, GROUP = 10_000, 1_000, 10


class Requests:
    """What pywbem sends for an operation, without its time being of interest."""

    def __init__(self, url, folder):
        self.connection = pywbem.WBEMConnection(url, timeout=300)
        self.connection.debug = True
        self._folder = pathlib.Path(folder)

    def of(self, method, run, target):
        """The options of bench_cim_load for what `run` makes the connection send."""
        run(self.connection)
        path = self._folder / f"{method}-{len(list(self._folder.iterdir()))}.xml"
        path.write_text(self.connection.last_raw_request, encoding="utf-8")
        return [f"--body={path}", f"--method={method}", f"--object={target}"]


def fill(node, folder):
    node.cli("pool", "create", "main", str(pathlib.Path(folder) / "catalog-pool"), "--size", "2G")
    client = smis.Pywbem(node.cim_url)
    client.discover()
    for part in range(VOLUMES // TOGETHER):
        node.cli("volume", "create", f"v{part}", "64M", "--count", str(TOGETHER))
        names = [f"v{part}_{number}" for number in range(1, TOGETHER + 1)]
        client.snapshot_elements(names, f"all-{part}")
        print(f"  {(part + 1) * TOGETHER} volumes, each with a snapshot", file=sys.stderr, flush=True)
    return client.service


def completed(result):
    code, out = result
    if code != smis.COMPLETED or out.get("Job"):
        raise SystemExit(f"smis_catalog.py: the group snapshot returned {code}, with the job {out.get('Job')}")


def works(requests, service):
    """By name, in the order of the table: the load's options."""
    c = requests.connection
    namespace = service.namespace
    some = c.EnumerateInstanceNames("CIM_StorageVolume", namespace=namespace)[:GROUP]
    group = c.EnumerateInstanceNames("CIM_ReplicationGroup", namespace=namespace)[0]
    parameters = [("SyncType", pywbem.Uint16(smis.SNAPSHOT)), ("SourceElements", some),
                  ("ReplicationSettingData",
                   pywbem.CIMInstance("CIM_ReplicationSettingData", {"ConsistentPointInTime": True}))]
    call = "CreateGroupReplicaFromElements"
    return {
        "GetInstance of a volume": requests.of("GetInstance", lambda c: c.GetInstance(some[0]), namespace),
        "EnumerateInstances of 20,000 volumes": requests.of(
            "EnumerateInstances", lambda c: c.EnumerateInstances("CIM_StorageVolume", namespace=namespace), namespace),
        "EnumerateInstances of 10,000 relationships": requests.of(
            "EnumerateInstances", lambda c: c.EnumerateInstances("CIM_StorageSynchronized", namespace=namespace),
            namespace),
        "Associators of a group with 1,000 volumes": requests.of(
            "Associators", lambda c: c.Associators(group, AssocClass="CIM_OrderedMemberOfCollection"), namespace),
        f"group snapshot of {GROUP} volumes": requests.of(
            call, lambda c: completed(c.InvokeMethod(call, service, Params=parameters)),
            service.to_wbem_uri(format="cimobject")),
    }


def main():
    build, folder, seconds = sys.argv[1:]
    node = Node(build, folder)
    node.start()
    try:
        service = fill(node, folder)
        port = node.cim_url.rsplit(":", 1)[1]
        load = pathlib.Path(build) / "bench" / "bench_cim_load"
        (pathlib.Path(folder) / "requests").mkdir()
        answers = {}
        for name, options in works(Requests(node.cim_url, pathlib.Path(folder) / "requests"), service).items():
            done = subprocess.run([load, f"--port={port}", f"--pid={node.pid}", "--work=body", f"--seconds={seconds}",
                                   *options], capture_output=True, text=True, check=True)
            answers[name] = json.loads(done.stdout)
            print(f"  {name}: {answers[name]['p50_us'] / 1000:,.2f} ms", file=sys.stderr, flush=True)
        print(json.dumps(answers))
        node.check_alive()
    finally:
        node.stop()


if __name__ == "__main__":
    main()
