"""What boards with x86 CPUs have in common: CPUs' views, interrupt lines, RAM, BIOS, fw_cfg."""
