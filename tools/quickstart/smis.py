"""SMI-S as its clients see it: two stock clients behind one face. Neither knows anything of Lockstep but its URL; all
names here are those of the standard's classes (DMTF CIM 2.41, SNIA SMI-S Replication Services)."""
import re
import shutil
import time

import processes

try:
    import pywbem
except ImportError:
    pywbem = None

SNIA = 11  # CIM_RegisteredProfile.RegisteredOrganization
SNAPSHOT, CLONE = 7, 8  # SyncType
FULL_COPY = 3  # CIM_ReplicationSettingData.DesiredCopyMethodology
RESYNC_REPLICA, RESTORE_FROM_REPLICA = 14, 15  # Operation of ModifyReplicaSynchronization
COMPLETED, JOB_STARTED = 0, 4096  # return codes
SYNCHRONIZED, RESTORED = 4, 18  # CopyState
JOB_COMPLETED, JOB_LAST_STATE_AT_WORK = 7, 6  # JobState: at most 6 and it has not ended
SYNC_TYPE_NAMES = {SNAPSHOT: "Snapshot", CLONE: "Clone"}


class Replica:
    """A group relationship that a client made: its path (as its client writes paths), the job that copies, if any, the
    ids of the volumes in the target group, in order, and when the call began and ended in the client's eyes
    (CLOCK_MONOTONIC)."""

    def __init__(self, path, target_group, job, times):
        self.path, self.target_group, self.job = path, target_group, job
        self.began, self.ended = times
        self.targets = []

    @property
    def seconds(self):
        return self.ended - self.began


class Client:
    """What both clients share: the order of things. Errors are processes.Failure."""

    name = ""

    def _check(self, method, code):
        if code not in (COMPLETED, JOB_STARTED):
            raise processes.Failure(f"{self.name}: {method} returned {code}")

    def _made(self, method, code, out, times):
        self._check(method, code)
        if (code == JOB_STARTED) != bool(out.get("Job")):
            raise processes.Failure(f"{self.name}: {method} returned {code}, with the Job {out.get('Job')}")
        replica = Replica(out["Synchronization"], out["TargetGroup"], out.get("Job"), times)
        replica.targets = self.members(replica.target_group)
        return replica

    def follow(self, job, progress, timeout=120):
        """Until the job has ended; calls progress(percent) as it goes. Raises Failure when it did not end well."""
        end = time.monotonic() + timeout
        while True:
            state, percent = self.job(job)
            progress(percent)
            if state == JOB_COMPLETED:
                return
            if state > JOB_LAST_STATE_AT_WORK:
                raise processes.Failure(f"{self.name}: the job ended with JobState {state}")
            if time.monotonic() > end:
                raise processes.Failure(f"{self.name}: the job has not ended in {timeout} s, it is at {percent} %")
            time.sleep(0.05)


class Pywbem(Client):
    name = "pywbem"

    def __init__(self, url):
        self._connection = pywbem.WBEMConnection(url, default_namespace="interop", timeout=60)
        self._service = self._system = None

    def discover(self):
        """From the Interop namespace to the replication service; what was found, in words."""
        c = self._connection
        profiles = c.EnumerateInstances("CIM_RegisteredProfile")
        arrays = [p for p in profiles if p["RegisteredOrganization"] == SNIA and p["RegisteredName"] == "Array"]
        if len(arrays) != 1:
            raise processes.Failure(f"{self.name}: {len(arrays)} registered profiles named Array")
        systems = c.AssociatorNames(arrays[0].path, AssocClass="CIM_ElementConformsToProfile",
                                    ResultClass="CIM_ComputerSystem")
        self._system = systems[0]
        services = c.AssociatorNames(self._system, AssocClass="CIM_HostedService",
                                     ResultClass="CIM_ReplicationService")
        if len(systems) != 1 or len(services) != 1:
            raise processes.Failure(f"{self.name}: {len(systems)} systems, {len(services)} replication services")
        self._service = services[0]
        return f"{len(profiles)} profiles, {self._service.classname} in {self._service.namespace}"

    @property
    def service(self):
        """The path of the replication service, once it has been discovered."""
        return self._service

    def _volumes(self, names):
        found = self._connection.Associators(self._system, AssocClass="CIM_SystemDevice",
                                             ResultClass="CIM_StorageVolume", PropertyList=["ElementName"])
        paths = {volume["ElementName"]: volume.path for volume in found}
        return [paths[name] for name in names]

    def _call(self, method, parameters):
        try:
            begin = time.monotonic()
            code, out = self._connection.InvokeMethod(method, self._service, Params=parameters)
            return code, out, (begin, time.monotonic())
        except pywbem.Error as error:
            raise processes.Failure(f"{self.name}: {method}: {error}") from None

    @staticmethod
    def _settings(**properties):
        return pywbem.CIMInstance("CIM_ReplicationSettingData", properties)

    def create_group(self, name, volumes):
        code, out, _ = self._call("CreateGroup", [("GroupName", name), ("Members", self._volumes(volumes))])
        self._check("CreateGroup", code)
        return out["ReplicationGroup"]

    def snapshot_elements(self, volumes, name):
        """CreateGroupReplicaFromElements: a snapshot of these volumes at one point in time."""
        parameters = [("RelationshipName", name), ("SyncType", pywbem.Uint16(SNAPSHOT)),
                      ("SourceElements", self._volumes(volumes)), ("SourceGroupName", name + "-sources"),
                      ("TargetGroupName", name + "-targets"),
                      ("ReplicationSettingData", self._settings(ConsistentPointInTime=True))]
        return self._made("CreateGroupReplicaFromElements",
                          *self._call("CreateGroupReplicaFromElements", parameters))

    def replicate_group(self, group, name, sync_type, full_copy=False):
        """CreateGroupReplica."""
        parameters = [("RelationshipName", name), ("SyncType", pywbem.Uint16(sync_type)), ("SourceGroup", group)]
        settings = {"ConsistentPointInTime": True}
        if full_copy:
            settings["DesiredCopyMethodology"] = pywbem.Uint16(FULL_COPY)
        parameters.append(("ReplicationSettingData", self._settings(**settings)))
        return self._made("CreateGroupReplica", *self._call("CreateGroupReplica", parameters))

    def modify(self, replica, operation):
        """ModifyReplicaSynchronization; the time it took, in seconds. Follows the job if there is one."""
        code, out, times = self._call("ModifyReplicaSynchronization", [
            ("Operation", pywbem.Uint16(operation)), ("Synchronization", replica.path)])
        self._check("ModifyReplicaSynchronization", code)
        if out.get("Job"):
            self.follow(out["Job"], lambda percent: None)
        return times[1] - times[0]

    def members(self, group):
        members = self._connection.References(group, ResultClass="CIM_OrderedMemberOfCollection")
        members.sort(key=lambda member: member["AssignedSequence"])
        return [member["Member"]["DeviceID"] for member in members]

    def copy_state(self, replica):
        return int(self._connection.GetInstance(replica.path)["CopyState"])

    def job(self, path):
        """(JobState, PercentComplete)"""
        job = self._connection.GetInstance(path)
        return int(job["JobState"]), int(job["PercentComplete"])

    def relationships(self):
        """{RelationshipName: ((SyncType, source group, target group), CopyState)} of all group relationships."""
        found = self._connection.EnumerateInstances("CIM_GroupSynchronized", namespace=self._service.namespace)
        return {each["RelationshipName"]: ((int(each["SyncType"]), each["SystemElement"]["InstanceID"],
                                            each["SyncedElement"]["InstanceID"]), int(each["CopyState"]))
                for each in found}


class Wbemcli(Client):
    """Reads what wbemcli prints: HOST/NAMESPACE:CLASS.KEYS on a line, with -nl the properties on lines of their own."""

    name = "wbemcli"

    def __init__(self, url):
        self._url = url
        self._service = self._system = None

    def _run(self, operation, where, *more, flags=()):
        """`where` is as wbemcli prints it. What it prints for the host is the server's name for itself, which is not
        always one to connect to."""
        _host, _, path = where.partition("/")
        done = processes.run("wbemcli", *flags, operation, f"{self._url}/{path}", *more)
        return [line for line in done.stdout.splitlines() if line.strip()]

    def discover(self):
        profiles = self._run("ei", "/interop:CIM_RegisteredProfile")
        arrays = [line for line in profiles if 'RegisteredName="Array"' in line]
        if len(arrays) != 1:
            raise processes.Failure(f"{self.name}: {len(arrays)} registered profiles named Array")
        path = re.match(r'\S+?InstanceID="[^"]*"', arrays[0])[0]
        systems = self._run("ain", path, flags=("-ac", "CIM_ElementConformsToProfile", "-arc", "CIM_ComputerSystem"))
        self._system = systems[0]
        services = self._run("ain", self._system, flags=("-ac", "CIM_HostedService", "-arc", "CIM_ReplicationService"))
        if len(systems) != 1 or len(services) != 1:
            raise processes.Failure(f"{self.name}: {len(systems)} systems, {len(services)} replication services")
        self._service = services[0]
        namespace, class_name = re.match(r"[^/]*/([^:]*):([^.]*)", self._service).groups()
        return f"{len(profiles)} profiles, {class_name} in {namespace}"

    def _properties(self, path):
        """Of one instance, as the text that is printed."""
        return self._parse(self._run("gi", path, flags=("-nl",)))

    @staticmethod
    def _parse(lines):
        pairs = (line[1:].partition("=") for line in lines if line.startswith("-"))
        return {name.rstrip("#&[]"): value.strip('"') for name, _, value in pairs}

    def _volumes(self, names):
        paths = {}
        path = None
        for line in self._run("ai", self._system, flags=("-nl", "-ac", "CIM_SystemDevice", "-arc",
                                                         "CIM_StorageVolume")):
            if not line.startswith("-"):
                path = line.strip()
            elif line.startswith("-ElementName="):
                paths[line.partition("=")[2].strip('"')] = path
        return [paths[name] for name in names]

    def _call(self, method, parameters):
        """`parameters` is what follows "METHOD."; a reference must be the last of them, because wbemcli takes what
        follows it for its keys."""
        begin = time.monotonic()
        lines = self._run("cm", self._service, f"{method}.{parameters}")
        times = (begin, time.monotonic())
        # SERVICE METHOD: CODE, NAME (reference): PATH, NAME (reference): PATH
        code = re.search(rf" {method}: (\d+)(.*)", " ".join(lines))
        # The paths are without a host, and wbemcli reads the first part of a path as one.
        out = {name: "host/" + path
               for name, path in re.findall(r", (\w+) \(reference\): (.*?)(?=, \w+ \(|\s*$)", code[2])}
        return int(code[1]), out, times

    @staticmethod
    def _settings(full_copy=False):
        more = f" DesiredCopyMethodology = {FULL_COPY};" if full_copy else ""
        return ('ReplicationSettingData="instance of CIM_ReplicationSettingData { ConsistentPointInTime = TRUE;'
                f'{more} }};"')

    def create_group(self, name, volumes):
        members = ",".join(self._volumes(volumes))
        code, out, _ = self._call("CreateGroup", f'GroupName="{name}",Members={members}')
        self._check("CreateGroup", code)
        return out["ReplicationGroup"]

    def snapshot_elements(self, volumes, name):
        parameters = (f'RelationshipName="{name}",SyncType={SNAPSHOT},SourceGroupName="{name}-sources",'
                      f'TargetGroupName="{name}-targets",{self._settings()},'
                      f'SourceElements={",".join(self._volumes(volumes))}')
        return self._made("CreateGroupReplicaFromElements",
                          *self._call("CreateGroupReplicaFromElements", parameters))

    def replicate_group(self, group, name, sync_type, full_copy=False):
        parameters = f'RelationshipName="{name}",SyncType={sync_type},{self._settings(full_copy)},SourceGroup={group}'
        return self._made("CreateGroupReplica", *self._call("CreateGroupReplica", parameters))

    def modify(self, replica, operation):
        code, out, times = self._call("ModifyReplicaSynchronization",
                                        f"Operation={operation},Synchronization={replica.path}")
        self._check("ModifyReplicaSynchronization", code)
        if out.get("Job"):
            self.follow(out["Job"], lambda percent: None)
        return times[1] - times[0]

    def members(self, group):
        # The order of the members is that of the answer: wbemcli has no way to ask for AssignedSequence beside them.
        lines = self._run("ain", group, flags=("-ac", "CIM_OrderedMemberOfCollection"))
        return [re.search(r'DeviceID="([^"]*)"', line)[1] for line in lines]

    def copy_state(self, replica):
        return int(self._properties(replica.path)["CopyState"])

    def job(self, path):
        properties = self._properties(path)
        return int(properties["JobState"]), int(properties["PercentComplete"])

    def relationships(self):
        found = {}
        for line in self._run("ei", self._service.partition(":Lockstep")[0] + ":CIM_GroupSynchronized"):
            source, target = re.findall(r'InstanceID="([^"]*)"', line)[:2]
            name, sync_type, state = (re.search(pattern, line)[1] for pattern in (
                r'RelationshipName="([^"]*)"', r"SyncType=(\d+)", r",CopyState=(\d+)"))
            found[name] = ((int(sync_type), source, target), int(state))
        return found


def clients(url):
    """Those that this machine has, the one that is better to measure with first."""
    found = []
    if pywbem:
        found.append(Pywbem(url))
    if shutil.which("wbemcli"):
        found.append(Wbemcli(url))
    return found
