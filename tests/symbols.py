#!/usr/bin/env python3
"""No symbol of the library for float is one of the library for double: code for one must not link with the other.

    python3 tests/symbols.py LIBRARY LIBRARY
"""
import subprocess
import sys


def symbols(library):
    listed = subprocess.run(["nm", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    return {words[2] for words in map(str.split, listed.splitlines()) if len(words) == 3 and "evenkeel" in words[2]}


one, other = map(symbols, sys.argv[1:])
both = one & other
print(f"{len(one)} and {len(other)} symbols, {len(both)} in both", *sorted(both)[:20], sep="\n")
sys.exit(1 if both or not one else 0)
