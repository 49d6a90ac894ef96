"""The Content-Security-Policy of pages."""

from __future__ import annotations

import base64
import hashlib

from guestmap.view.policy import page_policy, served_policy


def _hash(script: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'"


def _parts(policy: str) -> dict[str, list[str]]:
    return {part.split()[0]: part.split()[1:] for part in policy.split("; ")}


def test_a_page_runs_its_own_scripts_and_nothing_else():
    parts = _parts(page_policy(["let a = 1", "go('ä')"]))
    assert parts["default-src"] == ["'none'"]
    assert parts["script-src"] == [_hash("let a = 1"), _hash("go('ä')"), "'unsafe-eval'"]
    assert "connect-src" not in parts, "nothing is fetched"
    assert parts["base-uri"] == parts["form-action"] == ["'none'"]


def test_of_a_served_page_the_scripts_that_are_run_are_found():
    page = (
        "<html><script>first()</script><script src='/static/x.js'></script>"
        '<script type="application/json">{"not": "run"}</script>'
        '<script type="text/javascript">\n  second("<b>") && third()\n</script>'
        "<p>&lt;script&gt;no&lt;/script&gt;</p></html>"
    )
    parts = _parts(served_policy(page))
    assert parts["script-src"] == [
        "'self'", _hash("first()"), _hash('\n  second("<b>") && third()\n'), "'unsafe-eval'"
    ]  # fmt: skip
    assert parts["connect-src"] == ["'self'"]
    assert parts["frame-ancestors"] == ["'none'"]
