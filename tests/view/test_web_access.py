"""Who may look at what is served."""

from __future__ import annotations

import pytest

from guestmap.view.web_access import WebAccess

NAME = "box.example"


@pytest.fixture(autouse=True)
def _own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guestmap.view.web_access.gethostname", lambda: NAME)


KNOWN = {
    "127.0.0.1": ["127.0.0.1", "localhost", "LOCALHOST"],
    "localhost": ["127.0.0.1", "localhost", "[::1]"],
    "::1": ["[::1]", "localhost"],
    "127.0.0.9": ["127.0.0.9", "localhost"],
    "192.0.2.7": ["192.0.2.7", "box.example", "box", "Box.Example"],
    "other.example": ["other.example", "box.example"],
    "0.0.0.0": ["192.0.2.7", "127.0.0.1", "localhost", "box.example", "[2001:db8::1]"],
    "::": ["[2001:db8::1]", "192.0.2.7", "localhost", "box"],
    "": ["192.0.2.7", "box"],
}
STRANGE = {
    "127.0.0.1": ["a-page.example", "192.0.2.7", "box.example", "127.0.0.1.example", ""],
    "::1": ["192.0.2.7", "a-page.example"],
    "192.0.2.7": ["localhost", "127.0.0.1", "192.0.2.8", "a-page.example"],
    "0.0.0.0": ["a-page.example", "box.example.com", "192.0.2.7.example", ""],
}


def _door(host: str) -> WebAccess:
    return WebAccess(host, 5100, "")


@pytest.mark.parametrize(
    ("host", "name"), [(host, name) for host, names in KNOWN.items() for name in names]
)
def test_names_of_the_place_are_let_in(host, name):
    assert _door(host).refusal(f"{name}:5100", None, "") == ""
    assert _door(host).refusal(f"{name}:5100", f"http://{name}:5100", "") == ""


@pytest.mark.parametrize(
    ("host", "name"), [(host, name) for host, names in STRANGE.items() for name in names]
)
def test_other_names_are_refused_in_host_and_in_origin(host, name):
    here = "127.0.0.1" if host == "0.0.0.0" else f"[{host}]" if ":" in host else host
    assert "name" in _door(host).refusal(f"{name}:5100", None, "")
    assert "another page" in _door(host).refusal(f"{here}:5100", f"http://{name}:5100", "")


@pytest.mark.parametrize(
    "place",
    ["127.0.0.1", "127.0.0.1:5101", "127.0.0.1:x", "127.0.0.1:99999", "me@127.0.0.1:5100",
     "127.0.0.1:5100/x", "[127.0.0.1:5100", "127.0.0.1:5100?x"],
)  # fmt: skip
def test_what_only_looks_like_the_place_is_refused(place):
    assert _door("127.0.0.1").refusal(place, None, "")
    assert _door("127.0.0.1").refusal("127.0.0.1:5100", f"http://{place}", "")


@pytest.mark.parametrize("origin", ["null", "https://127.0.0.1:5100", "file://", "", "127.0.0.1"])
def test_origins_of_another_kind_are_refused(origin):
    assert _door("127.0.0.1").refusal("127.0.0.1:5100", origin, "")


def test_the_usual_port_need_not_be_said():
    assert WebAccess("127.0.0.1", 80, "").refusal("localhost", "http://localhost", "") == ""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.9.10"])
def test_on_loopback_the_link_is_plain(host):
    access = WebAccess.at(host, 5100)
    assert access.token == ""
    assert access.url == f"http://{f'[{host}]' if ':' in host else host}:5100/"


@pytest.mark.parametrize("host", ["192.0.2.7", "0.0.0.0", "::", "box.example"])
def test_elsewhere_the_link_has_a_token_that_must_be_shown(host):
    access, other = WebAccess.at(host, 5100), WebAccess.at(host, 5100)
    assert len(access.token) >= 32
    assert access.token != other.token
    assert access.url.endswith(f":5100/?token={access.token}")
    here = "box.example:5100"
    assert access.refusal(here, None, access.token) == ""
    for token in ("", other.token, access.token[:-1], "ä"):
        assert "token" in access.refusal(here, None, token)
    assert access.cookie.endswith("5100")
