"""virt-install of the distribution, unpacked beside its libvirt."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.libvirtd import ROOT as LIBVIRT
from tests.support.libvirtd import Libvirtd
from tests.support.needs import skip_without

ROOT = Path(__file__).parents[2] / ".oracle" / "virt-install"
_LIBRARIES = Path("usr/lib/x86_64-linux-gnu")
_PACKAGES = Path("usr/lib/python3/dist-packages")
_PATIENCE_S = 180


def virt_install(libvirt: Libvirtd, home: Path, *words: str) -> None:
    """Run it to its end against a daemon; skip where it cannot be had.

    Args:
        libvirt: the daemon.
        home: a folder for what it keeps.
        words: its options.
    """
    if not (ROOT / "usr/bin/virt-install").is_file():
        skip_without("peers", f"needs virt-install in {ROOT} (tools/setup.sh peers)")
    environment = {
        **os.environ,
        "HOME": str(home),
        "LD_LIBRARY_PATH": f"{ROOT / _LIBRARIES}:{LIBVIRT / _LIBRARIES}",
        "GI_TYPELIB_PATH": str(ROOT / _LIBRARIES / "girepository-1.0"),
        "OSINFO_SYSTEM_DIR": str(ROOT / "usr/share/osinfo"),
        "PYTHONPATH": ":".join(
            map(str, (ROOT / "usr/share/virt-manager", ROOT / _PACKAGES, LIBVIRT / _PACKAGES))
        ),
    }
    code = "from virtinst import virtinstall; virtinstall.runcli()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--connect", libvirt.uri, *words],
        env=environment, capture_output=True, text=True, timeout=_PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
