"""What a run was measured on, in a few lines: numbers without it mean nothing."""

import os
import pathlib
import platform
import subprocess


def _first(path, default="?"):
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        return default


def _cpu():
    for line in _first("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _memory_gib():
    kib = int(_first("/proc/meminfo").split("MemTotal:")[1].split()[0])
    return kib / 2**20


def _file_system(directory):
    fields = subprocess.run(["findmnt", "-nro", "SOURCE,FSTYPE,OPTIONS", "--target", directory],
                            capture_output=True, text=True, check=False).stdout.split()
    return (fields + ["?", "?", "?"])[:3]


def _disk(source):
    """The whole disk under a mounted device, and its properties as the kernel has them."""
    name = os.path.basename(os.path.realpath(source))
    block = pathlib.Path("/sys/class/block") / name
    if (block / "partition").exists():
        block = block.resolve().parent
    queue = block / "queue"
    kind = "says it rotates" if _first(queue / "rotational") == "1" else "does not rotate"
    return (f"{block.name}, {kind}, cache {_first(queue / 'write_cache')}, "
            f"scheduler {_first(queue / 'scheduler')}, {_first(queue / 'nr_requests')} requests")


def describe(directory):
    """Pairs of what and its value."""
    source, kind, options = _file_system(directory)
    machine = subprocess.run(["systemd-detect-virt", "--vm"], capture_output=True, text=True,
                             check=False).stdout.strip()
    virtual = f", virtual ({machine})" if machine not in ("", "none") else ""
    return [
        ("CPU", f"{_cpu()}, {os.cpu_count()} cores{virtual}"),
        ("memory", f"{_memory_gib():.1f} GiB"),
        ("kernel", f"{platform.system()} {platform.release()}"),
        ("file system", f"{kind} ({options})"),
        ("disk", _disk(source)),
        ("load when it began", " ".join(_first("/proc/loadavg").split()[:3])),
    ]
