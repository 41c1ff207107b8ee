"""XMP packets: ours is added, replaced and read, and what others wrote stays byte for byte."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from lumiface.imaging.codec.xmp import RDF, read_properties, write_properties

OURS, IPTC = "urn:x-test:ours/", "urn:x-test:iptc/"
PREFIXES = {OURS: "ours", IPTC: "iptc"}
WANTED = {(OURS, "record"): '{"a": "<&>"}', (OURS, "actions"): ["one", "two"], (IPTC, "Type"): "drawn"}
FIRST = (
    "<r:Description r:about='uuid:1' xmlns:q='urn:x-test:iptc/'{} xmlns:d='urn:x-test:d/' d:a=\"1>0\">"
    "<d:b><r:Bag><r:li>x</r:li><r:li>y</r:li></r:Bag></d:b></r:Description><!-- </r:RDF> -->"
)
SECOND = "<r:Description r:about='uuid:1'><q:Type xmlns:q='urn:x-test:iptc/'>older</q:Type></r:Description>"
RDF_TAG = f"<r:RDF xmlns:r='{RDF}'>"
BODY = RDF_TAG + FIRST.format(" q:Type = 'old'") + SECOND + "</r:RDF>"
KEPT = RDF_TAG + FIRST.format("") + "</r:RDF>"
WRAPPING = (
    "<?xpacket begin='\ufeff' id='x'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>",
    f"</x:xmpmeta>{' ' * 2000}<?xpacket end='w'?>",
)


def descriptions(packet: bytes) -> list[ET.Element]:
    rdf = ET.fromstring(packet)
    rdf = rdf if rdf.tag.endswith("RDF") else rdf[0]
    return list(rdf)


def test_a_new_packet_reads_back() -> None:
    packet = write_properties(None, WANTED, PREFIXES)
    (description,) = descriptions(packet)
    assert description.findtext(f"{{{OURS}}}record") == '{"a": "<&>"}'
    assert [item.text for item in description.iter(f"{{{RDF}}}li")] == ["one", "two"]
    assert read_properties(packet)[(IPTC, "Type")] == "drawn"
    assert packet.startswith(b"<?xpacket begin=")
    assert packet.endswith(b'<?xpacket end="w"?>')


@pytest.mark.parametrize("wrapping", [("", ""), WRAPPING])
def test_a_property_stands_once_and_all_else_stays(wrapping: tuple[str, str]) -> None:
    packet = write_properties(BODY.join(wrapping).encode() + b"\0\0", WANTED, PREFIXES)
    theirs, ours = descriptions(packet)
    assert theirs.attrib == {f"{{{RDF}}}about": "uuid:1", "{urn:x-test:d/}a": "1>0"}
    # Readers refuse descriptions of several subjects, and a property that stands twice.
    assert ours.attrib == {f"{{{RDF}}}about": "uuid:1"}
    assert ours.findtext(f"{{{IPTC}}}Type") == "drawn"
    begin, end = packet.index(b"<rdf:Description"), packet.rindex(b"</r:RDF>")
    assert packet[:begin] + packet[end:] == KEPT.join(wrapping).encode()


@pytest.mark.parametrize("wrapping", [("", ""), WRAPPING])
def test_writing_again_replaces(wrapping: tuple[str, str]) -> None:
    once = write_properties(BODY.join(wrapping).encode(), WANTED, PREFIXES)
    assert write_properties(once, WANTED, PREFIXES) == once
    other = write_properties(once, WANTED | {(OURS, "record"): "2"}, PREFIXES)
    assert len(descriptions(other)) == 2
    assert read_properties(other)[(OURS, "record")] == "2"


def test_what_an_editor_merged_into_one_description_is_found() -> None:
    merged = (
        f'<rdf:RDF xmlns:rdf="{RDF}"><rdf:Description rdf:about="" xmlns:o="{OURS}" o:record="1" '
        'xmlns:d="urn:x-test:d/" d:a="kept"><o:actions><rdf:Bag><rdf:li>x</rdf:li></rdf:Bag></o:actions>'
        "</rdf:Description></rdf:RDF>"
    )
    packet = write_properties(merged.encode(), WANTED, PREFIXES)
    found = read_properties(packet)
    assert found == {("urn:x-test:d/", "a"): "kept"} | {
        name: value if isinstance(value, str) else "".join(value) for name, value in WANTED.items()
    }
    assert packet.count(b"o:record") == 0


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"nothing",
        BODY[:-9].encode(),  # its end is missing
        b"<x:xmpmeta>1</x:xmpmeta>",
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
        f"<rdf:RDF xmlns:rdf='{RDF}'/>".encode(),
        BODY.encode("utf-16"),
        f"<!DOCTYPE a [<!ENTITY b 'c'>]>{BODY}".encode(),
    ],
)
def test_a_damaged_packet_is_told(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="it"):
        write_properties(damaged, WANTED, PREFIXES)
