"""`lumiface web`: the page in the browser, and the server for programs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lumiface.cli.shared import Device, checked, print_error


def web(
    host: Annotated[str | None, typer.Option()] = None,
    port: Annotated[int | None, typer.Option()] = None,
    password: Annotated[str | None, typer.Option(envvar="LUMIFACE_PASSWORD")] = None,
    names: Annotated[list[str] | None, typer.Option("--name", metavar="HOST")] = None,
    max_upload_mb: Annotated[float | None, typer.Option()] = None,
    max_megapixels: Annotated[float | None, typer.Option()] = None,
    queue: Annotated[int | None, typer.Option()] = None,
    max_requests: Annotated[int | None, typer.Option()] = None,
    keep_minutes: Annotated[float | None, typer.Option()] = None,
    max_storage_gb: Annotated[float | None, typer.Option()] = None,
    max_work_seconds: Annotated[float | None, typer.Option()] = None,
    head_seconds: Annotated[float | None, typer.Option()] = None,
    body_seconds: Annotated[float | None, typer.Option()] = None,
    device: Device = "auto",
    detector: Annotated[
        str | None, typer.Option(metavar="[auto|mtcnn|yunet]", help="as of `lumiface restore`")
    ] = None,
    background_model: Annotated[
        str | None, typer.Option(metavar="FILE", help="as of `lumiface restore`")
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(metavar="[auto|torch|onnx|openvino]", help="as of `lumiface restore`")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(metavar="[float32|bf16]", help="as of `lumiface restore`")
    ] = None,
    max_output_megapixels: Annotated[float | None, typer.Option(help="as of `lumiface restore`")] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="also open the page in the browser")] = False,
) -> None:
    """Open the page for the browser, and the server for programs.

    Nothing leaves this machine. Stop it with Ctrl-C: what runs is finished, and all files are deleted.
    """
    import logging
    import webbrowser

    from lumiface.core.device import choose_device
    from lumiface.core.errors import SettingError
    from lumiface.restoration.background import BICUBIC, load_upscaler
    from lumiface.restoration.config import RestoreConfig
    from lumiface.web.settings import WebConfig

    try:
        from lumiface.web.app import build_app
        from lumiface.web.server import address_of, bind, run
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.startswith("lumiface"):
            raise
        raise SettingError(f"{error.name} is missing: pip install 'lumiface[web]'") from error
    options: dict[str, Any] = {
        "host": host,
        "port": port,
        "password": password,
        "names": tuple(names or ()),
        "max_upload_mb": max_upload_mb,
        "max_megapixels": max_megapixels,
        "queue": queue,
        "max_requests": max_requests,
        "keep_minutes": keep_minutes,
        "max_storage_gb": max_storage_gb,
        "max_work_seconds": max_work_seconds,
        "head_seconds": head_seconds,
        "body_seconds": body_seconds,
    }
    fixed = {
        "detector": detector,
        "background_model": background_model,
        "runtime": runtime,
        "precision": precision,
        "max_output_megapixels": max_output_megapixels,
    }
    fixed = {name: value for name, value in fixed.items() if value is not None}
    config = checked(WebConfig, options)
    checked(RestoreConfig, fixed)
    if background_model not in (None, BICUBIC):
        load_upscaler(background_model)  # a file of no use is refused here, not to each visitor
    listener = bind(config)
    address = address_of(config, listener)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("lumiface.web").setLevel(logging.INFO)

    def ready() -> None:
        typer.echo(f"lumiface is at {address}")
        if open_browser:
            webbrowser.open(address)

    run(build_app(config, fixed=fixed, device=str(choose_device(device))), config, listener, ready)
    print_error("stopped; all files of visitors are deleted")
