"""The judges of CIM servers, against the real daemon with a pool and volumes: pywbem's own end-to-end tests for any
server (from its source distribution on PyPI), pywbemcli and wbemcli walking over everything that the server shows.

Where the registry cannot be reached, or wbemcli is missing, the part that needs it is skipped with a line that says so.
"""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools/quickstart"))

from node import Node  # noqa: E402
from client_venv import loud, with_packages  # noqa: E402

ARGS = None
NODE = None
NAMESPACES = ("interop", "root/cimv2/storage/iscsitarget")
PACKAGES = ("pywbem", "pywbemtools", "pytest", "pytest-easy-server")


def run(*words, **more):
    return subprocess.run(words, capture_output=True, text=True, timeout=240, **more)


def source_of_pywbem(python, folder):
    """The unpacked source distribution of the pywbem that `python` has, or None."""
    version = run(python, "-c", "import pywbem; print(pywbem.__version__)").stdout.strip()
    unpacked = os.path.join(folder, f"pywbem-{version}")
    if os.path.isdir(unpacked):
        return unpacked
    done = run(python, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "pywbem", "-d", folder,
               f"pywbem=={version}")
    archives = glob.glob(os.path.join(folder, "pywbem-*.tar.gz"))
    if done.returncode != 0 or not archives:
        loud("no source distribution of pywbem: " + done.stderr.strip()[-200:])
        return None
    with tarfile.open(archives[0]) as archive:
        archive.extractall(folder, filter="data")
    return unpacked


class EndToEnd(unittest.TestCase):
    """pywbem's tests/end2endtest; what needs a class of OpenPegasus's test providers is not there to be run."""

    TESTS = ("test_server.py", "test_profile_generic.py")

    def test_pywbem_finds_no_fault(self):
        if not ARGS.python:
            self.skipTest("no pywbem")
        source = source_of_pywbem(ARGS.python, ARGS.venv)
        if not source:
            self.skipTest("no source of pywbem")
        with tempfile.TemporaryDirectory() as folder:
            server, vault = os.path.join(folder, "server.yml"), os.path.join(folder, "vault.yml")
            with open(vault, "w", encoding="utf-8") as f:
                f.write("secrets:\n  lockstep:\n    user: null\n    password: null\n    no_verification: true\n")
            with open(server, "w", encoding="utf-8") as f:
                f.write(f"vault_file: {vault}\ndefault: lockstep\nservers:\n  lockstep:\n    description: lockstepd\n"
                        f"    user_defined:\n      docker_image: null\n      url: {NODE.cim_url}\n"
                        "      default_namespace: interop\n      capabilities: [interop, namespaces, profiles]\n")
            done = run(ARGS.python, "-m", "pytest", "-q", *[f"tests/end2endtest/{t}" for t in self.TESTS], "--es-file",
                       server, cwd=source)
        counts = re.findall(r"(\d+) (passed|failed|error)", done.stdout)
        print("pywbem's end-to-end tests:", done.stdout.strip().splitlines()[-1])
        self.assertEqual(done.returncode, 0, done.stdout[-4000:])
        self.assertGreaterEqual(sum(int(n) for n, what in counts if what == "passed"), 24)


class Pywbemcli(unittest.TestCase):
    def setUp(self):
        if not ARGS.python:
            self.skipTest("no pywbem")

    def cli(self, *words):
        done = run(os.path.join(os.path.dirname(ARGS.python), "pywbemcli"), "-s", NODE.cim_url, *words)
        self.assertEqual(done.returncode, 0, " ".join(words) + "\n" + done.stdout + done.stderr)
        return done.stdout

    def test_the_server_describes_itself(self):
        self.assertIn("Lockstep", self.cli("server", "brand"))
        for namespace in NAMESPACES:
            self.assertIn(namespace, self.cli("namespace", "list"))
        self.assertIn("SNIA", self.cli("profile", "list"))

    def test_everything_is_walked(self):
        for namespace in NAMESPACES:
            self.assertIn("CIM_ManagedElement", self.cli("-d", namespace, "class", "enumerate", "--di", "--no"))
            self.cli("-d", namespace, "class", "enumerate", "--di")
            self.assertIn("Key", self.cli("-d", namespace, "qualifier", "enumerate"))
            counted = self.cli("instance", "count", "-n", namespace)
            classes = re.findall(r"^.*?(\w+_\w+)\s+(\d+)\s*$", counted, re.M)
            self.assertTrue(classes, counted)
            for name, count in classes:
                with self.subTest(cls=name):
                    listed = self.cli("-d", namespace, "instance", "enumerate", name, "--no", "--di")
                    self.assertGreaterEqual(len(listed.split(name)) - 1, int(count), listed)

    def test_with_pull_operations_and_without(self):
        # Queries are not asked for: `pywbemcli instance query` of 1.3 fails by itself, whatever the server.
        where = ("-d", NAMESPACES[1])
        for pull in ("yes", "no"):
            out = self.cli("--use-pull", pull, *where, "instance", "enumerate", "CIM_StorageVolume", "--pl",
                           "ElementName")
            self.assertIn("v_1", out)


class Wbemcli(unittest.TestCase):
    def setUp(self):
        if not shutil.which("wbemcli"):
            loud("wbemcli is not installed")
            self.skipTest("wbemcli is not installed")

    def cli(self, operation, what, *more):
        done = run("wbemcli", operation, NODE.cim_url + "/" + what, *more)
        self.assertEqual(done.returncode, 0, f"{operation} {what}: {done.stdout}{done.stderr}")
        return done.stdout.splitlines()

    def test_everything_is_walked(self):
        instances = 0
        for namespace in NAMESPACES:
            for cls in self.cli("ecn", namespace):
                name = cls.partition(":")[2]
                self.cli("gc", f"{namespace}:{name.rpartition(':')[2]}")
                paths = self.cli("ein", f"{namespace}:{name.rpartition(':')[2]}")
                instances += len(paths)
                for path in paths[:2]:
                    target = namespace + ":" + path.split(namespace + ":", 1)[1]
                    self.cli("gi", target)
                    # A reference within a key cannot be written for wbemcli.
                    if "=" + namespace not in target and ':"' not in target:
                        self.cli("ain", target)
                        self.cli("rin", target)
        self.assertGreater(instances, 20)


def main():
    global ARGS, NODE
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--venv", required=True)
    ARGS = parser.parse_args()
    ARGS.build, ARGS.venv = os.path.abspath(ARGS.build), os.path.abspath(ARGS.venv)
    ARGS.python = with_packages(ARGS.venv, *PACKAGES, importing="pywbem, pywbemtools, pytest_easy_server")
    with tempfile.TemporaryDirectory() as folder:
        NODE = Node(ARGS.build, folder)
        NODE.start()
        try:
            NODE.cli("pool", "create", "main", os.path.join(folder, "pool"), "--size", "1G")
            NODE.cli("volume", "create", "v", "64M", "--count", "3")
            result = unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(
                unittest.defaultTestLoader.loadTestsFromTestCase(case) for case in (EndToEnd, Pywbemcli, Wbemcli)))
        finally:
            code = NODE.stop()
    sys.exit(0 if result.wasSuccessful() and code == 0 else 1)


if __name__ == "__main__":
    main()
