#!/usr/bin/env python3
"""Checks what each folder includes against the table below, and the line counts of the READMEs; --lines prints them."""
import os
import re
import sys

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
core = ["core/base", "core/io", "core/engine", "core/ops"]
layers = core + ["layers", "layers/norm"]
library = core + ["layers", "layers/norm", "layers/model", "optim", "optim/curvature", "data", "data/formats", "data/catalogue"]
cli = library + ["apps/cli"]

# folder: the folders that it may include, besides itself
MAY_INCLUDE = {
    "core/base": [],
    "core/io": ["core/base"],
    "core/engine": ["core/base"],
    "core/kernels": ["core/base"],  # they know no Tensor
    "core/ops": ["core/base", "core/engine", "core/kernels"],
    "layers": layers,
    "layers/norm": core + ["layers"],
    "layers/model": layers,
    "optim": core,
    "optim/curvature": core + ["optim"],
    "data": core,
    "data/formats": core + ["data"],
    "data/catalogue": core + ["data", "data/formats"],
    "apps": ["apps/cli"],
    "apps/cli": library + ["apps/distributed"],
    "apps/report": cli,
    "apps/formats": cli,
    "apps/trainer": library,
    "apps/distributed": library,
    "apps/train": cli + ["apps/report", "apps/formats", "apps/trainer", "apps/distributed"],
    "apps/commands": cli + ["apps/report", "apps/formats", "apps/trainer"],
    "apps/bench": cli + ["core/kernels", "apps/trainer"],  # it times kernels by themselves
    "apps/lab": cli + ["apps/report", "apps/trainer"],
    "apps/lab/*": library + ["apps/lab"],
    "apps/practice": cli,
    "apps/practice/runner": library,
    "apps/practice/exercises/*": [],  # what a learner's file may include: <evenkeel/practice.h>
}


def rule(folder):
    return MAY_INCLUDE.get(folder, MAY_INCLUDE.get(os.path.dirname(folder) + "/*"))


def main():
    faults, lines, rooms, counts = [], {}, {}, {}
    for top in "core", "layers", "optim", "data", "apps":
        for path, folders, names in os.walk(os.path.join(root, top)):
            folder = os.path.relpath(path, root)
            sources = [n for n in names if n.endswith((".h", ".cpp"))]
            rooms[folder] = len({os.path.splitext(n)[0] for n in sources})
            for name in sources:
                with open(os.path.join(path, name), encoding="utf-8") as file:
                    text = file.read()
                counts[f"{folder}/{name}"] = text.count("\n")
                lines[folder] = lines.get(folder, 0) + text.count("\n")
                for included in re.findall(r'^#include "([^"]+)"', text, re.M):
                    beside = os.path.normpath(os.path.join(folder, included))  # an installed header needs no -I
                    other = os.path.dirname(beside if os.path.exists(os.path.join(root, beside)) else included)
                    allowed = rule(folder)
                    if allowed is None:
                        faults.append(f"{folder}: not in the table of tests/rooms.py")
                    elif other != folder and other not in allowed:
                        faults.append(f"{folder}/{name} must not include {included}")
                    elif other == "core/kernels" and folder == "core/ops" and name.endswith(".h"):
                        faults.append(f"{folder}/{name} is installed, and must not include {included}")
    if "--lines" in sys.argv:
        for folder in sorted(lines):
            print(f"{folder:24}{rooms[folder]:4} rooms{lines[folder]:8,} lines")
    size = lambda path: sum(n for source, n in counts.items() if source == path or source.startswith(path + "/"))
    for document, name in ("README.md", r"`([\w/]+)`"), ("core/README.md", r"\]\(([\w./]+)\)"):
        with open(os.path.join(root, document), encoding="utf-8") as file:
            rows = re.findall(r"^\|(.*)\| ([\d,]+) \|", file.read(), re.M)
        for cells, count in rows:
            named = [os.path.normpath(os.path.join(os.path.dirname(document), n)) for n in re.findall(name, cells)]
            real = sum(map(size, named))
            if named and abs(real - int(count.replace(",", ""))) > max(5, real / 20):
                faults.append(f"{document}: {', '.join(named)} has {real:,} lines, not {count}")
        if not rows:
            faults.append(f"{document}: has no table with line counts")
    print("".join(f"{fault}\n" for fault in sorted(set(faults))), end="")
    return bool(faults)


sys.exit(main())
