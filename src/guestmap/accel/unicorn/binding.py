"""The names that the engine takes from Unicorn's Python binding, whose own types are partial."""

from __future__ import annotations

from typing import Any

import unicorn

Uc: Any = vars(unicorn)["Uc"]
UcError: type[Exception] = vars(unicorn)["UcError"]
