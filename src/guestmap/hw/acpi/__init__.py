"""Power management and hot-plug, as ACPI has a guest see them: register blocks."""
