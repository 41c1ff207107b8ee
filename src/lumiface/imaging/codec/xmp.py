"""XMP packets: properties read, and written beside those of others, whose bytes stay as they are.

A packet is XML (ISO 16684-1): an rdf:RDF that holds any number of rdf:Description, whose attributes and child
elements are properties. All descriptions together are one set, in which a property stands once; readers
refuse a packet that has one twice. So what is written replaces what has its name, wherever that stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

Name = tuple[str, str]
"""Namespace and local name of a property."""

_XML = "http://www.w3.org/XML/1998/namespace"
_NEW = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
    f'<rdf:RDF xmlns:rdf="{RDF}">\n</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>'
).encode()
_TAG = re.compile(rb"<(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")


@dataclass(slots=True)
class _Element:
    """An element of XML and where it stands in the packet, bytes from the packet's beginning.

    Attributes:
        attributes: name -> prefix and value.
        start: of its first tag.
        inner: behind its first tag.
        close: of its last tag; `inner` if it has but one.
        end: behind it.
        text: of it and of all within.
    """

    name: Name
    attributes: dict[Name, tuple[str, str]]
    start: int
    inner: int
    close: int = 0
    end: int = 0
    text: str = ""
    children: list[_Element] = field(default_factory=list["_Element"])


def read_properties(xmp: bytes) -> dict[Name, str]:
    """The properties of a packet as text; of lists and structures the text of all their parts.

    Raises:
        ValueError: the packet is damaged, or has no rdf:RDF.
    """
    return {name: value for name, value, _ in _properties(_rdf_of(_without_padding(xmp)))}


def write_properties(
    xmp: bytes | None, properties: Mapping[Name, str | Sequence[str]], prefixes: Mapping[str, str]
) -> bytes:
    """A packet with these properties in a description of their own.

    Args:
        xmp: the packet so far, of which all else stays byte for byte; None: there is none.
        properties: name -> text, or texts of an unordered list.
        prefixes: namespace -> prefix, of all namespaces in `properties`.

    Raises:
        ValueError: `xmp` is damaged, or has no place for a description.
    """
    data = _NEW if xmp is None else _without_padding(xmp)
    rdf = _rdf_of(data)
    if rdf.close == rdf.inner and rdf.end == rdf.inner:
        raise ValueError("its rdf:RDF is an empty tag")
    about = next((value for item in rdf.children for value in _abouts(item) if value), "")
    pieces = [(start, end, b"") for start, end in _cuts(data, rdf, properties)]
    pieces.append((rdf.close, rdf.close, _description(about, properties, prefixes).encode()))
    for start, end, new in sorted(pieces, reverse=True):
        data = data[:start] + new + data[end:]
    return data


def _description(
    about: str, properties: Mapping[Name, str | Sequence[str]], prefixes: Mapping[str, str]
) -> str:
    spaces = {RDF: "rdf"} | {space: prefixes[space] for space, _ in properties}
    declared = "".join(f" xmlns:{prefix}={quoteattr(space)}" for space, prefix in spaces.items())
    lines = [f"<rdf:Description rdf:about={quoteattr(about)}{declared}>"]
    for (space, local), value in properties.items():
        tag = f"{prefixes[space]}:{local}"
        if not isinstance(value, str):
            items = "".join(f"<rdf:li>{escape(item)}</rdf:li>" for item in value)
            lines.append(f"<{tag}><rdf:Bag>{items}</rdf:Bag></{tag}>")
        else:
            lines.append(f"<{tag}>{escape(value)}</{tag}>")
    return "\n".join([*lines, "</rdf:Description>\n"])


def _properties(rdf: _Element) -> Iterator[tuple[Name, str, _Element]]:
    """Name, text and description of every property."""
    for description in rdf.children:
        for name, (_, value) in description.attributes.items():
            if name[0] not in ("", RDF, _XML):
                yield name, value, description
        for child in description.children:
            yield child.name, child.text, description


def _cuts(data: bytes, rdf: _Element, names: Mapping[Name, object]) -> Iterator[tuple[int, int]]:
    """Where the named properties stand; a description that holds nothing else goes as a whole."""
    for description in rdf.children:
        found = {name for name, _, owner in _properties(rdf) if owner is description}
        if found and found <= names.keys():
            blank = data[description.end : description.end + 1] == b"\n"
            yield description.start, description.end + blank
            continue
        for child in description.children:
            if child.name in names:
                yield child.start, child.end
        for name, (prefix, _) in description.attributes.items():
            if name in names:
                attribute = re.compile(
                    rb"\s+%b:%b\s*=\s*(?:\"[^\"]*\"|'[^']*')" % (prefix.encode(), name[1].encode())
                )
                match = attribute.search(data, description.start, description.inner)
                if match:
                    yield match.span()


def _abouts(description: _Element) -> Iterator[str]:
    for name, (_, value) in description.attributes.items():
        if name in ((RDF, "about"), ("", "about")):
            yield value


def _without_padding(xmp: bytes) -> bytes:
    return xmp.strip(b"\0 \t\r\n")


def _rdf_of(data: bytes) -> _Element:
    """The first rdf:RDF.

    Raises:
        ValueError: the packet is damaged, or has none.
    """
    found: list[_Element] = []
    open_: list[_Element] = []
    parser = expat.ParserCreate(namespace_separator="\n")
    parser.namespace_prefixes = True

    def begin(tag: str, attributes: Mapping[str, str]) -> None:
        at = parser.CurrentByteIndex
        match = _TAG.match(data, at)
        if match is None:  # another encoding than UTF-8
            raise ValueError("its tags are not where they should be")
        named = {_split(key)[0]: (_split(key)[1], value) for key, value in attributes.items()}
        open_.append(_Element(_split(tag)[0], named, at, match.end()))

    def finish(_: str) -> None:
        element, at = open_.pop(), parser.CurrentByteIndex
        empty = data[element.inner - 2 : element.inner] == b"/>"
        element.close = element.inner if empty else at
        element.end = element.inner if empty else data.index(b">", at) + 1
        if element.name == (RDF, "RDF"):
            found.append(element)
        elif open_:
            open_[-1].children.append(element)
            open_[-1].text += element.text

    def read(text: str) -> None:
        open_[-1].text += text

    def refuse(*_: object) -> None:
        raise ValueError("it has a document type, which XMP does not have")

    parser.StartElementHandler, parser.EndElementHandler = begin, finish
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = read, refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as fault:
        raise ValueError(f"it is not well-formed XML ({fault})") from fault
    if not found:
        raise ValueError("it has no rdf:RDF")
    return found[0]


def _split(key: str) -> tuple[Name, str]:
    """expat's "namespace, name, prefix", of which the first and the last may be missing."""
    parts = key.split("\n")
    if len(parts) == 1:
        return ("", key), ""
    return (parts[0], parts[1]), parts[2] if len(parts) > 2 else ""
