"""What a client is told when a request is refused or fails: OpenAI's shape of an error, one sentence.

Knows nothing of what may go wrong.
"""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_NAMES = {404: "There is nothing at this address.", 405: "This address does not take that method."}


class Refused(Exception):
    """A request that is not answered, and why.

    Attributes:
        status: of HTTP.
        message: one sentence for a person.
        code: one word for a program; param: which part of the request is meant.
        retry_after: seconds after which the same request may succeed; None when it will not.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.retry_after = retry_after

    def as_dict(self) -> dict[str, Any]:
        """The body."""
        kind = _KINDS.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """The whole answer."""
        headers = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
        if self.status == 401:
            headers["www-authenticate"] = "Bearer"
        return JSONResponse(self.as_dict(), self.status, headers)


UNFORESEEN = Refused(500, "Something unforeseen went wrong; the server's log names it.", "unforeseen")


async def tell_refused(_: Request, error: Exception) -> JSONResponse:
    """Handler for `Refused`."""
    assert isinstance(error, Refused)
    return error.response()


async def tell_http(_: Request, error: Exception) -> JSONResponse:
    """Handler for what the framework refuses: no such address, no such method, a body that is no JSON."""
    assert isinstance(error, HTTPException)
    message = _NAMES.get(error.status_code, "The request cannot be read.")
    response = Refused(error.status_code, message, None).response()
    response.headers.update(error.headers or {})
    return response


async def tell_invalid(_: Request, error: Exception) -> JSONResponse:
    """Handler for bodies of another form than documented: a 400 that names the first place, never what stood there."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return Refused(400, "The body is not valid JSON.").response()
    place = ".".join(str(part) for part in first["loc"][1:3])
    if not place:
        return Refused(400, "The body must be a JSON object, sent as application/json.").response()
    return Refused(400, f"{place} is wrong: {first['msg']}.", "invalid_value", place).response()
