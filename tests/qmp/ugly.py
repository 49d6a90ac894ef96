"""Inputs that a QMP server must survive; what they bring is for QEMU to say."""

NEGOTIATION: tuple[bytes, ...] = (
    b'{"execute": "query-status", "id": 1}',
    b'{"exec-oob": "query-status"}',
    b'{"execute": "no-such", "arguments": {"a": 1}}',
    b'{"execute": "qmp_capabilities", "arguments": {"enable": ["x"]}}',
    b'{"execute": "qmp_capabilities", "arguments": {"enable": [1]}}',
    b'{"execute": "qmp_capabilities", "arguments": {"enable": "oob"}}',
    b'{"execute": "qmp_capabilities", "arguments": {"enabl": ["oob"]}}',
    b'{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"], "x": 1}, "id": [1, 2]}',
    b'{"execute": "qmp_capabilities", "arguments": [], "id": null}',
    b'{"execute": "qmp_capabilities", "arguments": {"enable": ["oob", "oob"]}, "id": {"a": 2.5}}',
    b'{"execute": "qmp_capabilities", "id": "again"}',
    b'{"execute": "qmp_capabilities", "arguments": {"x": 1}}',
)
"""In this order on one connection; out-of-band execution is enabled by the last but two."""

REQUESTS: tuple[bytes, ...] = (
    b'{"exec-oob": "query-status"}',
    b'{"exec-oob": "no-such", "id": 3}',
    b'{"exec-oob": 1}',
    b'{"exec-oob": "x", "execute": "y"}',
    b'{"exec-oob": "migrate-pause", "id": 4}',
    b'{"exec-oob": "qmp_capabilities"}',
    b'{"execute": "migrate-pause"}',
    b'{"execute": "migrate-pause", "arguments": {"a": 1}}',
    b'{"execute": "query-status", "arguments": {}}',
    b'{"execute": "query-status", "arguments": {"a": 1}, "id": {"b": 1, "a": null, "c": true}}',
    b'{"execute": "query-status", "arguments": []}',
    b'{"execute": "query-status", "arguments": null}',
    b'{"arguments": {}, "id": 5}',
    b"{'execute': 'query-status', 'id': 'it\\'s \"so\"'}",
    b'{"execute": "query-status", "id": 1}{"execute": "query-status", "id": 2}',
    b'{"execute": "query-status", "id": 1},{"execute": "query-status", "id": 2}',
    b'{"execute": 5, "id": "x"}',
    b'{"execute": "", "x": 1}',
    b'{"z": 1, "y": 2, "x": 3}',
    b'{"execute": 1, "exec-oob": 2, "foo": 3, "arguments": 4}',
    b'{"execute": "\xc3\xa9\\u0000x"}',
    b'{"execute": "a%b%s", "id": "\\u0000\\u007f\xc3\xa9\\ud83d\\ude00\\n\\/"}',
    b'{"execute": "x", "id": [0.1, 1e10, -0.0, -0, 1.0, 1e-7, 1e300, 1e999, -1e999]}',
    b'{"execute": "x", "id": [18446744073709551615, 18446744073709551616, -9223372036854775809]}',
    b'{"execute": "x", "id": [9223372036854775808, -9223372036854775808, 4E5, 4e+5, 4e-5]}',
    b'{"execute": "x", "id": ' + b"9" * 5000 + b"}",
    b'{"execute": "x", "id": [' + b"0" * 5000 + b"]}",
    b'{"execute": "qom-get"}',
    b'{"execute": "qom-get", "arguments": {"property": 1}}',
    b'{"execute": "qom-get", "arguments": {"path": 1, "x": 1}}',
    b'{"execute": "qom-get", "arguments": {"path": "/", "property": []}}',
    b'{"execute": "qom-get", "arguments": {"path": "/", "property": "type", "x": null}}',
    b'{"execute": "qom-list-types", "arguments": {"abstract": "on"}}',
    b'{"execute": "human-monitor-command", "arguments": {"command-line": "", "cpu-index": 1.5}}',
    b'{"execute": "human-monitor-command", "arguments": {"command-line": "", "cpu-index": true}}',
    b'{"execute": "human-monitor-command", "arguments": {"command-line": "", "cpu-index": 1e3}}',
    b'{"execute":"human-monitor-command","arguments":{"command-line":"","cpu-index":1%s}}'
    % (b"0" * 19),
)
"""Requests after the negotiation with ``oob``."""

VALUES: tuple[bytes, ...] = (
    *(b"[]", b"1 2", b'"a"', b"{}", b"null", b"true false", b"1-2", b"-0", b'""', b"''"),
    *(b"", b" \t\r\n", b'{"foo": 1}', b'{"id": 5}', b'{"": 1}', b'{"\\u0000": 1}'),
    *(b"truefalse", b"1x", b"nul", b"True", b"hello world", b"Hello World", b"/* */", b"% %d"),
)

BAD_JSON: tuple[bytes, ...] = (
    *(b'{"a":1]', b"{[}]", b'{"a":[}', b'{"a":[}]}', b"[{]}", b"]", b"}", b",", b":", b"{]", b"[}"),
    *(b'{"a" 1}', b'{"a":}', b'{"a"}', b'{"a":1 "b":2}', b'{"a":1,}', b"{,}", b'{"a":1,,"b":2}'),
    *(
        b"[1,]",
        b"[,]",
        b"[1 2]",
        b"[1:2]",
        b"{1:2}",
        b"{[1]:2}",
        b"{{}:2}",
        b"{nul:2}",
        b"{null:1}",
    ),
    *(b'{"a":nul}', b'{"a":1,"a":2}', b'{"a":1,"\\u0061":2}', b'{"a\xc0\x80":1,"a\\u0000":2}'),
    *(b'{"a":01}', b'{"a":-}', b'{"a":-01}', b'{"a":1.}', b'{"a":1.e}', b'{"a":0e1}', b'{"a":1e+}'),
    *(b'{"a":+1}', b'{"a":.5}', b'{"a":NaN}', b'{"a":Infinity}', b'{"a":0x10}', b'{"a":1_000}'),
    *(b"-", b"-a", b"00", b"1.5.5", b"1e5e5", b"0.0e0"),
    *(b"[" * 1025 + b"]" * 1025, b'{"a":' * 1024 + b"1" + b"}" * 1024, b'{"a":' * 1025),
    *(b'{"a":[' * 512 + b"]}" * 512, b'{"a":[' * 512 + b"{"),
)

BAD_STRINGS: tuple[bytes, ...] = (
    *(
        b'"\\x"',
        b'"\\u12"',
        b'"\\u12',
        b'"\\u"',
        b'"\\uzzzz"',
        b'"\\u00e9 \\u12\xc3\xa9"',
        b'"\\\xc3"',
    ),
    *(b'"\\ud800"', b'"\\ud800\\ud800"', b'"\\udc00\\ud800"', b'"\\ud800x"', b'"\\ud800\\n"'),
    *(b'"\\ud800\\u12"', b'"\\uFFFE"', b'"\\ufdd0"', b'"\\ud83f\\udffe"', b'"\\uD834\\uDD1E"'),
    *(
        b'"\xff"',
        b'"\xfe"',
        b'"\xc3"',
        b'"\xc3\xa9"',
        b'"\xed\xa0\x80"',
        b'"\xef\xbf\xbe"',
        b'"\x80"',
    ),
    *(
        b'"\xf4\x90\x80\x80"',
        b'"\xf4\x8f\xbf\xbd"',
        b'"\xc0\x80"',
        b'"\xc0\xaf"',
        b'"\xe0\x80\xaf"',
    ),
    *(b'"\xf8\x88\x80\x80\x80"', b'"\xfc\x84\x80\x80\x80\x80"', b'"\xf0\x9f\xbf\xbf"'),
    *(b'"\n"', b'"\t"', b'"\x00"', b'"a\x00b"', b'"\\\n"', b'"\\\xff"', b'"\\', b'"abc', b'"x" "y'),
    *(b'"\xc3\x01"', b'"\xe9\xe9"\x01', b'"\xe9\xe9\x01', b'"\xe2\x82\x01', b'"\xf8\x88\x80\x01'),
    *(b"'it\\'s'", b"'\"'", b'"\'"', b"'", b"'a\"", b'"%d %s %%"', b'"\x7f"'),
)

STRAYS: tuple[bytes, ...] = (
    *(
        b"\xff",
        b"\xff\xff",
        b"\xfe",
        b"\x00",
        b"\x01\x02",
        b"\x7f",
        b"\x1b[A",
        b"a\xc3b",
        b"\xc3\xa9",
    ),
    *(b"!{}", b"! {}", b"!\t{}", b"!\n{}", b"!,{}", b"!\xff{}", b'!"{}"', b"!]", b"\xef\xbb\xbf{}"),
    *(b'"abc\x01 def} {"execute":"x"}', b'{"a": \xc3\xa9 }', b'{"a": T, "b": [F, {"c": U}]}'),
)

ALL = (*VALUES, *BAD_JSON, *BAD_STRINGS, *STRAYS)
