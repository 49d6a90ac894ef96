"""The machine itself: what ``-M`` and its options set."""

from __future__ import annotations

from guestmap.hw.declare import ISA_DEVICE, ON_OFF_AUTO, declare, fact
from guestmap.qom import BOOL, INT, SIZE, STR, STRING, link, opaque

_OEM = (
    "Override the default value of field {} in ACPI table header."
    "The string may be up to {} bytes in size"
)

MACHINE_TYPES = (
    declare(
        "machine", "object",
        fact("kernel", STRING, "", "Linux kernel image file"),
        fact("dt-compatible", STRING, "",
             'Overrides the "compatible" property of the dt root node'),
        fact("boot", opaque("BootConfiguration"), {"order": ""}, "Boot configuration"),
        fact("memory", opaque("MemorySizeConfiguration"), None, "Memory size configuration"),
        fact("initrd", STRING, "", "Linux initial ramdisk file"),
        fact("confidential-guest-support", link("confidential-guest-support"), "",
             "Set confidential guest scheme to support"),
        fact("graphics", BOOL, True, "Set on/off to enable/disable graphics emulation"),
        fact("usb", BOOL, False, "Set on/off to enable/disable usb"),
        fact("firmware", STRING, "", "Firmware image"),
        fact("memory-encryption", STRING, "", "Set memory encryption object to use"),
        fact("smp", opaque("SMPConfiguration"), None, "CPU topology"),
        fact("dump-guest-core", BOOL, True, "Include guest memory in a core dump"),
        fact("phandle-start", INT, 0, "The first phandle ID we may generate dynamically"),
        fact("dumpdtb", STRING, "", "Dump current dtb to a file and quit"),
        fact("memory-backend", link("memory-backend"), "",
             "Set RAM backendValid value is ID of hostmem based backend"),
        fact("dtb", STRING, "", "Linux kernel device tree file"),
        fact("mem-merge", BOOL, True, "Enable/disable memory merge support"),
        fact("append", STRING, "", "Linux kernel command line"),
        fact("suppress-vmdesc", BOOL, False, "Set on to disable self-describing migration"),
        abstract=True,
    ),
    declare("none-machine", "machine"),
    declare("accel", "object"),
    declare(
        "tcg-accel", "accel",
        fact("thread", STRING, "single"),
        fact("tb-size", INT, 0, "TCG translation block cache size"),
        fact("split-wx", BOOL, False, "Map jit pages into separate RW and RX regions"),
    ),
    declare(
        "x86-machine", "machine",
        fact("smm", ON_OFF_AUTO, "auto", "Enable SMM"),
        fact("acpi", ON_OFF_AUTO, "auto", "Enable ACPI"),
        fact("pit", ON_OFF_AUTO, "auto", "Enable i8254 PIT"),
        fact("pic", ON_OFF_AUTO, "auto", "Enable i8259 PIC"),
        fact("x-oem-table-id", STRING, "BXPC    ", _OEM.format("OEM Table ID", 8)),
        fact("bus-lock-ratelimit", opaque("uint64_t"), 0,
             "Set the ratelimit for the bus locks acquired in VMs"),
        fact("sgx-epc", opaque("SgxEPC"), [], "SGX EPC device"),
        fact("x-oem-id", STRING, "BOCHS ", _OEM.format("OEMID", 6)),
        abstract=True, interfaces=("nmi",),
    ),
    declare(
        "microvm-machine", "x86-machine",
        fact("ioapic2", ON_OFF_AUTO, "auto", "Enable second IO-APIC"),
        fact("auto-kernel-cmdline", BOOL, True,
             "Set off to disable adding virtio-mmio devices to the kernel cmdline"),
        fact("rtc", ON_OFF_AUTO, "auto", "Enable MC146818 RTC"),
        fact("pcie", ON_OFF_AUTO, "auto", "Enable PCIe"),
        fact("x-option-roms", BOOL, True, "Set off to disable loading option ROMs"),
        fact("isa-serial", BOOL, True,
             "Set off to disable the instantiation an ISA serial port"),
        fact("hmat", BOOL, False,
             "Set on/off to enable/disable ACPI Heterogeneous Memory Attribute Table (HMAT)"),
        once_realized=(fact("rtc-time", opaque("struct tm")),),
        interfaces=("hotplug-handler",),
    ),
    declare(
        "generic-pc-machine", "x86-machine",
        fact("max-fw-size", SIZE, 0x800000, "Maximum combined firmware size"),
        fact("default-bus-bypass-iommu", BOOL, False),
        fact("device-memory-region-size", INT, 0),
        fact("sata", BOOL, True, "Enable/disable Serial ATA bus"),
        fact("vmport", ON_OFF_AUTO, "on", "Enable vmport (pc & q35)"),
        fact("i8042", BOOL, True),
        fact("hpet", BOOL, True, "Enable/disable high precision event timer emulation"),
        fact("smbios-entry-point-type", STR, "32", "SMBIOS Entry Point type [32, 64]"),
        fact("max-ram-below-4g", SIZE, 0, "Maximum ram below the 4G boundary (32bit boundary)"),
        fact("smbus", BOOL, True, "Enable/disable system management bus"),
        abstract=True, interfaces=("hotplug-handler",),
    ),
    declare(
        "pc-i440fx-7.2-machine", "generic-pc-machine",
        fact("hmat", BOOL, False,
             "Set on/off to enable/disable ACPI Heterogeneous Memory Attribute Table (HMAT)"),
        fact("cxl", BOOL, False, "Set on/off to enable/disable CXL instantiation"),
        fact("pcspk-audiodev", STR, "", "ID of an audiodev to use as a backend"),
        fact("nvdimm", BOOL, False, "Set on/off to enable/disable NVDIMM instantiation"),
        fact("cxl-fmw", opaque("CXLFixedMemoryWindow"), [], "CXL Fixed Memory Windows (array)"),
        fact("nvdimm-persistence", STRING, "",
             "Set NVDIMM persistenceValid values are cpu, mem-ctrl"),
        once_realized=(
            fact("rtc_state", link(ISA_DEVICE.name), ""),
            fact("smram", link("memory-region"), ""),
            fact("rtc-time", opaque("struct tm")),
        ),
    ),
)  # fmt: skip
