"""The story that ./quickstart tells: see there. Every sentence that it prints with "ok" was checked; the first one that
is not true ends it with exit code 1 and the end of the daemon's log."""
import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading

import cost
import processes
import records
import smis
import story
import volumes
import workload
from node import Node

NAMES = ["data_1", "data_2", "data_3"]
VOLUME_SIZE = "512M"
FILLER = 96 << 20  # bytes beside the records on each volume, so that a full copy takes a while
POOL_SIZE = "12G"  # of a sparse file; the log of one run takes 2 to 4 GiB of it
FREE_NEEDED = 8 << 30
MANY = 300
TIME_LIMIT_S = 420  # a run takes about a minute
HELD_AT_MOST_MS = 1000  # a write that is held for longer than this is not "nobody is stopped"


class Trio:
    """Three volumes with their records, seen in one way or the other; see volumes.py."""

    def __init__(self, kind, uris, folder, make=False):
        self._open = []
        try:
            for number, uri in enumerate(uris):
                where = f"{folder}-{number}"
                self._open.append(kind(uri, where, make))
        except BaseException:
            self.close()
            raise

    def __iter__(self):
        return iter(self._open)

    def prefix(self):
        """(k, checksum of record k); raises records.Broken when it is no prefix."""
        return records.prefix([one.records(index) for index, one in enumerate(self._open)])

    def mark(self, text):
        for one in self._open:
            one.mark(text)

    def marks(self):
        """Every mark that any of them holds."""
        return sorted({mark for one in self._open for mark in one.marks()})

    def close(self):
        """All of them, also when one cannot be closed; can be called again then."""
        with contextlib.ExitStack() as each:
            for one in self._open:
                each.callback(one.close)
        self._open.clear()


class Quickstart:
    def __init__(self, options, folder, cleanup):
        self.story = story.Story()
        self.keep = options.keep
        self.folder = folder
        self.cleanup = cleanup
        self.kind = volumes.Raw if options.raw else volumes.FileSystem
        self.node = Node(options.build, folder)
        self.writer = workload.Workload(folder)
        self.trios = {}
        # The last one is the first to be called.
        for step in (self.node.stop, self.close_all, self.writer.end, self.node.kill_if_stuck):
            self.cleanup.callback(step)
        self.replicas = {}  # name: smis.Replica
        self.k = {}         # name: how many of the writes the replica holds
        self.marks = {}     # name: the marks that it holds
        self.main = None    # the client that does what only one needs to do
        self.clients = []

    # --- volumes and what is on them

    def open(self, name, exports, make=False):
        """Sees three exports as volumes; `name` is whose they are."""
        trio = Trio(self.kind, [self.node.uri(export) for export in exports], os.path.join(self.folder, name), make)
        self.trios[name] = trio
        return trio

    def close(self, name):
        self.trios[name].close()
        del self.trios[name]

    def close_all(self):
        for name in list(self.trios):
            try:
                self.close(name)
            except (processes.Failure, OSError) as failure:
                # Whoever waits for the daemon goes on once it is dead.
                self.story.loud(f"cleaning up {name}: {failure}; ending lockstepd to go on")
                self.node.kill_if_running()
                with contextlib.suppress(processes.Failure, OSError):
                    self.close(name)

    def open_replica(self, name, export=True):
        exports = [f"{name}_{number}" for number in range(records.VOLUMES)]
        if export:
            for volume, each in zip(self.replicas[name].targets, exports):
                self.node.cli("export", "create", volume, "--name", each)
        return self.open(name, exports)

    def check_prefix(self, trio, what, least, most):
        """That it holds the records 1..k with least <= k <= most; k."""
        try:
            k, _ = trio.prefix()
        except records.Broken as broken:
            raise processes.Failure(f"NOT TRUE: {what} is one prefix of the writes: {broken}") from None
        self.story.claim(least <= k <= most, f"{what} is one prefix of the dependent writes: all of 1..{k} are there, "
                         f"none later (the call began after {least} and ended before {most + 1})")
        return k

    def check_unchanged(self, name):
        """That the replica, which is open, holds what it is known to hold."""
        k, _ = self.trios[name].prefix()
        self.story.claim(k == self.k[name] and self.trios[name].marks() == self.marks[name],
                         f"{name} holds 1..{k} and {' '.join(self.marks[name])}, as before")

    def mark(self, name):
        """Writes something to a replica."""
        self.trios[name].mark("write-to-" + name)
        self.marks[name] = sorted(self.marks.get(name, []) + ["write-to-" + name])

    def during(self, act):
        """The result of the act, the last record flushed before it, and the last one begun when it had ended."""
        least = self.writer.flushed()
        result = act()
        most = self.writer.begun()
        self.writer.wait_for_more()  # the writer is alive and goes on
        return result, least, most

    def connect_clients(self):
        """After each start of the daemon: its port is another one."""
        self.clients = smis.clients(self.node.cim_url)
        for client in self.clients:
            found = client.discover()
            self.story.claim(True, f"{client.name} finds the service from the interop namespace: {found}")
        self.main = self.clients[0]

    # --- the chapters

    def start(self):
        self.story.chapter("A pool, three volumes, NBD")
        self.node.start()
        self.story.say(f"lockstepd runs (process {self.node.pid}) in {self.folder}")
        self.node.cli("pool", "create", "main", os.path.join(self.folder, "main.pool"), "--size", POOL_SIZE)
        made = self.node.cli("volume", "create", "data", VOLUME_SIZE, "--count", "3")
        self.story.claim([volume["name"] for volume in made] == NAMES, f"volumes {', '.join(NAMES)} of {VOLUME_SIZE}")
        for name in NAMES:
            self.node.cli("export", "create", name)
        for name in NAMES:
            processes.run("nbdinfo", "--size", self.node.uri(name))
        self.story.claim(True, "nbdinfo finds all three over NBD")
        try:
            sources = self.open("sources", NAMES, make=True)
        except processes.Failure as failure:
            if self.kind is volumes.Raw:
                raise
            self.story.loud(f"Real file systems cannot be mounted here, so all is shown on the raw volumes: {failure}")
            self.kind = volumes.Raw
            sources = self.open("sources", NAMES, make=True)
        how = ("ext4 on each, through nbdfuse and a loop device" if self.kind is volumes.FileSystem
               else "raw: records straight on the volumes, through libnbd")
        self.story.say(how)
        for one in sources:
            one.fill(FILLER)
        self.writer.start([one.target() for one in sources], 0, 0)
        self.writer.wait_for(50)
        self.story.say("the writer runs: write n goes to volume n mod 3 once write n-1 is flushed")
        self.story.remember(f"lockstepd served 3 volumes over NBD ({how}); a writer made dependent writes across them.")

    def replicate(self):
        self.story.chapter("Stock SMI-S clients make replicas of the group, while the writer runs")
        self.connect_clients()
        first, last = self.clients[0], self.clients[-1]
        snapshot, least, most = self.during(lambda: first.snapshot_elements(NAMES, "snap"))
        self.replicas["snap"] = snapshot
        self.story.say(f"{first.name}: CreateGroupReplicaFromElements, Snapshot, consistent point in time: "
                       f"{snapshot.seconds * 1e3:.0f} ms")
        self.story.claim(first.copy_state(snapshot) == smis.SYNCHRONIZED, "its CopyState is Synchronized")
        ks = [self.check_prefix(self.open_replica("snap"), "the snapshot", least, most)]

        group = last.create_group("databases", NAMES)
        clone, least, most = self.during(lambda: last.replicate_group(group, "clone", smis.CLONE))
        self.replicas["clone"] = clone
        self.story.say(f"{last.name}: CreateGroup, CreateGroupReplica, Clone: {clone.seconds * 1e3:.0f} ms")
        self.story.claim(last.copy_state(clone) == smis.SYNCHRONIZED, "its CopyState is Synchronized")
        ks.append(self.check_prefix(self.open_replica("clone"), "the clone", least, most))

        group = first.create_group("databases-to-copy", NAMES)
        full, least, most = self.during(
            lambda: first.replicate_group(group, "full", smis.CLONE, full_copy=True))
        self.replicas["full"] = full
        self.story.say(f"{first.name}: CreateGroupReplica, Clone, Full-Copy: {full.seconds * 1e3:.0f} ms")
        self.story.claim(full.job is not None, "it returned 4096, Job Started")
        ks.append(self.check_prefix(self.open_replica("full"), "the full clone, while it is copied,", least, most))
        self.follow(first, full)
        self.story.claim(first.copy_state(full) == smis.SYNCHRONIZED, "the job is Completed, CopyState Synchronized")
        self.control()
        names = " and ".join(each.name for each in self.clients)
        self.story.remember(f"{names} found the service and made a group snapshot, a group clone and a full group "
                            "clone (a job) of the live volumes.")
        self.story.remember(f"Each was one prefix of the dependent writes: 1..{ks[0]}, 1..{ks[1]} and 1..{ks[2]}; no "
                            "hole, nothing later. (Three separate snapshots are none; the check says so.)")
        self.k = dict(zip(("snap", "clone", "full"), ks))

    def control(self):
        """Shows that the check finds what it is there to find."""
        for number, volume in enumerate(NAMES):
            made = self.node.cli("replica", "create", "element", volume, "--name", f"single_{number}")
            self.node.cli("export", "create", made["synchronization"]["target"]["id"], "--name", f"single_{number}")
            self.writer.wait_for_more()
        singles = self.open("single", [f"single_{number}" for number in range(records.VOLUMES)])
        try:
            k, _ = singles.prefix()
            raise processes.Failure(f"NOT TRUE: the check finds holes; it took three separate snapshots for 1..{k}")
        except records.Broken as broken:
            self.story.claim(True, "three snapshots taken one after another are no prefix, and the check says so: "
                             f"{broken}")
        self.close("single")

    def follow(self, client, replica):
        seen = []

        def progress(percent):
            if not seen or percent >= seen[-1] + 20:
                seen.append(percent)
                self.story.say(f"{client.name} follows the job: {percent} %")
        client.follow(replica.job, progress)

    def diverge(self):
        self.story.chapter("Source and replicas go their own ways")
        for name in self.replicas:
            self.mark(name)
        self.trios["sources"].mark("write-to-sources")
        before = self.writer.flushed()
        self.writer.wait_for_more()
        for name in self.replicas:
            self.check_unchanged(name)
        self.story.claim(self.trios["sources"].marks() == ["write-to-sources"] and self.writer.flushed() > before,
                         f"the source went on to {self.writer.flushed()} and has none of the replicas' writes")
        self.story.remember("Source and replicas were all written to, and none saw the writes of another.")

    def relationships(self):
        """What SMI-S says of the groups, but for the state of the one that is being copied; the ids of all
        relationships of volumes, and of all jobs."""
        groups = {name: ends if name == "killed" else (ends, state)
                  for name, (ends, state) in self.main.relationships().items()}
        pairs = {each["id"] for each in self.node.cli("replica", "list", "--kind", "element")}
        return groups, pairs, {job["id"] for job in self.node.cli("job", "list")}

    def check_relationships(self, before, made):
        """That all those that were there are there, with the snapshots of the storm, of which the last may be, too."""
        groups, pairs, jobs = self.relationships()
        self.story.claim(before[0].items() <= groups.items() and before[1] <= pairs,
                         f"all {len(before[0])} group relationships and {len(before[1])} pairs are there again, in "
                         "their states")
        self.story.claim(before[2] <= jobs, f"all {len(before[2])} job(s) are there again")
        new = groups.keys() - before[0].keys()
        whole = all(len(each["pairs"]) == records.VOLUMES
                    for each in self.node.cli("replica", "list", "--kind", "group"))
        self.story.claim(set(made) <= new and len(new) <= len(made) + (1 if made else 0) and whole,
                         f"{len(made)} more snapshots that were answered before the kill, too; none is there by halves")

    def storm(self):
        """Snapshots of the group, one after the other, from a thread until one fails: the names of those that were
        answered, as a list that grows, and the thread."""
        group, made = self.main.create_group("databases-storm", NAMES), []

        def work():
            with contextlib.suppress(Exception):  # the daemon is killed under it
                while True:
                    name = f"storm-{len(made)}"
                    self.main.replicate_group(group, name, smis.SNAPSHOT)
                    made.append(name)
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return made, thread

    def kill(self, copying):
        self.story.chapter("kill -9 of lockstepd while the writer runs and " +
                           ("a job copies" if copying else "a client makes snapshots"))
        job_replica = least = most = None
        if copying:
            group = self.main.create_group("databases-kill", NAMES)
            job_replica, least, most = self.during(
                lambda: self.main.replicate_group(group, "killed", smis.CLONE, full_copy=True))
            state, percent = self.main.job(job_replica.job)
            self.story.claim(state <= smis.JOB_LAST_STATE_AT_WORK, f"the job is at work, at {percent} %")
        groups, pairs, jobs = self.relationships()
        made = []
        if not copying:
            made, thread = self.storm()
            processes.wait_until(lambda: len(made) >= 3 or not thread.is_alive(), "three snapshots")
        self.node.kill()
        self.story.say(f"killed; the writer: {self.writer.wait_for_failure()}")
        if not copying:
            thread.join(60)
        flushed, begun = self.writer.flushed(), self.writer.begun()
        self.close_all()
        self.node.start()
        self.connect_clients()
        self.check_relationships((groups, pairs, jobs), made)
        sources = self.open("sources", NAMES)
        try:
            k, checksum = sources.prefix()
        except records.Broken as broken:
            raise processes.Failure(f"NOT TRUE: the source is a prefix after the crash: {broken}") from None
        self.story.claim(flushed <= k <= begun, f"the source holds 1..{k}; {flushed} was the last one acknowledged as "
                         f"flushed, {begun} was begun")
        self.writer.start([one.target() for one in sources], k, checksum)
        self.writer.wait_for_more()
        for name in self.k:
            self.open_replica(name, export=False)
            self.check_unchanged(name)
        if copying:
            self.follow(self.main, job_replica)
            self.replicas["killed"] = job_replica
            self.k["killed"] = self.check_prefix(self.open_replica("killed"), "the clone of the job that was killed",
                                                 least, most)
            self.mark("killed")
        when = "in the middle of a copy job" if copying else "while a client made snapshots"
        self.story.remember(f"kill -9 {when} lost nothing: {flushed} writes were acknowledged as flushed, {k} were "
                            f"there; so were all {len(pairs) + 3 * len(made)} relationships and {len(jobs)} job(s).")
        if copying:
            self.story.remember("The job went on after the restart and ended; its clone holds 1.."
                                f"{self.k['killed']}.")

    def resync(self):
        self.story.chapter("Resync Replica renews the snapshot")
        self.close("snap")
        old = self.k["snap"]
        seconds, least, most = self.during(lambda: self.main.modify(self.replicas["snap"], smis.RESYNC_REPLICA))
        self.story.say(f"{self.main.name}: ModifyReplicaSynchronization, Resync Replica: {seconds * 1e3:.0f} ms")
        self.story.claim(self.main.copy_state(self.replicas["snap"]) == smis.SYNCHRONIZED, "CopyState is Synchronized")
        snap = self.open_replica("snap", export=False)
        self.k["snap"] = self.check_prefix(snap, "the renewed snapshot", least, most)
        self.marks["snap"] = ["write-to-sources"]
        self.story.claim(self.k["snap"] > old and snap.marks() == self.marks["snap"],
                         "it is the source as it is now; what was written to the snapshot is gone")
        self.story.remember(f"Resync Replica renewed the snapshot, from 1..{old} to 1..{self.k['snap']}.")

    def restore(self):
        self.story.chapter("Restore from Replica brings the source back")
        self.writer.wait_for(self.k["snap"] + 100)
        reached = self.writer.stop()
        self.trios["sources"].mark("mistake")
        self.close("sources")
        self.close("snap")
        self.story.say(f"the source is at {reached}, is spoilt, unmounted and disconnected")
        seconds = self.main.modify(self.replicas["snap"], smis.RESTORE_FROM_REPLICA)
        self.story.say(f"{self.main.name}: ModifyReplicaSynchronization, Restore from Replica: {seconds * 1e3:.0f} ms")
        self.story.claim(self.main.copy_state(self.replicas["snap"]) == smis.RESTORED, "CopyState is Restored")
        sources = self.open("sources", NAMES)
        k, checksum = sources.prefix()
        self.story.claim(k == self.k["snap"] and sources.marks() == self.marks["snap"],
                         f"the source holds 1..{k} again, as the snapshot does, and the mistake is gone")
        self.writer.start([one.target() for one in sources], k, checksum)
        self.writer.wait_for_more()
        self.story.claim(True, f"and it is written to again, from {k + 1} on")
        self.story.remember(f"Restore from Replica brought the source back from 1..{reached} to 1..{k}.")

    def measure(self):
        self.story.chapter("What a group snapshot costs")
        self.node.cli("volume", "create", "many", "64M", "--count", str(MANY))
        self.node.cli("export", "create", "many_1")
        for count in (3, MANY):
            names = [f"many_{number}" for number in range(1, count + 1)]
            group = self.main.create_group(f"cost-{count}", names)
            result, replica = cost.measure(
                self.node.uri("many_1"),
                lambda: self.main.replicate_group(group, f"cost-of-{count}", smis.SNAPSHOT))  # noqa: B023
            self.story.claim(len(replica.targets) == count and self.main.copy_state(replica) == smis.SYNCHRONIZED,
                             f"{self.main.name} made a snapshot of {count} volumes at once")
            self.story.claim(result.held < HELD_AT_MOST_MS, result.text())
            self.story.remember(f"A snapshot of {count} volumes: {result.text()}.")
        self.writer.wait_for_more()

    def end(self):
        """Ends with the whole in order, so that what happens then is seen too."""
        reached = self.writer.stop()
        k, _ = self.trios["sources"].prefix()
        self.story.claim(k == reached, f"at the end the source holds exactly the {k} writes that were made")
        self.story.tell_summary()
        if self.keep:
            self.wait_for_ctrl_c()
        self.close_all()
        self.story.claim(self.node.stop() == 0, "lockstepd stopped in order")

    def wait_for_ctrl_c(self):
        node = self.node
        print("\n--keep: it goes on running, and is cleaned up on Ctrl-C. To connect:")
        print(f"  {os.path.relpath(node.command)} --socket {node.admin_socket} status")
        print(f"  wbemcli ei '{node.cim_url}/interop:CIM_RegisteredProfile'")
        print(f"  nbdinfo --list 'nbd+unix:///?socket={node.nbd_socket}'")
        if self.kind is volumes.FileSystem:
            print(f"  ls {self.folder}/*/fs        (the file systems of the sources and of the replicas)")
        print(f"  tail -f {node.log_path}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                signal.pause()

    def give_up(self):
        self.story.loud(f"not done after {TIME_LIMIT_S} s: ending lockstepd, so that what waits for it fails")
        self.node.kill_if_running()

    def run(self):
        # Whatever waits for lockstepd through a mounted file system cannot be interrupted, not even by Ctrl-C.
        watchdog = threading.Timer(TIME_LIMIT_S, self.give_up)
        watchdog.daemon = True
        watchdog.start()
        self.cleanup.callback(watchdog.cancel)
        self.start()
        self.replicate()
        self.diverge()
        self.kill(copying=False)
        self.resync()
        self.kill(copying=True)
        self.restore()
        self.measure()
        watchdog.cancel()
        self.end()


def interrupt(_signal, _frame):
    raise KeyboardInterrupt


def check_room(folder):
    free = shutil.disk_usage(folder).free
    if free < FREE_NEEDED:
        raise processes.Failure(f"{folder} has {free >> 30} GiB free; the quickstart needs {FREE_NEEDED >> 30} GiB. "
                                "Set TMPDIR to a folder on a disk that has")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, interrupt)
    if not options.raw and (missing := volumes.file_systems_missing()):
        print(f"\n!!! No real file systems here ({missing}): all is shown on the raw volumes.\n", flush=True)
        options.raw = True
    if not smis.pywbem:
        print("\n!!! pywbem is not to be had (no network?): everything is done with wbemcli.\n", flush=True)
    base = os.environ.get("TMPDIR", "/var/tmp")
    with contextlib.ExitStack() as cleanup:
        # Ends last: nothing may interrupt the cleaning up.
        cleanup.callback(lambda: print("cleaned up", flush=True))
        quickstart = None
        try:
            check_room(base)
            folder = tempfile.mkdtemp(prefix="lockstep-quickstart-", dir=base)
            cleanup.callback(remove, folder)
            quickstart = Quickstart(options, folder, cleanup)
            quickstart.run()
            return 0
        except KeyboardInterrupt:
            print("\ninterrupted", flush=True)
            return 130
        except (processes.Failure, records.Broken, OSError) as failure:
            print(f"\nFAILED: {failure}", file=sys.stderr, flush=True)
        except Exception as failure:  # of pywbem and libnbd, which have their own
            print(f"\nFAILED: {type(failure).__name__}: {failure}", file=sys.stderr, flush=True)
        finally:
            for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(each, signal.SIG_IGN)
        if quickstart:
            print(f"\nthe end of lockstepd's log:\n{quickstart.node.log_tail()}", file=sys.stderr, flush=True)
        return 1


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)
    if os.path.exists(folder):
        print(f"{folder} could not be removed: something is still mounted there (see `mount`, `losetup -a`)",
              file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
