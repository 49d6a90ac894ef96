"""An encoder of AML, the byte code of ACPI: one function for each construct that is used here.

Only bytes come out, and nothing is looked up: whether a name exists is the compiler's question,
and ``iasl`` answers it in the tests.
"""
