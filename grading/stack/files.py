"""The files of a stack: its record, its secrets and its logs, in one folder that is the user's alone."""

import os
from pathlib import Path
from typing import Literal

from grading.errors import MachineError
from grading.workspace import cache_folder, make_private

LogName = Literal["service", "calls", "stack"]


class StackFiles:
    """Logs outlive the stack until the next one; secrets and the service's process id do not."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder() / "stack"
        self.service_pid = self.folder / "service.pid"
        self._password = self.folder / "password"

    def make(self) -> None:
        """Make the folder; raises MachineError where it cannot be made."""
        try:
            make_private(self.folder)
        except OSError as error:
            raise MachineError(
                f"The stack's folder {self.folder} could not be made ({error}); set GRADING_CACHE."
            ) from error

    def log(self, name: LogName) -> Path:
        """The log of the service, of the calls that reached the upstreams, or of the stack itself."""
        return self.folder / f"{name}.log"

    def keep(self, password: str) -> None:
        """Write down what `token` needs, for nobody else to read."""
        self._password.unlink(missing_ok=True)
        descriptor = os.open(self._password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(password)

    def password(self) -> str | None:
        """The password of the contract's first user; None where the stack has not got so far."""
        try:
            return self._password.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def forget(self) -> None:
        """Remove what a stack that is down has no use for."""
        self._password.unlink(missing_ok=True)
        self.service_pid.unlink(missing_ok=True)
