import pytest

from guestmap.base import ConfigError, UnsupportedError
from guestmap.monitor import TcpAddress, UnixAddress, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("unix:/run/a b.sock", UnixAddress("/run/a b.sock")),
        ("unix:qmp,server=on,wait=off", UnixAddress("qmp")),
        ("unix:qmp,server,nowait", UnixAddress("qmp")),
        ("tcp:localhost:4444,server=on,wait=off", TcpAddress("localhost", 4444)),
        ("tcp::0", TcpAddress("127.0.0.1", 0)),
        ("tcp:[::1]:1", TcpAddress("::1", 1)),
        ("tcp:0.0.0.0:65535", TcpAddress("0.0.0.0", 65535)),
    ],
)
def test_reads_what_qmp_takes(text: str, address: object) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "qmp", "unix:", "unix:,server=on", "tcp:4444", "tcp:a:65536", "tcp:a:b:1", "stdio",
     "unix:a,server=maybe", "unix:a,frob=on", "unix:" + "a" * 108],
)  # fmt: skip
def test_refuses_what_is_no_address(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_address(text)


@pytest.mark.parametrize("option", ["server=off", "wait=on", "wait"])
def test_names_what_is_not_done_here(option: str) -> None:
    with pytest.raises(UnsupportedError, match=r"here|waits"):
        parse_address(f"unix:a,{option}")


@pytest.mark.parametrize("text", ["unix:/run/a", "tcp:[::1]:1", "tcp:127.0.0.1:5"])
def test_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_address(text)) == text
