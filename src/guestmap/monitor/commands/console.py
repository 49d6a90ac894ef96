"""What one does who sits before the machine: press keys, move the mouse, look at the screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from guestmap.base import ConfigError, StateError
from guestmap.base.whole_file import write_whole
from guestmap.hw.ps2.keys import KEYS
from guestmap.machine.input import InputDevices
from guestmap.machine.picture import encoded
from guestmap.monitor.command import Arguments, Context, MonitorCommand, Need
from guestmap.qmp import BOOL, INT, STR, Array, Command, Enum, Member, Struct, Union

if TYPE_CHECKING:
    from guestmap.machine import VirtualMachine

_NS_PER_MS = 1_000_000
HOLD_MS = 100
FORMATS = ("ppm", "png")
UNKNOWN_KEYS = (
    "unmapped", "menu", "again", "props", "undo", "front", "copy", "open", "paste", "find", "cut",
    "lf", "help", "lang1", "lang2",
)  # fmt: skip
"""Keys that QEMU knows by name and a PC's keyboard has not."""
_AXIS = Enum("InputAxis", ("x", "y"))
_BUTTONS = ("left", "middle", "right", "wheel-up", "wheel-down", "side", "extra", "wheel-left",
            "wheel-right")  # fmt: skip


def number_of(key: dict[str, Any]) -> int:
    """Return a key's number; 0 for one that the keyboard has not."""
    return int(key["data"]) if key["type"] == "number" else KEYS.get(key["data"], 0)


def type_keys(vm: VirtualMachine, numbers: list[int], hold_ms: int) -> None:
    """Press keys and release them; nobody feels it while the machine stands."""
    devices = vm.board.input
    if devices is not None and vm.state.feels_input:
        devices.type(numbers, hold_ms * _NS_PER_MS)


def _send_key(context: Context, arguments: Arguments) -> dict[str, Any]:
    numbers = [number_of(each) for each in arguments["keys"]]
    type_keys(context.vm, numbers, arguments.get("hold-time", HOLD_MS))
    return {}


def _input_send_event(context: Context, arguments: Arguments) -> dict[str, Any]:
    if "device" in arguments:
        raise ConfigError(f"Device '{arguments['device']}' not found")
    if not context.vm.state.feels_input:
        raise StateError("VM not running")
    devices = context.vm.board.input
    for event in arguments["events"]:
        if devices is None or event["type"] == "abs":
            raise ConfigError(f"Input handler not found for event type {event['type']}")
    if devices is not None:
        for event in arguments["events"]:
            _feel(devices, event["type"], event["data"])
        devices.sync()
    return {}


def _feel(devices: InputDevices, kind: str, data: dict[str, Any]) -> None:
    match kind:
        case "key":
            devices.key(number_of(data["key"]), pressed=data["down"])
        case "btn":
            devices.button(data["button"], pressed=data["down"])
        case "rel":
            devices.move(**{f"d{data['axis']}": data["value"]})


def _screendump(context: Context, arguments: Arguments) -> dict[str, Any]:
    if "device" in arguments:
        raise ConfigError(f"Device '{arguments['device']}' not found")
    if "head" in arguments:
        raise ConfigError("'head' must be specified together with 'device'")
    dump(context.vm, arguments["filename"], arguments.get("format", "ppm"))
    return {}


def dump(vm: VirtualMachine, filename: str, form: str) -> None:
    """Write what the screen shows to a file, as a PPM or a PNG.

    Raises:
        ConfigError: the machine has no screen, or Pillow is not there for a PNG.
        HostError: the file cannot be written.
    """
    picture = vm.board.picture()
    if picture is None:
        raise ConfigError("There is no console to take a screendump from")
    write_whole(Path(filename), encoded(picture, form))


_QCODE = Struct("QCodeWrapper", (Member("data", Enum("QKeyCode", (*KEYS, *UNKNOWN_KEYS))),))
_KEY_VALUE = Union(
    "KeyValue",
    Struct("KeyValue-base", (Member("type", Enum("KeyValueKind", ("number", "qcode"))),)),
    "type",
    (("number", Struct("IntWrapper", (Member("data", INT),))), ("qcode", _QCODE)),
)
_MOVE = Struct(
    "InputMoveEventWrapper",
    (Member("data", Struct("InputMoveEvent", (Member("axis", _AXIS), Member("value", INT)))),),
)
_BUTTON = Struct(
    "InputBtnEvent", (Member("button", Enum("InputButton", _BUTTONS)), Member("down", BOOL))
)
_KEY = Struct("InputKeyEvent", (Member("key", _KEY_VALUE), Member("down", BOOL)))
_EVENT = Union(
    "InputEvent",
    Struct(
        "InputEvent-base", (Member("type", Enum("InputEventKind", ("key", "btn", "rel", "abs"))),)
    ),
    "type",
    (
        ("key", Struct("InputKeyEventWrapper", (Member("data", _KEY),))),
        ("btn", Struct("InputBtnEventWrapper", (Member("data", _BUTTON),))),
        ("rel", _MOVE),
        ("abs", _MOVE),
    ),
)
_SEND_KEY = Struct(
    "send-key-arg", (Member("keys", Array(_KEY_VALUE)), Member("hold-time", INT, optional=True))
)
_SEND_EVENT = Struct(
    "input-send-event-arg",
    (
        Member("device", STR, optional=True),
        Member("head", INT, optional=True),
        Member("events", Array(_EVENT)),
    ),
)
_SCREENDUMP = Struct(
    "screendump-arg",
    (
        Member("filename", STR),
        Member("device", STR, optional=True),
        Member("head", INT, optional=True),
        Member("format", Enum("ImageFormat", FORMATS), optional=True),
    ),
)

COMMANDS = (
    MonitorCommand(Command("send-key", _SEND_KEY), _send_key),
    MonitorCommand(Command("input-send-event", _SEND_EVENT), _input_send_event),
    MonitorCommand(Command("screendump", _SCREENDUMP), _screendump, Need.LONG),
)
