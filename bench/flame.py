#!/usr/bin/env python3
"""Draws a flame graph (SVG) from `perf script` output on the standard input.

  perf record -e cpu-clock -F 999 -g -o FILE COMMAND...
  perf script -i FILE | bench/flame.py --title "random writes" > profile.svg

Width is CPU time, what stands on something was called by it; hover to read a name and its share.
"""

import argparse
import html
import re
import sys

WIDTH, ROW, TOP = 1200, 16, 40
LEAST = 0.002  # of all samples: narrower frames are left out


def stacks(lines):
    """Yields each sample's frames, outermost first; the thread's name is the outermost."""
    comm, frames = None, []
    for line in lines:
        line = line.rstrip("\n")
        if not line:
            if comm:
                yield [comm, *reversed(frames)]
            comm, frames = None, []
        elif not line[0].isspace():
            comm = line.split()[0]
        else:
            # "  ffffffff81 name+0x12 (binary)"; a name may hold blanks and parentheses.
            found = re.match(r"\s*[0-9a-f]+ (.*) \(([^()]*)\)$", line)
            if found:
                name = re.sub(r"\+0x[0-9a-f]+$", "", found.group(1))
                kernel = "kernel" in found.group(2) or found.group(2) == "[kernel.kallsyms]"
                frames.append(("k:" if kernel else "") + shorten(name))
    if comm:
        yield [comm, *reversed(frames)]


def shorten(name):
    """Without template arguments and parameters."""
    depth, out = 0, []
    for i, c in enumerate(name):
        if c == "<" and name[max(0, i - 8):i] != "operator":
            depth += 1
        if depth == 0:
            if c == "(" and not name.startswith("(", i - 1):
                break
            out.append(c)
        if c == ">" and depth:
            depth -= 1
    return ("".join(out) or name).replace("lockstep::", "").replace("rocksdb::", "rocksdb:")


class Node:
    def __init__(self):
        self.samples = 0
        self.children = {}

    def add(self, frames):
        node = self
        node.samples += 1
        for frame in frames:
            node = node.children.setdefault(frame, Node())
            node.samples += 1


def color(name):
    if name.startswith("k:"):
        return "#d9885f"
    return "#7fa650" if name.startswith("rocksdb:") else "#6b93c0" if "::" in name else "#b8a25a"


def draw(node, total, x, depth, out):
    for name, child in sorted(node.children.items()):
        width = child.samples / total * WIDTH
        if child.samples >= LEAST * total:
            label = html.escape(name)
            text = html.escape(name[:int(width / 6.2)]) if width > 24 else ""
            out.append((depth, f'<g><title>{label}: {child.samples / total:.1%}</title>'
                               f'<rect x="{x:.1f}" width="{max(width - 0.5, 0.5):.1f}" y="@Y{depth}@" '
                               f'height="{ROW - 1}" fill="{color(name)}"/>'
                               f'<text x="{x + 3:.1f}" y="@T{depth}@">{text}</text></g>'))
            draw(child, total, x, depth + 1, out)
        x += width


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--title", default="CPU time")
    title = parser.parse_args().title
    root = Node()
    for frames in stacks(sys.stdin):
        root.add(frames)
    if root.samples == 0:
        sys.exit("flame.py: no samples on the standard input: is it the output of perf script?")
    out = []
    draw(root, root.samples, 0, 0, out)
    deepest = max(depth for depth, _ in out)
    height = TOP + (deepest + 1) * ROW + 6
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" '
          f'font-size="10"><rect width="100%" height="100%" fill="#fff"/><text x="4" y="18" font-size="14">'
          f'{html.escape(title)} ({root.samples:,} samples; brown: kernel, blue: ours, green: RocksDB)</text>')
    for depth, text in out:
        y = height - 6 - (depth + 1) * ROW
        print(text.replace(f"@Y{depth}@", str(y)).replace(f"@T{depth}@", str(y + 11)))
    print("</svg>")


if __name__ == "__main__":
    main()
