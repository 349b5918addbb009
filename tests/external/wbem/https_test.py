"""lockstepd over HTTPS, as stock clients see it: openssl s_client, curl, pywbem; users, roles, audit log.

Parts whose client is missing are skipped with a line that says so.
"""
import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from client_venv import loud, with_pywbem

ARGS = None
STORAGE = "root/cimv2/storage/iscsitarget"
PYWBEM = """
import sys, pywbem
url, user, password, ca, act = sys.argv[1:]
c = pywbem.WBEMConnection(url, (user, password), default_namespace="%s", ca_certs=ca, timeout=20)
try:
    if act == "read":
        print(len(c.EnumerateInstanceNames("CIM_ReplicationService")))
    else:
        service = c.EnumerateInstanceNames("CIM_ReplicationService")[0]
        print(c.InvokeMethod("CreateGroup", service, GroupName=act)[0])
except pywbem.AuthError:
    print("AuthError")
except pywbem.CIMError as error:
    print("CIMError", error.status_code)
except pywbem.HTTPError as error:
    print("HTTPError", error.status)
""" % STORAGE


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


def make_certificate(folder, name, authority=None):
    """NAME.pem and NAME.key, of its own authority or of one that was made before."""
    def path(file):
        return os.path.join(folder, file)

    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path(name + ".key"), "-subj",
           "/CN=" + name]
    if authority is None:
        openssl("req", "-x509", *new, "-days", "2", "-addext", "subjectAltName=IP:127.0.0.1", "-out",
                path(name + ".pem"))
        return
    openssl("req", *new, "-out", path(name + ".csr"))
    openssl("x509", "-req", "-in", path(name + ".csr"), "-CA", path(authority + ".pem"), "-CAkey",
            path(authority + ".key"), "-CAcreateserial", "-days", "2", "-out", path(name + ".pem"))


class Daemon:
    """lockstepd with its data in a folder; where[face] is an address without its scheme."""

    def __init__(self, folder, config, *options):
        self.where = {}
        with open(os.path.join(folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [ARGS.lockstepd, "--config", config, "--data-directory", os.path.join(folder, "data"), "--admin-socket",
                 os.path.join(folder, "admin.sock"), "--nbd", "off", *options],
                stdout=subprocess.PIPE, stderr=log, text=True)
        for line in self.process.stdout:
            face, _, at = line.strip().partition(" ")
            self.where[face] = at.removeprefix("tcp:")
            if face == "ready":
                return
        self.process.stdout.close()
        raise AssertionError(f"lockstepd did not start: {self.process.wait()}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        assert code == 0, code


def curl(url, *options):
    """The status of a POST without a body, or "exit N"."""
    done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST", *options, url],
                          capture_output=True, text=True, timeout=30)
    return done.stdout if done.returncode == 0 else f"exit {done.returncode}"


class Https(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="lockstep-https-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        make_certificate(cls.folder, "test-ca")
        make_certificate(cls.folder, "other-ca")
        for name, authority in (("host7", "test-ca"), ("host8", "test-ca"), ("host9", "other-ca")):
            make_certificate(cls.folder, name, authority)
        cls.write("check.sh", '#!/bin/sh\n[ "$(tr -d "\\0")" = "from the system" ] && [ "$PAM_USER" = petra ]\n')
        os.chmod(cls.path("check.sh"), 0o700)
        cls.write("pam-service", f"auth required pam_exec.so quiet expose_authtok {cls.path('check.sh')}\n"
                                 "account required pam_permit.so\n")
        cls.write("pam.conf", f'[cim]\npam_service = "{cls.path("pam-service")}"\n')
        cls.pam = subprocess.run([ARGS.lockstepd, "--check-config", "--config", cls.path("pam.conf")],
                                 capture_output=True, timeout=30).returncode == 0
        cls.write("conf", f'[cim]\nclient_ca = "{cls.path("test-ca.pem")}"\n' +
                  (f'pam_service = "{cls.path("pam-service")}"\n' if cls.pam else ""))
        daemon = Daemon(cls.folder, cls.path("conf"), "--cim", "tcp:127.0.0.1:0", "--cim-https", "tcp:127.0.0.1:0")
        cls.addClassCleanup(daemon.stop)
        cls.https, cls.http = daemon.where["cim-https"], daemon.where["cim"]
        cls.certificate = cls.path("data", "cim-certificate.pem")
        for name, role in (("anna", "administrator"), ("olga", "operator"), ("mona", "monitor")):
            cls.lockstep("user", "add", name, "--role", role, password=f"{name}-password")

    @classmethod
    def path(cls, *names):
        return os.path.join(cls.folder, *names)

    @classmethod
    def write(cls, name, text):
        with open(cls.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    @classmethod
    def lockstep(cls, *arguments, password=None, status=0):
        done = subprocess.run([ARGS.lockstep, "--socket", cls.path("admin.sock"), *arguments], capture_output=True,
                              input=(password or "") + "\n", text=True, timeout=60)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done.stdout

    def pywbem(self, user, password, act):
        python = with_pywbem(ARGS.venv)
        if python is None:
            self.skipTest("pywbem cannot be installed")
        # Where these are set, python-requests takes them for the certificates to trust, whatever it is told.
        env = {name: value for name, value in os.environ.items() if not name.endswith("_CA_BUNDLE")}
        done = subprocess.run([python, "-c", PYWBEM, "https://" + self.https, user, password, self.certificate, act],
                              capture_output=True, text=True, timeout=60, env=env)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def test_the_certificate_is_verified_and_old_protocols_are_refused(self):
        verified = ["openssl", "s_client", "-connect", self.https, "-CAfile", self.certificate, "-verify_return_error",
                    "-verify_ip", "127.0.0.1"]
        for protocol, accepted in (("-tls1_3", True), ("-tls1_2", True), ("-tls1_1", False)):
            done = subprocess.run([*verified, protocol], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=30)
            self.assertEqual(done.returncode == 0, accepted, protocol + done.stdout + done.stderr)
        self.assertEqual(os.stat(self.path("data", "cim-key.pem")).st_mode & 0o077, 0)

    def test_credentials(self):
        trust = ("--cacert", self.certificate)
        url = f"https://{self.https}/cimom"
        self.assertEqual(curl(url), "exit 60")  # nobody vouches for the certificate
        self.assertEqual(curl(url, *trust), "401")
        self.assertEqual(curl(url, *trust, "-u", "anna:wrong"), "401")
        # Let in, and then refused for what it is: no CIM.
        self.assertEqual(curl(url, *trust, "-u", "anna:anna-password"), "400")
        self.assertEqual(curl(f"http://{self.http}/cimom", "-u", "anna:anna-password"), "403")

    def test_wbemcli(self):
        if not shutil.which("wbemcli"):
            loud("wbemcli is not installed")
            self.skipTest("wbemcli is not installed")
        for password, status in (("mona-password", 0), ("wrong", 16)):
            done = subprocess.run(["wbemcli", "-cacert", self.certificate, "ein",
                                   f"https://mona:{password}@{self.https}/{STORAGE}:CIM_ReplicationService"],
                                  capture_output=True, text=True, timeout=30)
            self.assertEqual(done.returncode, status, done.stdout + done.stderr)
            self.assertEqual("ReplicationService" in done.stdout, status == 0, done.stdout + done.stderr)

    def test_client_certificates(self):
        url = f"https://{self.https}/cimom"

        def status(name, *more):
            return curl(url, "--cacert", self.certificate, "--cert", self.path(name + ".pem"), "--key",
                        self.path(name + ".key"), *more)
        self.assertEqual(status("host7"), "401")  # of our authority, but nobody's
        self.lockstep("user", "add", "host7", "--role", "monitor", "--no-password")
        self.assertEqual(status("host7"), "400")
        self.assertEqual(curl(url, "--cacert", self.certificate, "-u", "host7:"), "401")
        self.assertEqual(status("host8", "-u", "anna:anna-password"), "400")
        self.assertTrue(status("host9", "-u", "anna:anna-password").startswith("exit "))  # of an authority of its own
        self.lockstep("user", "remove", "host7")
        self.assertEqual(status("host7"), "401")

    def test_who_guesses_is_held_back(self):
        url, trust = f"https://{self.https}/cimom", ("--cacert", self.certificate)
        guesser = (*trust, "--interface", "127.0.0.2")
        self.assertEqual([curl(url, *guesser, "-u", f"anna:guess {n}") for n in range(6)], ["401"] * 6)
        self.assertEqual(curl(url, *guesser, "-u", "anna:guess more"), "429")
        self.assertEqual(curl(url, *trust, "-u", "anna:anna-password"), "400")

    def test_passwords_of_the_system(self):
        if not self.pam:
            loud("lockstepd was built without PAM")
            self.skipTest("lockstepd was built without PAM")
        self.lockstep("user", "add", "petra", "--role", "monitor", "--pam")
        self.assertIn("PAM", self.lockstep("user", "list"))
        url, trust = f"https://{self.https}/cimom", ("--cacert", self.certificate, "--interface", "127.0.0.3")
        self.assertEqual(curl(url, *trust, "-u", "petra:from the system"), "400")
        self.assertEqual(curl(url, *trust, "-u", "petra:from elsewhere"), "401")
        self.assertEqual(curl(url, *trust, "-u", "anna:from the system"), "401")

    def test_roles_and_audit(self):
        self.assertEqual(self.pywbem("mona", "mona-password", "read"), "1")
        self.assertEqual(self.pywbem("mona", "mona-password", "by-mona"), "CIMError 2")
        self.assertEqual(self.pywbem("olga", "olga-password", "by-olga"), "0")
        self.assertEqual(self.pywbem("olga", "anna-password", "read"), "AuthError")
        self.lockstep("user", "role", "mona", "operator")
        self.assertEqual(self.pywbem("mona", "mona-password", "by-mona-now"), "0")
        self.lockstep("user", "role", "mona", "monitor")
        with open(self.path("data", "audit.log"), encoding="utf-8") as log:
            lines = log.read().splitlines()
        self.assertTrue(any("user=olga role=operator from=tcp:127.0.0.1:" in line and "CreateGroup" in line and
                            'result="returned 0"' in line for line in lines), lines)
        self.assertTrue(any("user=mona" in line and "CIM_ERR_ACCESS_DENIED" in line for line in lines), lines)
        self.assertTrue(any("user.add" in line and "anna" in line for line in lines), lines)
        self.assertFalse(any("anna-password" in line for line in lines))

    def test_users(self):
        self.lockstep("user", "add", "temp", "--role", "monitor", password="short", status=10)
        self.lockstep("user", "add", "temp", "--role", "monitor", password="long enough")
        self.assertIn("temp", self.lockstep("user", "list"))
        self.lockstep("user", "passwd", "temp", password="another one")
        self.lockstep("user", "remove", "temp")
        self.assertNotIn("temp", self.lockstep("user", "list"))
        self.lockstep("user", "remove", "temp", status=11)


class Starts(unittest.TestCase):
    """What a daemon makes of its settings and of what it finds in its data directory."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="lockstep-https-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.certificate = os.path.join(self.folder, "data", "cim-certificate.pem")

    def start(self, *options):
        daemon = Daemon(self.folder, "/dev/null", *options)
        self.addCleanup(lambda: daemon.process.poll() is None and daemon.stop())
        return daemon

    def test_the_certificate_stays_and_can_be_replaced(self):
        daemon = self.start("--cim", "off", "--cim-https", "tcp:127.0.0.1:0")
        with open(self.certificate, "rb") as file:
            first = file.read()
        daemon.stop()
        daemon = self.start("--cim", "off", "--cim-https", "tcp:127.0.0.1:0")
        with open(self.certificate, "rb") as file:
            self.assertEqual(file.read(), first)
        daemon.stop()
        make_certificate(self.folder, "ours")
        shutil.copy(os.path.join(self.folder, "ours.pem"), self.certificate)
        with open(os.path.join(self.folder, "log"), "rb") as log:
            before = len(log.read())
        with self.assertRaisesRegex(AssertionError, "did not start: 3"):
            self.start("--cim", "off", "--cim-https", "tcp:127.0.0.1:0")
        with open(os.path.join(self.folder, "log"), "rb") as log:
            self.assertIn(b"key and certificate do not belong together", log.read()[before:])
        shutil.copy(os.path.join(self.folder, "ours.key"), os.path.join(self.folder, "data", "cim-key.pem"))
        url = "https://" + self.start("--cim", "off", "--cim-https", "tcp:127.0.0.1:0").where["cim-https"]
        self.assertEqual(curl(url, "--cacert", os.path.join(self.folder, "ours.pem")), "401")

    def test_a_certificate_is_read_anew_while_the_daemon_runs(self):
        daemon = self.start("--cim", "off", "--cim-https", "tcp:127.0.0.1:0")
        url = "https://" + daemon.where["cim-https"]
        first = os.path.join(self.folder, "first.pem")
        shutil.copy(self.certificate, first)
        make_certificate(self.folder, "ours")
        ours = os.path.join(self.folder, "ours.pem")
        shutil.copy(ours, self.certificate)
        self.reload(daemon, b"certificates are used as they were: [cim] the certificate and its key: key and")
        self.assertEqual(curl(url, "--cacert", first), "401")
        shutil.copy(os.path.join(self.folder, "ours.key"), os.path.join(self.folder, "data", "cim-key.pem"))
        self.reload(daemon, b"the certificate's SHA-256 fingerprint is")
        self.assertEqual(curl(url, "--cacert", ours), "401")
        self.assertEqual(curl(url, "--cacert", first), "exit 60")  # cannot be verified
        daemon.stop()

    def reload(self, daemon, expected):
        """Has the daemon read its certificates; returns when it has said what is expected of it."""
        with open(os.path.join(self.folder, "log"), "rb") as log:
            log.seek(0, os.SEEK_END)
            daemon.process.send_signal(signal.SIGHUP)
            said = b""
            deadline = time.monotonic() + 30
            while expected not in said and time.monotonic() < deadline:
                said += log.read() or time.sleep(0.01) or b""
        self.assertIn(expected, said)

    def test_anonymous_clients_are_served_on_loopback_if_allowed(self):
        daemon = self.start("--cim", "tcp:127.0.0.1:0", "--cim-https", "tcp:0.0.0.0:0", "--cim-anonymous", "monitor")
        port = daemon.where["cim-https"].rpartition(":")[2]
        self.assertEqual(curl(f"http://{daemon.where['cim']}/cimom"), "400")  # let in
        self.assertEqual(curl(f"https://127.0.0.1:{port}/cimom", "-k"), "400")
        said = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split()
        addresses = [address for address in said if ":" not in address]
        for address in addresses:
            self.assertEqual(curl(f"https://{address}:{port}/cimom", "-k"), "401")
        if not addresses:
            loud("this machine has no IPv4 address but loopback")
        daemon.stop()
        daemon = self.start("--cim", "tcp:127.0.0.1:0")
        self.assertEqual(curl(f"http://{daemon.where['cim']}/cimom"), "403")
        self.assertNotIn("cim-https", daemon.where)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for option in ("--lockstepd", "--lockstep", "--venv"):
        parser.add_argument(option, required=True)
    ARGS, rest = parser.parse_known_args()
    if not shutil.which("curl") or not shutil.which("openssl"):
        loud("curl or openssl is not installed")
        sys.exit(0)
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
