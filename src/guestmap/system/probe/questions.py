"""What libvirt 9.0 and 12.9 ask of an emulator of x86_64 without KVM, seen in their logs."""

from __future__ import annotations

from typing import Final

_PLAIN: Final = (
    "qmp_capabilities", "query-version", "query-target", "query-qmp-schema", "query-commands",
    "query-accelerators", "query-kvm", "qom-list-types", "query-machines", "query-cpu-definitions",
    "query-tpm-models", "query-tpm-types", "query-command-line-options",
    "query-migrate-capabilities", "query-sev-capabilities", "query-sgx-capabilities",
)  # fmt: skip
_DEVICES: Final = (
    "virtio-blk-pci", "virtio-net-pci", "virtio-scsi-pci", "virtio-net-ccw", "virtio-scsi-ccw",
    "vfio-pci", "scsi-hd", "scsi-block", "scsi-generic", "ide-hd", "PIIX4_PM", "usb-redir",
    "usb-storage", "kvm-pit", "VGA", "vmware-svga", "qxl", "virtio-gpu-pci", "virtio-gpu-device",
    "ICH9-LPC", "virtio-balloon-pci", "virtio-balloon-ccw", "virtio-balloon-device", "amd-iommu",
    "intel-iommu", "mch", "nvdimm", "pcie-root-port", "usb-host", "vhost-user-fs-device",
    "virtio-mem-pci", "virtio-iommu-pci",
)  # fmt: skip
_TYPES: Final = (
    "memory-backend-file", "memory-backend-memfd", "max-x86_64-cpu", "none-machine",
    "generic-pc-machine",
)  # fmt: skip


def questions() -> tuple[bytes, ...]:
    """Return the questions as libvirt writes them, without the id: ``{"execute":"NAME"``."""
    found = [f'{{"execute":"{name}"' for name in _PLAIN]
    for command, names in (("device-list-properties", _DEVICES), ("qom-list-properties", _TYPES)):
        found += [f'{{"execute":"{command}","arguments":{{"typename":"{name}"}}' for name in names]
    return tuple(each.encode() for each in found)
