"""The options of `lumiface web`; the help texts of the command line are generated from their descriptions."""

from __future__ import annotations

import ipaddress

from pydantic import Field, SecretStr, field_validator, model_validator

from lumiface.core.settings import Settings

MIN_PASSWORD = 8
"""Characters of the shortest password."""

PASSWORD = "LUMIFACE_PASSWORD"
"""Environment variable of the password; a word on the command line is seen by everyone on the machine."""


class WebConfig(Settings):
    """Where the server listens, and what it takes."""

    host: str = Field(
        default="127.0.0.1",
        description="address to listen on; one that other machines reach needs a password; 0.0.0.0: all",
    )
    port: int = Field(default=7860, ge=0, le=65535, description="port to listen on; 0: any that is free")
    password: SecretStr | None = Field(
        default=None,
        description=f"ask every visitor for it; better given as {PASSWORD}, which other users do not see",
    )
    names: tuple[str, ...] = Field(
        default=(), description="a name under which browsers reach the server, such as photos.example.org"
    )
    max_upload_mb: float = Field(default=64.0, gt=0, description="largest request, MB")
    max_megapixels: float = Field(default=50.0, gt=0, description="largest photograph, megapixels")
    queue: int = Field(default=16, ge=1, description="photographs that may wait; further ones are refused")
    max_requests: int = Field(default=128, ge=1, description="requests at the same time")
    keep_minutes: float = Field(
        default=60.0, gt=0, description="minutes without use after which a visitor's files are deleted"
    )
    max_storage_gb: float = Field(
        default=4.0, gt=0, description="disk space for the files of all visitors, GB"
    )
    max_work_seconds: float = Field(
        default=900.0, gt=0, description="longest work on one photograph, seconds; then it is ended"
    )
    head_seconds: float = Field(default=10.0, gt=0, description="longest wait for a request's head, seconds")
    body_seconds: float = Field(
        default=20.0,
        gt=0,
        description="wait for a request's body, seconds, and for each further 16 KB one second more",
    )

    @field_validator("password")
    @classmethod
    def _not_guessed_at_once(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < MIN_PASSWORD:
            raise ValueError(f"use a password of at least {MIN_PASSWORD} characters")
        return value

    @model_validator(mode="after")
    def _password_beyond_this_machine(self) -> WebConfig:
        if not is_loopback(self.host) and self.password is None:
            raise ValueError(
                f"{self.host} is reached by other machines, which needs a password: set {PASSWORD}, or give "
                "--password"
            )
        return self


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
