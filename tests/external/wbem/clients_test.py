"""Every operation of the CIM server, by the two stock clients, against the demo model.

pywbem comes from PyPI into a virtual environment (made once, in the build folder); where the registry or wbemcli is
missing, the part that needs it is skipped with a line that says so.
"""
import argparse
import os
import socket
import subprocess
import sys
import time
import unittest

from client_venv import loud, with_pywbem

ARGS = None
HOST = None


class Wbemcli(unittest.TestCase):
    """wbemcli prints what it could parse; its reader is the strictest of all."""

    def setUp(self):
        try:
            subprocess.run(["wbemcli"], capture_output=True)
        except FileNotFoundError:
            loud("wbemcli is not installed")
            self.skipTest("wbemcli is not installed")

    def cli(self, operation, where, *more, status=0, flags=()):
        done = subprocess.run(["wbemcli", *flags, operation, f"http://{HOST}/{where}", *more], capture_output=True,
            text=True,
                              timeout=20)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_enumerations(self):
        self.assertIn('Demo_Book.Isbn="2"', self.cli("ein", "root/demo:Demo_Item"))
        out = self.cli("ei", "root/demo:Demo_Book")
        self.assertIn('ElementName="漢字 𝄞"', out)
        self.assertIn("Pages=100", out)
        self.assertIn("Demo_Atlas", self.cli("ecn", "root/demo"))
        self.assertIn("Demo_Book", self.cli("ec", "root/demo:Demo_Item"))
        self.assertIn("ElementName=,Name=", self.cli("gc", "root/demo:Demo_Librarian"))
        self.assertEqual(self.cli("ein", "root/demo:Demo_Atlas").strip(), "")

    def test_instances(self):
        self.assertIn('Authors="Knuth","O\'Neil', self.cli("gi",
            'root/demo:Demo_Book.Isbn="1"').replace('Authors[0]=', ''))
        self.assertIn("Cim: (6)", self.cli("gi", 'root/demo:Demo_Book.Isbn="no"', status=16))
        self.assertIn("Cim: (5)", self.cli("ei", "root/demo:No_Class", status=16))
        self.assertIn("Cim: (3)", self.cli("ecn", "root/nowhere", status=16))
        self.cli("mi", 'root/demo:Demo_Book.Isbn="3"', "Pages=42")
        self.assertIn("42", self.cli("gp", 'root/demo:Demo_Book.Isbn="3"', "Pages"))
        self.cli("sp", 'root/demo:Demo_Book.Isbn="3"', "Pages=43")
        self.assertIn("43", self.cli("gp", 'root/demo:Demo_Book.Isbn="3"', "Pages"))
        self.cli("ci", 'root/demo:Demo_Book.Isbn="77"', 'Isbn="77",ElementName="new",Pages=5')
        self.assertIn("Pages=5", self.cli("gi", 'root/demo:Demo_Book.Isbn="77"'))
        self.cli("di", 'root/demo:Demo_Book.Isbn="77"')
        self.assertIn("Cim: (6)", self.cli("di", 'root/demo:Demo_Book.Isbn="77"', status=16))

    def test_associations(self):
        self.assertIn('Demo_Book.Isbn="1"', self.cli("ain", 'root/demo:Demo_Shelf.Id="A"', flags=["-ac", "Demo_Holds"]))
        self.assertIn("Pages=200", self.cli("ai", 'root/demo:Demo_Shelf.Id="A"', flags=["-arc", "Demo_Item"]))
        self.assertIn("Demo_Holds", self.cli("rin", 'root/demo:Demo_Book.Isbn="1"'))
        self.assertIn("Place=1", self.cli("ri", 'root/demo:Demo_Book.Isbn="1"'))

    def test_methods(self):
        out = self.cli("cm", 'root/demo:Demo_Librarian.Name="Ada"', "Lend.Days=3")
        self.assertIn("5", out)
        out = self.cli("cm", 'root/demo:Demo_Librarian.Name="Ada"', "Echo.U8=7,S=hello")
        self.assertIn("hello", out)
        self.assertIn("Cim: (17)", self.cli("cm", 'root/demo:Demo_Librarian.Name="Ada"', "None", status=16))


class RawBytes(unittest.TestCase):
    """What no client of good will sends."""

    def exchange(self, data):
        host, port = HOST.split(":")
        with socket.create_connection((host, int(port)), timeout=10) as s:
            s.sendall(data)
            out = b""
            while chunk := s.recv(65536):
                out += chunk
        return out

    def test_errors_carry_a_length_and_an_end(self):
        for request, status in ((b"PUT /cimom HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            b"405"),
                                (b"rubbish\r\n\r\n", b"400"),
                                (b"POST /cimom HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", b"413"),
                                (b"POST /cimom HTTP/1.0\r\nContent-Length: 0\r\n\r\n", b"400")):
            out = self.exchange(request)
            self.assertEqual(out[9:12], status, out)
            self.assertIn(b"Content-Length: 0\r\n", out)

    def test_half_open_clients_do_not_stop_others(self):
        host, port = HOST.split(":")
        held = [socket.create_connection((host, int(port))) for _ in range(50)]
        for s in held:
            s.sendall(b"POST /cimom HTTP/1.1\r\nHost: x\r\nContent-Le")
        started = time.monotonic()
        self.assertTrue(self.exchange(b"PUT / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 405"))
        self.assertLess(time.monotonic() - started, 5)
        for s in held:
            s.close()


def main():
    global ARGS, HOST
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--venv", required=True)
    ARGS = parser.parse_args()
    server = subprocess.Popen([ARGS.server, "tcp:127.0.0.1:0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True)
    ready = server.stdout.readline().split()
    HOST = ready[1].removeprefix("tcp:")
    result = unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(
        unittest.defaultTestLoader.loadTestsFromTestCase(case) for case in (Wbemcli, RawBytes)))
    failed = not result.wasSuccessful()
    python = with_pywbem(ARGS.venv)
    if python:
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pywbem_client.py")
        failed |= subprocess.run([python, script, f"http://{HOST}"], timeout=300).returncode != 0
    server.stdin.close()
    failed |= server.wait(timeout=20) != 0
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
