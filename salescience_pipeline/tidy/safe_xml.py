"""Reading XML that a stranger wrote: no document type, no entity, no network, bounded in size and depth.

lxml's defaults stop most entity bombs; here none is even looked at, since nothing that we read needs a document type.
What does not belong here: what the elements mean.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lxml import etree

MAX_XML_BYTES = 16_000_000
"""The largest ownership form ever seen is below 1 MB."""

MAX_DEPTH = 64

_DOCUMENT_TYPE = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)


class UnsafeXml(ValueError):
    """XML that is refused, broken or not XML at all; the message is one sentence that says which."""


def parse_xml(data: bytes) -> etree._Element:
    """The root element of ``data``, without comments and processing instructions.

    Raises:
        UnsafeXml: for a document type or an entity declaration, too many bytes, too deep a tree, or broken XML.
    """
    if len(data) > MAX_XML_BYTES:
        raise UnsafeXml(f"The XML holds {len(data)} bytes and {MAX_XML_BYTES} are allowed.")
    # UTF-16 and UTF-32 could hide a document type from the search; no form that we read comes in them.
    if b"\x00" in data:
        raise UnsafeXml("The XML holds zero bytes.")
    if _DOCUMENT_TYPE.search(data):
        raise UnsafeXml("The XML declares a document type or an entity, which is refused.")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnsafeXml("The XML is broken.") from error
    if root is None or root.getroottree().docinfo.internalDTD is not None:
        raise UnsafeXml("The XML has no root element, or a document type.")
    _refuse_depth(root)
    return root


def _refuse_depth(root: etree._Element) -> None:
    level: Sequence[etree._Element] = [root]
    for _ in range(MAX_DEPTH):
        level = [child for element in level for child in element]
        if not level:
            return
    raise UnsafeXml(f"The XML is nested more than {MAX_DEPTH} deep.")
