"""What every script shares: its log, and errors that a person understands."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from triage import lifetime
from triage.arguments import call, parser
from triage.errors import NO_ROOM, UserError, unwritable
from triage.shield import printable

log = logging.getLogger("triage")

# Set for the jobs of a run that shows how far it is: what they say is in their logs alone.
ONLY_LOG = "TRIAGE_ONLY_LOG"


def run(main: Callable[..., None]) -> None:
    """Read the command line and call ``main``.

    A UserError is printed without a traceback, and the exit status is 1. SIGTERM, which a
    scheduler sends ahead of its time limit, ends the program as an interrupt would: every
    ``finally`` runs.
    """
    given = vars(parser(main).parse_intermixed_args())
    _open_log(given["log"])
    signal.signal(signal.SIGTERM, _terminate)
    lifetime.end_with_starter()
    try:
        call(main, given)
    except UserError as error:
        log.error("error: %s", error)
        sys.exit(1)
    except BrokenPipeError:  # whoever reads has seen enough, such as head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        if error.errno not in NO_ROOM:
            _mistake()
        log.error("error: %s", unwritable(error.filename or "a file", error))
        sys.exit(1)
    except KeyboardInterrupt:
        log.error("stopped")
        sys.exit(130)
    except Exception as error:
        if not _is_of_gpu_memory(error):
            _mistake()
        log.error("error: %s", _too_little_gpu_memory(error))
        sys.exit(1)


def _is_of_gpu_memory(error: Exception) -> bool:
    # Not imported: many steps do without torch, and then this is not the error.
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error, torch.OutOfMemoryError)


def _too_little_gpu_memory(error: Exception) -> UserError:
    said = ". ".join(str(error).split(". ")[:2])  # then come statistics
    return UserError(
        f"its memory is not enough ({said})",
        where="the GPU",
        remedy="look with nvidia-smi whether others use it; in training, lower "
        "recipe.batch_size (not to 1) and raise recipe.grad_accum by the same factor (a step has "
        "as many samples), set recipe.precision to bfloat16, or use more GPUs "
        "(--set-resources <rule>:gpu=2)",
    )


def _mistake() -> NoReturn:
    log.exception("this is a mistake of the program, not yours:")
    sys.exit(70)


def _open_log(path: Path | None) -> None:
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        if os.environ.get(ONLY_LOG):
            handlers = [_redirected(path)]
        else:
            handlers.append(logging.FileHandler(path, mode="w", encoding="utf-8"))
    logging.raiseExceptions = False  # on a full disk the step itself says what is wrong
    logging.basicConfig(level=logging.INFO, handlers=handlers)
    for handler in handlers:
        handler.setFormatter(_Printable("%(message)s"))


def _redirected(path: Path) -> logging.Handler:
    """Send to the log all that this process and its libraries would show."""
    handler = _LogOrTerminal(os.dup(2))
    path.write_bytes(b"")
    with open(path, "ab") as stream:  # several processes of one training add to it
        for number in (1, 2):
            os.dup2(stream.fileno(), number)
    return handler


class _LogOrTerminal(logging.StreamHandler):
    """Shows an error where the disk has no room for it."""

    def __init__(self, terminal: int) -> None:
        super().__init__()
        self._terminal = terminal

    def handleError(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR:
            os.write(self._terminal, f"{self.format(record)}\n".encode())


class _Printable(logging.Formatter):
    """Shows control characters that come from data; a terminal would obey them."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _terminate(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(143)
