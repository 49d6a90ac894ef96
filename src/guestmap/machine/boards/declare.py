"""How a board is declared: its names, what it has by default, its options, how it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from guestmap.base import ConfigError, UnsupportedError
from guestmap.base.dataclass import dataclass
from guestmap.base.named_tuple import NamedTuple
from guestmap.machine.options.strings import to_bool, to_size

if TYPE_CHECKING:
    from guestmap.base import Clock
    from guestmap.machine.board import Board
    from guestmap.machine.config import MachineConfig
    from guestmap.machine.options.drive import DriveSpec

_WIDTH = 24
"""Where descriptions begin in QEMU's ``-M NAME,help``."""
_NAME_WIDTH = 20


class OptionType(NamedTuple):
    """What the values of an option are.

    Attributes:
        word: as QEMU's help calls it.
        read: makes a value of name and text; refuses in QEMU's words.
    """

    word: str
    read: Callable[[str, str], Any]


def _on_off_auto(name: str, text: str) -> str:
    if text not in {"on", "off", "auto"}:
        raise ConfigError(f"Parameter '{name}' does not accept value '{text}'")
    return text


def _auto_switch(name: str, text: str) -> bool | None:
    """Return what on, off and auto mean where auto is settled later: None."""
    return None if _on_off_auto(name, text) == "auto" else text == "on"


def _switch(name: str, text: str) -> bool:
    """Return what on, off and auto mean where auto is on."""
    return _on_off_auto(name, text) != "off"


def _irqchip(name: str, text: str) -> str:
    if text not in {"on", "off", "split"}:
        raise ConfigError(f"Parameter '{name}' does not accept value '{text}'")
    return text


SWITCH = OptionType("OnOffAuto", _switch)
"""on, off, or auto, which is on: the value is a boolean."""
AUTO_SWITCH = OptionType("OnOffAuto", _auto_switch)
"""on, off, or auto, which is settled later: the value is a boolean, or None."""
ON_OFF_AUTO = OptionType("OnOffAuto", _on_off_auto)
BOOL = OptionType("bool", to_bool)
SIZE = OptionType("size", to_size)
STRING = OptionType("string", lambda _name, text: text)
IRQCHIP = OptionType("on|off|split", _irqchip)


class BoardOption(NamedTuple):
    """An option behind the board's name in ``-M``.

    Attributes:
        name: as QEMU writes it.
        type: what its values are.
        description: for people.
        default: what it is where nothing was said.
        field: the field of :class:`MachineConfig` that it sets; "" for ``options``.
    """

    name: str
    type: OptionType
    description: str
    default: Any = None
    field: str = ""

    @property
    def help(self) -> str:
        """Its line of ``-M NAME,help``, as QEMU writes it."""
        return f"{f'  {self.name}=<{self.type.word}>':<{_WIDTH}} - {self.description}\n"


class _Maker(Protocol):
    def __call__(
        self, config: MachineConfig, clock: Clock | None = None, *, epoch_ns: int | None = None
    ) -> Board: ...


@dataclass(frozen=True, slots=True)
class BoardType:
    """A board that can be made: what ``-M`` chooses from.

    Attributes:
        name: as QEMU calls it.
        description: in a few words, QEMU's.
        load: imports the board, and returns what makes one.
        alias: another name.
        options: those that mean something here.
        passed_over: options of QEMU's board that change nothing of what is modelled.
        is_default: whether it is the one where none was named.
        default_ram: bytes of RAM where nothing was said.
        min_ram: bytes of RAM it needs.
        ram_id: what its RAM is called, in QEMU's ``default-ram-id``.
        cpu_type: what its CPUs are by default; "" for a board without.
        max_cpus: CPUs there may be, as QEMU tells it.
        cpus_are_listed: whether ``query-hotpluggable-cpus`` answers.
        firmware_halts: whether its firmware waits with HLT at its end; else it runs in a circle.
        firmware: names of images that it starts, and how each is got.
        display_adapters: what ``-vga`` may put on it.
        drive_interfaces: what ``-drive`` may hang a drive on.
        network_cards: what it may have of its own.
        defaults: QEMU's default devices on it, as fields of a :class:`MachineConfig`.
        default_drives: drives without a medium that belong to them.
    """

    name: str
    description: str
    load: Callable[[], _Maker]
    alias: str = ""
    options: tuple[BoardOption, ...] = ()
    passed_over: frozenset[str] = frozenset()
    is_default: bool = False
    default_ram: int = 0
    min_ram: int = 0
    ram_id: str = ""
    cpu_type: str = ""
    max_cpus: int = 1
    cpus_are_listed: bool = False
    display_adapters: tuple[str, ...] = ()
    drive_interfaces: tuple[str, ...] = ()
    network_cards: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = MappingProxyType({})
    default_drives: tuple[DriveSpec, ...] = ()
    firmware_halts: bool = True
    firmware: tuple[tuple[str, str], ...] = ()

    @property
    def type_name(self) -> str:
        """Its type in the object tree."""
        return f"{self.name}-machine"

    def check_names(self, names: Iterable[str]) -> None:
        """Check that the board has options of these names.

        Raises:
            ConfigError: one is missing; QEMU's words.
        """
        known = {option.name for option in self.options} | self.passed_over
        for name in names:
            if name.replace("_", "-") not in known:
                raise ConfigError(f"Property '{self.type_name}.{name}' not found")

    def read(self, pairs: Iterable[tuple[str, str]], *, strict: bool = True) -> dict[str, Any]:
        """Return the fields of a :class:`MachineConfig` that options set; the last one counts.

        Args:
            pairs: names and texts, in order; :meth:`check_names` knows the names.
            strict: refuse what is not modelled; else it is passed over.

        Raises:
            ConfigError: no such value; QEMU's words.
            UnsupportedError: QEMU's board has it, this one has not.
        """
        known = {option.name: option for option in self.options}
        fields: dict[str, Any] = {}
        others: dict[str, Any] = {}
        for name, text in pairs:
            option = known.get(name.replace("_", "-"))
            if option is not None:
                value = option.type.read(name, text)
                (fields if option.field else others)[option.field or option.name] = value
            elif strict and name in self.passed_over:
                raise UnsupportedError(
                    f"{name} is not modelled;"
                    f" 'guestmap boot -M {self.alias or self.name},help' lists what is"
                )
        return {"machine": self.name, **fields, **({"options": others} if others else {})}

    def value(self, options: Mapping[str, Any], name: str) -> Any:
        """Return an option's value, or its default."""
        return options.get(name, next(each.default for each in self.options if each.name == name))

    def refuse_to_boot(self) -> None:
        """Check that there is a CPU to run firmware on.

        Raises:
            UnsupportedError: there is none.
        """
        if not self.cpu_type:
            raise UnsupportedError(
                f"machine type {self.name} has no CPU, so nothing boots: look at it with 'reset',"
                f" or manage it with 'guestmap boot -M {self.name} --qmp unix:SOCKET'"
            )

    @property
    def help(self) -> str:
        """What ``-M NAME,help`` prints, as QEMU does."""
        lines = sorted(option.help for option in self.options)
        return f"{self.type_name} options:\n{''.join(lines)}"

    @property
    def help_lines(self) -> str:
        """Its lines of ``-M help``, as QEMU writes them."""
        default = " (default)" if self.is_default else ""
        line = f"{self.name:<{_NAME_WIDTH}} {self.description}{default}\n"
        if not self.alias:
            return line
        return f"{self.alias:<{_NAME_WIDTH}} {self.description} (alias of {self.name})\n{line}"
