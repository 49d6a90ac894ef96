"""The command lines that libvirt writes, and the machines that they are."""

import pytest

from guestmap.base import GuestmapError
from guestmap.machine.options.numa import NumaNode
from guestmap.system.chardevs import CharDev
from guestmap.system.command_line import read_words
from guestmap.system.machine_line import Described, described

LIBVIRT = (
    "-name", "guest=vm,debug-threads=on", "-S",
    "-object", '{"qom-type":"secret","id":"masterKey0","format":"raw","file":"/k"}',
    "-machine", "pc-i440fx-7.2,usb=off,dump-guest-core=off", "-accel", "tcg", "-cpu", "qemu64",
    "-m", "size=65536k,slots=4,maxmem=1048576k", "-overcommit", "mem-lock=off",
    "-smp", "2,sockets=2,cores=1,threads=1",
    "-object", '{"qom-type":"memory-backend-ram","id":"ram-node0","size":67108864}',
    "-numa", "node,nodeid=0,cpus=0-1,memdev=ram-node0",
    "-uuid", "11111111-2222-3333-4444-666666666666", "-display", "none", "-no-user-config",
    "-nodefaults", "-chardev", "socket,id=charmonitor,fd=20,server=on,wait=off",
    "-mon", "chardev=charmonitor,id=monitor,mode=control", "-rtc", "base=utc", "-no-shutdown",
    "-boot", "strict=on", "-chardev", "pty,id=charserial0",
    "-device", '{"driver":"isa-serial","chardev":"charserial0","id":"serial0","index":0}',
    "-audiodev", '{"id":"audio1","driver":"none"}', "-msg", "timestamp=on",
)  # fmt: skip


def read(*words: str) -> Described:
    return described(read_words(words))


def test_libvirt_s_line_is_a_machine():
    found = read(*LIBVIRT)
    config = found.config
    assert (config.name, str(config.uuid)) == ("vm", "11111111-2222-3333-4444-666666666666")
    assert (config.ram_size, config.slots, config.max_ram) == (64 << 20, 4, 1 << 30)
    assert (config.cpus, config.sockets) == (2, 2)
    assert config.numa_nodes == (NumaNode(64 << 20, frozenset({0, 1}), "ram-node0"),)
    assert [each.qom_type for each in config.objects] == ["secret", "memory-backend-ram"]
    assert config.serial
    assert config.devices == ()
    assert found.monitors == (CharDev("charmonitor", "socket", descriptor=20),)
    assert found.serial == CharDev("charserial0", "pty")
    assert (found.engine, found.paused, found.daemonize) == ("unicorn", True, False)


@pytest.mark.parametrize(
    "told", ["monitor-qmp,id=m,chardev=c", '{"qom-type":"monitor-qmp","id":"m","chardev":"c"}']
)
def test_a_monitor_may_be_an_object(told):
    port = "socket,id=c,fd=20,server=on,wait=off"
    found = read("-nodefaults", "-object", "secret,id=monitor-qmp,data=x", "-chardev", port,
                 "-object", told, "-mon", "c,mode=control")  # fmt: skip
    assert found.monitors == (CharDev("c", "socket", descriptor=20),) * 2
    assert [each.qom_type for each in found.config.objects] == ["secret"]


@pytest.mark.parametrize(
    ("words", "there"),
    [(("-machine", "pc,usb=off"), False), (("-machine", "pc,usb=on"), True),
     (("-machine", "pc,usb=off", "-usb"), True), (("-machine", "microvm,usb=off"), False)],
)  # fmt: skip
def test_a_usb_controller_is_there_where_it_is_asked_for(words, there):
    assert read("-nodefaults", *words).config.options.get("usb", False) is there


def test_without_a_port_there_is_no_wire():
    found = read("-nodefaults")
    assert (found.serial, found.config.serial, found.paused) == (None, False, False)


def test_a_kernel_is_for_the_firmware(tmp_path):
    found = read("-nodefaults", "-kernel", "/k", "-initrd", "/i", "-append", "a=b")
    config = found.config
    assert (str(config.kernel), str(config.initrd), config.append) == ("/k", "/i", "a=b")


def test_acpi_can_be_left_out():
    assert not read("-nodefaults", "-no-acpi").config.acpi
    assert read("-nodefaults").config.acpi


def test_without_a_word_qemu_s_default_devices_are_there():
    config = read().config
    assert (config.vga, config.nic, config.serial, config.parallel) == ("std", "e1000", True, True)
    assert [each.name for each in config.drives] == ["ide1-cd0", "floppy0"]
    words = ("-vga", "none", "-nic", "none", "-serial", "none", "-parallel", "none")
    config = read(*words).config
    assert (config.vga, config.nic, config.serial, config.parallel) == (
        "none",
        "none",
        False,
        False,
    )


def test_a_parallel_port_prints_to_a_file():
    found = read(
        "-nodefaults", "-chardev", "file,id=p,path=/f", "-device", "isa-parallel,chardev=p"
    )
    assert (found.config.parallel, found.parallel) == (True, CharDev("p", "file", "/f"))
    assert not read("-nodefaults").config.parallel


@pytest.mark.parametrize(
    ("accel", "engine"),
    [
        ("tcg", "unicorn"), ("tcg,thread=single", "unicorn"), ("kvm", "kvm"),
        ("kvm:tcg", "kvm:unicorn"), ("hvf:tcg", "unicorn"), ("kvm:mshv:tcg", "kvm:unicorn"),
    ],
)  # fmt: skip
def test_the_first_accelerator_that_is_here_is_taken(accel, engine):
    assert read("-nodefaults", "-accel", accel).engine == engine
    assert read("-nodefaults", "-machine", f"pc,accel={accel.partition(',')[0]}").engine == engine


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-machine", "microvm,usb=on"), "-machine microvm,usb=on: usb is not modelled"),
        (("-machine", "pc,mem-merge=on"), "-machine pc,mem-merge=on: mem-merge is not modelled"),
        (("-machine", "pc,smbus=off"), "smbus is not modelled"),
        (("-machine", "q35"), "unsupported machine type 'q35': there are"),
        (("-machine", "pc,nosuch=1"), "Property 'pc-i440fx-7.2-machine.nosuch' not found"),
        (("-cpu", "host"), "-cpu host: the CPU is a qemu64, without more or less"),
        (("-cpu", "qemu64,+vmx"), "-cpu qemu64,+vmx: the CPU is a qemu64"),
        (("-accel", "hvf"), "-accel hvf: invalid accelerator here: tcg and kvm are"),
        (("-device", "isa-serial,chardev=x"), "chardev 'x' not found"),
        (("-chardev", "null,id=n", "-device", "isa-serial,chardev=n,index=1"),
         "isa-serial index=1 is not modelled"),
        (("-chardev", "null,id=n", "-device", "isa-serial,chardev=n",
          "-device", "isa-serial,chardev=n"), "one serial port is modelled"),
        (("-chardev", "pty,id=n", "-device", "isa-parallel,chardev=n"),
         "a parallel port on a pty is not modelled: null and file are"),
        (("-chardev", "null,id=n", "-device", "isa-parallel,chardev=n,iobase=1"),
         "isa-parallel iobase=1 is not modelled"),
        (("-serial", "stdio"), "-serial stdio is not modelled: none is"),
        (("-netdev", "user,id=n"), "-netdev: network devices are not modelled"),
        (("-chardev", "null,id=n", "-chardev", "null,id=n"), "Duplicate ID 'n' for chardev"),
        (("-chardev", "udp,id=n"), "'udp' is not modelled: socket, pty, null, file are"),
        (("-chardev", "socket,id=n,path=/s"), "it does not connect: server=on"),
        (("-chardev", "socket,id=n,path=/s,server=on"), "the machine waits for no client"),
        (("-chardev", "socket,id=n,server=on,wait=off"), "one of 'fd' and 'path' is needed"),
        (("-chardev", "socket,id=n,fd=x,server=on,wait=off"), "fd=x: is no number"),
        (("-chardev", "pty"), "Parameter 'id' is missing"),
        (("-chardev", "pty,id=a,logfile=/x"), "parameter 'logfile' is not modelled"),
        (("-chardev", "socket,id=n,host=h,port=1,to=2,ipv4=on,delay=off"),
         "parameter 'host' is not modelled"),
        (("-mon", "chardev=x,mode=control"), "-mon chardev=x,mode=control: chardev 'x' not found"),
        (("-chardev", "null,id=n", "-mon", "chardev=n,mode=control"),
         "a monitor on a null is not modelled"),
        (("-chardev", "null,id=n", "-mon", "chardev=n,mode=readline"), "only QMP is served"),
        (("-object", "monitor-qmp,id=m,chardev=x"), "id=m,chardev=x: chardev 'x' not found"),
        (("-chardev", "null,id=n", "-object", "monitor-qmp,id=m,chardev=n"),
         "a monitor on a null is not modelled"),
        (("-object", "monitor-qmp,chardev=x"), "Parameter 'id' is missing"),
        (("-object", "monitor-qmp,id=m,chardev=x,pretty=on"), "pretty=on is not modelled"),
        (("-append", "x"), "-initrd and -append only allowed with -kernel option"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(words, said):
    with pytest.raises(GuestmapError) as refused:
        read("-nodefaults", *words)
    assert said in str(refused.value)
