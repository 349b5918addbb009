#!/usr/bin/env python3
"""Every rule of tidy.py fires on a tree that breaks it, and on a clean tree none does."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tidy import Tidy

CLEAN = {
    "docs/arrows.txt": "base:\nio: base\nio/posix: base io\napps/node: base io\n",
    "src/base/a.h": "// A thing.\n#pragma once\n",
    "src/io/b.h": '// Another.\n#pragma once\n#include "base/a.h"\n',
    "src/io/posix/c.cc": "#include <unistd.h>\nint F() { return ::close(1); }\n",
}


class TidyTest(unittest.TestCase):
    def problems(self, **changed):
        tree = dict(CLEAN)
        tree.update({name.replace("__", "/").replace("_dot_", "."): text for name, text in changed.items()})
        with tempfile.TemporaryDirectory() as root:
            for name, text in tree.items():
                path = os.path.join(root, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as f:
                    f.write(text)
            return Tidy(root).run()

    def one(self, expected, **changed):
        found = self.problems(**changed)
        self.assertEqual(len(found), 1, found)
        self.assertIn(expected, found[0])

    def test_a_clean_tree_passes(self):
        self.assertEqual(self.problems(), [])

    def test_two_files_of_a_room_with_one_name_fail(self):
        own = "namespace {\n\nint F(int a) {\n  return a;\n}\n\n}  // namespace\n"
        self.one("F(int a) is defined in x.cc too", src__base__x_dot_cc=own, src__base__y_dot_cc=own)
        self.assertEqual(self.problems(src__base__x_dot_cc=own, src__io__y_dot_cc=own), [])

    def test_an_arrow_upwards_fails(self):
        self.one("base may not name io", src__base__x_dot_cc='#include "io/b.h"\n')

    def test_io_posix_is_a_room_of_its_own(self):
        self.one("may not name io/posix", apps__node__x_dot_cc='#include "io/posix/c.h"\n')

    def test_a_room_without_a_line_fails(self):
        self.one("no line in docs/arrows.txt", src__new__x_dot_cc="int x;\n")

    def test_an_arrow_table_with_a_cycle_fails(self):
        found = self.problems(docs__arrows_dot_txt="base: io\nio: base\nio/posix: base io\napps/node: base io\n")
        self.assertEqual(len(found), 1, found)
        self.assertIn("base names io, which is not below it", found[0])

    def test_a_clock_above_the_seam_fails(self):
        self.one("time comes from io::Clock", src__base__x_dot_cc="auto t = std::chrono::steady_clock::now();\n")

    def test_a_system_call_above_the_seam_fails(self):
        self.one("io::FileSystem", src__io__x_dot_cc="int F() { return ::fsync(3); }\n")

    def test_a_banned_word_in_a_comment_or_string_is_no_call(self):
        self.assertEqual(self.problems(src__io__x_dot_cc='// sleep(1)\nauto s = "std::thread";\n'), [])

    def test_a_long_line_fails(self):
        self.one("columns", src__base__x_dot_cc="int x;" + " " * 120 + "int y;\n")

    def test_a_long_file_fails(self):
        self.one("one idea per file", src__base__x_dot_cc="int x;\n" * 701)

    def test_a_long_function_fails(self):
        self.one("LongOne has 82 lines", src__base__x_dot_cc="void LongOne() {\n" + "  F();\n" * 80 + "}\n")

    def test_the_ratchet_lets_a_known_long_function_pass_and_goes_when_it_is_short(self):
        known = "src/base/x.cc LongOne 82\n"
        long_one = "void LongOne() {\n" + "  F();\n" * 80 + "}\n"
        tree = {"tests__tidy__long_functions_dot_txt": known}
        self.assertEqual(self.problems(src__base__x_dot_cc=long_one, **tree), [])
        self.one("is short now", src__base__x_dot_cc="void LongOne() {}\n", **tree)

    def test_a_header_without_contract_or_guard_fails(self):
        found = self.problems(src__base__x_dot_h="int x;\n")
        self.assertEqual(len(found), 2, found)

    def test_a_dead_link_fails(self):
        self.one("does not exist", README_dot_md="See [the design](docs/nowhere.md).\n")

    def test_a_machine_path_fails(self):
        self.one("somebody's machine", README_dot_md="Look in /hom" + "e/me/x.\n")

    def test_a_marker_fails(self):
        self.one("marker", src__base__x_dot_cc="// TO" + "DO later\n")


if __name__ == "__main__":
    unittest.main()
