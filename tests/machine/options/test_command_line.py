"""Command lines: what they mean, and that a real QEMU refuses the same ones in the same words."""

from __future__ import annotations

import shlex
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from guestmap.base import GIB, MIB, ConfigError, HostError, ManualClock, UnsupportedError
from guestmap.machine import Pc, config_of
from guestmap.machine.boards.pc_i440fx.layout import DeviceMemoryLayout, RamLayout
from guestmap.machine.config import DeviceSpec, MachineConfig, NumaNode, ObjectSpec
from tests.machine.options.command_lines import COMMAND_LINES, Recorded, ask_qemu
from tests.support.qemu import MACHINE

PLUG = "-m 128M,slots=2,maxmem=1G"
M0 = "-object memory-backend-ram,id=m0,size=64M"
M1 = "-object memory-backend-ram,id=m1,size=64M"
M2 = "-object memory-backend-ram,id=m2,size=64M"
ALL = "-object memory-backend-ram,id=m0,size=128M"

REFUSED = f"""
-m 128M,slots=2
-m 128M,slots=0
-m 128M,maxmem=64M
-m 128M,maxmem=1024
-m 128M,maxmem=0
-m 128M,slots=2,maxmem=0
-m 128M,slots=2,maxmem=128M
-m 128M,slots=300,maxmem=1G
-m 128M,slots=-1,maxmem=1G
-m 128M,slots=2,maxmem=1073741825
-m 134217729b,maxmem=134217729
-m 134217729b,maxmem=134225920,slots=1
-m 128M,slots=abc,maxmem=1G
-m 128M,slots=,maxmem=1G
-m 128M,slots=1.5,maxmem=1G
-m 128M,noslots,maxmem=1G
-m 128M,slots=99999999999999999999999,maxmem=1G
-m abc
-m size=abc
-m size=
-m 128X
-m 128M,maxmem=x
-m 128M,maxmem=
-m 128M,frob=1
-m 16E
-m 17179869184G
-m 1e3
-m 1.5
-m 9223372036854775808
-m 17592186044416
-m -5M
-m
-m 128M,slots=2,maxmem=1T
-m 128M,slots=256,maxmem=1000G
-numa node
-numa node,mem=64M
-numa node,mem=64M -numa node
-numa node,nodeid=3
-numa node,nodeid=127
-numa node,nodeid=128
-numa node,nodeid=200
-numa node,nodeid=70000
-numa node,nodeid=-1
-numa node,nodeid=abc
-numa node,nodeid=99999999999999999999999
-numa node,nodeid=0 -numa node,nodeid=0
-numa node,cpus=5
-numa node,cpus=0-0
-numa node,cpus=1-0
-numa node,cpus=abc
-numa node,cpus=70000
-numa type=node,cpus
-numa node,frob=1
-numa frob
-numa nodeid=0
-numa ''
-numa node,mem=abc
-numa node,memdev=m0
{ALL} -numa node,memdev=m0,mem=128M
{M0} -numa node,memdev=m0
{M0} -numa node,memdev=m0 -numa node,mem=64M
{M0} -numa node,memdev=m0 -numa node,memdev=m0
-numa node,cpus=0 -numa node -smp 2
-numa node,cpus=0 -numa node,cpus=0 -smp 2
-numa node,cpus=0-1 -numa node,cpus=1 -smp 2
-smp 2,maxcpus=1
-smp cpus=2,sockets=2,cores=2
-smp 300
-smp 2,maxcpus=256
-smp -1
-smp abc
-smp 1.5
-smp cpus
-smp 18446744073709551616
-smp 2,sockets=x
-smp 2,frob=1
-smp 2,frob
-smp 2,clusters=2
-smp 5,sockets=2,maxcpus=5
-smp 2,cores=2,sockets=2
-smp 2,cores=2,sockets=2,threads=2
-smp maxcpus=2,cpus=4
-smp 2,sockets=2,cores=2,maxcpus=3
-smp 8,threads=3
-numa node,cpus=4 -smp 2,maxcpus=4
-machine memory-backend=m0
{ALL} -machine memory-backend=m0 -numa node,memdev=m0
{ALL} -machine memory-backend=m0 -m 256M
-object memory-backend-ram,size=64M
-object memory-backend-ram,id=m0
-object frob,id=m0
-object memory-backend-ram,id=1m,size=64M
-object memory-backend-ram,id=m0,size=abc
-object memory-backend-ram,id=m0,size=-1
-object memory-backend-ram,id=m0,size=16E
{M0} {M0}
{M0},frob=1
{M0},share=maybe
{M0},policy=frob
{M0},prealloc-threads=abc
{M0},prealloc-threads=-1
{M0},prealloc-threads=5000000000
{M0},host-nodes=70000,policy=bind
{M0},host-nodes=abc,policy=bind
{M0},host-nodes.0=0,policy=bind
{M0},=x
-object memory-backend-file,id=m0,size=64M
-object memory-backend-memfd,id=m0,size=64M,hugetlbsize=x
-object ''
-object id=m0
-object [1]
-device ''
-device id=d0
-device pc-dimm,id=1
-device pc-dimm,id=d0 -device pc-dimm,id=d0
-uuid abc
-uuid 12345678123412341234123456789abc
-name foo,frob=1
-option-rom ''
-option-rom x,frob=1
-option-rom romfile=x,bootindex=x
-machine acpi=maybe
-machine frob=1
-machine pc,acpi
-machine max-ram-below-4g=5G
-global frob=1
-global PIIX4_PM.memory-hotplug-support=x
""".strip().splitlines()

RAM_OBJECT = '{"qom-type": "memory-backend-ram", "id": "m0", "size": 67108864'
REFUSED_JSON = [
    ("-object", each)
    for each in (
        '{"qom-type":"memory-backend-ram","id":"m0","size":"64M"}',
        '{"qom-type":"memory-backend-ram","id":"m0","size":5.0}',
        '{"qom-type":"memory-backend-ram","id":"m0"}',
        '{"qom-type":"memory-backend-ram"',
        '{"qom-type" "memory-backend-file"}',
        '{"qom-type":"memory-backend-ram","qom-type":"memory-backend-file","id":"m0"}',
        '{"id":"m0"}',
        "{}",
        "{abc}",
        '{"qom-type":5,"id":"m0","size":67108864}',
        '{"qom-type":"memory-backend-ram","id":7,"size":67108864}',
        '{"qom-type":"memory-backend-file","id":"m0","size":67108864}',
        '{"qom-type":"memory-backend-file","id":"m0","size":67108864,"mem-path":3}',
        RAM_OBJECT + ',"frob":1}',
        RAM_OBJECT + ',"share":"on"}',
        RAM_OBJECT + ',"policy":"frob"}',
        RAM_OBJECT + ',"policy":3}',
        RAM_OBJECT + ',"host-nodes":3}',
        RAM_OBJECT + ',"host-nodes":[-1]}',
        RAM_OBJECT + ',"host-nodes":["a"]}',
        RAM_OBJECT + ',"prealloc-threads":-1}',
        RAM_OBJECT + "} x",
        RAM_OBJECT + "}{}",
        '{"qom-type":"memory-backend-ram","id":"7","size":67108864}',
    )
] + [
    ("-device", each)
    for each in ('{"id":"d0"}', '{"driver":5}', '{"driver":"pc-dimm"', "{}")
]  # fmt: skip


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    return Recorded.load()


def guestmap_says(words: list[str]) -> str:
    try:
        RamLayout.of(config_of([*MACHINE, *words]))
    except (ConfigError, UnsupportedError) as error:
        return str(error)
    return ""


NO_ROOM = "cannot set up guest memory"


def machine_says(words: list[str]) -> str:
    """Return why our machine cannot be built; "" where it can."""
    try:
        Pc(config_of([*MACHINE, *words]), ManualClock())
    except HostError as error:
        return "" if str(error).startswith(NO_ROOM) else str(error)
    except (ConfigError, UnsupportedError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("line", REFUSED)
def test_qemu_refuses_it_in_the_same_words(recorded: Recorded, line: str) -> None:
    words = shlex.split(line)
    refusal = recorded.qemu_says(words)
    assert refusal
    assert guestmap_says(words) == refusal


@pytest.mark.parametrize("words", REFUSED_JSON, ids=lambda words: words[1])
def test_qemu_refuses_that_json_in_the_same_words(
    recorded: Recorded, words: tuple[str, str]
) -> None:
    refusal = recorded.qemu_says([*words])
    assert refusal
    assert guestmap_says([*words]) == refusal


ACCEPTED = f"""
{PLUG}
-m 128M,maxmem=128M
-m 128M,slots=0,maxmem=1G
-m 1.5G
-m 0x80M
-m 0x80
-m 134217728b
-m 1,slots=2,maxmem=0x10000000
-m 128M,slots=0x2,maxmem=1G
-m 128M,slots=2,slots=3,maxmem=1G
-m 128M -m slots=2,maxmem=1G
-m 128M,slots=2 -m maxmem=1G
-m 128M,size=256M
-m maxmem=1G,slots=2
-m ''
{ALL} -numa node,memdev=m0
{ALL} -numa node,memdev=m0 -numa node
{M0} {M1} -numa node,nodeid=1,cpus=1,memdev=m1 -numa node,nodeid=0,cpus=0,memdev=m0 -smp 2
{ALL} -machine memory-backend=m0
-object memory-backend-ram,id=m0,size=256M -machine memory-backend=m0
{M0},share=yes,merge=n,dump=true,host-nodes=0,policy=bind
-object memory-backend-memfd,id=m0,size=64M,hugetlb=off,seal=off
-name guest=a,,b,debug-threads=on -uuid 12345678-1234-1234-1234-123456789abc
-no-acpi {PLUG}
-machine acpi=off
--m 256M
-smp 2,maxcpus=4
-smp sockets=2
-smp 8,sockets=2,cores=2
-smp 2,maxcpus=0
-smp 0x2
-smp ''
-smp 4 -smp sockets=2
{ALL} -numa node,cpus=3,memdev=m0 -smp 2,maxcpus=4
""".strip().splitlines()


@pytest.mark.parametrize("line", ACCEPTED)
def test_qemu_takes_it_too(recorded: Recorded, line: str) -> None:
    words = shlex.split(line)
    assert recorded.qemu_says(words) == ""
    assert guestmap_says(words) == ""


def config(line: str) -> MachineConfig:
    return config_of([*MACHINE, *shlex.split(line)])


def test_memory_that_may_come() -> None:
    machine = config("-m 5G,slots=3,maxmem=20G")
    assert (machine.ram_size, machine.slots, machine.max_ram) == (5 * GIB, 3, 20 * GIB)
    assert DeviceMemoryLayout.of(machine) == (0x1_8000_0000, 0x4_8000_0000, 3)
    assert DeviceMemoryLayout.of(config(PLUG)) == (0x1_0000_0000, 0xB800_0000, 2)
    assert DeviceMemoryLayout.of(config("-m 128M")) is None
    assert DeviceMemoryLayout.of(config("-m 128M,maxmem=128M")) is None


def test_objects_are_typed_as_qmp_has_them() -> None:
    text = config(
        "-object memory-backend-file,id=m0,size=1M,mem-path=a,,b,share=yes,policy=bind"
        ",host-nodes=0-1,host-nodes=4 -no-acpi"
    ).objects
    properties = {
        "size": MIB, "mem-path": "a,b", "share": True, "policy": "bind", "host-nodes": [0, 1, 4],
    }  # fmt: skip
    assert text == (ObjectSpec("memory-backend-file", "m0", properties),)
    assert config(f"-object '{RAM_OBJECT}}}'").objects == (
        ObjectSpec("memory-backend-ram", "m0", {"size": 64 * MIB}),
    )


def test_devices_keep_their_order_and_form_but_json_comes_last() -> None:
    devices = config(
        f"{PLUG} {M0} -device pc-dimm,id=d0,memdev=m0 -device pci-testdev"
        """ -device '{"driver": "pc-dimm", "slot": 1, "memdev": "m1"}'"""
    ).devices
    assert devices == (
        DeviceSpec("pc-dimm", {"id": "d0", "memdev": "m0"}),
        DeviceSpec("pci-testdev"),
        DeviceSpec("pc-dimm", {"slot": 1, "memdev": "m1"}, is_json=True),
    )
    assert [each.driver for each in config("""-device '{"driver": "x"}' -device y""").devices] == [
        "y",
        "x",
    ]
    assert [each.id for each in devices] == ["d0", None, None]
    assert devices[0].option == "-device pc-dimm,id=d0,memdev=m0"


def test_nodes_are_in_the_order_of_their_numbers() -> None:
    machine = config(
        f"{M0} {M1} -numa node,nodeid=1,cpus=1-2,memdev=m1"
        " -numa node,nodeid=0,cpus=0,memdev=m0 -smp 3"
    )
    assert machine.numa_nodes == (
        NumaNode(64 * MIB, frozenset({0}), "m0"),
        NumaNode(64 * MIB, frozenset({1, 2}), "m1"),
    )


def test_cpus_are_spread_as_qemu_spreads_them() -> None:
    def topology(line: str) -> tuple[int, ...]:
        found = config(line).topology
        return (*found, found.cores)

    assert topology("") == (1, 1, 1, 1, 1)
    assert topology("-smp 6") == (6, 6, 1, 1, 6)
    assert topology("-smp 2,sockets=2,maxcpus=8") == (2, 8, 2, 1, 4)
    assert topology("-smp 12,cores=3,threads=2") == (12, 12, 2, 2, 3)
    assert topology("-smp 8,sockets=2,cores=2") == (8, 8, 2, 2, 2)
    assert topology("-smp sockets=3") == (3, 3, 3, 1, 1)


def test_the_rest() -> None:
    machine = config(
        f"-name a -uuid 12345678-1234-1234-1234-123456789ABC -option-rom one.rom -option-rom"
        f" romfile=two.rom,bootindex=3 {ALL} -machine memory-backend=m0,acpi=off"
        " -global PIIX4_PM.memory-hotplug-support=off"
    )
    assert machine.name == "a"
    assert machine.uuid == UUID("12345678-1234-1234-1234-123456789abc")
    assert machine.option_roms == (Path("one.rom"), Path("two.rom"))
    assert (machine.memory_backend, machine.acpi, machine.memory_hotplug) == ("m0", False, False)
    assert config("-no-acpi").acpi is False
    assert config("").acpi is True


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("-object rng-random,id=r", "rng-random"),
        ("-numa dist,src=0,dst=1,val=20", "dist"),
        ("disk.img", "disk.img"),
        ("-kernel x", "-kernel"),
        ("-boot order=d", "order=d"),
    ],
)
def test_what_is_not_modelled_is_named(line: str, what: str) -> None:
    with pytest.raises(UnsupportedError, match=what):
        config(line)


# -- what is refused only while the machine is built -------------------------------------------

DIMM = f"{PLUG} {M0} {M1} -device pc-dimm,id=d0,memdev=m0"
JSON_DIMM = f"{PLUG} {M0} -device"
REFUSED_LATER = f"""
-object memory-backend-ram,id=m0,size=0
{M0},policy=bind
{M0},host-nodes=0
{M0},prealloc=on,reserve=off
{PLUG} -device pc-dimm,id=d0
{PLUG} -device pc-dimm,id=d0,memdev=m0
{DIMM},frob=1
{DIMM},slot=7
{DIMM},slot=-2
{DIMM},slot=abc
{DIMM},slot=99999999999
{DIMM},addr=abc
{DIMM},addr=4G
{DIMM},addr=
{DIMM},addr=-1
{DIMM},addr=0x1000
{DIMM},addr=0x100000800
{DIMM},addr=0x40000000
{DIMM},node=3
{DIMM},node=-1
{DIMM},node=5000000000
{DIMM},hotpluggable=off
{DIMM},size=5
{DIMM} -device pc-dimm,id=d1,memdev=m0
{DIMM} -device pc-dimm,id=d1,memdev=m1,slot=0
{DIMM},addr=0x100000000 -device pc-dimm,id=d1,memdev=m1,addr=0x100000000
{DIMM} -device pc-dimm,memdev=m1 -device pc-dimm,id=d2,memdev=m2 {M2}
{PLUG} -object memory-backend-ram,id=m0,size=1G -device pc-dimm,memdev=m0
{PLUG} -object memory-backend-ram,id=m0,size=3M -device pc-dimm,memdev=m0
{PLUG} -object memory-backend-ram,id=m0,size=1234567 -device pc-dimm,memdev=m0
{PLUG} {M0} -numa node,memdev=m0 -numa node,memdev=m1 {M1} -device pc-dimm,memdev=m0
{M0} -device pc-dimm,memdev=m0
-m 128M,maxmem=1G {M0} -device pc-dimm,memdev=m0
{DIMM} -object memory-backend-ram,id=m0,size=1M,frob
{DIMM} -no-acpi
{DIMM} -machine acpi=off
{DIMM} -global PIIX4_PM.memory-hotplug-support=off
""".strip().splitlines()
REFUSED_LATER_JSON = [
    '{"driver":"pc-dimm","memdev":"m0","slot":7}',
    '{"driver":"pc-dimm","memdev":"m0","frob":1}',
    '{"driver":"pc-dimm","memdev":"m0","id":"d0"} -device pc-dimm,memdev=m0,id=d0',
    '{"driver":"pc-dimm","memdev":"m0","id":"d0"} -object memory-backend-ram,id=m0,size=1M',
]


@pytest.mark.parametrize("line", REFUSED_LATER)
def test_qemu_refuses_to_build_it_in_the_same_words(recorded: Recorded, line: str) -> None:
    words = shlex.split(line)
    refusal = recorded.qemu_says(words)
    assert refusal
    assert machine_says(words) == refusal


def json_dimm(device: str) -> list[str]:
    """Return the words that plug what is given as JSON, and perhaps more."""
    json, _, more = device.partition(" ")
    return [*shlex.split(JSON_DIMM), json, *shlex.split(more)]


@pytest.mark.parametrize("device", REFUSED_LATER_JSON)
def test_qemu_refuses_to_plug_that_json_in_the_same_words(recorded: Recorded, device: str) -> None:
    words = json_dimm(device)
    refusal = recorded.qemu_says(words)
    assert refusal
    assert machine_says(words) == refusal


# -- random command lines ----------------------------------------------------------------------

OUR_LIMIT = "give 1M to 1T"


def hold_to(words: list[str], theirs: str) -> bool:
    """Hold our refusal to QEMU's; False where the two cannot be compared."""
    ours = machine_says(words)
    if OUR_LIMIT in ours:
        return False
    if ours != theirs and theirs.startswith(("host-nodes must", "property 'size'")):
        # QEMU makes back-ends before it looks at nodes: of two mistakes it tells the other.
        return False
    assert ours == ("" if theirs.startswith(NO_ROOM) else theirs), words
    return True


def test_random_options_are_refused_in_the_same_words(recorded: Recorded) -> None:
    compared = [hold_to(words, recorded.qemu_says(words)) for words in recorded.drawn]

    assert compared.count(True) > 200


@pytest.mark.long
@pytest.mark.qemu
@pytest.mark.qemu_7_2("its refusals")
@settings(max_examples=300)
@given(words=COMMAND_LINES)
def test_others_that_are_drawn_now_are_too(words: list[str]) -> None:
    assume(hold_to(words, ask_qemu(words)))


@pytest.mark.long
@pytest.mark.qemu
@pytest.mark.qemu_7_2("its refusals")
def test_the_record_is_what_qemu_says(recorded: Recorded) -> None:
    for words, said in recorded.answers.items():
        assert ask_qemu([*words]) == said, words


@settings(max_examples=300)
@given(words=st.lists(st.text(max_size=20), max_size=6))
@example(words=["-object", "{" * 100_000])
@example(words=["-m", "9" * 10_000])
@example(words=["-numa", "node,cpus=0-" + "9" * 5_000])
@example(words=["-smp", "٣"])
@example(words=["-device", '{"driver": "x", "a": 1' + "0" * 5_000 + "}"])
def test_no_words_end_in_another_error(words: list[str]) -> None:
    for option in ("", "-m", "-object", "-numa", "-device", "-machine", "-smp", "-global", "-name"):
        said = [option, *words] if option else words
        try:
            config_of([*MACHINE, *said])
        except (ConfigError, UnsupportedError):
            continue
