"""The application: every address that the server answers, and the layers before them.

Knows nothing of sockets or signals, of how replies are written, or of what the page shows of what it is told.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from inference.generator import BASE
from inference.server.access import Access
from inference.server.answers import Answer
from inference.server.completions import TWIN, ChatRequest, understand
from inference.server.desk import Desk
from inference.server.limits import RateLimit, SizeLimit
from inference.server.problems import Refused, tell_http, tell_invalid, tell_refused
from inference.server.records import Records
from inference.server.shelter import Shelter
from inference.server.streaming import stream, whole
from twin.errors import AdapterError, TwinError
from twin.settings import Settings

T = TypeVar("T")
PAGE = Path(__file__).parent / "page"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Door:
    """Who may come in; see `inference.server.access.Access`."""

    key: str | None
    names: frozenset[str]


class Promotion(BaseModel):
    """The body of POST /api/promote."""

    version: str


def create_app(desk: Desk, records: Records, settings: Settings, door: Door) -> FastAPI:
    """The whole application. `desk` has no generator until the model is loaded."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    _add_signs_of_life(app, desk)
    _add_openai(app, desk, records, settings)
    _add_page(app, desk, records)
    app.add_exception_handler(Refused, tell_refused)
    app.add_exception_handler(RequestValidationError, tell_invalid)
    app.add_exception_handler(HTTPException, tell_http)
    # The last one added is asked first.
    app.add_middleware(SizeLimit, most=settings.serve.max_request_kilobytes * 1024, metrics=desk.metrics)
    app.add_middleware(Access, key=door.key, names=door.names, metrics=desk.metrics)
    app.add_middleware(RateLimit, per_minute=settings.serve.requests_per_minute, metrics=desk.metrics)
    app.add_middleware(Shelter)
    return app


def _add_signs_of_life(app: FastAPI, desk: Desk) -> None:
    @app.get("/healthz")
    async def healthz() -> Response:
        return PlainTextResponse("ok\n")

    @app.get("/readyz")
    async def readyz() -> Response:
        if not desk.is_ready:
            return PlainTextResponse("not ready\n", 503)
        if not desk.is_reachable:
            return PlainTextResponse("the server that writes cannot be reached\n", 503)
        return PlainTextResponse("ready\n")

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(desk.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_openai(app: FastAPI, desk: Desk, records: Records, settings: Settings) -> None:
    @app.get("/v1/models")
    async def models() -> Response:
        return JSONResponse({"object": "list", "data": await asyncio.to_thread(_models, records)})

    @app.get("/v1/models/{name}")
    async def model(name: str) -> Response:
        found = [row for row in await asyncio.to_thread(_models, records) if row["id"] == name]
        if not found:
            raise _no_model()
        return JSONResponse(found[0])

    @app.post("/v1/chat/completions")
    async def chat_completions(body: ChatRequest, request: Request) -> Response:
        asked = understand(body, settings.reply)
        if asked.version not in (None, BASE) and not await asyncio.to_thread(records.has, asked.version):
            raise _no_model()
        answer = Answer(f"chatcmpl-{secrets.token_hex(12)}", int(time.time()), asked.ignored)
        replies = desk.ask(asked.conversation, asked.wishes)
        if body.stream:
            return stream(request, replies, answer, with_usage=body.wants_usage)
        return await whole(request, replies, answer)


def _add_page(app: FastAPI, desk: Desk, records: Records) -> None:
    @app.get("/api/state")
    async def state() -> Response:
        serving, refused = await asyncio.to_thread(_serving, desk)
        known = await asyncio.to_thread(_recorded, lambda: records.state(serving))
        about = {"ready": desk.is_ready, "serving": serving, "refused": refused, "engine": desk.engine}
        return JSONResponse(about | known)

    @app.post("/api/promote")
    async def promote(body: Promotion) -> Response:
        if not await asyncio.to_thread(records.has, body.version):
            raise _no_model()
        await asyncio.to_thread(_recorded, lambda: records.promote(body.version))
        desk.look()
        return JSONResponse({"promoted": body.version})

    @app.post("/api/rollback")
    async def rollback() -> Response:
        version = await asyncio.to_thread(_recorded, records.rollback)
        desk.look()
        return JSONResponse({"promoted": version})

    @app.get("/")
    async def page() -> Response:
        if not (PAGE / "index.html").is_file():
            raise HTTPException(404)
        return FileResponse(PAGE / "index.html", headers={"cache-control": "no-cache"})

    app.mount("/page", _Fresh(directory=PAGE, check_dir=False))


class _Fresh(StaticFiles):
    """Files that a browser asks for again each time, if only to hear that they are as they were."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["cache-control"] = "no-cache"
        return response


def _models(records: Records) -> list[dict[str, object]]:
    """Whatever serves, then every version, newest first; created: UTC epoch seconds."""
    versions = _recorded(records.models)
    newest = max((model.created for model in versions), default=0)
    rows = [(TWIN, newest)] + [(model.version, model.created) for model in versions]
    return [{"id": name, "object": "model", "created": created, "owned_by": "twin"} for name, created in rows]


def _serving(desk: Desk) -> tuple[str | None, str | None]:
    generator = desk.generator
    return (None, None) if generator is None else (generator.adapter, generator.refused)


def _recorded(call: Callable[[], T]) -> T:
    """Raises Refused for what the records refuse."""
    try:
        return call()
    except AdapterError as error:
        raise Refused(409, str(error), "refused") from error
    except TwinError as error:
        _log.error("%s", error)
        raise Refused(503, str(error), "records_failed") from error


def _no_model() -> Refused:
    return Refused(404, "There is no such model: /v1/models lists them.", "model_not_found", "model")
