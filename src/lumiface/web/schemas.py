"""What the OpenAPI description says of requests and answers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from lumiface.web.options import visitor_schema


class Model(BaseModel):
    """A trained model."""

    name: str
    task: str


class Models(BaseModel):
    """The trained models."""

    models: list[Model]


class Health(BaseModel):
    """State of the server."""

    status: str
    version: str
    waiting: int


def _body(form: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """A request body of either kind."""
    picture = {
        "oneOf": [
            {"type": "string", "description": "base64"},
            {"type": "object", "properties": {"name": {"type": "string"}, "data": {"type": "string"}}},
        ]
    }
    as_json = {
        "picture": picture,
        "pictures": {"type": "array", "items": picture, "description": "instead of picture, for several"},
        "options": visitor_schema(),
        **more,
    }
    files = {"type": "array", "items": {"type": "string", "format": "binary"}, "description": "repeatable"}
    return {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["picture"],
                    "properties": {"picture": files, **form},
                }
            },
            "application/json": {"schema": {"type": "object", "properties": as_json}},
        },
    }


_MODEL = {"model": {"type": "string", "description": "a name of /v1/models; default: the best for the task"}}
_BOXES = {
    "boxes": {
        "type": "array",
        "items": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
        "description": "faces given by hand, [x, y, width, height] in pixels; they replace detection",
    }
}
_ANSWER = {
    "answer": {
        "type": "string",
        "enum": ["picture", "zip", "json"],
        "description": "default: the picture, its report in the header X-Lumiface-Report; a ZIP for several",
    }
}
_REFUSALS: dict[str, Any] = {
    "401": {"description": "a password is needed"},
    "408": {"description": "the request came too slowly"},
    "413": {"description": "too large, or too many photographs"},
    "422": {"description": "not a picture, or an option is wrong; the answer's `detail` says which"},
    "429": {"description": "too many photographs are waiting; try again after Retry-After seconds"},
    "503": {"description": "the server is being stopped, or the work needed too much"},
}
_FIELDS = {**_MODEL, **_BOXES, **_ANSWER}

RESTORE: dict[str, Any] = {
    "requestBody": _body({**visitor_schema()["properties"], **_FIELDS}, _FIELDS),
    "responses": {
        "200": {
            "description": "the restored photograph, or a ZIP, or JSON",
            "content": {"image/*": {}, "application/zip": {}, "application/json": {}},
        },
        **_REFUSALS,
    },
}
"""Of /v1/restore."""

FACES: dict[str, Any] = {
    "requestBody": _body({}, {}),
    "responses": {
        "200": {"description": "the faces of each", "content": {"application/json": {}}},
        **_REFUSALS,
    },
}
"""Of /v1/faces."""
