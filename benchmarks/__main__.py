"""Run every benchmark and print the tables; what was started ends with it, however it ends."""

from __future__ import annotations

import signal

from rich.console import Console
from tests.support.processes import end_with_us

from benchmarks import (
    access,
    attach,
    bar_move,
    build,
    core,
    device_loops,
    disks,
    domains,
    emulator,
    engine,
    eyes,
    first_plug,
    fleet,
    footprint,
    free_threaded,
    front,
    growth,
    held_up,
    hotplug,
    linux,
    model,
    nested,
    older,
    post,
    rcu,
    screen,
    since,
    start,
    survey,
    text,
)
from benchmarks.table import show
from guestmap.base.interrupt import ENDINGS


def main() -> None:
    """Print ours beside QEMU's, from this run."""
    for number in ENDINGS[1:]:  # as Ctrl-C does: whoever has begun something ends it
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    end_with_us()
    console = Console()
    show("POST (SeaBIOS, 128 MiB)", "QEMU TCG", post.rows(), console)
    show("A whole boot", f"commit {older.COMMIT}", post.older_rows(), console)
    show("Linux (Debian cloud, 64-bit, 512 MiB)", "QEMU TCG", linux.rows(), console)
    show("The engine (processor time)", "documented Unicorn", engine.rows(), console)
    show("A guest at its devices (processor time)", "QEMU TCG", device_loops.rows(), console)
    show("A guest's disk (processor time)", "QEMU TCG", disks.rows(), console)
    show("A guest's screen (processor time)", "QEMU TCG", screen.rows(), console)
    show("Starting the program (processor time)", "python -c pass", start.rows(), console)
    show("A question (processor time)", f"commit {older.COMMIT}", start.older_rows(), console)
    show("Accesses of RAM", "Unicorn", access.rows(), console)
    show("Accesses of a device", "its callback", access.device_rows(), console)
    show("Copies of RAM", "bare copy", access.bulk_rows(), console)
    show("In front of Unicorn", "Unicorn alone", front.rows(), console)
    show("A read section", "Lock", rcu.rows(), console)
    show("Without a global lock", "see the row", free_threaded.rows(), console)
    show("A commit", "QEMU qtest", [*model.pam_rows(), *bar_move.rows()], console)
    show("Building a machine", "QEMU", build.rows(), console)
    footprint.show(footprint.rows(), console)
    show("The memory model", f"commit {older.COMMIT}", core.rows(), console)
    show("What both have", f"commit {older.COMMIT}", since.rows(), console)
    show("A move", "of ten", model.move_rows(), console)
    show("Rendering everything", f"commit {older.COMMIT}", model.render_rows(), console)
    show("The eyes", "QEMU", eyes.rows(), console)
    show("Text of any size", "peer", text.rows(), console)
    growth_peer = f"commit {older.COMMIT}"
    show("As the map grows (processor time)", growth_peer, growth.rows(), console)
    show("Plugging memory in, over QMP", "QEMU", hotplug.rows(), console)
    show("Plugging memory in (processor time)", "QEMU", first_plug.rows(), console)
    show("As libvirt's emulator", "QEMU", emulator.rows(), console)
    show("Domains", "libvirt 9.0", domains.rows(), console)
    show("A survey before plugging", f"commit {older.COMMIT}", survey.rows(), console)
    show("A monitor that is kept busy", "left alone", held_up.rows(), console)
    show("A fleet", "see the row", fleet.rows(), console)
    nested.show_all(console)
    show("A running QEMU", "info mtree -f", attach.rows(), console)


def _end(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
