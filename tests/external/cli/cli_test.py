#!/usr/bin/env python3
"""Every command of `lockstep` against a real lockstepd in a folder of its own: what it does, what it prints as JSON,
and its exit code. Then the daemon itself: its exit codes, kill -9, and a start after it.

    cli_test.py --lockstep PROGRAM --lockstepd PROGRAM [unittest options]
"""
import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

ARGS = None
OK, USAGE, UNREACHABLE = 0, 2, 3
INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, IN_USE, INVALID_STATE, NOT_SUPPORTED, NO_SPACE, TOO_LARGE = range(10, 18)
UNAVAILABLE = 22


class Daemon:
    """A lockstepd in `folder`; returns from the constructor when it serves."""

    def __init__(self, folder, *options):
        self.folder = folder
        self.socket = os.path.join(folder, "admin.sock")
        self.nbd = os.path.join(folder, "nbd.sock")
        self.log = open(os.path.join(folder, "log"), "ab")
        self.process = subprocess.Popen(
            [ARGS.lockstepd, "--config", "/dev/null", "--data-directory", os.path.join(folder, "data"),
             "--admin-socket", self.socket, "--nbd", "unix:" + self.nbd, "--cim", "tcp:127.0.0.1:0",
             "--cim-anonymous", "administrator", *options],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.said = []
        for line in self.process.stdout:
            self.said.append(line.strip())
            if line == "ready\n":
                break

    @property
    def ready(self):
        return bool(self.said) and self.said[-1] == "ready"

    def end(self, how):
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        self.log.close()
        return code


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="lockstep-cli-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.daemon = None
        self.addCleanup(self.stop)

    def start(self, *options):
        self.daemon = Daemon(self.folder, *options)
        if not self.daemon.ready:
            with open(os.path.join(self.folder, "log"), encoding="utf-8") as log:
                self.fail("lockstepd did not start:\n" + log.read())

    def stop(self, how=signal.SIGTERM):
        if self.daemon is None:
            return None
        code = self.daemon.end(how)
        self.daemon = None
        return code

    def run_cli(self, *arguments):
        return subprocess.run([ARGS.lockstep, "--socket", os.path.join(self.folder, "admin.sock"), *arguments],
                              capture_output=True, text=True, timeout=120)

    def do(self, *arguments):
        """The command's JSON; fails the test unless it exits with 0."""
        done = self.run_cli(*arguments, "--json")
        self.assertEqual(done.returncode, OK, f"{arguments}: {done.stderr}")
        return json.loads(done.stdout)

    def text(self, *arguments):
        done = self.run_cli(*arguments)
        self.assertEqual(done.returncode, OK, f"{arguments}: {done.stderr}")
        return done.stdout

    def refuse(self, code, *arguments):
        """The error as JSON; fails the test unless the command exits with `code`."""
        done = self.run_cli(*arguments, "--json")
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout}{done.stderr}")
        self.assertEqual(done.stdout, "")
        return json.loads(done.stderr)["error"] if code not in (USAGE,) else None

    def furnish(self):
        self.do("pool", "create", "main", os.path.join(self.folder, "main.pool"), "--size", "1G")
        self.do("volume", "create", "db", "64M", "--count", "3")
        self.do("group", "create", "databases", "db_1", "db_2", "db_3")


class Commands(Case):
    def setUp(self):
        super().setUp()
        self.start()
        self.furnish()

    def test_pools(self):
        pools = self.do("pool", "list")
        self.assertEqual([p["name"] for p in pools], ["main"])
        self.assertEqual(self.do("pool", "show", pools[0]["id"])["state"], "ok")
        path = os.path.join(self.folder, "main.pool")
        self.refuse(ALREADY_EXISTS, "pool", "create", "again", path)
        self.refuse(NOT_FOUND, "pool", "show", "other")
        self.refuse(USAGE, "pool", "create", "x", path, "--size", "10X")

    def test_a_pool_is_scrubbed_and_checked(self):
        scrubbed = self.do("pool", "scrub", "main")
        self.assertEqual(scrubbed["job_ended"]["state"], "Completed")
        self.assertEqual(scrubbed["job_ended"]["percent"], 100)
        pool = self.do("pool", "show", "main")
        self.assertGreater(pool["last_scrub"], pool["created"])
        self.assertEqual(pool["last_scrub_bad"], 0)
        self.assertGreater(pool["next_scrub"], pool["last_scrub"])
        self.assertIsNone(pool["last_bad"])
        begun = self.do("pool", "scrub", "main", "--rate", "1M", "--no-wait")
        self.assertEqual(self.do("job", "watch", begun["job"])["state"], "Completed")
        report = self.do("pool", "check", "main")
        self.assertEqual(report["problems"], [])
        self.assertEqual(report["current_blocks"], 0)
        self.refuse(NOT_FOUND, "pool", "scrub", "other")
        self.refuse(NOT_FOUND, "pool", "check", "other")
        self.refuse(USAGE, "pool", "scrub", "main", "--rate", "fast")

    def test_devices_come_grow_and_go(self):
        more, path = os.path.join(self.folder, "more.pool"), os.path.join(self.folder, "main.pool")
        gib = 1 << 30
        added = self.do("pool", "add-device", "main", more, "--size", "1G")
        self.assertEqual([d["path"] for d in added["devices"]], [path, more])
        self.assertAlmostEqual(added["size"], 2 * gib, delta=gib / 50)
        self.refuse(ALREADY_EXISTS, "pool", "add-device", "main", more)
        os.truncate(more, 2 * gib)
        self.assertEqual(self.do("pool", "grow", "main")["grown_by"], gib)
        self.assertIn("more.pool", self.text("pool", "show", "main"))
        self.refuse(NOT_FOUND, "pool", "remove-device", "main", "/nowhere")
        gone = self.do("pool", "remove-device", "main", path)
        self.assertEqual(gone["job_ended"]["state"], "Completed")
        self.assertEqual(self.do("pool", "show", "main")["paths"], [more])
        self.refuse(INVALID_STATE, "pool", "remove-device", "main", more)
        self.do("pool", "add-device", "main", path)
        self.assertEqual(self.do("pool", "check", "main")["problems"], [])

    def test_a_pool_is_deleted_and_its_file_used_again(self):
        path = os.path.join(self.folder, "old.pool")
        old = self.do("pool", "create", "old", path, "--size", "1G")
        error = self.refuse(IN_USE, "pool", "delete", "main")
        self.assertIn("3 volumes", error["message"])
        self.assertEqual(self.do("pool", "delete", "old"), {"paths": [path]})
        self.refuse(NOT_FOUND, "pool", "delete", "old")
        self.assertFalse(os.path.exists(os.path.join(self.folder, "data", "index", old["id"])))
        self.assertEqual(self.do("pool", "create", "new", path)["paths"], [path])
        self.assertIn(path, self.text("pool", "delete", "new"))

    def test_a_volume_is_made_smaller_when_that_is_confirmed(self):
        self.refuse(INVALID_STATE, "volume", "resize", "db_1", "32M")
        self.assertEqual(self.do("volume", "resize", "db_1", "32M", "--discard-data")["size"], 32 << 20)
        self.assertEqual(self.do("volume", "resize", "db_1", "128M")["size"], 128 << 20)

    def test_a_pool_is_not_made_over_somebodys_data(self):
        path = os.path.join(self.folder, "precious")
        with open(path, "wb") as f:
            f.write(b"do not lose this")
            f.truncate(600 << 20)
        error = self.refuse(IN_USE, "pool", "create", "x", path)
        self.assertIn("wipe", error["message"])
        with open(path, "rb") as f:
            self.assertEqual(f.read(16), b"do not lose this")

    def test_a_pool_that_cannot_be_made_leaves_no_file(self):
        path = os.path.join(self.folder, "tiny")
        self.refuse(INVALID_ARGUMENT, "pool", "create", "tiny", path, "--size", "64K")
        self.assertFalse(os.path.exists(path))

    def test_volumes(self):
        self.assertEqual([v["name"] for v in self.do("volume", "list")], ["db_1", "db_2", "db_3"])
        self.assertEqual(self.do("volume", "list", "--pool", "main"), self.do("volume", "list"))
        self.assertEqual(self.do("volume", "resize", "db_1", "128M")["size"], 128 << 20)
        self.assertEqual(self.do("volume", "rename", "db_3", "logs")["name"], "logs")
        self.assertEqual(self.do("volume", "show", "logs")["pool"]["name"], "main")
        self.refuse(ALREADY_EXISTS, "volume", "create", "db_1", "1M")
        self.refuse(TOO_LARGE, "volume", "create", "huge", "2000T")
        self.refuse(NOT_FOUND, "volume", "show", "nothing")
        self.assertEqual(self.run_cli("volume", "delete", "logs").returncode, OK)
        self.refuse(NOT_FOUND, "volume", "delete", "logs")

    def test_exports(self):
        made = self.do("export", "create", "db_1", "--name", "first", "--read-only")
        self.assertEqual((made["name"], made["read_only"], made["published"]), ("first", True, True))
        self.assertEqual([e["name"] for e in self.do("export", "list")], ["first"])
        self.assertEqual(self.do("export", "show", "first")["volume"]["name"], "db_1")
        self.refuse(IN_USE, "volume", "delete", "db_1")
        self.assertEqual(self.run_cli("export", "delete", "first").returncode, OK)
        self.assertEqual(self.do("export", "list"), [])

    def test_an_export_in_use_is_deleted_only_with_force(self):
        self.do("export", "create", "db_1")
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.connect(self.daemon.nbd)
        client.sendall(b"\0\0\0\3" + b"IHAVEOPT" + (1).to_bytes(4, "big") + (4).to_bytes(4, "big") + b"db_1")
        received = b""
        while len(received) < 18 + 10:  # the greeting, then size and flags of the export
            received += client.recv(100)
        self.assertEqual(self.do("export", "show", "db_1")["connections"], 1)
        self.refuse(IN_USE, "export", "delete", "db_1")
        self.assertEqual(self.run_cli("export", "delete", "db_1", "--force").returncode, OK)
        self.assertEqual(client.recv(1), b"")

    def test_groups(self):
        self.assertEqual([m["name"] for m in self.do("group", "show", "databases")["members"]],
                         ["db_1", "db_2", "db_3"])
        self.assertEqual(len(self.do("group", "remove", "databases", "db_3")["members"]), 2)
        self.assertEqual(len(self.do("group", "add", "databases", "db_3")["members"]), 3)
        changed = self.do("group", "modify", "databases", "--name", "data", "--reserved-as", "source-only")
        self.assertEqual(changed["name"], "data")
        self.assertEqual([g["name"] for g in self.do("group", "list")], ["data"])
        self.refuse(IN_USE, "group", "delete", "data")
        self.assertEqual(self.run_cli("group", "delete", "data", "--remove-elements").returncode, OK)
        self.refuse(NOT_FOUND, "group", "show", "data")

    def test_replica_of_one_volume(self):
        made = self.do("replica", "create", "element", "db_1", "--name", "snap")["synchronization"]
        self.assertEqual((made["sync_type"], made["copy_state"], made["target"]["name"]),
                         ("Snapshot", "Synchronized", "snap"))
        self.assertEqual(len(self.do("point", "list")), 1)
        self.do("replica", "resync", "snap")
        self.do("replica", "restore", "snap", "--wait")
        self.assertEqual(self.do("replica", "show", "snap")["copy_state"], "Restored")
        self.do("replica", "detach", "snap")
        self.assertEqual(self.do("replica", "list"), [])
        self.assertEqual(self.do("volume", "show", "snap")["target_of"], None)

    def test_replica_states(self):
        self.do("replica", "create", "element", "db_1", "--name", "snap")
        self.refuse(INVALID_STATE, "replica", "resume", "snap")
        self.do("replica", "deactivate", "snap")
        self.assertEqual(self.do("replica", "list", "--copy-state", "inactive")[0]["target"]["name"], "snap")
        self.do("replica", "activate", "snap")
        self.do("replica", "return", "snap")
        self.refuse(NOT_FOUND, "volume", "show", "snap")

    def test_clone_with_its_job(self):
        done = self.do("replica", "create", "element", "db_1", "--type", "clone", "--full-copy", "--name", "copy",
                       "--wait")
        self.assertEqual(done["synchronization"]["copy_state"], "Synchronized")
        self.assertEqual(done["synchronization"]["sync_type"], "Clone")
        job = self.do("job", "list")[0]
        self.assertEqual(job["state"], "Completed")
        self.assertEqual(self.do("job", "watch", job["id"])["percent"], 100)
        self.assertEqual(self.do("job", "keep", job["id"], "--for-ever")["delete_on_completion"], False)
        self.assertEqual(self.do("replica", "set-priority", "copy", "high")["copy_priority"], "High")
        self.refuse(INVALID_STATE, "job", "cancel", job["id"])
        self.assertEqual(self.do("job", "delete", job["id"]), {})
        self.refuse(NOT_FOUND, "job", "show", job["id"])

    def test_replica_of_a_list(self):
        made = self.do("replica", "create", "list", "db_1", "db_2", "--names", "a,b")["synchronizations"]
        self.assertEqual([r["target"]["name"] for r in made], ["a", "b"])
        self.do("replica", "detach", "a", "b")
        self.assertEqual(self.do("replica", "list"), [])

    def test_replica_of_a_group(self):
        made = self.do("replica", "create", "group", "databases", "--name", "nightly")
        self.assertEqual(made["synchronization"]["name"], "nightly")
        self.assertEqual(len(made["pairs"]), 3)
        self.do("replica", "resync", "nightly")
        self.assertEqual(len(self.do("replica", "show", "nightly")["pairs"]), 3)
        self.assertEqual([r["kind"] for r in self.do("replica", "list", "--kind", "group")], ["group"])
        self.do("replica", "modify", "Return To ResourcePool", "nightly")
        self.assertEqual(len(self.do("volume", "list")), 3)

    def test_replica_from_elements(self):
        made = self.do("replica", "create", "from-elements", "db_1", "db_2", "--source-group-name", "pair",
                       "--target-group-name", "pair_snap", "--name", "pairs")
        self.assertEqual(made["target_group"]["name"], "pair_snap")
        self.assertIn("pair", [g["name"] for g in self.do("group", "list")])

    def test_what_is_not_built_is_not_supported(self):
        self.refuse(NOT_SUPPORTED, "replica", "create", "element", "db_1", "--type", "mirror")
        self.do("replica", "create", "element", "db_1", "--name", "snap")
        self.assertIn(self.refuse(NOT_SUPPORTED, "replica", "modify", "failover", "snap")["name"], "not-supported")

    def test_aspects_of_a_volume(self):
        self.assertEqual(self.do("aspect", "list"), [])
        self.assertEqual(self.do("point", "list"), [])
        for command in ("show", "delete", "restore", "copy"):
            self.refuse(NOT_FOUND, "aspect", command, "none")
        made = self.do("aspect", "create", "monday", "--volume", "db_1")
        self.assertEqual((made["name"], made["source_group"], made["state"]), ("monday", None, "Synchronized"))
        self.assertEqual(self.do("aspect", "show", "monday"), made)
        self.refuse(ALREADY_EXISTS, "aspect", "create", "monday", "--volume", "db_2")
        self.refuse(INVALID_ARGUMENT, "aspect", "create", "without_a_source")
        self.refuse(USAGE, "aspect", "create", "--volume", "db_1", "--group", "databases")
        copied = self.do("aspect", "copy", "monday", "--names", "was_db_1", "--full-copy", "--wait")
        self.assertEqual([r["target"]["name"] for r in copied["synchronizations"]], ["was_db_1"])
        self.assertEqual([a["name"] for a in copied["aspects"]], ["monday"])
        self.assertEqual(self.do("volume", "show", "was_db_1")["size"], 64 << 20)
        self.assertEqual(self.do("aspect", "restore", "monday")["aspects"][0]["state"], "Restored")
        self.assertEqual(self.do("aspect", "delete", "monday"), {})
        self.assertEqual(self.do("aspect", "list"), [])

    def test_aspects_of_groups(self):
        self.do("group", "create", "others", "db_3")
        for name, group in (("monday", "databases"), ("tuesday", "others")):
            self.assertEqual(self.do("aspect", "create", name, "--group", group)["source_group"]["name"], group)
        copied = self.do("aspect", "copy", "monday", "tuesday")
        self.assertEqual(len(copied["synchronizations"]), 4)
        self.assertEqual(len(self.do("volume", "list")), 7)
        self.assertEqual([a["name"] for a in copied["aspects"]], ["monday", "tuesday"])
        self.assertIn("monday", self.text("aspect", "restore", "monday"))

    def test_status_and_capabilities(self):
        status = self.do("status")
        self.assertEqual(len(status["volumes"]), 3)
        self.assertTrue(status["node"]["cim_endpoints"][0].startswith("tcp:127.0.0.1:"))
        types = {(c["sync_type"], c["mode"]) for c in self.do("capabilities")}
        self.assertIn(("Snapshot", "Synchronous"), types)
        self.assertNotIn("Mirror", {t for t, _ in types})

    def test_space_is_counted_when_asked_for(self):
        volume = self.do("volume", "show", "db_1")
        self.assertEqual(volume["space"], {"mapped": 0, "unique": 0, "shared": 0})
        self.assertIsNone(self.do("volume", "list")[0]["space"])
        self.assertEqual(self.do("volume", "list", "--space")[0]["space"]["unique"], 0)
        self.do("replica", "create", "group", "databases", "--name", "counted")
        self.assertIsNone(self.do("point", "list")[0]["would_free"])
        self.assertEqual(self.do("point", "list", "--space")[0]["would_free"], 0)
        pool = self.do("pool", "show", "main")
        self.assertEqual(pool["live"], pool["mapped"] + pool["history"])
        self.assertGreaterEqual(pool["size"], pool["reclaimable"])

    def test_history(self):
        self.assertIsNone(self.do("volume", "show", "db_1")["history"])
        kept = self.do("volume", "set", "--group", "databases", "--history", "24h", "--history-space", "1G")
        self.assertEqual([v["history"]["seconds"] for v in kept], [86400] * len(kept))
        self.assertEqual(kept[0]["history"]["bytes"], 1 << 30)
        self.assertIn("1d, 1 GiB, since", self.text("volume", "show", "db_1"))
        position = "@%d" % kept[0]["history"]["from_sequence"]
        made = self.do("volume", "clone", "db_1", "db_1_then", "--at", position)
        self.assertEqual(made[0]["name"], "db_1_then")
        self.assertIsNone(made[0]["history"])
        self.assertEqual(len(self.do("volume", "clone", "--group", "databases", "--suffix", "_now")), len(kept))
        self.do("volume", "revert", "--group", "databases", "--at", position)
        self.refuse(INVALID_STATE, "volume", "revert", "db_1", "--at", "-2d")
        self.refuse(INVALID_STATE, "volume", "revert", "db_1_then", "--at", position)
        self.refuse(INVALID_STATE, "volume", "clone", "db_1", "x", "--at", "@99999999")
        self.refuse(INVALID_ARGUMENT, "volume", "revert", "db_1", "--at", "noon")
        self.refuse(INVALID_ARGUMENT, "volume", "revert", "db_1", "--at", "2999-01-01 00:00:00")
        self.refuse(USAGE, "volume", "set", "db_1", "--history", "soon")
        self.refuse(USAGE, "volume", "set", "db_1")
        self.refuse(USAGE, "volume", "set", "db_1", "--history", "1h", "--no-history")
        self.refuse(USAGE, "volume", "revert", "db_1")
        self.refuse(NOT_FOUND, "volume", "set", "none", "--history", "1h")
        self.assertIsNone(self.do("volume", "set", "db_1", "--no-history")[0]["history"])

    def test_tables_are_for_people(self):
        self.do("replica", "create", "group", "databases", "--name", "nightly")
        for what in (["status"], ["capabilities"], ["pool", "list"], ["pool", "show", "main"], ["volume", "list"],
                     ["volume", "show", "db_1"], ["group", "list"], ["group", "show", "databases"],
                     ["replica", "list"], ["replica", "show", "nightly"], ["point", "list"],
                     ["volume", "list", "--space"], ["point", "list", "--space"]):
            text = self.text(*what)
            self.assertNotIn("{", text, what)
            self.assertTrue(text.endswith("\n"), what)
        self.assertIn("nightly", self.text("status"))
        self.assertEqual(self.text("export", "list"), "no exports\n")

    def test_call_sends_what_it_is_given(self):
        self.assertIn("volume.create", self.do("call", "node.methods"))
        self.assertEqual(self.do("call", "volume.show", '{"volume": "db_1"}')["name"], "db_1")
        self.refuse(USAGE, "call", "volume.show", "no json")


class Usage(Case):
    def test_every_command_has_help_with_examples(self):
        def walk(path):
            done = self.run_cli(*path, "--help")
            self.assertEqual(done.returncode, OK, path)
            names, reading = [], False
            for line in done.stdout.splitlines():
                if line.startswith("Subcommands:"):
                    reading = True
                elif reading and line.startswith("  ") and not line.startswith("   "):
                    names.append(line.split()[0])
                elif not line.strip():
                    reading = False
            if not names:
                self.assertIn("Examples:", done.stdout, path)
            return 1 + sum(walk([*path, name]) for name in names)

        self.assertGreater(walk([]), 50)

    def test_without_a_daemon(self):
        error = self.refuse(UNREACHABLE, "status")
        self.assertIn("start it", error["message"])

    def test_a_wrong_command_line(self):
        for wrong in ([], ["nonsense"], ["volume"], ["volume", "create"], ["status", "--nonsense"]):
            self.assertEqual(self.run_cli(*wrong).returncode, USAGE, wrong)

    def test_completion(self):
        script = self.text("completion", "bash")
        line = "COMP_WORDS=(lockstep volume ''); COMP_CWORD=2; _lockstep; echo ${COMPREPLY[@]}"
        words = subprocess.run(["bash", "-c", script + line], capture_output=True, text=True, check=True).stdout.split()
        self.assertIn("resize", words)


class DaemonLife(Case):
    def daemon_exit(self, *options):
        done = subprocess.run([ARGS.lockstepd, *options], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stderr

    def config(self, text):
        path = os.path.join(self.folder, "lockstep.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def test_stops_cleanly_and_finds_everything_again(self):
        self.start()
        self.furnish()
        self.do("replica", "create", "group", "databases", "--name", "nightly")
        before = self.do("status")
        self.assertEqual(self.stop(), OK)
        self.start()
        after = self.do("status")
        for kind in ("groups", "relationships", "group_relationships"):
            self.assertEqual(after[kind], before[kind])
        self.assertEqual([v["id"] for v in after["volumes"]], [v["id"] for v in before["volumes"]])

    def test_kill_loses_nothing_that_was_answered(self):
        self.start()
        self.furnish()
        for round_number in range(3):
            self.do("replica", "create", "group", "databases", "--name", f"round{round_number}")
            self.stop(signal.SIGKILL)
            self.start()
            names = {r["name"] for r in self.do("replica", "list", "--kind", "group")}
            self.assertEqual(names, {f"round{n}" for n in range(round_number + 1)})

    def write(self, volume, pattern, length):
        uri = f"nbd+unix:///{volume}?socket={self.daemon.nbd}"
        subprocess.run(["qemu-io", "-f", "raw", "-c", f"write -P {pattern} 0 {length}", "-c", "flush", uri], check=True,
                       capture_output=True, timeout=120)

    def check(self, volume, pattern, length):
        uri = f"nbd+unix:///{volume}?socket={self.daemon.nbd}"
        done = subprocess.run(["qemu-io", "-f", "raw", "-c", f"read -P {pattern} 0 {length}", uri], capture_output=True,
                              text=True, timeout=120)
        self.assertEqual((done.returncode, "Pattern" in done.stdout), (0, False), done.stdout + done.stderr)

    @unittest.skipUnless(shutil.which("qemu-io"), "needs qemu-io")
    def test_a_removal_goes_on_after_a_kill(self):
        self.start()
        self.furnish()
        self.do("volume", "create", "big", "512M")
        self.do("export", "create", "big")
        self.write("big", 7, "400M")
        more, path = os.path.join(self.folder, "more.pool"), os.path.join(self.folder, "main.pool")
        self.do("pool", "add-device", "main", more, "--size", "1G")
        self.do("pool", "remove-device", "main", path, "--no-wait")
        for _ in range(3):
            self.stop(signal.SIGKILL)
            self.start()
        for job in self.do("job", "list"):
            self.run_cli("job", "watch", job["id"])
        self.assertEqual(self.do("pool", "show", "main")["paths"], [more])
        os.remove(path)
        self.check("big", 7, "400M")
        self.stop(signal.SIGKILL)
        self.start()
        self.check("big", 7, "400M")
        self.assertEqual(self.do("pool", "scrub", "main")["job_ended"]["state"], "Completed")

    @unittest.skipUnless(shutil.which("qemu-io"), "needs qemu-io")
    def test_a_pool_travels_to_another_node(self):
        self.start()
        self.furnish()
        for volume in ("db_1", "db_2", "db_3"):
            self.do("export", "create", volume)
            self.write(volume, 3 + int(volume[-1]), "16M")
        self.do("replica", "create", "group", "databases", "--name", "nightly")
        self.write("db_1", 9, "8M")
        paths = [os.path.join(self.folder, name) for name in ("main.pool", "more.pool")]
        self.do("pool", "add-device", "main", paths[1], "--size", "1G")
        before = {kind: self.do(kind, "list") for kind in ("volume", "group", "replica", "export")}
        index = os.path.join(self.folder, "stick", "index")
        self.assertEqual(self.do("pool", "export", "main", "--index", index)["index"], index)
        self.assertEqual(self.do("volume", "list"), [])
        self.stop()
        os.rename(os.path.join(self.folder, "data"), os.path.join(self.folder, "old-data"))
        moved = [path + ".moved" for path in paths]
        for path, to in zip(paths, moved):
            os.rename(path, to)
        self.start()
        self.assertEqual(self.do("pool", "list"), [])
        self.refuse(UNAVAILABLE, "pool", "import", moved[0])
        self.do("pool", "import", moved[1], moved[0], "--index", index)
        for kind, had in before.items():
            self.assertEqual([o["id"] for o in self.do(kind, "list")], [o["id"] for o in had], kind)
        self.check("db_1", 9, "8M")
        self.check("db_3", 6, "16M")
        self.do("replica", "resync", "nightly")
        self.stop(signal.SIGKILL)
        self.start()
        self.check("db_1", 9, "8M")

    @unittest.skipUnless(shutil.which("qemu-io"), "needs qemu-io")
    def test_a_client_sees_errors_beyond_the_end_of_a_smaller_volume(self):
        self.start()
        self.furnish()
        self.do("export", "create", "db_1")
        uri = f"nbd+unix:///db_1?socket={self.daemon.nbd}"
        client = subprocess.Popen(["qemu-io", "-f", "raw", uri], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)

        def say(command, answer):
            client.stdin.write(command + "\n")
            client.stdin.flush()
            line = client.stdout.readline()
            while answer not in line and "failed" not in line and "wrote" not in line and "read " not in line:
                line = client.stdout.readline()
            self.assertIn(answer, line)

        say("write -P 5 0 64M", "wrote")
        self.do("volume", "resize", "db_1", "32M", "--discard-data")
        say("write -P 6 40M 4k", "No space left on device")
        say("read 40M 4k", "Invalid argument")
        say("read -P 5 0 32M", "read ")
        self.do("volume", "resize", "db_1", "64M")
        say("read -P 0 32M 32M", "read ")
        client.communicate("quit\n", timeout=60)

    def test_the_socket_is_the_owners_only(self):
        self.start()
        self.assertEqual(os.stat(os.path.join(self.folder, "admin.sock")).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(os.path.join(self.folder, "data")).st_mode & 0o777, 0o700)

    def test_exit_codes(self):
        data = ["--data-directory", os.path.join(self.folder, "other"), "--admin-socket",
                os.path.join(self.folder, "other.sock"), "--nbd", "off", "--cim", "off"]
        self.assertEqual(self.daemon_exit("--nonsense")[0], 2)
        code, error = self.daemon_exit("--config", self.config("[nbd]\nport = 1\n"))
        self.assertEqual(code, 3)
        self.assertIn("lockstep.conf:2: [nbd] has no setting", error)
        self.assertEqual(self.daemon_exit("--config", os.path.join(self.folder, "missing"))[0], 3)
        self.assertEqual(self.daemon_exit("--config", "/dev/null", *data, "--nbd", "tcp:0.0.0.0:1")[0], 3)
        self.assertEqual(self.daemon_exit("--config", self.config(""), "--check-config")[0], OK)
        self.start()
        self.assertEqual(self.daemon_exit("--config", "/dev/null", "--data-directory",
                                          os.path.join(self.folder, "data"), *data[2:])[0], 4)
        self.assertEqual(self.daemon_exit("--config", "/dev/null", *data[:2], "--admin-socket", self.daemon.socket,
                                          *data[4:])[0], 7)
        self.assertEqual(self.daemon_exit("--config", "/dev/null", *data[:6], "--cim", "tcp:127.0.0.1:0", "--schema",
                                          self.folder)[0], 6)
        self.stop()
        with open(os.path.join(self.folder, "data", "catalog.db"), "wb") as f:
            f.write(b"this is no catalog" * 1000)
        self.assertEqual(self.daemon_exit("--config", "/dev/null", "--data-directory",
                                          os.path.join(self.folder, "data"), *data[2:])[0], 5)


def main():
    global ARGS
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--lockstep", required=True)
    parser.add_argument("--lockstepd", required=True)
    ARGS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], "--verbose", *rest])


if __name__ == "__main__":
    main()
