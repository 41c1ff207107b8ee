"""What the commands share: errors as one line, and help texts that are written once, beside the setting."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

import typer
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from typer.core import TyperCommand, TyperGroup

from lumiface.core.errors import LumifaceError, SettingError

BAD_INPUT, BAD_USAGE = 1, 2

Config = TypeVar("Config", bound=BaseModel)


class ErrorHandlingGroup(TyperGroup):
    """Every error that is meant for a person is one line on stderr, and decides the exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except LumifaceError as error:
            print_error(str(error))
            raise typer.Exit(BAD_USAGE if isinstance(error, SettingError) else BAD_INPUT) from error


class HelpFromModel(TyperCommand):
    """A command whose options take help, choices and default from the pydantic fields of the same names.

    The fields are looked up when help is asked for, because the module that holds them loads torch.
    """

    module: str
    model: str

    @classmethod
    def by(cls, module: str, model: str) -> type[HelpFromModel]:
        return type(f"DescribedBy{model}", (cls,), {"module": module, "model": model})

    def format_help(self, ctx: Any, formatter: Any) -> None:
        fields: dict[str, FieldInfo] = getattr(importlib.import_module(self.module), self.model).model_fields
        for option in self.params:
            field = fields.get(option.name or "")
            if field is not None and not getattr(option, "help", None):
                option.help = _help(field)  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


def checked(model: type[Config], given: Mapping[str, Any]) -> Config:
    """The settings that were given (not None), checked; for the others the model's defaults.

    Raises:
        SettingError: one is out of range; the line names the option.
    """
    try:
        return model(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + ".".join(map(str, first["loc"])).replace("_", "-")
        raise SettingError(f"{option} {first.get('input')}: {first['msg']}") from error


def print_error(line: str) -> None:
    """One line on stderr."""
    typer.echo(f"lumiface: {line}", err=True)


def _help(field: FieldInfo) -> str:
    choices = ""
    if get_origin(field.annotation) is Literal:
        choices = f" ({', '.join(map(str, get_args(field.annotation)))})"
    default = "" if field.is_required() else f"  [default: {field.default}]"
    return f"{field.description}{choices}{default}"
