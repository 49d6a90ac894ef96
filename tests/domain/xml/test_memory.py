"""Memory devices: what is read is written again as libvirt writes it; mistakes have its words."""

import pytest

from guestmap.domain.rules.errors import DomainError
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.xml.memory import DimmAddress, PciAddress, without_foreign_alias
from guestmap.domain.xml.write import memory_xml
from tests.domain.documents import device, memory

FORMS = {
    "dimm": """\
<memory model='dimm' access='shared' discard='yes'>
  <source>
    <nodemask>0-2,5</nodemask>
    <pagesize unit='KiB'>2048</pagesize>
  </source>
  <target>
    <size unit='KiB'>524288</size>
    <node>1</node>
  </target>
  <alias name='ua-big'/>
  <address type='dimm' slot='5' base='0x180000000'/>
</memory>
""",
    "nvdimm": """\
<memory model='nvdimm'>
  <source>
    <path>/srv/a&amp;b</path>
    <alignsize unit='KiB'>2048</alignsize>
    <pmem/>
  </source>
  <target>
    <size unit='KiB'>262144</size>
    <node>0</node>
    <label>
      <size unit='KiB'>128</size>
    </label>
    <readonly/>
  </target>
</memory>
""",
    "virtio-mem": """\
<memory model='virtio-mem'>
  <target dynamicMemslots='yes'>
    <size unit='KiB'>1048576</size>
    <node>0</node>
    <block unit='KiB'>2048</block>
    <requested unit='KiB'>524288</requested>
    <current unit='KiB'>4096</current>
    <address base='0x140000000'/>
  </target>
  <alias name='virtiomem0'/>
  <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>
</memory>
""",
}


@pytest.mark.parametrize("model", FORMS)
def test_what_is_read_is_written_again(model):
    assert memory_xml(device(FORMS[model].encode(), LibvirtDialect.V12), live=True) == FORMS[model]


def test_what_a_model_has_not_is_passed_over():
    other = memory(target="<requested>1</requested><label><size>128</size></label><readonly/>")
    assert memory_xml(device(other), live=True) == memory_xml(device(memory()), live=True)
    found = device(FORMS["virtio-mem"].encode(), LibvirtDialect.V9)
    assert (found.base, found.dynamic_slots) == (None, False)


def test_only_a_users_own_alias_is_kept():
    foreign = memory(more="<alias name='ua-x y'/>")
    own = memory(more="<alias name='ua-x_y-1'/>")
    assert without_foreign_alias(device(foreign)).alias is None
    assert without_foreign_alias(device(own)).alias == "ua-x_y-1"


@pytest.mark.parametrize(
    ("size", "unit", "kib"),
    [("1", "KiB", 1), ("1", "b", 1), ("1025", "bytes", 2), ("1", "KB", 1), ("2", "GiB", 2 << 20),
     ("1000", "MB", 976563), ("3", "m", 3072), ("1", "T", 1 << 30)],
)  # fmt: skip
def test_sizes_have_libvirts_units_and_are_rounded_up_to_kib(size, unit, kib):
    assert device(memory(size, unit)).size == kib


MISTAKES = {
    "no model": (b"<memory/>",
                 "XML error: Missing required attribute 'model' in element 'memory'", 27, 5),
    "model": (memory(model="sodimm"),
              "XML error: Invalid value for attribute 'model' in element 'memory': 'sodimm'.",
              27, 5),
    "no size": (b"<memory model='dimm'><target/></memory>",
                "XML error: missing element or attribute './size'", 27, 5),
    "size": (memory("lots"), "XML error: Invalid value 'lots' for element or attribute './size'",
             27, 5),
    "negative": (memory("-1"), "XML error: Invalid value '-1' for element or attribute './size'",
                 27, 5),
    "no target": (b"<memory model='dimm'/>",
                  "XML error: missing <target> element for <memory> device", 27, 20),
    "node": (memory(node="<node>x</node>"), "XML error: invalid value of memory device node",
             27, 20),
    "unit": (memory(unit="parsec"), "invalid argument: unknown suffix 'parsec'", 8, 0),
    "base alone": (memory(more="<address type='dimm' base='0x1'/>"),
                   "XML error: Missing required attribute 'slot' in element 'address'", 27, 5),
    "slot": (memory(more="<address type='dimm' slot='x'/>"),
             ("XML error: Invalid value for attribute 'slot' in element 'address': 'x'. Expected"
             " non-negative integer value"), 27, 5),
    "too large": (memory("9007199254740992", "GiB"),
                  "numerical overflow: value too large: 9007199254740992GiB", 82, 0),
    "nodemask": (memory(more="<source><nodemask>q</nodemask></source>"),
                 "invalid argument: Failed to parse bitmap 'q'", 8, 0),
    "no path": (memory(model="nvdimm"), "path is required for model 'nvdimm'", 35, 20),
}  # fmt: skip
"""As libvirt 9.0 and 12.9 print them."""


@pytest.mark.parametrize("what", MISTAKES)
@pytest.mark.parametrize("dialect", LibvirtDialect)
def test_a_mistake_has_libvirts_words(what, dialect):
    data, text, code, domain = MISTAKES[what]
    with pytest.raises(DomainError) as refused:
        device(data, dialect)
    told = refused.value
    assert (told.text, told.code, told.domain) == (text, code, domain)


BY_VERSION = {
    "no type": (memory(more="<address slot='1'/>"),
                ("internal error: No type specified for device address", 1, 20),
                ("XML error: Missing required attribute 'type' in element 'address'", 27, 5)),
    "type": (memory(more="<address type='zip'/>"),
             ("unsupported configuration: unknown address type 'zip'", 67, 20),
             ("XML error: Invalid value for attribute 'type' in element 'address': 'zip'.", 27, 5)),
}  # fmt: skip


@pytest.mark.parametrize("what", BY_VERSION)
@pytest.mark.parametrize("dialect", LibvirtDialect)
def test_some_words_are_a_versions_own(what, dialect):
    data, *told = BY_VERSION[what]
    with pytest.raises(DomainError) as refused:
        device(data, dialect)
    error = refused.value
    assert (error.text, error.code, error.domain) == told[dialect is LibvirtDialect.V12]


def test_an_empty_nodemask_is_dropped():
    assert device(memory(more="<source><nodemask/></source>")).nodemask == ()


PCI = {
    "bus='3' slot='4' function='5'": (3, 4, 5),
    "bus='0x1f' slot='0x0a' function='0x1'": (31, 10, 1),
    "slot='4' function='5'": (0, 4, 5),
    "bus='3' function='5'": (3, 0, 5),
    "bus='3' slot='4'": (3, 4, 0),
    "": (0, 0, 0),
}


@pytest.mark.parametrize("told", PCI)
def test_what_a_pci_address_does_not_say_is_0(told):
    found = device(memory(model="virtio-mem", more=f"<address type='pci' {told}/>"))
    assert found.address == PciAddress(*PCI[told])


DIMMS = {"slot='2'": (2, None), "slot='0' base='0x0'": (0, 0), "slot='010'": (10, None),
         "slot='1' base='140000000'": (1, 0x1_4000_0000)}  # fmt: skip


@pytest.mark.parametrize("told", DIMMS)
def test_a_slot_is_decimal_and_a_base_is_not(told):
    assert device(memory(more=f"<address type='dimm' {told}/>")).address == DimmAddress(
        *DIMMS[told]
    )


WORDS = {
    "": (None, None),
    " access='shared'": ("shared", None),
    " access='private'": ("private", None),
    " discard='yes'": (None, True),
    " discard='no'": (None, False),
}


@pytest.mark.parametrize("words", WORDS)
def test_what_is_said_of_access_and_discard_is_kept_and_what_is_not_is_none(words):
    found = device(memory(words=words))
    assert (found.access, found.discard) == WORDS[words]


@pytest.mark.parametrize("word", ["access", "discard"])
def test_another_word_is_refused_with_those_that_there_are(word):
    with pytest.raises(
        DomainError, match=f"attribute '{word}' in element 'memory': 'q'"
    ) as refused:
        device(memory(words=f" {word}='q'"))
    remedies = {"access": "write one of shared, private", "discard": "write one of yes, no"}
    assert refused.value.remedy == remedies[word]


def test_a_place_and_a_slot_are_those_of_the_model():
    dimm = device(memory(more="<address type='dimm' slot='3' base='0x120000000'/>"))
    assert (dimm.slot, dimm.place) == (3, 0x1_2000_0000)
    grown = device(FORMS["virtio-mem"].encode(), LibvirtDialect.V12)
    assert (grown.slot, grown.place) == (None, 0x1_4000_0000)


def test_only_names_that_begin_as_a_users_are_a_users_own():
    own = {name: device(memory(more=f"<alias name='{name}'/>")).has_own_alias
           for name in ("ua-x", "dimm0", "xua-")}  # fmt: skip
    assert own == {"ua-x": True, "dimm0": False, "xua-": False}
    assert not device().has_own_alias
