"""The CIM server by itself: bench_cim_load against bench_cim_server, whose provider is synthetic. Part "cim" of
bench/run.

`cim.py BUILD` prints the table alone.
"""

import json
import pathlib
import re
import statistics
import subprocess
import sys

# What the load generator is asked for, and how a row says it. None of it is a target for a storage node: providers of
# real volumes do more than the synthetic one.
ROWS = (
    ("GetInstance, 1 client", ("--work=get",), "at least 15,000/s and at most 60 us of CPU"),
    ("GetInstance, 1 client that does not sleep", ("--work=get", "--awake=yes"), "the same"),
    ("GetInstance, 4 clients", ("--work=get", "--clients=4"), "at least 25,000/s"),
    ("EnumerateInstances of 10,000", ("--work=enumerate",), "at most 30 ms"),
    ("EnumerateInstanceNames of 10,000", ("--work=names",), ""),
    ("Open and Pull of 10,000, 1,000 at a time", ("--work=pull",), "at most 35 ms"),
    ("Associators with 100 results", ("--work=associators",), "at most 0.5 ms"),
    ("100 clients, each EnumerateInstances of 10,000 once", ("--work=enumerate", "--clients=100", "--operations=1"),
     "memory grows by less than 64 MiB"),
)
# The same server with TLS, each request with a user's name and password.
HTTPS_ROWS = (
    ("HTTPS GetInstance, 1 client", ("--work=get",), "at least 12,000/s"),
    ("HTTPS GetInstance, 1 client that does not sleep", ("--work=get", "--awake=yes"), "the same"),
    ("HTTPS GetInstance, 4 clients", ("--work=get", "--clients=4"), ""),
)


# The same requests to a server that does nothing but send so many bytes: what the machine and the client take.
FLOOR_ROWS = tuple((f"the floor of: {name}", options, "") for name, options, _ in ROWS
                   if options[0] == "--work=get" or options == ("--work=enumerate",))


def measure_server(build, command, wanted, rounds, seconds, progress):
    programs = pathlib.Path(build) / "bench"
    https = "--https=yes" if "--https=yes" in command else "--https=no"
    server = subprocess.Popen([programs / command[0], *command[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True)
    try:
        port = re.search(r":(\d+)$", server.stdout.readline())[1]
        results = {}
        for number in range(rounds):
            for name, options, _ in wanted:
                done = subprocess.run([programs / "bench_cim_load", f"--port={port}", f"--pid={server.pid}", https,
                                       f"--seconds={seconds}", *options], capture_output=True, text=True, check=True)
                results.setdefault(name, []).append(json.loads(done.stdout))
                progress(f"round {number + 1}/{rounds}: {name}: {results[name][-1]['p50_us']:,.0f} us")
        return results
    finally:
        server.stdin.close()
        server.wait(timeout=60)


def measure(build, rounds, seconds, progress):
    """For each row the outcomes of all rounds."""
    return {**measure_server(build, ["bench_cim_server"], ROWS, rounds, seconds, progress),
            **measure_server(build, ["bench_cim_floor"], FLOOR_ROWS, rounds, seconds, progress),
            **measure_server(build, ["bench_cim_server", "--https=yes"], HTTPS_ROWS, rounds, seconds, progress)}


def rows(results):
    """Lines of the table: the median of the rounds, and their least and greatest."""
    def spread(values, form):
        return f"{form(statistics.median(values))} ({form(min(values))}..{form(max(values))})"

    for name, _, target in ROWS + FLOOR_ROWS + HTTPS_ROWS:
        of = results[name]
        took = [r["p50_us"] for r in of]
        unit, form = ("ms", lambda v: f"{v / 1000:,.1f}") if min(took) > 2000 else ("us", lambda v: f"{v:,.0f}")
        growth = max(r["rss_peak_kib"] - of[0]["rss_before_kib"] for r in of) / 1024
        kept = (of[-1]["rss_after_kib"] - of[0]["rss_before_kib"]) / 1024
        yield [name, spread([r["per_second"] for r in of], lambda v: f"{v:,.0f}"), f"{spread(took, form)} {unit}",
               spread([r["cpu_us"] for r in of], lambda v: f"{v:,.0f}"), f"{of[0]['bytes']:,.0f}",
               f"{growth:.1f} / {kept:.1f}", target]


HEAD = ["work", "per second", "each takes (median)", "CPU us of the server, each", "bytes of the replies",
        "memory, MiB: grown / kept", "target"]


if __name__ == "__main__":
    outcome = measure(sys.argv[1], 3, 2, lambda text: print(" ", text, file=sys.stderr))
    for line in ([HEAD, ["---"] * len(HEAD), *rows(outcome)]):
        print("| " + " | ".join(line) + " |")
