#!/bin/sh
# Resolves what each set-up installs anew, for every Python and platform at once, with the hash of each file,
# into tools/locked. tools/setup.sh installs that and nothing else. Run it when pyproject.toml asks for something
# else, and now and then for newer releases: uv does it, in a virtual environment that goes away again.
set -eu
cd "$(dirname "$0")/.."
. tools/apt.sh

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check uv

# locked NAME WORD...: resolve into tools/locked/NAME.txt.
locked() {
    name=$1
    shift
    "$place/venv/bin/uv" pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-annotate --no-header --no-config -o "tools/locked/$name.txt" "$@"
}

# What builds guestmap itself is locked too: in pip's isolation it would be any release.
printf '%s\n' "hatchling>=1.28" "editables>=0.5" >"$place/build.in"
locked every --extra dev --extra fuzz --extra audit pyproject.toml "$place/build.in"
locked build -c tools/locked/every.txt "$place/build.in"
for each in boot all dev fuzz audit; do
    locked "$each" --extra "$each" -c tools/locked/every.txt pyproject.toml
done
rm tools/locked/every.txt

# What the tests of rcu and memory need, in Python alone: for a CPython without a global lock hardly anybody builds
# anything, and a later hypothesis is compiled.
printf '%s\n' pytest pytest-timeout sortedcontainers "hypothesis<6.156" >"$place/pure.in"
locked free_threaded "$place/pure.in"
