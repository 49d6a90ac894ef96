#!/bin/sh
# QEMU 10.0: microvm takes a pc-dimm at the start, counts it as memory, and maps it nowhere.
#
# Expected: a machine type that has no place for DIMMs refuses slots=, maxmem= or the device, as `device_add` is refused on it.
# Seen: it starts; query-memory-devices tells of a DIMM at address 0 (where boot RAM is) in slot -1, query-memory-size-summary counts
# it as plugged, and no listing of the map holds its memory. Who believes the address takes it for an overlap with RAM, who believes
# the sum takes the guest for larger than it is.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
"$here/../tools/qemu_root.sh" trixie "$temp" x86
python3 - "$temp/starters/qemu-system-x86_64" <<'END'
import json, subprocess, sys

PINNED = "10.0.13"
MIB = 1 << 20
talk = [
    {"execute": "qmp_capabilities"},
    {"execute": "query-memory-devices"},
    {"execute": "query-memory-size-summary"},
    {"execute": "human-monitor-command", "arguments": {"command-line": "info mtree"}},
    {"execute": "quit"},
]
words = [sys.argv[1], "-M", "microvm", "-nodefaults", "-display", "none", "-S", "-qmp", "stdio",
         "-m", "128M,slots=2,maxmem=1G",
         "-object", "memory-backend-ram,id=extra,size=128M", "-device", "pc-dimm,id=d,memdev=extra"]
done = subprocess.run(words, input="\n".join(map(json.dumps, talk)), capture_output=True,
                      text=True, timeout=60)
messages = [json.loads(line) for line in done.stdout.splitlines()]
version = "{major}.{minor}.{micro}".format(**messages[0]["QMP"]["version"]["qemu"])
_, devices, summary, tree, *_ = [each["return"] for each in messages if "return" in each]
dimm = devices[0]["data"]
print("QEMU", version)
print("expected: a refusal at the start, or a DIMM that has a slot and stands in the map")
print("seen:     slot", dimm["slot"], "address", dimm["addr"], "plugged", summary["plugged-memory"],
      "in the map:", "extra" in tree)
assert version == PINNED, f"another version than {PINNED}: look again"
seen = dimm["slot"], dimm["addr"], summary["plugged-memory"], "extra" in tree
assert seen == (-1, 0, 128 * MIB, False), "this has changed"
END
