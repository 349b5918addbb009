"""Clients of ill will, over the real network: many connections, half of a request, bodies without end, enumerations
that nobody closes, replies that nobody reads. The server stays small, says clearly what it refuses, and serves the
others.
"""
import argparse
import re
import resource
import select
import socket
import subprocess
import sys
import time
import unittest

BOOKS = 10_000
PORT = PID = None
CLASS = '<IPARAMVALUE NAME="ClassName"><CLASSNAME NAME="Demo_Book"/></IPARAMVALUE>'
GROWTH_MIB = 64


def resident_mib():
    with open(f"/proc/{PID}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) / 1024


def message(operation, parameters):
    body = ('<?xml version="1.0" encoding="utf-8" ?><CIM CIMVERSION="2.0" DTDVERSION="2.0"><MESSAGE ID="1" '
            f'PROTOCOLVERSION="1.0"><SIMPLEREQ><IMETHODCALL NAME="{operation}"><LOCALNAMESPACEPATH>'
            f'<NAMESPACE NAME="root"/><NAMESPACE NAME="demo"/></LOCALNAMESPACEPATH>{parameters}'
            "</IMETHODCALL></SIMPLEREQ></MESSAGE></CIM>")
    return ("POST /cimom HTTP/1.1\r\nHost: h\r\nContent-Type: application/xml\r\nCIMOperation: MethodCall\r\n"
            f"CIMMethod: {operation}\r\nCIMObject: root/demo\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()


def connect():
    return socket.create_connection(("127.0.0.1", PORT), timeout=30)


def exchange(client, request):
    """One request with a short reply: its body."""
    client.sendall(request)
    reply = b""
    while b"\r\n\r\n" not in reply:
        reply += client.recv(65536)
    head, _, body = reply.partition(b"\r\n\r\n")
    length = int(re.search(rb"Content-Length: (\d+)", head)[1])
    while len(body) < length:
        body += client.recv(65536)
    return head, body


def read_all(client):
    out = b""
    try:
        while chunk := client.recv(65536):
            out += chunk
    except ConnectionResetError:
        pass
    return out


class Hostile(unittest.TestCase):
    def setUp(self):
        self.before = resident_mib()
        self.clients = []

    def tearDown(self):
        for client in self.clients:
            client.close()
        self.assertLess(resident_mib() - self.before, GROWTH_MIB)

    def hold(self, count, request=b""):
        for _ in range(count):
            client = connect()
            if request:
                client.sendall(request)
            self.clients.append(client)

    def assert_others_are_served(self):
        started = time.monotonic()
        with connect() as client:
            _, body = exchange(client, message("GetClass", CLASS))
        self.assertIn(b'<CLASS NAME="Demo_Book"', body)
        self.assertLess(time.monotonic() - started, 5)

    def test_a_thousand_connections_and_half_requests(self):
        self.hold(500)
        self.hold(500, b"POST /cimom HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n<?xml")
        self.assert_others_are_served()
        self.hold(100)
        refused = [c for c in self.clients[-60:] if self.is_refused(c)]
        self.assertTrue(refused, "more than connections_max were taken")
        for client in self.clients[:200]:
            client.close()
        del self.clients[:200]
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                return self.assert_others_are_served()
            except (TypeError, ConnectionError, AssertionError):
                continue  # the server has not seen all of them go yet
        self.fail("nobody is served any more")

    @staticmethod
    def is_refused(client):
        client.settimeout(5)
        try:
            out = client.recv(100)
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True
        return out == b"" or out.startswith(b"HTTP/1.1 503")

    def test_a_body_of_100_mb(self):
        with connect() as client:
            client.sendall(b"POST /cimom HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n")
            self.assertTrue(read_all(client).startswith(b"HTTP/1.1 413"))
        with connect() as client:
            client.sendall(b"POST /cimom HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
            sent = 0
            try:
                while sent < 100:
                    client.sendall(chunk)
                    sent += 1
            except OSError:
                pass
            self.assertLess(sent, 100)
        self.assert_others_are_served()

    def test_many_large_bodies_at_once(self):
        part = b"POST /cimom HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n" + b"<" * 3_000_000
        self.clients = [connect() for _ in range(60)]
        refused = 0
        for client in self.clients:
            client.settimeout(2)
            try:
                client.sendall(part)
            except OSError:
                refused += 1
        self.assert_others_are_served()
        # What was sent may still lie in the kernel's buffers: the answer comes when the server has come to it.
        deadline = time.monotonic() + 20
        while refused == 0 and time.monotonic() < deadline:
            answered, _, _ = select.select(self.clients, [], [], 1)
            for client in answered:
                try:
                    refused += client.recv(100).startswith(b"HTTP/1.1 503")
                except OSError:
                    pass
        self.assertGreater(refused, 0, "180 MB were taken in")
        for client in self.clients:
            client.close()
        self.clients = []
        # What unfinished requests may hold together is given back with their connections.
        deadline = time.monotonic() + 20
        while resident_mib() - self.before > GROWTH_MIB / 2 and time.monotonic() < deadline:
            self.assert_others_are_served()

    def test_enumerations_that_nobody_closes(self):
        opening = message("OpenEnumerateInstances",
                          CLASS + '<IPARAMVALUE NAME="MaxObjectCount"><VALUE>1</VALUE></IPARAMVALUE>')
        with connect() as mine, connect() as greedy:
            _, opened = exchange(mine, opening)
            context = re.search(rb'EnumerationContext"[^>]*><VALUE>([^<]+)', opened)[1].decode()
            for _ in range(3000):
                _, body = exchange(greedy, opening)
                self.assertIn(b"<VALUE>FALSE</VALUE>", body)
            pull = (f'<IPARAMVALUE NAME="EnumerationContext"><VALUE>{context}</VALUE></IPARAMVALUE>'
                    '<IPARAMVALUE NAME="MaxObjectCount"><VALUE>3</VALUE></IPARAMVALUE>')
            _, body = exchange(mine, message("PullInstancesWithPath", pull))
            self.assertEqual(body.count(b"<VALUE.INSTANCEWITHPATH>"), 3, body[:300])

    def test_replies_that_nobody_reads(self):
        self.clients = [connect() for _ in range(100)]
        for client in self.clients:
            client.sendall(message("EnumerateInstances", CLASS))
        self.assert_others_are_served()
        # Those who read then get everything.
        for client in self.clients[:5]:
            body = b""
            while not body.endswith(b"</CIM>\n\r\n0\r\n\r\n"):
                piece = client.recv(1 << 20)
                self.assertTrue(piece)
                body = body[-100:] + piece
        self.assert_others_are_served()


def main():
    global PORT, PID
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    args = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4096:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    server = subprocess.Popen([args.server, "tcp:127.0.0.1:0", str(BOOKS)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    PORT, PID = int(server.stdout.readline().rpartition(":")[2]), server.pid
    result = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.loadTestsFromTestCase(Hostile))
    server.stdin.close()
    code = server.wait(timeout=60)
    sys.exit(0 if result.wasSuccessful() and code == 0 else 1)


if __name__ == "__main__":
    main()
