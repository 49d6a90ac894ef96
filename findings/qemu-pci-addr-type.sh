#!/bin/sh
# QEMU 10.0: the property `addr` of a PCI device is of type "str" by qom-list, and qom-get returns an integer.
#
# Expected: a property's value has the JSON type that its declared type names, as every other one's has.
# Seen: "str" is what may be *set* ("08.0" as well as 8); what is *got* is device and function as a number (64),
# or -1. Who decodes qom-get by qom-list's types refuses it, or shows an address that is none. (7.2 said "int32",
# and had the text under another name.)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
"$here/../tools/qemu_root.sh" trixie "$temp" x86
python3 - "$temp/starters/qemu-system-x86_64" <<'END'
import json, subprocess, sys

PINNED = "10.0.13"
path = "/machine/peripheral/t"
talk = [
    {"execute": "qmp_capabilities"},
    {"execute": "qom-list", "arguments": {"path": path}},
    {"execute": "qom-get", "arguments": {"path": path, "property": "addr"}},
    {"execute": "quit"},
]
words = [sys.argv[1], "-M", "pc", "-nodefaults", "-display", "none", "-S", "-qmp", "stdio",
         "-device", "pci-testdev,id=t,addr=08.0"]
done = subprocess.run(words, input="\n".join(map(json.dumps, talk)), capture_output=True,
                      text=True, timeout=60)
messages = [json.loads(line) for line in done.stdout.splitlines()]
version = "{major}.{minor}.{micro}".format(**messages[0]["QMP"]["version"]["qemu"])
_, properties, value, *_ = [each["return"] for each in messages if "return" in each]
declared = next(each["type"] for each in properties if each["name"] == "addr")
print("QEMU", version)
print("expected: a value of the declared type,", repr(declared))
print("seen:    ", repr(value), "which is", type(value).__name__)
assert version == PINNED, f"another version than {PINNED}: look again"
assert (declared, value) == ("str", 8 << 3), "this has changed"
END
