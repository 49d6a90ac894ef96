"""A CPU that is made to leave goes on exactly where it was: nothing is done twice, or left out."""

from __future__ import annotations

import platform
import threading

import pytest

from guestmap.accel import ExitReason
from tests.accel.guest import DEVICE, Guest
from tests.accel.known_builds import need_internals

_COUNTER, _OTHER = 0x5000, 0x6000

# Each instruction that a block has done must not be done again when the block is gone on with.
_LOOP = bytes.fromhex(
    "41"  # again: inc ecx
    "8705" + _OTHER.to_bytes(4, "little").hex() +  # xchg eax, [other]
    "ff05" + _COUNTER.to_bytes(4, "little").hex() +  # inc dword [counter]
    "8705" + _OTHER.to_bytes(4, "little").hex() +  # xchg eax, [other]
    "39c3"  # cmp ebx, eax
    "7504"  # jne wrong
    "50"  # push eax
    "58"  # pop eax
    "ebe5"  # jmp again
    "e780"  # wrong: out 0x80, eax
    "ebfe"  # jmp $
)  # fmt: skip
_RINGS = 3000


@pytest.mark.parametrize("native", [True, False])
def test_a_loop_that_is_left_at_any_moment(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not native:
        monkeypatch.setattr(platform, "machine", lambda: "another")
    with Guest() as guest:
        guest.flat(_LOOP, eax=0x1234, ebx=0x1234, ecx=0)

        def ring() -> None:
            for _ in range(_RINGS):
                guest.loop.attend()
                threading.Event().wait(0.0002)  # somewhere else in the loop
            guest.loop.stop()

        thread = threading.Thread(target=ring)
        thread.start()
        end = guest.run()
        thread.join()
        assert end.reason is ExitReason.STOPPED
        assert guest.value() == []
        assert guest.accelerator.statistics().entries > _RINGS // 10
        counted = guest.memory.load(_COUNTER, 4)
        assert guest.register("ecx") - counted in {0, 1}
        assert guest.register("esp") in {0x8000, 0x8000 - 4}
        assert counted > _RINGS


def test_a_device_that_asks_for_attention_is_accessed_once() -> None:
    with Guest() as guest:
        guest.on_device = guest.loop.attend
        guest.flat(
            b"\xa3" + DEVICE.to_bytes(4, "little")  # mov [device], eax
            + b"\xa1" + DEVICE.to_bytes(4, "little")  # mov eax, [device]
            + b"\xe7\x80\xfa\xf4",  # out 0x80, eax; cli; hlt
            eax=7,
        )  # fmt: skip
        guest.run()
        assert guest.device_log == [("w", 0, 4, 7), ("r", 0, 4, 0)]
        assert guest.value() == [0x44332211]


@pytest.mark.parametrize("native", [True, False])
def test_a_block_behind_a_byte_like_hlt_is_no_halt(
    native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With interrupts off a mistaken HLT would be the end of the guest."""
    if not native:
        monkeypatch.setattr(platform, "machine", lambda: "another")
    code = bytes.fromhex(
        "fa"  # cli
        "ff05" + _COUNTER.to_bytes(4, "little").hex() +  # again: inc dword [counter]
        "eb01"  # jmp over the byte
        "f4"  # (hlt)
        "813d" + _COUNTER.to_bytes(4, "little").hex() + "00002000"  # cmp dword [counter], 200000h
        "75eb"  # jne again
        "f4"  # hlt
    )  # fmt: skip
    with Guest() as guest:
        guest.flat(code)
        done = threading.Event()

        def ring() -> None:
            while not done.wait(0.0002):
                guest.loop.attend()

        thread = threading.Thread(target=ring)
        thread.start()
        end = guest.run()
        done.set()
        thread.join()
        assert end.reason is ExitReason.HALTED
        assert guest.memory.load(_COUNTER, 4) == 0x200000
        assert guest.accelerator.statistics().halts == 1


def test_a_request_in_the_middle_of_a_block_has_nothing_of_it_done_twice() -> None:
    with Guest(internals=True) as guest:
        need_internals(guest.accelerator)  # type: ignore[arg-type]
        guest.on_read[0x81] = lambda: guest.loop.attend() or 0
        guest.flat(
            bytes.fromhex(
                "b920000000"  # mov ecx, 20h
                "e481"  # again: in al, 81h: asks for attention
                "89c8e780"  # mov eax, ecx; out 80h, eax: honours that
                "8705" + _OTHER.to_bytes(4, "little").hex() +  # xchg eax, [other]
                "89c8e780"  # mov eax, ecx; out 80h, eax
                "49"  # dec ecx
                "75eb"  # jnz again
                "f4"
            )
        )  # fmt: skip
        assert guest.run().reason is ExitReason.HALTED
        assert guest.value() == [n for n in range(0x20, 0, -1) for _ in range(2)]
        assert len(guest.reads) == 0x20


def test_a_halt_right_after_a_port_write_that_rings() -> None:
    with Guest() as guest:
        guest.on_port[0x80] = lambda _value: guest.loop.attend()
        guest.flat(b"\xe7\x80\xfa\xf4", eax=1)  # out 0x80, eax; cli; hlt
        assert guest.run().reason is ExitReason.HALTED
        assert guest.value() == [1]
