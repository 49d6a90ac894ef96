#!/bin/sh
# Makes a virtual environment that has Qiling and what guestmap needs, in a folder of its own: what Qiling
# needs besides is not for the tests' own.
#
#   tools/qiling_env.sh DIR
set -eu
. "$(dirname "$0")/apt.sh"

[ $# = 1 ] || fail "usage: tools/qiling_env.sh DIR"
project=$(cd "$(dirname "$0")/.." && pwd)
"$project/.venv/bin/python" -m venv "$1"
"$1/bin/pip" install -q --disable-pip-version-check "qiling>=1.4.6" -e "$project[unicorn]"
