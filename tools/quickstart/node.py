"""A lockstepd in a folder of its own, and the `lockstep` command that manages it."""
import json
import os
import signal

import processes


class Node:
    """Runs the two programs of `build`. Everything it leaves is in `folder`; its log grows over all starts."""

    def __init__(self, build, folder, config="/dev/null"):
        self._daemon = os.path.join(build, "apps/lockstepd/lockstepd")
        self.command = os.path.join(build, "apps/lockstep/lockstep")
        self._folder = folder
        self._config = config
        self._process = None
        self.admin_socket = os.path.join(folder, "admin.sock")
        self.nbd_socket = os.path.join(folder, "nbd.sock")
        self.log_path = os.path.join(folder, "lockstepd.log")
        self.cim_url = None

    def start(self):
        """Returns when it serves."""
        with open(self.log_path, "ab") as log:
            self._process = processes.start(
                self._daemon, "--config", self._config, "--data-directory", os.path.join(self._folder, "data"),
                "--admin-socket", self.admin_socket, "--nbd", "unix:" + self.nbd_socket, "--cim", "tcp:127.0.0.1:0",
                "--cim-anonymous", "administrator",
                stdout=-1, stderr=log, text=True)
        for line in self._process.stdout:
            face, _, where = line.strip().partition(" ")
            if face == "cim":
                self.cim_url = "http://" + where.removeprefix("tcp:")
            if face == "ready":
                return
        raise processes.Failure(f"lockstepd did not start: exit code {self._process.wait()}")

    @property
    def pid(self):
        return self._process.pid

    def check_alive(self):
        if self._process.poll() is not None:
            raise processes.Failure(f"lockstepd ended by itself, with {self._process.returncode}")

    def kill(self):
        """kill -9."""
        self.check_alive()
        self.kill_if_running()

    def kill_if_running(self):
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        process.stdout.close()

    def kill_if_stuck(self):
        """So that nothing waits for its answers for ever: whoever uses its volumes then gets an error."""
        try:
            processes.run(self.command, "--socket", self.admin_socket, "status", timeout=5)
        except processes.Failure:
            self.kill_if_running()

    def stop(self):
        """In order; the exit code."""
        if self._process is None:
            return 0
        code = processes.stop(self._process, signal.SIGTERM)
        self._process.stdout.close()
        self._process = None
        return code

    def cli(self, *arguments):
        """What `lockstep --json` answers."""
        done = processes.run(self.command, "--socket", self.admin_socket, "--json", *arguments)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def cli_text(self, *arguments):
        return processes.run(self.command, "--socket", self.admin_socket, *arguments).stdout

    def uri(self, export):
        return f"nbd+unix:///{export}?socket={self.nbd_socket}"

    def log_tail(self, lines=40):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                return "".join(log.readlines()[-lines:])
        except OSError:
            return ""
