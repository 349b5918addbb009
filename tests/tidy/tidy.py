#!/usr/bin/env python3
"""The house rules that a machine can check. Prints one line per violation and exits 1 if there is any.

    tidy.py [root]

Rules: the arrows between rooms (docs/arrows.txt), calls that only io/posix may make, line length, file size, function
length (a ratchet: tests/tidy/long_functions.txt may only shrink), headers that open with a contract and are guarded,
names that two files of a room define for themselves (a build compiles them together), left-over markers,
paths of somebody's machine, and links between documents that lead nowhere.
"""
import json
import os
import re
import shutil
import subprocess
import sys

MAX_COLUMNS = 120
MAX_FILE_LINES = 700
MAX_FUNCTION_LINES = 70
CODE = (".h", ".cc")
SCRIPTS = (".py", ".sh", ".cmake", "CMakeLists.txt")

# Everything that can differ between two runs comes in through a constructor; see docs/hacking or src/io/env.h.
BANNED = [
    (r"std::chrono::\w+_clock::now", "time comes from io::Clock"),
    (r"std::(thread|jthread|async|mutex|shared_mutex|recursive_mutex|condition_variable)\b",
     "one owner loop per object; other work goes to io::Executor"),
    (r"std::this_thread", "waiting belongs to io::Loop"),
    (r"std::random_device|\bs?rand\(", "randomness comes from io::Random"),
    (r"(?<![\w.>:])(?:::)?(?:open|openat|pread|pwrite|preadv|pwritev|fsync|fdatasync|ftruncate|unlink|mkdir)\("
     r"\s*[\w\"]",
     "files come from io::FileSystem, disks from io::Env"),
    (r"(?<![\w.>])::(socket|bind|listen|accept|connect|send|recv|read|write|close)\(",
     "sockets come from io::Network"),
    (r"\b(usleep|nanosleep|sleep)\(", "waiting belongs to io::Loop"),
    (r"(?<![\w.>])(?:std::)?(exit|_exit|abort|system|popen|fork)\(", "only a program's main ends the process"),
    (r"(?<![\w.>])(?:std::)?getenv\(", "settings come from the configuration"),
    (r"#include <(fstream|filesystem|thread|mutex|condition_variable|future|sys/socket\.h|(unistd|fcntl)\.h)>",
     "an operating-system header above io/posix"),
    (r"#include <(expected|format)>", "clang 14 with libstdc++ 12 has it not"),
]
# Places whose task is the operating system, or the end of the process.
MAY_CALL_SYSTEM = ("src/io/posix/", "src/base/assert.cc", "apps/lockstepd/", "apps/lockstep/")
# The index, and the simulated files and disks, are called by several threads; what they share has a mutex that says so.
MAY_LOCK = ("sim/faults.h", "sim/file_media.h", "sim/log.h", "sim/trace.h", "src/logstore/index_rep.h")
# The thread that RocksDB's background work gets in simulation.
MAY_START_THREADS = ("sim/background.h", "sim/background.cc")
# Written so that this file does not find itself.
MACHINE_PATHS = re.compile("|".join(["/wor" + r"k/(main|shared|build)", "/hom" + r"e/\w", "/tmp/te" + "am",
                                     "/roo" + "t/"]))
MARKERS = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")


# A constant, a type, or a function with its parameters; at the left margin.
OWN_NAME = re.compile(r"^constexpr [\w:<>]+ (\w+)|^(?:struct|class|enum class) (\w+)(?= \{| final| :)"
                      r"|^(?!return|using|template| )[\w:<>,*&\[\] ]+? [*&]?(\w+\([^;{}]*\)) (?:const )?\{$", re.M)


class Tidy:
    def __init__(self, root):
        self.root = root
        self.problems = []

    def complain(self, path, line, message):
        self.problems.append(f"{path}:{line}: {message}")

    def files(self):
        """Tracked files and new ones that are not ignored; without a repository, everything but what builds make."""
        # The tree may belong to somebody else, as it does in a container: git answers about it all the same.
        listing = subprocess.run(["git", "-c", "safe.directory=*", "-C", self.root, "ls-files", "-co",
                                  "--exclude-standard"], capture_output=True, text=True)
        if listing.returncode == 0 and listing.stdout:
            names = listing.stdout.splitlines()
        else:
            names = []
            for folder, subfolders, here in os.walk(self.root):
                subfolders[:] = [s for s in subfolders if not s.startswith(("build", ".git", ".cache"))]
                names += [os.path.relpath(os.path.join(folder, n), self.root) for n in here
                          if not n.startswith("build") and n != "compile_commands.json"]
        return sorted(n for n in names if os.path.isfile(os.path.join(self.root, n)))

    def run(self):
        arrows = self.read_arrows()
        code, texts = [], {}
        for path in self.files():
            try:
                with open(os.path.join(self.root, path), encoding="utf-8") as f:
                    text = f.read()
            except UnicodeDecodeError:
                continue  # a binary: a fuzzing corpus, a picture
            self.check_any(path, text)
            if path.endswith(CODE) or path.endswith(SCRIPTS):
                self.check_shape(path, text)
            if path.endswith(CODE):
                code.append(path)
                texts[path] = text
                self.check_arrows(path, text, arrows)
                self.check_banned(path, text)
                self.check_header(path, text)
            if path.endswith(".md"):
                self.check_links(path, text)
        self.check_functions(code)
        self.check_own_names(texts)
        return self.problems

    # --- rules about one file

    def check_any(self, path, text):
        if "/corpus/" in path:
            return
        for number, line in enumerate(text.splitlines(), 1):
            if MACHINE_PATHS.search(line):
                self.complain(path, number, "an absolute path of somebody's machine")
            if path.endswith(CODE) and MARKERS.search(line):
                self.complain(path, number, "a left-over marker: do it, or open an issue")

    def check_shape(self, path, text):
        lines = text.splitlines()
        if len(lines) > MAX_FILE_LINES:
            self.complain(path, len(lines), f"{len(lines)} lines; at most {MAX_FILE_LINES}: one idea per file")
        for number, line in enumerate(lines, 1):
            if len(line) > MAX_COLUMNS:
                self.complain(path, number, f"{len(line)} columns; at most {MAX_COLUMNS}")
            if "\t" in line or line != line.rstrip():
                self.complain(path, number, "a tab, or space at the end of the line")

    def check_header(self, path, text):
        if not path.endswith(".h"):
            return
        if "#pragma once" not in text:
            self.complain(path, 1, "no #pragma once")
        if not text.startswith("//"):
            self.complain(path, 1, "a header opens with a comment that says what it is for")

    def check_links(self, path, text):
        for number, line in enumerate(text.splitlines(), 1):
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", line):
                if re.match(r"[a-z]+:", target):
                    continue
                if not os.path.exists(os.path.join(self.root, os.path.dirname(path), target)):
                    self.complain(path, number, f"link to {target}, which does not exist")

    def check_own_names(self, texts):
        seen = {}
        for path in sorted(p for p in texts if p.endswith(".cc") and p.startswith(("src/", "apps/", "sim/", "tests/"))):
            for space in re.finditer(r"^namespace \{\n(.*?)^\}  // namespace$", texts[path], re.S | re.M):
                for name in set(OWN_NAME.findall(space[1])):
                    name = " ".join(part for part in name if part)
                    other = seen.setdefault((os.path.dirname(path), name), path)
                    if other != path:
                        self.complain(path, 1, f"{name} is defined in {os.path.basename(other)} too: one of them is "
                                               "enough, or they need two names")

    # --- arrows

    def read_arrows(self):
        arrows = {}
        with open(os.path.join(self.root, "docs/arrows.txt"), encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                line = line.split("#")[0].strip()
                if not line:
                    continue
                room, _, allowed = line.partition(":")
                for other in allowed.split():
                    if other not in arrows:
                        self.complain("docs/arrows.txt", number, f"{room} names {other}, which is not below it")
                arrows[room] = set(allowed.split()) | {room}
        return arrows

    @staticmethod
    def room_of(path, arrows):
        """The longest room name that the path starts with; None outside the rooms."""
        inside = path[4:] if path.startswith("src/") else path
        parts = inside.split("/")
        for length in (2, 1):
            if len(parts) > length and "/".join(parts[:length]) in arrows:
                return "/".join(parts[:length])
        return None

    def check_arrows(self, path, text, arrows):
        if not path.startswith(("src/", "sim/", "apps/")):
            return
        room = self.room_of(path, arrows)
        if room is None:
            self.complain(path, 1, "its room has no line in docs/arrows.txt")
            return
        for number, line in enumerate(text.splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match:
                continue
            other = self.room_of(match[1], arrows)
            if other is None:
                self.complain(path, number, f'include "{match[1]}" by its path from src/ or from the root')
            elif other not in arrows[room]:
                self.complain(path, number, f"{room} may not name {other} ({match[1]}); see docs/arrows.txt")

    # --- banned calls

    def check_banned(self, path, text):
        if not path.startswith(("src/", "sim/", "apps/")) or path.startswith(MAY_CALL_SYSTEM):
            return
        for number, line in enumerate(strip_comments(text).splitlines(), 1):
            for pattern, instead in BANNED:
                found = re.search(pattern, line)
                if found and path in MAY_LOCK and "mutex" in found[0]:
                    continue
                if found and path in MAY_START_THREADS and re.search("thread|mutex|condition_variable", found[0]):
                    continue
                if found:
                    self.complain(path, number, f"{found[0].strip()} is banned here: {instead}")

    # --- function length

    def check_functions(self, code):
        ctags = shutil.which("ctags")
        if ctags is None or not code:
            if code:
                print("tidy: universal-ctags is missing, function lengths not checked", file=sys.stderr)
            return
        allowed = self.read_ratchet()
        out = subprocess.run([ctags, "--output-format=json", "--fields=+neS", "--kinds-C++=f", "--languages=C++",
                              "--langmap=C++:.h.cc", "-f", "-", "-L", "-"],
                             input="\n".join(code), capture_output=True, text=True, cwd=self.root, check=True)
        long_now = set()
        for line in out.stdout.splitlines():
            tag = json.loads(line)
            if "end" not in tag or tag["name"].startswith("__anon"):
                continue
            length = tag["end"] - tag["line"] + 1
            key = f"{tag['path']} {tag['name']}"
            if length <= MAX_FUNCTION_LINES:
                continue
            long_now.add(key)
            if length > allowed.get(key, MAX_FUNCTION_LINES):
                self.complain(tag["path"], tag["line"],
                              f"{tag['name']} has {length} lines; at most {allowed.get(key, MAX_FUNCTION_LINES)}")
        for key in sorted(set(allowed) - long_now):
            self.complain("tests/tidy/long_functions.txt", 1, f"{key} is short now: take its line out")

    def read_ratchet(self):
        path = os.path.join(self.root, "tests/tidy/long_functions.txt")
        allowed = {}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                for line in f:
                    fields = line.split("#")[0].split()
                    if len(fields) == 3:
                        allowed[f"{fields[0]} {fields[1]}"] = int(fields[2])
        return allowed


def strip_comments(text):
    """Blanks comments and the insides of string literals, keeping line numbers. Includes keep their <names>."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)

    def blank(match):
        return re.sub(r"[^\n]", " ", match[0])

    return token.sub(blank, text)


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
    problems = Tidy(root).run()
    for problem in problems:
        print(problem)
    print(f"tidy: {len(problems)} problem{'' if len(problems) == 1 else 's'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
