"""Pools made, extended and deleted by pywbem, on the devices that the real daemon offers: here files of zeroes.

pywbem comes from PyPI into a virtual environment (made once, in the build folder); where the registry cannot be reached
the test is skipped with a line that says so.
"""
import argparse
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools/quickstart"))

from node import Node  # noqa: E402
from client_venv import go_on_with_pywbem  # noqa: E402

ARGS = None
NODE = None
FOLDER = None
STORAGE = "root/cimv2/storage/iscsitarget"
GIB = 1 << 30


class Pools(unittest.TestCase):
    def setUp(self):
        self.connect()

    def connect(self):
        import pywbem
        self.pywbem = pywbem
        self.conn = pywbem.WBEMConnection(NODE.cim_url, default_namespace=STORAGE)
        self.service, = self.conn.EnumerateInstanceNames("CIM_StorageConfigurationService")

    def call(self, method, *parameters):
        return self.conn.InvokeMethod(method, self.service, parameters)

    def primordial(self):
        pool, = [p for p in self.conn.EnumerateInstances("CIM_StoragePool") if p["Primordial"]]
        return pool

    def available(self):
        code, out = self.conn.InvokeMethod("GetAvailableExtents", self.primordial().path)
        self.assertEqual(code, 0)
        return out["AvailableExtents"] or []

    def uris(self, paths):
        """As strings, in both of the forms that pywbem writes."""
        return ("InExtents", [p.to_wbem_uri(form) for p, form in zip(paths, ("standard", "historical"))])

    def test_the_life_of_a_pool(self):
        extents = self.available()
        self.assertEqual(len(extents), 2, "the third device is no blank one")
        free = int(self.primordial()["RemainingManagedSpace"])
        self.assertAlmostEqual(free, 2 * GIB, delta=GIB / 10)
        code, out = self.call("CreateOrModifyStoragePool", ("ElementName", "made"), self.uris(extents[:1]),
                              ("Size", self.pywbem.Uint64(GIB // 2)))
        self.assertEqual(code, 0)
        pool = out["Pool"]
        self.assertGreater(int(out["Size"]), GIB // 2)
        self.assertEqual(int(self.primordial()["RemainingManagedSpace"]) + int(out["Size"]), free)
        code, out = self.call("CreateOrModifyStoragePool", ("Pool", pool), self.uris(self.available()))
        self.assertEqual(code, 0)
        self.assertEqual(int(out["Size"]), free)
        self.assertEqual(len(self.conn.AssociatorNames(pool, AssocClass="CIM_ConcreteComponent")), 2)
        self.assertEqual(self.available(), [])
        code, out = self.call("CreateOrModifyElementFromStoragePool", ("InPool", pool),
                              ("Size", self.pywbem.Uint64(1 << 20)))
        self.assertEqual(code, 0)
        self.assertEqual(self.call("DeleteStoragePool", ("Pool", pool))[0], 6, "it has a volume")
        NODE.kill()
        NODE.start()
        self.connect()
        self.assertEqual(self.available(), [])
        volume, = self.conn.EnumerateInstanceNames("CIM_StorageVolume")
        self.assertEqual(self.call("ReturnToStoragePool", ("TheElement", volume))[0], 0)
        self.assertEqual(self.call("DeleteStoragePool", ("Pool", pool))[0], 0)
        self.assertEqual(len(self.available()), 2)
        self.assertEqual(os.listdir(os.path.join(FOLDER, "data", "index")), [])

    def test_what_is_advertised_and_what_is_not(self):
        capabilities, = self.conn.Associators(self.service, AssocClass="CIM_ElementCapabilities")
        self.assertLessEqual({2, 3, 4}, {int(n) for n in capabilities["SupportedSynchronousActions"]})
        self.assertEqual([int(n) for n in capabilities["SupportedStoragePoolFeatures"]], [2, 6])
        code, out = self.call("CreateOrModifyStoragePool", self.uris(self.available()),
                              ("Size", self.pywbem.Uint64(1 << 50)))
        self.assertEqual(code, 4097)
        self.assertEqual(int(out["Size"]), int(self.primordial()["RemainingManagedSpace"]))
        self.assertEqual(self.call("CreateOrModifyStoragePool", ("ElementName", "nothing"))[0], 5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--venv", required=True)
    ARGS, rest = parser.parse_known_args()
    go_on_with_pywbem(ARGS.venv)
    with tempfile.TemporaryDirectory() as FOLDER:
        devices = [os.path.join(FOLDER, name) for name in ("one", "two", "taken")]
        for path in devices:
            with open(path, "wb") as file:
                file.write(b"somebody's data" if path.endswith("taken") else b"")
                file.truncate(GIB)
        config = os.path.join(FOLDER, "lockstep.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write("[pools]\ndevices = [" + ", ".join(f'"{path}"' for path in devices) + "]\n")
        NODE = Node(ARGS.build, FOLDER, config)
        try:
            NODE.start()
            unittest.main(argv=[sys.argv[0], *rest], verbosity=1)
        finally:
            NODE.stop()
