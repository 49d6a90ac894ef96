"""Record how the installed QEMU's old devices answer, into tests/golden/qemu-VERSION/devices/.

    python tools/record_devices.py

One file for each kind of traffic in tests/hw/device_traffic.py: ``COMMAND -> ANSWER`` lines.
"""

from __future__ import annotations

import gzip
import random
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.hw.device_traffic import TRAFFIC, QemuBench, Traffic  # noqa: E402
from tests.support.qemu import Qemu  # noqa: E402

SEED = 72


def main() -> None:
    for name, traffic in TRAFFIC.items():
        version, lines = _record(traffic)
        target = ROOT / "tests" / "golden" / f"qemu-{version}" / "devices" / f"{name}.txt.gz"
        target.parent.mkdir(parents=True, exist_ok=True)
        text = "\n".join([f"# QEMU {version}, seed {SEED}", *lines, ""])
        target.write_bytes(gzip.compress(text.encode(), mtime=0))
        print(f"{target.relative_to(ROOT)}: {len(lines)} answers")


def _record(traffic: Traffic) -> tuple[str, list[str]]:
    with Qemu(*traffic.qemu_args) as qemu:
        parts = qemu.qmp("query-version")["qemu"]
        bench = QemuBench(qemu)
        commands = traffic.commands(random.Random(SEED))
        lines = [f"{command} -> {bench.answer(command)}" for command in commands]
    return ".".join(str(parts[part]) for part in ("major", "minor", "micro")), lines


if __name__ == "__main__":
    main()
