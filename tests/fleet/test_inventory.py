"""Which machines there are: files, folders, libvirt, Kubernetes' lists; and who is chosen."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from guestmap.base import ConfigError, HostError, UnsupportedError
from guestmap.fleet.asking import FleetQuestion, answer_all
from guestmap.fleet.inventory import FleetInventory, FleetMachine
from guestmap.fleet.libvirt_hosts import running_domains
from guestmap.fleet.look import LookOptions, Patience, look_at_all
from guestmap.fleet.plan_work import PlanOptions, plan_all
from guestmap.fleet.read_inventory import LISTED_AT_A_TIME, read_inventory

TOML = """
[[machine]]
name = "web1"
source = "unix:/run/web1.sock"
host = "node1"
labels = { tier = "web" }

[[machine]]
source = "tcp:node2:4444"
host = "node2"

[[libvirt]]
uri = "qemu+tls://node3/system"
labels = { tier = "db" }
"""
YAML = """
machine:
- {name: web1, source: "unix:/run/web1.sock", host: node1, labels: {tier: web}}
- {source: "tcp:node2:4444", host: node2}
libvirt:
- {uri: "qemu+tls://node3/system", labels: {tier: db}}
"""
EXPECTED = (
    FleetMachine("web1", "unix:/run/web1.sock", "node1", {"tier": "web"}),
    FleetMachine("tcp:node2:4444", "tcp:node2:4444", "node2"),
    FleetMachine("node3/a", "libvirt+qemu+tls://node3/system:a", "node3", {"tier": "db"}),
    FleetMachine("node3/b", "libvirt+qemu+tls://node3/system:b", "node3", {"tier": "db"}),
)
KUBERNETES = {
    "apiVersion": "v1",
    "kind": "List",
    "items": [
        {
            "kind": "VirtualMachineInstance",
            "metadata": {"name": "db", "namespace": "prod", "labels": {"app": "db"}},
            "status": {"nodeName": "node7"},
        },
        {
            "metadata": {"name": "own", "annotations": {"guestmap/source": "unix:/run/own.sock"}},
        },
    ],
}


def lister(uri: str | None) -> list[str]:
    assert uri in {None, "qemu+tls://node3/system"}
    return ["a", "b"]


@pytest.mark.parametrize(("name", "text"), [("fleet.toml", TOML), ("fleet.yaml", YAML)])
def test_a_file_names_machines_and_libvirts(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    assert read_inventory([str(path)], domains=lister).machines == EXPECTED


def test_all_running_domains_of_a_libvirt():
    (a, b) = read_inventory(["libvirt:"], domains=lister)
    assert (a.name, a.source, b.source) == ("a", "libvirt:a", "libvirt:b")
    remote = read_inventory(["libvirt+qemu+tls://node3/system:"], domains=lister)
    assert remote.machines[0].source == EXPECTED[2].source


def test_a_libvirt_that_is_down_is_one_machine_with_a_trouble():
    def down(uri: str | None) -> list[str]:
        raise HostError("no route")

    (only,) = read_inventory(["libvirt+qemu+ssh://u@node9/system:"], domains=down)
    assert (only.host, only.trouble) == ("node9", "no route")


def test_a_folder_of_dumps_has_a_machine_for_each(tmp_path):
    for name in ("b.txt", "a.txt", ".hidden"):
        (tmp_path / name).write_text("")
    found = read_inventory([str(tmp_path)])
    assert [each.name for each in found] == ["a.txt", "b.txt"]
    assert [each.source for each in found] == [str(tmp_path / n) for n in ("a.txt", "b.txt")]


def test_a_folder_that_is_one_machines_dump_is_one_machine(tmp_path):
    (tmp_path / "mtree.txt").write_text("")
    assert [each.name for each in read_inventory([str(tmp_path)])] == [tmp_path.name]


def test_a_list_of_kubernetes_comes_on_standard_input():
    found = read_inventory(["-"], stdin=lambda: json.dumps(KUBERNETES).encode())
    assert found.machines == (
        FleetMachine("prod/db", "libvirt:prod_db", "node7", {"app": "db"}),
        FleetMachine("default/own", "unix:/run/own.sock"),
    )
    far = read_inventory(
        ["-"],
        source_of="libvirt+qemu+ssh://{host}/system:{namespace}_{name}",
        stdin=lambda: json.dumps(KUBERNETES).encode(),
    )
    assert far.machines[0].source == "libvirt+qemu+ssh://node7/system:prod_db"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.toml", "[[machine]]\nname = 'a'\n", "source"),
        ("x.toml", "[[machine]]\nsource = ''\n", "source"),
        ("x.toml", "[[machines]]\nsource = 'a'\n", "machines"),
        ("x.toml", "a = ", "cannot be understood"),
        ("x.yaml", "a: [", "is not YAML"),
        ("x.yaml", "", "is no inventory"),
        ("x.json", "{}", "names no machine"),
        ("x.json", '{"kind": "List", "items": [{}]}', "item 0 has no metadata.name"),
        ("x.json", '{"kind": "List", "items": [7]}', "item 0 has no metadata.name"),
    ],
)
def test_a_file_that_is_no_inventory_says_where(tmp_path, name, text, said):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigError, match=said) as error:
        read_inventory([str(path)])
    assert str(path) in str(error.value)


@pytest.mark.parametrize("part", ["metadata", "annotations", "labels", "spec", "status"])
def test_a_part_of_a_list_of_kubernetes_that_is_no_mapping_tells_nothing(part):
    metadata = {"name": "a", "annotations": {}, "labels": {}}
    item = {"metadata": metadata, "spec": {}, "status": {}}
    (metadata if part in metadata else item)[part] = ["x"]
    content = json.dumps({"kind": "List", "items": [item]}).encode()
    if part == "metadata":
        with pytest.raises(ConfigError, match=r"has no metadata\.name"):
            read_inventory(["-"], stdin=lambda: content)
    else:
        (only,) = read_inventory(["-"], stdin=lambda: content)
        assert only == FleetMachine("default/a", "libvirt:default_a")


@pytest.mark.parametrize("template", ["{x}", "{name.x}", "{name[x]}", "{0}", "{"])
def test_a_template_that_asks_for_what_is_not_known_is_refused(template):
    with pytest.raises(ConfigError, match="may have"):
        read_inventory(["-"], source_of=template, stdin=lambda: json.dumps(KUBERNETES).encode())


def test_two_machines_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="two machines are named 'a'"):
        FleetInventory((FleetMachine("a", "unix:/1"), FleetMachine("a", "unix:/2")))


@pytest.mark.parametrize(
    ("selectors", "names"),
    [
        ([], "abc"),
        (["name=a"], "a"),
        (["name!=a"], "bc"),
        (["host=node*"], "ab"),
        (["tier=web,host=node1"], "a"),
        (["tier=web", "host!=node1"], "b"),
        (["tier!=web"], "c"),
    ],
)
def test_who_is_chosen(selectors, names):
    fleet = FleetInventory((
        FleetMachine("a", "1", "node1", {"tier": "web"}),
        FleetMachine("b", "2", "node2", {"tier": "web"}),
        FleetMachine("c", "3", "far"),
    ))  # fmt: skip
    assert "".join(each.name for each in fleet.selected(selectors)) == names


def test_a_condition_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="selects nothing"):
        FleetInventory(()).selected(["web"])


def test_a_libvirt_that_does_not_answer_in_time_is_given_up(monkeypatch):
    never = threading.Event()
    monkeypatch.setattr("guestmap.fleet.libvirt_hosts._names", lambda _uri: never.wait(60) or [])
    with pytest.raises(HostError, match="did not answer within"):
        running_domains(None, timeout_s=0.01)
    never.set()


def test_libvirts_are_asked_side_by_side_but_not_all_and_stay_in_order():
    met = threading.Barrier(LISTED_AT_A_TIME)
    hosts = [f"libvirt+qemu+ssh://h{number:02}/system:" for number in range(2 * LISTED_AT_A_TIME)]
    lock, at_once = threading.Lock(), [0, 0]

    def lister(uri: str | None) -> list[str]:
        with lock:
            at_once[0] += 1
            at_once[1] = max(at_once)
        met.wait(30)  # as many come as are asked at a time, or it raises
        with lock:
            at_once[0] -= 1
        if uri == "qemu+ssh://h03/system":
            raise HostError("down", call="virConnectOpen")
        return ["vm"]

    found = read_inventory(["unix:/first", *hosts, "unix:/last"], domains=lister)
    assert [each.name for each in found] == [
        "unix:/first",
        *(f"h{number:02}/vm" if number != 3 else "h03:" for number in range(len(hosts))),
        "unix:/last",
    ]
    assert at_once == [0, LISTED_AT_A_TIME]


def test_what_keeps_all_libvirts_from_being_asked_ends_the_reading_at_once():
    asked = []

    def lister(uri: str | None) -> list[str]:
        asked.append(uri)
        raise UnsupportedError("needs libvirt-python")

    hosts = [f"libvirt+qemu+ssh://h{number}/system:" for number in range(1000)]
    with pytest.raises(UnsupportedError, match="needs libvirt-python"):
        read_inventory(hosts, domains=lister)
    assert len(asked) <= LISTED_AT_A_TIME


def test_a_password_is_not_shown():
    source = "libvirt+qemu+tls://me:hunter2@node/system?password=x1y2:vm"
    shown = FleetMachine("a", source).shown
    assert "hunter2" not in shown
    assert "x1y2" not in shown
    assert shown.startswith("libvirt+qemu+tls://me:***@node/system")
    plain = "libvirt+qemu+ssh://me@node/system:vm"
    assert FleetMachine("a", plain).shown == plain


def test_a_path_means_the_same_in_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("")
    (only,) = read_inventory(["a.txt"])
    assert only.source == str(tmp_path / "a.txt")


def test_a_password_is_in_no_name(tmp_path):
    source = "libvirt+qemu+tls://me:hunter2@node/system"
    path = tmp_path / "fleet.toml"
    path.write_text(f'[[machine]]\nsource = "{source}:vm"\n')

    def down(uri: str | None) -> list[str]:
        raise HostError(f"cannot reach {uri}")

    for words in ([str(path)], [f"{source}:vm"], [f"{source}:"]):
        (only,) = read_inventory(words, domains=down)
        assert "hunter2" in only.source
        assert "hunter2" not in only.name


def test_a_password_is_in_no_verbs_word_of_a_trouble():
    listing = FleetMachine("node", "libvirt:", "node", trouble="tls://u:hunter2@node is down")
    told = [
        *look_at_all([listing], LookOptions()),
        *plan_all([listing], PlanOptions(1)),
        *answer_all([listing], FleetQuestion("ram"), Patience()),
    ]
    assert all(b"tls://u:***@node is down" in each for each in told)
