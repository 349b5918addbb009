"""The virtual environment with clients from PyPI, made once, in the build folder, for all tests that need it.

Where the registry cannot be reached, these tests, or their parts, are skipped with a line that says so.
"""
import fcntl
import os
import subprocess
import sys


def loud(what):
    print("SKIPPED LOUDLY:", what, flush=True)


def with_packages(path, *packages, importing):
    """The Python of the environment at `path`, in which all of `importing` can be imported; or None."""
    python = os.path.join(path, "bin", "python")
    with open(os.path.abspath(path) + ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests that run at once make it once
        probe = [python, "-c", f"import {importing}"]
        if os.path.exists(python) and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return python
        for step in ([sys.executable, "-m", "venv", path], [python, "-m", "pip", "install", "-q", *packages]):
            done = subprocess.run(step, capture_output=True, text=True, timeout=240, check=False)
            if done.returncode != 0:
                loud(f"no {packages[0]}: " + (done.stderr or done.stdout).strip()[-200:])
                return None
    return python


def with_pywbem(path):
    return with_packages(path, "pywbem", importing="pywbem")


def go_on_with_pywbem(path):
    """Starts this program again with the environment's Python, unless that runs it; ends it when there is none."""
    python = with_pywbem(path)
    if not python:
        sys.exit(0)
    if os.path.realpath(sys.prefix) != os.path.realpath(path):
        os.execv(python, [python, *sys.argv])
