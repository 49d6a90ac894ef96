"""Advanced interrupt controllers: one for each processor, the I/O APIC, and what they say."""
