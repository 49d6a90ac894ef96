"""The same bytes to a real QEMU and to ours bring the same replies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestmap.qmp import Limits, Session, introspect
from tests.qmp import ugly
from tests.qmp.oracle import COMMANDS, OurPeer, QemuPeer, values
from tests.qmp.schema import Declarations

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.qemu, pytest.mark.qemu_7_2("the bytes of its monitor")]

ENABLE = b'{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}'
PLAIN = b'{"execute": "qmp_capabilities"}'


@pytest.fixture(scope="module")
def fresh() -> Iterator[QemuPeer]:
    with QemuPeer() as peer:
        yield peer


@pytest.fixture(scope="module")
def qemu() -> Iterator[QemuPeer]:
    with QemuPeer() as peer:
        peer.ask(ENABLE)
        yield peer


@pytest.fixture(scope="module")
def plain() -> Iterator[QemuPeer]:
    """Without out-of-band execution: QEMU takes the next request when one is answered."""
    with QemuPeer() as peer:
        peer.ask(PLAIN)
        yield peer


@pytest.fixture
def ours() -> OurPeer:
    peer = OurPeer()
    peer.ask(ENABLE)
    return peer


def test_the_greeting_is_the_same_line(fresh: QemuPeer) -> None:
    version = json.loads(fresh.greeting)["QMP"]["version"]

    assert Session(COMMANDS, version).greeting() == fresh.greeting


def test_the_negotiation_is_the_same(fresh: QemuPeer) -> None:
    ours = OurPeer()

    for data in ugly.NEGOTIATION:
        assert values(ours.ask(data)) == values(fresh.ask(data)), data


@pytest.mark.parametrize("pieces", [0, 1, 7])
def test_requests_bring_the_same_replies(qemu: QemuPeer, ours: OurPeer, pieces: int) -> None:
    for data in ugly.REQUESTS:
        assert values(ours.ask(data, pieces)) == values(qemu.ask(data)), data


@pytest.mark.parametrize("pieces", [0, 1, 7])
def test_what_is_no_request_brings_the_same_replies(
    qemu: QemuPeer, ours: OurPeer, pieces: int
) -> None:
    for data in ugly.ALL:
        assert values(ours.ask(data, pieces)) == values(qemu.ask(data)), data


def test_simple_replies_are_the_same_bytes(qemu: QemuPeer, ours: OurPeer) -> None:
    for data in (
        b'{"execute": "query-status", "id": [1, {"a": "b\\n"}, null, true]}',
        b'{"execute": "no-such", "id": -1}',
        b"[1, ]",
        b'{"execute": "x", "id": ' + b"[" * 1023 + b"]" * 1023 + b"}",
        b'{"execute": "x", "id": ' + b"[" * 1024 + b"]" * 1024 + b"}",
    ):
        same = zip(ours.ask(data), qemu.ask(data), strict=True)
        assert all(our.lower() == their.lower() for our, their in same)  # \ufffd, \uFFFD


@pytest.mark.long  # QEMU itself takes seconds to count that far
@pytest.mark.parametrize("end", [b",]", b",1]"], ids=["the most", "one more"])
def test_the_number_of_tokens_is_bounded_as_in_qemu(qemu: QemuPeer, end: bytes) -> None:
    """Where the bound is does not matter to what is told there: ours is a small one."""
    few, most = 4096, Limits().tokens
    ours = OurPeer(Limits(tokens=few))
    ours.ask(ENABLE)

    theirs = values(qemu.ask(b"[1" + b",1" * (most // 2 - 2) + end))

    assert values(ours.ask(b"[1" + b",1" * (few // 2 - 2) + end, 1 << 10)) == theirs


FRAGMENTS = st.sampled_from(
    [
        *(
            b"{",
            b"}",
            b"[",
            b"]",
            b":",
            b",",
            b'"',
            b"'",
            b"\\",
            b" ",
            b"\t",
            b"\n",
            b"\xff",
            b"\x00",
        ),
        *(b'"execute"', b'"exec-oob"', b'"arguments"', b'"id"', b'"query-status"', b'"qom-get"'),
        *(
            b'"path"',
            b'"property"',
            b'"',
            b"'a'",
            b"null",
            b"true",
            b"tru",
            b"-",
            b"0",
            b"12",
            b"1.5",
        ),
        *(
            b"e9",
            b"\\u",
            b"\\ud83d",
            b"\\ude00",
            b"00e9",
            b"\xc3\xa9",
            b"\xc0\x80",
            b"\xed\xa0\x80",
            b"%s",
        ),
        *(b'{"execute":', b'{"id":', b'"a":1', b',"id":7}', b'"arguments":{', b"x", b"T", b"\x7f"),
        b'{"execute": "query-status", "id": 1}',
    ]
)
SOUP = st.lists(FRAGMENTS | st.binary(max_size=3), max_size=30).map(b"".join)
ONE_ID = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
LIVE = settings(max_examples=150, derandomize=True)


@LIVE
@given(data=SOUP, pieces=st.integers(0, 9))
def test_any_soup_brings_the_same_replies(plain: QemuPeer, data: bytes, pieces: int) -> None:
    ours = OurPeer()
    ours.ask(PLAIN)

    assert values(ours.ask(data, pieces)) == values(plain.ask(data))


@LIVE
@given(number=ONE_ID, ascii_only=st.booleans())
def test_any_id_comes_back(plain: QemuPeer, number: object, ascii_only: bool) -> None:
    ours = OurPeer()
    ours.ask(PLAIN)
    request = {"execute": "query-status", "id": number}
    data = json.dumps(request, ensure_ascii=ascii_only).encode(errors="surrogatepass")

    assert values(ours.ask(data)) == values(plain.ask(data))


def test_the_whole_schema_of_qemu_survives_being_declared(qemu: QemuPeer) -> None:
    theirs = qemu.execute("query-qmp-schema")
    declared = Declarations(theirs)

    ours = introspect(declared.commands, declared.events)

    assert canonical(ours) == canonical(theirs)
    assert {entry["name"] for entry in ours if entry["meta-type"] == "builtin"} == {
        entry["name"] for entry in theirs if entry["meta-type"] == "builtin"
    }


def canonical(schema: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what commands and events reach, numbered anew in the order of their names."""
    entries = {entry["name"]: entry for entry in schema}
    order = sorted(
        name for name, entry in entries.items() if entry["meta-type"] in ("command", "event")
    )
    numbers: dict[str, str] = {}

    def rename(name: str) -> str:
        if name.startswith("["):
            return f"[{rename(name[1:-1])}]"
        if name not in numbers and name not in order:
            order.append(name)
        return numbers.setdefault(name, str(len(numbers))) if name.isdigit() else name

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(item) for item in value]
        if not isinstance(value, dict):
            return value
        types = ("arg-type", "ret-type", "element-type", "type")
        return {
            key: rename(item) if key in types else walk(item) for key, item in sorted(value.items())
        }

    told = []
    for name in order:
        entry = {**entries[name], "name": rename(name)} if name.isdigit() else entries[name]
        told.append(walk(entry))
    return told
