"""One QMP connection as the server sees it, without a socket: bytes in, requests and replies out.

::

    session = Session(commands, version)
    write(session.greeting())
    for item in session.receive(data):
        if isinstance(item, bytes):
            write(item)                                       # already answered: an error, mostly
        else:
            write(session.reply(item, run(item.command.name, item.arguments)))

Items are to be worked off in their order, except that a request with ``oob`` may overtake others.
QEMU's protocol: docs/interop/qmp-spec; its texts: qapi/qmp-dispatch, monitor/qmp.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Final

from guestmap.base import StateError
from guestmap.base.dataclass import dataclass
from guestmap.qmp.decode import Decoder
from guestmap.qmp.encode import LINE_END, encode, encode_line, encode_steps
from guestmap.qmp.errors import ErrorClass, QmpError, generic
from guestmap.qmp.framer import ParseFailure
from guestmap.qmp.order import wire_order
from guestmap.qmp.steps import PAUSE, Pause
from guestmap.qmp.types import Array, Command, Enum, Member, Struct
from guestmap.qmp.validate import validate

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from guestmap.qmp.framer import Limits
    from guestmap.qmp.parser import JsonValue

OOB: Final = "oob"
_PLAIN_KEYS: Final = frozenset({"execute", "arguments", "id"})
QMP_CAPABILITIES: Final = Command(
    "qmp_capabilities",
    Struct(
        "qmp_capabilities-arg",
        (Member("enable", Array(Enum("QMPCapability", (OOB,))), optional=True),),
    ),
    allow_preconfig=True,
)
"""The command that ends the negotiation; a session answers it itself."""


@dataclass(frozen=True, slots=True)
class Request:
    """A command to be executed, its arguments as declared.

    Attributes:
        id: JSON text of the id that the client gave, or None: belongs into the reply.
        oob: asked for with ``exec-oob``.
    """

    command: Command
    arguments: dict[str, JsonValue] = field(default_factory=dict)
    id: bytes | None = None
    oob: bool = False


class Session:
    """The state of one connection.

    Args:
        commands: what may be executed, by name; looked into for each request, never kept.
        version: ``query-version``'s value, for the greeting.
        capabilities: what is offered in the greeting; ``oob`` is the only one there is.
        limits: bounds on a message.
    """

    def __init__(
        self,
        commands: Mapping[str, Command],
        version: Mapping[str, JsonValue],
        *,
        capabilities: tuple[str, ...] = (OOB,),
        limits: Limits | None = None,
    ) -> None:
        self._commands = commands
        self._version = version
        self._offered = capabilities
        self._decoder = Decoder(limits)
        self.negotiating = True
        self.enabled: frozenset[str] = frozenset()

    def greeting(self) -> bytes:
        """Return the first line that the server sends."""
        hello: JsonValue = {"version": dict(self._version), "capabilities": [*self._offered]}
        return encode_line({"QMP": hello})

    def receive(self, data: bytes) -> list[Request | bytes]:
        """Return what the bytes bring: requests, and replies to what needs no execution."""
        return [item for item in self.steps(data) if item is not PAUSE]

    def steps(self, data: bytes) -> Iterator[Request | bytes | Pause]:
        """Yield as :meth:`receive`, one after the other, and a pause where that takes long.

        Take all of them before giving more bytes.
        """
        for value in self._decoder.steps(data):
            if value is PAUSE:
                yield PAUSE
            elif isinstance(value, ParseFailure):
                yield self.error(None, ErrorClass.GENERIC, value.desc)
            else:
                yield (yield from self._take(value))

    def _take(self, value: JsonValue) -> Generator[Pause, None, Request | bytes]:
        request_id: bytes | None = None
        try:
            if not isinstance(value, dict):
                raise generic("QMP input must be a JSON object")
            if "id" in value:
                # Nobody looks into an id: its text is all that is kept of it.
                request_id = yield from encode_steps(value["id"])
            request = self._request(value, request_id)
            if request.command is QMP_CAPABILITIES:
                return self._negotiate(request)
        except QmpError as error:
            return _error_line(request_id, error.cls, error.desc)
        return request

    def _request(self, value: dict[str, JsonValue], request_id: bytes | None) -> Request:
        key = self._executing_key(value)
        name = str(value[key])
        command = self._command(name)
        oob = key == "exec-oob"
        if oob and not command.oob:
            raise generic(f"The command {name} does not support OOB")
        arguments = value.get("arguments", {})
        if command.gen:
            arguments = validate(command.arguments, arguments)
        elif not isinstance(arguments, dict):  # the keys were checked
            raise StateError("arguments are no object")
        return Request(command, arguments, request_id, oob)

    def _executing_key(self, value: dict[str, JsonValue]) -> str:
        """Return the member that names the command, having checked all members."""
        if (
            value.keys() <= _PLAIN_KEYS
            and isinstance(value.get("execute"), str)
            and isinstance(value.get("arguments", {}), dict)
        ):
            return "execute"
        found = ""
        for name in wire_order(value):
            member = value[name]
            if name == "execute" or (name == "exec-oob" and OOB in self.enabled):
                if not isinstance(member, str):
                    raise generic(f"QMP input member '{name}' must be a string")
                if found:
                    raise generic(f"QMP input member '{name}' clashes with '{found}'")
                found = name
            elif name == "arguments":
                if not isinstance(member, dict):
                    raise generic("QMP input member 'arguments' must be an object")
            elif name != "id":
                raise generic(f"QMP input member '{name}' is unexpected")
        if not found:
            raise generic("QMP input lacks member 'execute'")
        return found

    def _command(self, name: str) -> Command:
        if name == QMP_CAPABILITIES.name:
            return QMP_CAPABILITIES
        if self.negotiating:
            raise QmpError(
                ErrorClass.COMMAND_NOT_FOUND,
                f"Expecting capabilities negotiation with '{QMP_CAPABILITIES.name}'",
            )
        command = self._commands.get(name)
        if command is None:
            raise QmpError(ErrorClass.COMMAND_NOT_FOUND, f"The command {name} has not been found")
        return command

    def _negotiate(self, request: Request) -> bytes:
        if not self.negotiating:
            raise QmpError(
                ErrorClass.COMMAND_NOT_FOUND,
                "Capabilities negotiation is already complete, command ignored",
            )
        wanted = request.arguments.get("enable", [])
        names = [str(name) for name in wanted] if isinstance(wanted, list) else []
        missing = [name for name in names if name not in self._offered]
        if missing:
            raise generic(f"Capability {', '.join(missing)} not available")
        self.enabled = frozenset(names)
        self.negotiating = False
        return self.reply(request, {})

    def reply(self, request: Request, value: JsonValue) -> bytes:
        """Return the answer to a request that succeeded; ``{}`` is QEMU's "nothing"."""
        request_id = b"" if request.id is None else b', "id": ' + request.id
        return b'{"return": ' + encode(value) + request_id + b"}" + LINE_END

    def error(self, request: Request | None, cls: str, desc: str) -> bytes:
        """Return the answer to one that failed; None where no request could be made out."""
        return _error_line(request.id if request else None, cls, desc)

    def event(self, name: str, data: JsonValue | None, time_ns: int) -> bytes:
        """Return the line that tells of an event at ``time_ns``, in ns since 1970."""
        return event_line(name, data, time_ns)


def event_line(name: str, data: JsonValue | None, time_ns: int) -> bytes:
    """Return an event's line: the same for every session that has left the negotiation."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    timestamp: JsonValue = {"seconds": seconds, "microseconds": rest // 1000}
    line: dict[str, JsonValue] = {"timestamp": timestamp, "event": name}
    if data is not None:
        line["data"] = data
    return encode_line(line)


def _error_line(request_id: bytes | None, cls: str, desc: str) -> bytes:
    line = encode_line({"error": {"class": str(cls), "desc": desc}})
    return line if request_id is None else b'{"id": ' + request_id + b", " + line[1:]
