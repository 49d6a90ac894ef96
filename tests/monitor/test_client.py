"""One connection by itself: a transport and a hub that only take notes."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from guestmap.monitor.client import Client
from guestmap.monitor.turns import Turns
from guestmap.qmp import Command, Request, Session

_REQUEST = b'{"execute": "query-name"}'
_AT_ONCE = b'{"exec-oob": "query-name"}'


class Notes(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.reading = True
        self.ended = ""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return bool(self.ended)

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"


class Hub:
    """Answers with ``R``, or, while ``busy``, later."""

    def __init__(self) -> None:
        self.loop = self
        self.turns = Turns(self)  # type: ignore[arg-type]
        self.busy = False
        self.executed = self.overtaken = 0
        self.soon: list[Callable[[], None]] = []

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)

    def add(self, client: Client) -> bool:
        return True

    def forget(self, client: Client) -> None:
        pass

    def check_held(self) -> None:
        pass

    def execute(self, request: Request, client: Client) -> bytes | None:
        self.executed += 1
        return None if self.busy else b"R"

    def execute_at_once(self, request: Request, client: Client) -> bytes:
        self.overtaken += 1
        return b"O"


def connected() -> tuple[Client, Hub, Notes]:
    hub, transport = Hub(), Notes()
    session = Session({"query-name": Command("query-name", oob=True)}, {})
    client = Client(hub, session, "", deque())  # type: ignore[arg-type]
    client.connection_made(transport)
    client.data_received(b'{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}')
    assert transport.written[1:] == [b'{"return": {}}\r\n']
    transport.written.clear()
    return client, hub, transport


def test_others_have_their_turn_after_some_requests() -> None:
    client, hub, transport = connected()
    client.data_received(_REQUEST * 100)
    assert 0 < hub.executed < 50
    assert not transport.reading  # what came is not taken apart yet
    rounds = 0
    while hub.soon:
        hub.soon.pop(0)()
        rounds += 1
    assert hub.executed == 100
    assert 1 < rounds < 10
    assert transport.written == [b"R"] * 100
    assert transport.reading


def test_what_comes_before_the_next_turn_is_not_lost() -> None:
    client, hub, transport = connected()
    client.data_received(_REQUEST * 36)
    assert hub.soon
    assert transport.reading  # all of it is taken apart
    client.data_received(_REQUEST * 5)
    assert not transport.reading  # or the next bytes would take the place of these
    while hub.soon:
        hub.soon.pop(0)()
    assert hub.executed == 41
    assert transport.reading


def test_reads_no_more_than_it_can_keep_while_a_command_is_under_way() -> None:
    client, hub, transport = connected()
    hub.busy = True
    client.data_received(_REQUEST * 5)
    assert transport.reading  # QEMU, too, keeps a few
    client.data_received(_REQUEST * 5)
    assert not transport.reading
    hub.busy = False
    client.finished(b"F")
    assert hub.executed == 10
    assert transport.written == [b"F"] + [b"R"] * 9
    assert transport.reading


def test_carries_nothing_out_while_the_client_does_not_read() -> None:
    client, hub, transport = connected()
    client.pause_writing()
    client.data_received(_REQUEST + _AT_ONCE)
    assert (hub.executed, hub.overtaken, transport.reading) == (0, 0, False)
    client.resume_writing()
    assert (hub.executed, hub.overtaken, transport.reading) == (1, 1, True)


def test_out_of_band_overtakes_what_waits() -> None:
    client, hub, transport = connected()
    hub.busy = True
    client.data_received(_REQUEST * 4 + _AT_ONCE)
    assert (hub.executed, hub.overtaken) == (1, 1)
    assert transport.written == [b"O"]


def test_an_event_is_not_for_who_has_not_introduced_itself() -> None:
    hub, transport = Hub(), Notes()
    client = Client(hub, Session({}, {}), "", deque())  # type: ignore[arg-type]
    client.connection_made(transport)
    client.tell(b"E")
    assert len(transport.written) == 1


def test_a_slow_reader_is_told_as_long_as_it_reads_at_all() -> None:
    client, _, transport = connected()
    transport.get_write_buffer_size = lambda: 300_000  # type: ignore[method-assign]
    client.pause_writing()
    for _ in range(100):
        client.tell(bytes(1 << 20))
    assert len(transport.written) == 100
    assert transport.ended == ""
    transport.get_write_buffer_size = lambda: 9 << 20  # type: ignore[method-assign]
    for _ in range(9):
        client.tell(bytes(1 << 20))
    assert transport.ended == "aborted"
    assert len(transport.written) < 109


def test_the_answer_of_a_client_that_has_gone_goes_nowhere() -> None:
    client, hub, transport = connected()
    hub.busy = True
    client.data_received(_REQUEST * 3)
    client.connection_lost(None)
    client.finished(b"F")
    assert hub.executed == 1
    assert transport.written == []


def test_a_long_message_is_read_in_turns_of_the_loop_and_others_are_served_between() -> None:
    client, hub, _ = connected()
    other, other_hub, others = connected()
    client.data_received(b'{"execute": "query-name", "id": [' + b"1, " * 5000 + b"1]}")
    turns = 0
    while hub.soon:
        assert len(hub.soon) == 1
        assert hub.executed == 0
        other.data_received(_REQUEST)
        assert len(others.written) == turns + 1
        hub.soon.pop(0)()
        turns += 1
    assert hub.executed == 1
    assert other_hub.executed == turns
    assert turns > 2 * 10_000 // 256  # once to find its end, once to read it


def test_long_messages_are_read_one_after_another() -> None:
    first, hub, _ = connected()
    second, second_hub, _ = connected()
    second_hub.turns, second_hub.soon = hub.turns, hub.soon
    long = b'{"execute": "query-name", "id": [' + b"1, " * 2000 + b"1]}"
    first.data_received(long * 3)
    second.data_received(long)
    ended = []
    while hub.soon:
        hub.soon.pop(0)()
        ended.append((hub.executed, second_hub.executed))
    # The first one's second message waits until the other's only one is read.
    assert [*dict.fromkeys(ended)] == [(0, 0), (1, 0), (1, 1), (2, 1), (3, 1)]


def test_who_goes_in_the_middle_of_a_long_message_is_in_nobodys_way() -> None:
    client, hub, _ = connected()
    client.data_received(b'{"execute": "query-name", "id": [' + b"1, " * 2000 + b"1]}")
    client.connection_lost(None)
    while hub.soon:
        hub.soon.pop(0)()
    assert hub.executed == 0


def test_many_short_messages_do_not_wait_behind_a_long_one() -> None:
    first, hub, _ = connected()
    second, second_hub, _ = connected()
    second_hub.turns, second_hub.soon = hub.turns, hub.soon
    first.data_received(b'{"execute": "query-name", "id": [' + b"1, " * 5000 + b"1]}")
    second.data_received(_REQUEST * 200)
    while second_hub.executed < 200:
        hub.soon.pop(0)()
    assert hub.executed == 0
