"""Why a job of Reducto failed: the 44 names of its API, and which of them may pass.

What does not belong here: why our own engine refuses a document (``documents.errors``).
"""

from __future__ import annotations

from enum import StrEnum


class JobErrorName(StrEnum):
    """Why a job failed, as the API spells it (its SDK's ErrorDetail)."""

    TIMEOUT = "TIMEOUT"
    CAPACITY_TIMEOUT = "CAPACITY_TIMEOUT"
    CUSTOMER_TIMEOUT = "CUSTOMER_TIMEOUT"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    GPU_ALLOCATION_ERROR = "GPU_ALLOCATION_ERROR"
    GPU_POOL_SATURATED = "GPU_POOL_SATURATED"
    BATCH_QUEUE_FULL = "BATCH_QUEUE_FULL"
    QUEUE_FULL = "QUEUE_FULL"
    JOB_STATE_ERROR = "JOB_STATE_ERROR"
    DOCUMENT_CORRUPT = "DOCUMENT_CORRUPT"
    DOCUMENT_EMPTY = "DOCUMENT_EMPTY"
    DOCUMENT_UNSUPPORTED = "DOCUMENT_UNSUPPORTED"
    DOCUMENT_TOO_LARGE = "DOCUMENT_TOO_LARGE"
    OFFICE_CONVERSION_TOO_LARGE = "OFFICE_CONVERSION_TOO_LARGE"
    IMAGE_TOO_LARGE = "IMAGE_TOO_LARGE"
    IMAGE_TOO_SMALL = "IMAGE_TOO_SMALL"
    IMAGE_INVALID_ASPECT_RATIO = "IMAGE_INVALID_ASPECT_RATIO"
    DOCUMENT_PASSWORD_PROTECTED = "DOCUMENT_PASSWORD_PROTECTED"  # noqa: S105 - a name
    FORM_FILL_FAILED = "FORM_FILL_FAILED"
    INTERNAL_INVARIANT_VIOLATION = "INTERNAL_INVARIANT_VIOLATION"
    GPU_UNAVAILABLE = "GPU_UNAVAILABLE"
    CONTEXT_WINDOW_EXCEEDED = "CONTEXT_WINDOW_EXCEEDED"
    OUTPUT_LIMIT_EXCEEDED = "OUTPUT_LIMIT_EXCEEDED"
    PROCESSING_FAILED = "PROCESSING_FAILED"
    INFERENCE_METHOD_UNSUPPORTED = "INFERENCE_METHOD_UNSUPPORTED"
    SUBPROCESS_CRASHED = "SUBPROCESS_CRASHED"
    BATCH_ORPHANED = "BATCH_ORPHANED"
    OVERSIZED_RESULT = "OVERSIZED_RESULT"
    LLM_OUTPUT_PARSE_FAILED = "LLM_OUTPUT_PARSE_FAILED"
    LLM_PROVIDER_ERROR = "LLM_PROVIDER_ERROR"
    INVALID_CONFIG = "INVALID_CONFIG"
    INVALID_SCHEMA = "INVALID_SCHEMA"
    AUTH_ERROR = "AUTH_ERROR"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    REGION_UNAVAILABLE = "REGION_UNAVAILABLE"
    NOT_FOUND = "NOT_FOUND"
    JOB_DELETION_IN_PROGRESS = "JOB_DELETION_IN_PROGRESS"
    JOB_DELETED = "JOB_DELETED"
    JOB_NOT_COMPLETE = "JOB_NOT_COMPLETE"
    JOB_CANCELLED = "JOB_CANCELLED"
    RATE_LIMIT = "RATE_LIMIT"
    CELL_COUNT_EXCEEDED = "CELL_COUNT_EXCEEDED"
    URL_NOT_ALLOWED = "URL_NOT_ALLOWED"

    UNKNOWN = "UNKNOWN"
    """A name that was not known when this was written."""

    @classmethod
    def of(cls, name: str) -> JobErrorName:
        """The member of that name, ``UNKNOWN`` for a name that was not known when this was written."""
        return cls.__members__.get(name, cls.UNKNOWN)

    @property
    def may_pass(self) -> bool:
        """Whether the same document may be read by a later job."""
        return self in _PASSING


_PASSING = frozenset(
    {
        JobErrorName.TIMEOUT,
        JobErrorName.CAPACITY_TIMEOUT,
        JobErrorName.INTERNAL_ERROR,
        JobErrorName.SERVICE_UNAVAILABLE,
        JobErrorName.BATCH_QUEUE_FULL,
        JobErrorName.QUEUE_FULL,
        JobErrorName.GPU_UNAVAILABLE,
        JobErrorName.LLM_PROVIDER_ERROR,
        JobErrorName.REGION_UNAVAILABLE,
        JobErrorName.JOB_DELETED,
        JobErrorName.JOB_NOT_COMPLETE,
        JobErrorName.JOB_CANCELLED,
        JobErrorName.RATE_LIMIT,
    }
)


class ReductoJobError(Exception):
    """A job that failed, was cancelled or did not end in time."""

    def __init__(self, message: str, *, name: str, job_id: str, code: int | None = None) -> None:
        """Keep the name as the API spells it and as what it means to us."""
        super().__init__(message)
        self.name, self.job_id, self.code = name, job_id, code
        self.kind = JobErrorName.of(name)


class JobRejected(ReductoJobError):
    """The document or the request is to blame: another job would fail as well."""


class JobInterrupted(ReductoJobError):
    """The service is to blame: a later job may succeed."""


def job_error(message: str, *, name: str, job_id: str, code: int | None = None) -> ReductoJobError:
    """The error of the class that fits ``name``."""
    passing = JobErrorName.of(name).may_pass
    return (JobInterrupted if passing else JobRejected)(message, name=name, job_id=job_id, code=code)
