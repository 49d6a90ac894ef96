"""Run every benchmark and print the tables."""

from __future__ import annotations

from rich.console import Console

from benchmarks import attach, eyes, model, post
from benchmarks.table import show


def main() -> None:
    """Print ours beside QEMU's, from this run."""
    console = Console()
    show("POST (SeaBIOS, 128 MiB)", "QEMU TCG", post.rows(), console)
    show("A commit", "QEMU qtest", model.pam_rows(), console)
    show("Rendering everything", "peer", model.render_rows(), console)
    show("The eyes", "QEMU", eyes.rows(), console)
    show("A running QEMU", "info mtree -f", attach.rows(), console)


if __name__ == "__main__":
    main()
