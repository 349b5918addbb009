"""Indications, from the real daemon to pywbem's own listener, subscribed to by pywbem's own subscription manager.

pywbem's listener answers HTTP/1.0 and closes every connection. pywbem comes from PyPI into a virtual environment (made
once, in the build folder); where the registry cannot be reached the test is skipped with a line that says so.
"""
import argparse
import os
import queue
import statistics
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools/quickstart"))

from node import Node  # noqa: E402
from client_venv import go_on_with_pywbem  # noqa: E402

ARGS = None
NODE = None
STORAGE = "root/cimv2/storage/iscsitarget"
CREATED = "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_StorageVolume"
JOB_GOOD = ("SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ConcreteJob AND "
            "ANY SourceInstance.CIM_ConcreteJob::OperationalStatus[*] = 17 AND "
            "ANY SourceInstance.CIM_ConcreteJob::OperationalStatus[*] = 2")
COPY_STATE = ("SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_StorageSynchronized AND "
              "SourceInstance.CIM_StorageSynchronized::CopyState <> "
              "PreviousInstance.CIM_StorageSynchronized::CopyState")
OLD_SYNC_STATE = ("SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_StorageSynchronized AND "
                  "SourceInstance.SyncState <> PreviousInstance.SyncState")


class Heard:
    """A pywbem listener that keeps what it hears."""

    def __init__(self, port=0):
        import pywbem
        self.got = queue.Queue()
        self.listener = pywbem.WBEMListener("127.0.0.1", http_port=port or self.free_port())
        self.listener.add_callback(lambda indication, host: self.got.put((time.monotonic(), indication)))
        self.listener.start()

    @staticmethod
    def free_port():
        import socket
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return s.getsockname()[1]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.listener.http_port}"

    def take(self, count, timeout=30):
        """The next `count` indications."""
        end = time.monotonic() + timeout
        return [self.got.get(timeout=max(0.01, end - time.monotonic())) for _ in range(count)]

    def stop(self):
        self.listener.stop()


class Indications(unittest.TestCase):
    made = 0

    def setUp(self):
        import pywbem
        self.pywbem = pywbem
        self.heard = Heard()
        self.connect()

    def connect(self):
        self.server = self.pywbem.WBEMServer(self.pywbem.WBEMConnection(NODE.cim_url))
        self.manager = self.pywbem.WBEMSubscriptionManager(subscription_manager_id="lockstep")
        self.server_id = self.manager.add_server(self.server)

    def tearDown(self):
        self.manager.remove_all_servers()
        self.heard.stop()

    def subscribe(self, query, language="DMTF:CQL", owned=True):
        """Owned: for as long as the manager is there. Permanent: until somebody deletes it."""
        Indications.made += 1
        def called(what):
            return {f"{what}_id": f"{what}{self.made}"} if owned else {"name": f"kept-{what}"}
        destination = self.manager.add_destination(self.server_id, self.heard.url, owned=owned, **called("destination"))
        found = self.manager.add_filter(self.server_id, [STORAGE], query, language, owned=owned, **called("filter"))
        return self.manager.add_subscriptions(self.server_id, found.path, destination.path, owned=owned)[0]

    def copy(self, name):
        """Makes a volume and a full copy of it; the path of the job."""
        NODE.cli("volume", "create", name, "64M")
        conn = self.pywbem.WBEMConnection(NODE.cim_url, default_namespace=STORAGE)
        service, = conn.EnumerateInstanceNames("CIM_ReplicationService")
        source, = [v.path for v in conn.EnumerateInstances("CIM_StorageVolume") if v["ElementName"] == name]
        settings = self.pywbem.CIMInstance("CIM_ReplicationSettingData", {
            "InstanceID": "x", "DesiredCopyMethodology": self.pywbem.Uint16(3)})
        code, out = conn.InvokeMethod("CreateElementReplica", service, [
            ("SyncType", self.pywbem.Uint16(8)), ("SourceElement", source), ("ReplicationSettingData", settings)])
        self.assertEqual(code, 4096)
        return out["Job"]

    def test_every_volume_is_told_of_once_and_in_order(self):
        self.subscribe(CREATED)
        NODE.cli("volume", "create", "many", "1M", "--count", "300")
        got = [indication for _, indication in self.heard.take(300, 60)]
        self.assertEqual([int(i["SequenceNumber"]) for i in got], list(range(300)))
        self.assertEqual(len({i["SequenceContext"] for i in got}), 1)
        self.assertEqual(len({i["IndicationIdentifier"] for i in got}), 300)
        names = {i["SourceInstance"]["ElementName"] for i in got}
        self.assertEqual(len(names), 300)
        conn = self.pywbem.WBEMConnection(NODE.cim_url)
        path = self.pywbem.CIMInstanceName.from_wbem_uri("/" + got[0]["SourceInstanceModelPath"])
        self.assertEqual(conn.GetInstance(path)["ElementName"], got[0]["SourceInstance"]["ElementName"])

    def test_a_copy_that_ends_is_heard_of_at_once(self):
        for query, language in ((JOB_GOOD, "DMTF:CQL"), (COPY_STATE, "DMTF:CQL"), (OLD_SYNC_STATE, "WQL")):
            self.subscribe(query, language)
        late = []
        for number in range(5):
            job_path = self.copy(f"source{number}")
            heard = self.heard.take(3)
            states = [i for _, i in heard if "CopyState" in i["SourceInstance"]]
            jobs = [(at, i) for at, i in heard if "JobState" in i["SourceInstance"]]
            self.assertEqual((len(states), len(jobs)), (2, 1))
            self.assertEqual([i["SourceInstance"]["CopyState"] for i in states], [4, 4])
            (at, job), = jobs
            self.assertIn(job_path["InstanceID"], job["SourceInstanceModelPath"])
            # From the time that the job's record has for its end, which is before that is durable, to the callback.
            ended = job["SourceInstance"]["TimeOfLastStateChange"].datetime.timestamp()
            late.append(time.time() - (time.monotonic() - at) - ended)
        print("a job's end reached pywbem's listener after", ", ".join(f"{t * 1000:.0f} ms" for t in late))
        # On a busy machine some of them are the scheduler's.
        self.assertLess(min(late), 0.1)
        self.assertLess(statistics.median(late), 1.0)

    def test_subscriptions_survive_kill_9(self):
        subscription = self.subscribe(CREATED, owned=False)
        NODE.kill()
        NODE.start()
        self.connect()
        conn = self.pywbem.WBEMConnection(NODE.cim_url, default_namespace="interop")
        self.assertEqual([s.path for s in conn.EnumerateInstances("CIM_IndicationSubscription")],
                         [subscription.path])
        NODE.cli("volume", "create", "later", "1M")
        (_, indication), = self.heard.take(1)
        self.assertEqual(indication["SourceInstance"]["ElementName"], "later")
        self.assertEqual(indication["SequenceNumber"], 0)
        for path in (subscription.path, subscription.path["Filter"], subscription.path["Handler"]):
            conn.DeleteInstance(path)
        self.assertEqual(conn.EnumerateInstances("CIM_ListenerDestination"), [])

    def test_a_listener_by_name_and_alerts(self):
        destination = self.manager.add_destination(self.server_id, self.heard.url.replace("127.0.0.1", "localhost"),
                                                   destination_id="named")
        found, = [f for f in self.server.conn.EnumerateInstances("CIM_IndicationFilter", namespace="interop")
                  if f["Name"] == "Lockstep:Alerts"]
        self.manager.add_subscriptions(self.server_id, found.path, destination.path)
        self.copy("base")
        (_, alert), = self.heard.take(1)
        self.assertEqual((alert["MessageID"], alert["OwningEntity"]), ("LOCKSTEP6", "Lockstep"))
        self.assertIn("Lockstep_StorageSynchronized", alert["AlertingManagedElement"])

    def test_what_is_left_when_all_is_removed(self):
        self.subscribe(CREATED)
        self.manager.remove_all_servers()
        conn = self.pywbem.WBEMConnection(NODE.cim_url, default_namespace="interop")
        self.assertEqual(conn.EnumerateInstanceNames("CIM_IndicationSubscription"), [])
        self.assertEqual(conn.EnumerateInstanceNames("CIM_ListenerDestination"), [])
        filters = conn.EnumerateInstances("CIM_IndicationFilter")
        self.assertTrue(filters and all(f["Name"].startswith("Lockstep:") for f in filters))
        service, = conn.EnumerateInstances("CIM_IndicationService")
        self.assertTrue(service["FilterCreationEnabled"])
        with self.assertRaises(self.pywbem.CIMError):
            conn.DeleteInstance(filters[0].path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--venv", required=True)
    ARGS, rest = parser.parse_known_args()
    go_on_with_pywbem(ARGS.venv)
    with tempfile.TemporaryDirectory() as folder:
        NODE = Node(ARGS.build, folder)
        try:
            NODE.start()
            NODE.cli("pool", "create", "p", os.path.join(folder, "p.pool"), "--size", "2G")
            unittest.main(argv=[sys.argv[0], *rest], verbosity=1)
        finally:
            NODE.stop()
