"""The PC: i440FX and PIIX, wired as QEMU 7.2's ``pc-i440fx-7.2``."""
