#!/bin/sh
# QEMU 10.0: a virtio-mem device over a file that is mapped privately (share=off) empties the file when it is plugged.
#
# Expected: the guest's writes to memory of share=off never reach the file (QEMU's manual), so what lies in the file
# when the device is plugged lies there afterwards.
# Seen: memory that is not plugged yet is discarded, and discarding makes holes in the file itself: device_add is answered
# with success, the file has its length, no block, and reads as zeros. A warning goes to QEMU's stderr, where nobody looks
# who speaks QMP. A balloon that takes pages does the same to them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
"$here/../tools/qemu_root.sh" trixie "$temp" x86
python3 - "$temp/starters/qemu-system-x86_64" "$temp/image" <<'END'
import json, os, subprocess, sys

PINNED = "10.0.13"
MIB = 1 << 20
SIZE = 128 * MIB
program, path = sys.argv[1:]
with open(path, "wb") as file:
    file.write(b"kept" * (SIZE // 4))

backend = {"qom-type": "memory-backend-file", "id": "m", "size": SIZE, "mem-path": path, "share": False}
device = {"driver": "virtio-mem-pci", "id": "v", "memdev": "m"}
talk = [
    {"execute": "qmp_capabilities"},
    {"execute": "object-add", "arguments": backend},
    {"execute": "device_add", "arguments": device},
    {"execute": "quit"},
]
words = [program, "-M", "pc", "-nodefaults", "-display", "none", "-S", "-qmp", "stdio", "-m", "128M,maxmem=1G"]
done = subprocess.run(words, input="\n".join(map(json.dumps, talk)), capture_output=True, text=True, timeout=60)
messages = [json.loads(line) for line in done.stdout.splitlines()]
version = "{major}.{minor}.{micro}".format(**messages[0]["QMP"]["version"]["qemu"])
answers = [each for each in messages if "return" in each or "error" in each][:3]
with open(path, "rb") as file:
    kept = file.read().count(b"kept") * 4
print("QEMU", version)
print(f"expected: {SIZE // MIB} MiB of the file as they were")
print(f"seen:     {kept // MIB} MiB; {os.stat(path).st_blocks * 512} bytes of it allocated; answers {answers}")
assert version == PINNED, f"another version than {PINNED}: look again"
assert answers == [{"return": {}}] * 3 and kept == 0, "this has changed"
END
