"""AML's smallest parts: against a decoder written from the specification, and against iasl."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from guestmap.firmware.acpi.aml import code, objects, resources
from guestmap.firmware.acpi.aml.encoding import (
    eisa_id,
    integer,
    name_string,
    package_length,
    packed,
    string,
)
from guestmap.firmware.acpi.tables import table
from tests.support.acpica import HEADER_BYTES, compile_asl
from tests.support.aml_decode import decode_integer, decode_name, decode_package_length

BLOCK = 'DefinitionBlock ("", "SSDT", 2, "GSTMAP", "GUESTMAP", 1)\n{{\n{}\n}}\n'

integers = st.integers(0, 64).flatmap(lambda bits: st.integers(0, max(0, (1 << bits) - 1)))
lead = st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ_")
rest = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789", max_size=3)
segments = st.builds(str.__add__, lead, rest)
paths = st.builds(
    lambda prefix, parts: prefix + ".".join(parts),
    st.sampled_from(["", "\\", "^", "^^^"]),
    st.lists(segments, min_size=1, max_size=6),
)


@given(integers)
def test_integers_come_back_and_are_as_short_as_can_be(value):
    data = integer(value)
    assert decode_integer(data) == (value, len(data))
    needed = max(1, -(-value.bit_length() // 8))
    assert len(data) == (1 if value < 2 else 1 + (needed if needed < 3 else 4 if needed < 5 else 8))


@pytest.mark.parametrize("value", [-1, 1 << 64])
def test_integers_that_do_not_fit_are_refused(value):
    with pytest.raises(ValueError, match="does not fit"):
        integer(value)


@given(paths)
@example("\\")
@example("^^")
def test_names_come_back_filled_up(path):
    prefix = path[: len(path) - len(path.lstrip("\\^"))]
    filled = [part.ljust(4, "_") for part in path[len(prefix) :].split(".") if part]
    data = name_string(path)
    assert decode_name(data) == (prefix + ".".join(filled), len(data))


def test_a_name_may_have_255_segments():
    assert decode_name(name_string(".".join(["SEGM"] * 255)))[1] == 2 + 4 * 255
    with pytest.raises(ValueError, match="255"):
        name_string(".".join(["SEGM"] * 256))


@pytest.mark.parametrize(
    "bad", ["", "1ABC", "TOOLONG", "lowr", "A..B", ".A", "A.", "^\\A", "\\^A", "A B", "A\n"]
)
def test_what_is_no_name_is_refused(bad):
    with pytest.raises(ValueError, match="not an ACPI name"):
        name_string(bad)


@given(st.one_of(st.integers(0, 5000), st.integers((1 << 20) - 16, (1 << 20) + 16)))
@example(62)
@example(63)
@example(4093)
@example(4094)
@example((1 << 20) - 4)
@example((1 << 20) - 3)
def test_a_package_counts_itself(size):
    data = packed(bytes(size))
    value, used = decode_package_length(data)
    assert value == len(data) == used + size
    shorter = used - 1
    if shorter:
        assert size + shorter >= {1: 1 << 6, 2: 1 << 12, 3: 1 << 20}[shorter]


@given(st.integers(0, (1 << 28) - 1))
def test_bare_lengths_come_back(value):
    data = package_length(value)
    assert decode_package_length(data) == (value, len(data))


def test_lengths_of_2_to_the_28th_are_refused():
    with pytest.raises(ValueError, match="too large"):
        package_length(1 << 28)


@pytest.mark.parametrize("bad", ["PNP0A3", "pnp0A03", "PNP0a03", "PN00A03", "PNP0A030"])
def test_what_is_no_eisa_id_is_refused(bad):
    with pytest.raises(ValueError, match="EISA"):
        eisa_id(bad)


@pytest.mark.parametrize("bad", ["caf\u00e9", "a\0b"])
def test_strings_that_aml_does_not_have_are_refused(bad):
    with pytest.raises(ValueError, match="ASCII"):
        string(bad)


@pytest.mark.parametrize(
    "make",
    [
        lambda: objects.method("METH", arguments=8),
        lambda: objects.package(*[0] * 256),
        lambda: code.local(8),
        lambda: code.arg(7),
    ],
    ids=["arguments", "elements", "locals", "args"],
)
def test_more_than_aml_has_is_refused(make):
    with pytest.raises(ValueError, match=r"at most|there is no"):
        make()


def test_the_most_that_aml_has(tmp_path):
    asl = "Method (METH, 7, Serialized) { Local7 = Arg6 Return (Local7) }"
    ours = objects.method(
        "METH",
        code.store(code.arg(6), code.local(7)),
        code.return_(code.local(7)),
        arguments=7,
        serialized=True,
    )
    assert body_by_iasl([asl], tmp_path) == ours


def body_by_iasl(lines: list[str], folder) -> bytes:
    return compile_asl(BLOCK.format("\n".join(lines)), folder)[HEADER_BYTES:]


per_example_folder = settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@given(values=st.lists(integers, min_size=1, max_size=40))
@example(values=[(1 << 8 * n) + d for n in (0, 1, 2, 4) for d in (-1, 0, 1)])
@per_example_folder
def test_integers_are_iasls(values, tmp_path):
    constants = {0: "Zero", 1: "One"}  # iasl, told not to optimize, takes digits literally
    texts = [constants.get(value, f"0x{value:X}") for value in values]
    lines = [f"Name (N{i:03d}, {text})" for i, text in enumerate(texts)]
    ours = b"".join(objects.name(f"N{i:03d}", value) for i, value in enumerate(values))
    assert body_by_iasl(lines, tmp_path) == ours


@given(names=st.lists(segments, min_size=1, max_size=7))
@per_example_folder
def test_names_are_iasls(names, tmp_path):
    """Nested devices, and references to each by its full path."""
    names = [f"D{i}{name[:2]}" for i, name in enumerate(names)]
    full = ["\\" + ".".join(names[: i + 1]) for i in range(len(names))]
    lines = "".join(f"Device ({name}) {{ Name (_ADR, 2)\n" for name in names) + "}" * len(names)
    references = ", ".join(full)
    nested = b""
    for name in reversed(names):
        nested = objects.device(name, objects.name("_ADR", 2), nested)
    ours = nested + objects.name("REFS", objects.package(*full))
    assert body_by_iasl([lines, f"Name (REFS, Package () {{ {references} }})"], tmp_path) == ours


@given(sizes=st.lists(st.one_of(st.integers(2, 70), st.integers(4080, 4100)), max_size=4))
@example(sizes=[60, 61, 62, 63, 64])
@example(sizes=[4088, 4089, 4090, 4091, 4092])
@per_example_folder
def test_package_lengths_are_iasls(sizes, tmp_path):
    lines, ours = [], b""
    for i, size in enumerate(sizes):
        values = ", ".join(f"{k & 0xFF:#x}" for k in range(size))
        lines.append(f"Name (B{i:03d}, Buffer () {{ {values} }})")
        ours += objects.name(f"B{i:03d}", objects.buffer(bytes(k & 0xFF for k in range(size))))
    assert body_by_iasl(lines or ["// nothing"], tmp_path) == ours


def test_eisa_ids_and_strings_are_iasls(tmp_path):
    ids = ["PNP0A03", "PNP0C80", "QEM7FFF", "AAA0000", "ZZZFFFF"]
    lines = [f'Name (I{i:03d}, EisaId ("{each}"))' for i, each in enumerate(ids)]
    lines += ['Name (TEXT, "text, and \\"more\\"")', 'Name (NONE, "")']
    ours = b"".join(objects.name(f"I{i:03d}", eisa_id(each)) for i, each in enumerate(ids))
    ours += objects.name("TEXT", string('text, and "more"')) + objects.name("NONE", string(""))
    assert body_by_iasl(lines, tmp_path) == ours


def test_resource_descriptors_are_iasls(tmp_path):
    asl = """
    Name (RSRC, ResourceTemplate ()
    {
        IO (Decode16, 0x03F8, 0x03F8, 0x01, 0x08)
        IRQNoFlags () {4}
        DMA (Compatibility, NotBusMaster, Transfer8) {2}
        Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) {5, 10, 300}
        Memory32Fixed (ReadOnly, 0xFED00000, 0x400)
        WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0, 0xFF, 0, 0x100)
        WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
            0, 0x0D00, 0xFFFF, 0, 0xF300)
        DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
            0, 0x08000000, 0xFEBFFFFF, 0, 0xF6C00000)
        QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
            0, 0x100000000, 0x8FFFFFFFFF, 0, 0x8F00000000)
    })
    """
    ours = resources.template(
        resources.io(0x3F8, 8),
        resources.irq(4),
        resources.dma(2),
        resources.interrupt(5, 10, 300),
        resources.memory32_fixed(0xFED00000, 0x400),
        resources.word_bus_number(0, 0xFF),
        resources.word_io(0xD00, 0xFFFF),
        resources.dword_memory(0x08000000, 0xFEBFFFFF),
        resources.qword_memory(0x1_0000_0000, 0x8F_FFFF_FFFF, cacheable=True),
    )
    assert body_by_iasl([asl], tmp_path) == objects.name("RSRC", ours)


def test_a_header_is_iasls(tmp_path):
    theirs = compile_asl(BLOCK.format(""), tmp_path)
    ours = table("SSDT", 2, b"")
    assert ours[:9] + ours[10:28] == theirs[:9] + theirs[10:28]
