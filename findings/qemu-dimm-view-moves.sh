#!/bin/sh
# QEMU 10.0: the flat view of "device-memory" shows the only DIMM at 0, and at its true address once there are two.
#
# Expected: a DIMM that does not move has the same addresses in every listing; pc-dimm has it at 100000000h.
# Seen: a view that is filled by one region alone is shown as that region's own, from 0 on. The second DIMM,
# plugged beside the first, "moves" it. The view of "memory" has the true addresses all the time, so whoever
# keeps or compares these listings has to take them from there.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
"$here/../tools/qemu_root.sh" trixie "$temp" x86
python3 - "$temp/starters/qemu-system-x86_64" <<'END'
import json, re, subprocess, sys

PINNED = "10.0.13"
MIB = 1 << 20
flat = {"execute": "human-monitor-command", "arguments": {"command-line": "info mtree -f"}}
talk = [
    {"execute": "qmp_capabilities"},
    flat,
    {"execute": "object-add",
     "arguments": {"qom-type": "memory-backend-ram", "id": "m1", "size": 128 * MIB}},
    {"execute": "device_add", "arguments": {"driver": "pc-dimm", "id": "d1", "memdev": "m1"}},
    flat,
    {"execute": "query-memory-devices"},
    {"execute": "quit"},
]
words = [sys.argv[1], "-M", "pc", "-nodefaults", "-display", "none", "-S", "-qmp", "stdio",
         "-m", "128M,slots=2,maxmem=1G",
         "-object", "memory-backend-ram,id=m0,size=128M", "-device", "pc-dimm,id=d0,memdev=m0"]
done = subprocess.run(words, input="\n".join(map(json.dumps, talk)), capture_output=True,
                      text=True, timeout=60)
messages = [json.loads(line) for line in done.stdout.splitlines()]
version = messages[0]["QMP"]["version"]["qemu"]
version = "{major}.{minor}.{micro}".format(**version)
_, before, _, _, after, devices, *_ = [each["return"] for each in messages if "return" in each]

def shown(text, space):
    view = next(each for each in re.split(r"\r?\n\r?\n", text) if f'AS "{space}"' in each)
    return re.search(r"([0-9a-f]{16})-[0-9a-f]{16} \(prio \d+, ram\): m0", view)[1]

where = f"{devices[0]['data']['addr']:016x}"
seen = [shown(text, space) for text in (before, after) for space in ("device-memory", "memory")]
print("QEMU", version)
print("expected: the DIMM's start in both spaces, before and after:", [where] * 4)
print("seen:    ", seen)
assert version == PINNED, f"another version than {PINNED}: look again"
assert seen == ["0" * 16, where, where, where], "this has changed"
END
