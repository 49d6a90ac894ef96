"""A map as a value: the snapshot, its rules, what address spaces show, the ways to a region."""
