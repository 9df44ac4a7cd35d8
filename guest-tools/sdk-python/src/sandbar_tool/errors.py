"""Why a tool has no answer, in words that the model reads."""

import math


class ToolError(Exception):
    """A failure that a tool means to tell. Its text is what the model reads: what was wrong, with which value, and, as `hint`, what to do.

    Any other exception is a fault of the tool: its traceback goes to the server's log, and the model reads only what kind of fault it was.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}; {self.hint}"


class HostError(ToolError):
    """Why the host did not answer. Its words are fit for the model as they are, so most tools let it pass; `hint` adds to them.

    `code` is one of an open list: `denied`, `not-found`, `not-served`, `invalid`, `expired`, `too-large`, `exhausted`, `throttled`,
    `unavailable`, `other`. `retry_after` is how long to wait before trying again, in seconds, where that is known.
    """

    def __init__(self, code: str, message: str, *, retry_after: float | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.retry_after = retry_after

    def __str__(self) -> str:
        wait = "" if self.retry_after is None else f" (try again in {math.ceil(self.retry_after)} s)"
        return super().__str__() + wait
