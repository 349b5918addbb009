"""Running other programs, and the errors that this tool ends with."""
import subprocess
import time


class Failure(Exception):
    """Something that should work did not; ends the run."""


def run(*command, timeout=60, check=True):
    """The finished process; its standard output is text. Raises Failure when it fails, unless told not to."""
    try:
        done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=timeout)
    except subprocess.TimeoutExpired:
        raise Failure(f"no end after {timeout} s: {' '.join(map(str, command))}") from None
    except OSError as error:
        raise Failure(f"cannot run {command[0]}: {error}") from None
    if check and done.returncode != 0:
        said = f"{done.stdout}{done.stderr}".rstrip()
        raise Failure(f"exit code {done.returncode}: {' '.join(map(str, command))}\n{said}")
    return done


def start(*command, **options):
    """A process of a session of its own, so that Ctrl-C in the terminal reaches only us, who then end it in order."""
    return subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, start_new_session=True,
                            **options)


def wait_until(true, what, timeout=30):
    """Waits for something outside that nobody tells us about; raises Failure when it does not come."""
    end = time.monotonic() + timeout
    while not true():
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {timeout} s")
        time.sleep(0.02)


def stop(process, how, timeout=30):
    """Ends it with the given signal if it runs; its exit code."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode
