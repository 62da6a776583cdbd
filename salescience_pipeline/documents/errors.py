"""Why a document was refused: one small tree of errors, each with the name that Reducto gives such a failure.

``name`` is the wire name (a failed job says ``error.name``), the message one sentence. A document that is merely odd is
no error: what was left out or guessed is told in ``Document.warnings`` and ``FactSet.problems``.

    DocumentError
      DocumentEmpty        DOCUMENT_EMPTY        nothing in it
      DocumentCorrupt      DOCUMENT_CORRUPT      cannot be what it says it is, or was made to hurt
      DocumentUnsupported  DOCUMENT_UNSUPPORTED  a format that this engine does not read (PDF, ZIP, images...)
      DocumentTooLarge     DOCUMENT_TOO_LARGE    more bytes than allowed
      CellCountExceeded    CELL_COUNT_EXCEEDED   a table with more cells than allowed
      DocumentTimeout      TIMEOUT               the time allowed for one document is over
      NotADocument         NOT_FOUND, RATE_LIMIT, SERVICE_UNAVAILABLE, AUTH_ERROR
                                                 an error page was delivered in the document's place
      InvalidOption        INVALID_CONFIG        the caller asked for something that does not exist
"""

from __future__ import annotations


class DocumentError(Exception):
    """A document could not be processed; ``name`` says why in the vendor's vocabulary."""

    name: str = "PROCESSING_FAILED"


class DocumentEmpty(DocumentError):
    """The file has no bytes, or only white space."""

    name = "DOCUMENT_EMPTY"


class DocumentCorrupt(DocumentError):
    """The bytes cannot be read as what they claim to be."""

    name = "DOCUMENT_CORRUPT"


class DocumentUnsupported(DocumentError):
    """A format that this engine does not read."""

    name = "DOCUMENT_UNSUPPORTED"


class DocumentTooLarge(DocumentError):
    """More bytes than the limits allow."""

    name = "DOCUMENT_TOO_LARGE"


class CellCountExceeded(DocumentError):
    """One table holds more cells than the limits allow."""

    name = "CELL_COUNT_EXCEEDED"


class DocumentTimeout(DocumentError):
    """The time allowed for one document is over."""

    name = "TIMEOUT"


class NotADocument(DocumentError):
    """A server's error page stands where the document should be."""

    def __init__(self, message: str, name: str = "NOT_FOUND") -> None:
        super().__init__(message)
        self.name = name


class InvalidOption(DocumentError):
    """An option has a value that does not exist."""

    name = "INVALID_CONFIG"
