#!/usr/bin/env python3
"""Prints one line for each test of a ctest JUnit report: status (run, fail, notrun, disabled), a tab, its name.

GoogleTest tests that skip themselves count as notrun: gtest_discover_tests runs each by itself, and a skipped one says
so in its output and exits with 0. A Python program is one test; what it skips of itself is told besides, one line each.
"""
import re
import sys
import xml.etree.ElementTree as ElementTree

for case in ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
    status = case.get("status", "fail")
    output = case.findtext("system-out") or ""
    if status == "run" and ("[  SKIPPED ] 1 test" in output or "\nSKIPPED: " in "\n" + output):
        status = "notrun"
    print(f"{status}\t{case.get('name')}")
    for part, reason in re.findall(r"^(\w+) \(.*\bskipped ['\"](.*)['\"]$", output, re.MULTILINE):
        print(f"notrun\t{case.get('name')} {part}: {reason}")
