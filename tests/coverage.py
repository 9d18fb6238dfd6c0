#!/usr/bin/env python3
"""Prints which share of the lines of core, layers, optim and data the tests ran, and the lines they did not: coverage.py BUILD_FOLDER"""
import collections
import json
import os
import subprocess
import sys

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
build = os.path.abspath(sys.argv[1])
runs = collections.defaultdict(int)  # (file, line): how often, in both libraries together
for folder, _, files in os.walk(build):
    notes = [os.path.join(folder, f) for f in files if f.endswith(".gcda")]
    if not notes:
        continue
    out = subprocess.run(["gcov", "--stdout", "--json-format", *notes], check=True, capture_output=True, cwd=build).stdout
    for report in out.splitlines():
        for file in json.loads(report)["files"]:
            path = os.path.relpath(os.path.join(build, file["file"]), root)
            if path.split("/")[0] in ("core", "layers", "optim", "data"):
                for line in file["lines"]:
                    runs[path, line["line_number"]] += line["count"]

total = collections.Counter(path for path, _ in runs)
missed = collections.defaultdict(list)
for (path, line), count in sorted(runs.items()):
    if count == 0:
        missed[path].append(line)
for path in sorted(missed):
    print(f"{path}: {len(missed[path])} of {total[path]} lines not reached: {', '.join(map(str, missed[path]))}")
for folder in ("core", "layers", "optim", "data"):
    lines = sum(n for path, n in total.items() if path.startswith(folder + "/"))
    lost = sum(len(m) for path, m in missed.items() if path.startswith(folder + "/"))
    print(f"{folder:<8}{100 * (1 - lost / lines):6.1f} % of {lines} lines")
lost = sum(map(len, missed.values()))
print(f"{'all':<8}{100 * (1 - lost / len(runs)):6.1f} % of {len(runs)} lines")
sys.exit(lost > 0.05 * len(runs))
