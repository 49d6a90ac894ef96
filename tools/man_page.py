#!/usr/bin/env python3
"""Writes share/: the manual page, from what the program says of itself, and the shells' scripts.

.venv/bin/python tools/man_page.py
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from guestmap.cli.app import COMMANDS
from guestmap.cli.streams import STATUSES

SHARE = Path(__file__).parent.parent / "share"
SCRIPTS = {
    "bash": "bash-completion/completions/guestmap",
    "zsh": "zsh/site-functions/_guestmap",
    "fish": "fish/vendor_completions.d/guestmap.fish",
}

SOURCES = {
    "unix:SOCKET, tcp:HOST:PORT": "A running machine, by its QMP socket.",
    "tls:HOST:PORT[,dir=FOLDER]": (
        "The same over TLS: ca-cert.pem, client-cert.pem and client-key.pem are in FOLDER, or in"
        " /etc/pki/qemu."
    ),
    "libvirt:NAME": "A domain of libvirt.",
    "reset, boot": (
        "A machine of guestmap's own, as it is before the first instruction, or after its firmware"
        " ran; with RAM and board as in reset:4G,machine=microvm. -M chooses the board, too, and -M"
        " help lists them."
    ),
    "FILE": (
        "A snapshot in JSON, the report of 'guestmap boot --json' (FILE#before: the map at reset),"
        " or the text of 'info mtree', also as a mail has it. - is standard input."
    ),
    "FOLDER": "Captures of one machine.",
}
ENVIRONMENT = {
    "GUESTMAP_BIOS": "The firmware image, or a folder that holds it; else the distribution's.",
    "GUESTMAP_UNICORN": "documented: use nothing of Unicorn but what is documented.",
    "GUESTMAP_DOMAINS": "Where the definitions of domains are kept.",
    "GUESTMAP_MEMORY_BACKING_DIR": "The folder of files that are the memory of domains.",
}
EXAMPLES = {
    "guestmap boot -m 4G": "Boot SeaBIOS and watch each change of the map, with its cause.",
    "guestmap explain unix:vm.sock 0xc9000": (
        "Say who answers there on a running QEMU, and why nobody else does."
    ),
    "guestmap plug unix:vm.sock 512M": "Plug half a GiB in, wait for the guest, and verify.",
    "source <(guestmap completion bash)": "Teach a shell to complete all of this.",
}
ABOUT = (
    "guestmap boots firmware on a machine of its own and shows how its memory map changes; reads"
    " the map of a running QEMU, of a libvirt domain, or of pasted 'info mtree' text; says who"
    " answers at an address, and why others do not; and plugs memory into running machines after"
    " saying what will come of it."
)


def escaped(text: str) -> str:
    """Return text as roff shows it unchanged."""
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")


def items(pairs: dict[str, str]) -> list[str]:
    """Return a list of terms and what they are."""
    return [line for term, text in pairs.items()
            for line in (".TP", f".B {escaped(term)}", escaped(text))]  # fmt: skip


def page() -> str:
    """Return the manual page."""
    lines = [
        '.TH GUESTMAP 1 "" "guestmap" "User Commands"',
        ".SH NAME",
        "guestmap \\- who answers at an address of a virtual machine, and why",
        ".SH SYNOPSIS",
        ".B guestmap",
        ".I COMMAND",
        "[OPTION]... [SOURCE]...",
        ".SH DESCRIPTION",
        escaped(ABOUT),
        ".PP",
        "Each command says more of itself with",
        ".BR \\-\\-help .",
        ".SH COMMANDS",
        *items(COMMANDS),
        ".SH SOURCES",
        "Where a command takes a",
        ".IR SOURCE ,",
        "it is one of these.",
        *items(SOURCES),
        ".SH EXIT STATUS",
        *items({str(number): text for number, text in STATUSES.items()}),
        ".PP",
        escaped("plug, unplug and resize have more: their --help says which."),
        ".SH ENVIRONMENT",
        *items(ENVIRONMENT),
        ".SH EXAMPLES",
        *items(EXAMPLES),
        ".SH SEE ALSO",
        ".BR qemu\\-system\\-x86_64 (1),",
        ".BR virsh (1)",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    man = SHARE / "man/man1/guestmap.1"
    man.parent.mkdir(parents=True, exist_ok=True)
    man.write_text(page())
    for shell, name in SCRIPTS.items():
        command = [sys.executable, "-m", "guestmap", "completion", shell]
        path = SHARE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)


if __name__ == "__main__":
    main()
