"""What boards with x86 CPUs have in common: CPUs' views, interrupt lines, where the BIOS is."""
