#!/bin/sh
# QEMU 11.1: `info mtree` calls the space of all I/O ports a "container", and `pci`, which answers nothing, "i/o".
#
# Expected: a container only holds other regions, and i/o answers accesses.
# Seen: the word stands for whatever is neither RAM nor ROM and lies in no other region. `io` has no parent and
# does answer (it fills every gap of the flat view, and is called a container there, too); `pci` lies in `system`,
# holds others only and is "i/o". So the word tells where a region hangs, not what it does.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
"$here/../tools/qemu_root.sh" sid "$temp" x86
python3 - "$temp/starters/qemu-system-x86_64" <<'END'
import json, re, subprocess, sys

PINNED = "11.1.3"
def ask(line):
    return {"execute": "human-monitor-command", "arguments": {"command-line": line}}

talk = [{"execute": "qmp_capabilities"}, ask("info mtree"), ask("info mtree -f"),
        {"execute": "quit"}]
words = [sys.argv[1], "-M", "pc", "-nodefaults", "-vga", "none", "-display", "none", "-S",
         "-qmp", "stdio"]
done = subprocess.run(words, input="\n".join(map(json.dumps, talk)), capture_output=True,
                      text=True, timeout=60)
messages = [json.loads(line) for line in done.stdout.splitlines()]
version = "{major}.{minor}.{micro}".format(**messages[0]["QMP"]["version"]["qemu"])
_, tree, flat, *_ = [each["return"].replace("\r", "") if isinstance(each["return"], str) else ""
                     for each in messages if "return" in each]
words = {name: re.search(rf", ([a-z/]+)\): {name}$", tree, re.M)[1] for name in ("io", "pci")}
answers = {name: len(re.findall(rf"\): {name}(?: @[0-9a-f]+)?$", flat, re.M)) for name in words}
print("QEMU", version)
print("expected: what is called a container answers nowhere")
for name, word in words.items():
    print(f"seen:     {name} is called {word!r}, and answers in {answers[name]} ranges")
assert version == PINNED, f"another version than {PINNED}: look again"
assert words == {"io": "container", "pci": "i/o"}, "this has changed"
assert answers["io"] > 0 and answers["pci"] == 0, "this has changed"
END
