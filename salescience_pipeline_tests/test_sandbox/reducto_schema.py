"""The shape of Reducto's answers: the vendor's recorded OpenAPI document, or without it a small schema of our own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

_RECORDED = Path("groundtruth/reducto_openapi/reducto-document-api-openapi.original.yml")
_BY_RESPONSE_TYPE = {
    "parse": "ParseResponse",
    "extract": "ExtractResponse",
    "v3_extract": "V3ExtractResponse",
    "split": "SplitResponse",
    "classify": "ClassifyResponse",
    "pipeline": "PipelineResponse",
}


def _object(required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required.split(), "properties": properties}


_TEXT, _NUMBER, _COUNT = {"type": "string"}, {"type": "number"}, {"type": "integer"}


def _list(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _look_alike() -> dict[str, Any]:
    """The part of the vendor's schema that every client relies on, in our own words."""
    share = {"type": "number", "minimum": 0, "maximum": 1}
    box = _object("left top width height page", left=share, top=share, width=share, height=share, page=_COUNT)
    kinds = "Header,Footer,Title,Section Header,Page Number,List Item,Figure,Table,Key Value,Text,Comment,Signature"
    block = _object("type bbox content", type={"enum": kinds.split(",")}, bbox=box, content=_TEXT)
    chunk = _object("content embed enriched blocks", content=_TEXT, embed=_TEXT, blocks=_list(block))
    url = _object("type url result_id", type={"const": "url"}, url=_TEXT, result_id=_TEXT)
    full = _object("type chunks", type={"const": "full"}, chunks=_list(chunk))
    usage = _object("num_pages", num_pages=_COUNT, credits=_NUMBER)
    parse = _object("job_id duration usage result", job_id=_TEXT, usage=usage, result={"anyOf": [full, url]})
    part = _object("name pages", name=_TEXT, pages=_list(_COUNT), conf={"enum": ["high", "low"]})
    states = ["Pending", "Completed", "Failed", "Idle"]
    job = _object("job_id status type raw_config created_at", job_id=_TEXT, status=_TEXT, created_at=_TEXT)
    fault = _object("loc msg type", loc={"type": "array"}, msg=_TEXT, type=_TEXT)
    return {
        "ParseResponse": parse,
        "ExtractResponse": {"type": "object", "required": ["result", "usage"]},
        "V3ExtractResponse": {"type": "object", "required": ["result", "usage"]},
        "SplitResponse": _object("usage result", result=_object("section_mapping splits", splits=_list(part))),
        "ClassifyResponse": _object("job_id result", result=_object("category", category=_TEXT)),
        "PipelineResponse": _object("job_id usage result", result=_object("parse extract split", parse=parse)),
        "UploadResponse": _object("file_id", file_id=_TEXT, presigned_url=_TEXT),
        "AsyncParseResponse": _object("job_id", job_id=_TEXT),
        "AsyncJobResponse": _object("status", status={"enum": states}, progress=_NUMBER, reason=_TEXT),
        "JobsResponse": _object("jobs", jobs=_list(job)),
        "HTTPValidationError": _object("detail", detail=_list(fault)),
    }


def _nullable(schema: Any) -> Any:
    """OpenAPI 3.0's ``nullable`` as JSON Schema; a choice by discriminator is checked by the answer's own type instead."""
    if isinstance(schema, list):
        return [_nullable(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "discriminator" in schema:
        return {}
    plain = {name: _nullable(value) for name, value in schema.items() if name not in {"nullable", "example"}}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain


class Shapes:
    """Validates answers by the name of their schema."""

    def __init__(self) -> None:
        root = os.environ.get("SALESCIENCE_CORPUS")
        path = Path(root) / _RECORDED if root else None
        self.is_recorded = path is not None and path.exists()
        if path is not None and self.is_recorded:
            self._components = {"schemas": _nullable(yaml.safe_load(path.read_text())["components"]["schemas"])}
        else:
            self._components = {"schemas": _look_alike()}

    def check(self, name: str, value: Any) -> None:
        """Raise a ValidationError when ``value`` is not of the schema ``name``; a result is checked by its own type too."""
        schema = {"$ref": f"#/components/schemas/{name}", "components": self._components}
        Draft202012Validator(schema).validate(value)
        inner = value.get("result") if isinstance(value, dict) else None
        if isinstance(inner, dict) and inner.get("response_type") in _BY_RESPONSE_TYPE:
            self.check(_BY_RESPONSE_TYPE[inner["response_type"]], inner)
