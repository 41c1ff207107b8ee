"""The options of a request: those of `RestoreConfig`, without what the operator of the server decides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo

from lumiface.core.errors import SettingError
from lumiface.core.settings import validate
from lumiface.registry import list_models
from lumiface.restoration.config import RestoreConfig
from lumiface.web.errors import Refusal

OPERATORS = ("background_model", "detector", "runtime", "precision", "max_output_megapixels")
"""Options that name files, download, or bound the load: given where the server is started."""


def visitor_fields() -> dict[str, FieldInfo]:
    """The fields of `RestoreConfig` that a request may set."""
    return {name: field for name, field in RestoreConfig.model_fields.items() if name not in OPERATORS}


def visitor_schema() -> dict[str, Any]:
    """The JSON schema of these fields, with their descriptions and defaults."""
    schema = RestoreConfig.model_json_schema()
    properties = {name: value for name, value in schema["properties"].items() if name not in OPERATORS}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def parse_options(given: Mapping[str, Any], fixed: Mapping[str, Any]) -> RestoreConfig:
    """The configuration of one request.

    Args:
        given: by the request.
        fixed: by the operator.

    Raises:
        Refusal: an option is unknown, out of range, or the operator's.
    """
    fields = visitor_fields()
    for name in given:
        if name in OPERATORS:
            raise Refusal(422, "bad_option", f"{name} is set where the server is started; leave it out")
        if name not in fields:
            raise Refusal(
                422, "bad_option", f"{name}: there is no such option; the options are {', '.join(fields)}"
            )
    try:
        return validate(RestoreConfig, {**fixed, **given})
    except SettingError as error:
        raise Refusal(422, "bad_option", str(error)) from error


def form_value(text: str) -> Any:
    """The value that a form's text means: a number, true, false, null, or the text itself."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float | bool) or value is None else text


def check_model(name: Any) -> str | None:
    """A trained model by its name; files of the server are not reached by requests.

    Raises:
        Refusal: there is none of that name.
    """
    if name is None:
        return None
    if not isinstance(name, str) or name not in list_models():
        raise Refusal(422, "bad_option", f"model {name}: there is none of that name; see /v1/models")
    return name


def check_boxes(boxes: Any) -> tuple[tuple[float, float, float, float], ...]:
    """Boxes x, y, width, height of faces, in pixels.

    Raises:
        Refusal: they are something else.
    """
    if boxes is None:
        return ()
    try:
        if isinstance(boxes, str):
            boxes = json.loads(boxes)
        found = tuple((float(x), float(y), float(width), float(height)) for x, y, width, height in boxes)
    except (TypeError, ValueError):
        raise Refusal(
            422, "bad_option", "boxes: need a list of faces, each of four numbers [x, y, width, height]"
        ) from None
    if len(found) > 1000:
        raise Refusal(422, "bad_option", "boxes: give at most 1000 faces")
    return found
