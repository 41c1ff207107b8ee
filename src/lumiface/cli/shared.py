"""Shared by the commands: errors of one line, and help texts generated from the settings' descriptions."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.core import TyperCommand, TyperGroup

from lumiface.core.errors import LumifaceError, SettingError
from lumiface.core.settings import validate

BAD_INPUT, BAD_USAGE, INTERRUPTED = 1, 2, 130

SkipBad = Annotated[
    bool,
    typer.Option("--skip-bad", help="leave out pictures that cannot be used; default: list them and stop"),
]

Model = Annotated[
    str | None,
    typer.Option(help="a name listed by `lumiface models`, or a file; default: the best for the task"),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")]

Config = TypeVar("Config", bound=BaseModel)


class ErrorHandlingGroup(TyperGroup):
    """Prints every `LumifaceError` as one line on stderr and exits with its code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except LumifaceError as error:
            print_error(str(error))
            raise typer.Exit(BAD_USAGE if isinstance(error, SettingError) else BAD_INPUT) from error


class HelpFromModel(TyperCommand):
    """A command whose options take help, choices and default from the pydantic fields of the same names.

    The model is imported only when help is printed, because its module loads torch.
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
                if choices := _choices(field.annotation):
                    option.metavar = f"[{'|'.join(choices)}]"
        super().format_help(ctx, formatter)


def checked(model: type[Config], options: Mapping[str, Any]) -> Config:
    """A validated configuration from the options that are set (not None) and the model's defaults.

    Raises:
        SettingError: an option is out of range; the message names it.
    """
    values = {name: value for name, value in options.items() if value is not None}
    return validate(model, values, lambda name: f"--{name.replace('_', '-')} {values.get(name)}")


def print_error(line: str) -> None:
    """One line on stderr."""
    typer.echo(f"lumiface: {line}", err=True)


def _help(field: FieldInfo) -> str:
    # None, False and () are the absence of a value; where None needs words, the description has them.
    default = field.default
    has_default = not field.is_required() and default is not None and default is not False and default != ()
    return f"{field.description}" + (f"  [default: {default}]" if has_default else "")


def _choices(annotation: Any) -> list[str]:
    """The values of `Literal[...]` or of `Literal[...] | None`; empty for other types."""
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    return [choice for member in get_args(annotation) for choice in _choices(member)]
