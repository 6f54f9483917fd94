"""The teacher: a chat model behind any OpenAI-compatible address, asked over HTTP one question at a time.

Knows nothing of what it is asked for, nor whether it may be: see training/recipes/leaving.py.

httpx is a plain client with a time limit on everything, and it is here already for Telegram. One POST is all that is
needed, so it stands here instead of a client library for the whole of OpenAI's interface; what passes is tried again as
`inference.retrying` has it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any
from unicodedata import category

import httpx
from tenacity import Retrying

from inference.retrying import Passing, Pause, retry_after, tries
from training.recipes.answers import Answer
from twin.addresses import fault_of, is_loopback
from twin.errors import TeacherError
from twin.sections import Teacher as TeacherSettings

ATTEMPTS = 6
FIRST_WAIT = 1.0
LONGEST_WAIT = 120.0
_MAX_TOKENS = 2_000  # room for models that think before they write
_ON_AGAIN = "run it again: what was answered is kept"


class Refused(Exception):
    """This one question was refused (too long, against its rules); others may be answered. Its text is the reason."""


class Teacher:
    """Asks one address. Not to be shared between threads; use as a context manager.

    Args:
        sleep: waits so many seconds before another try.
    """

    def __init__(
        self, settings: TeacherSettings, key: str | None, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.url, self.model = address(settings)
        self._tries = tries(ATTEMPTS, Pause(FIRST_WAIT, LONGEST_WAIT), sleep)
        # A proxy of the environment must not carry what is meant for this machine; redirects are never followed.
        self._client = httpx.Client(
            timeout=settings.timeout_seconds,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            trust_env=not is_loopback(self.url),
        )

    def __enter__(self) -> Teacher:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, messages: Sequence[dict[str, str]]) -> Answer:
        """The model's answer to `[{"role", "content"}, ...]`.

        What is only a passing fault (429, 5xx, no answer in time, no JSON) is tried again after a growing pause, or
        after as long as the address asks for.

        Raises:
            Refused: it will not answer this.
            TeacherError: it will not answer anything, for now or until something is corrected.
        """
        body = {"model": self.model, "messages": list(messages), "max_completion_tokens": _MAX_TOKENS}
        try:
            return Retrying(**self._tries)(self._asked, body)
        except Passing as fault:
            raise TeacherError(
                f"The teacher did not answer, {ATTEMPTS} times: {fault.what}", f"check teacher.url, or {_ON_AGAIN}"
            ) from None

    def _asked(self, body: dict[str, Any]) -> Answer:
        try:
            response = self._client.post(f"{self.url}/chat/completions", json=body)
        except httpx.TimeoutException as error:
            raise Passing("no answer in time") from error
        except httpx.TransportError as error:
            raise Passing(f"no connection ({type(error).__name__})") from error
        return self._read(response)

    def _read(self, response: httpx.Response) -> Answer:
        status = response.status_code
        if status in (408, 409, 425, 429) or status >= 500:
            asked = retry_after(response.headers)
            if asked is not None and asked > LONGEST_WAIT:
                raise TeacherError(f"The teacher asks to wait {asked:.0f} seconds", f"wait, then {_ON_AGAIN}")
            raise Passing(f"HTTP {status}", asked)
        if status in (400, 413, 422):
            raise Refused(f"refused by the teacher (HTTP {status})")
        if status in (401, 402, 403):
            raise TeacherError(
                f"The teacher refuses us (HTTP {status})",
                "check TWIN_TEACHER_KEY or the file teacher-key, and the account",
            )
        if status == 404:
            raise TeacherError(
                "The teacher's address has no such model or path (HTTP 404)", "check teacher.url and teacher.model"
            )
        if status != 200:
            raise TeacherError(f"The teacher's address answers with HTTP {status}", "check teacher.url")
        try:
            return _read_answer(response.json())
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
            raise Passing("an answer that cannot be read") from error


def address(settings: TeacherSettings) -> tuple[str, str]:
    """The address without what comes after it, and the model's name there.

    Raises:
        TeacherError: one of them is not set, or the address is none.
    """
    if not settings.url or not settings.model:
        missing = "teacher.url" if not settings.url else "teacher.model"
        raise TeacherError("There is no teacher", f"set {missing} in twin.toml")
    url = settings.url.strip().rstrip("/").removesuffix("/chat/completions")
    match fault_of(url):
        case "no address":
            raise TeacherError("teacher.url is no address", "write it as http://127.0.0.1:8080/v1")
        case "more than an address":
            raise TeacherError(
                "teacher.url holds more than an address", "keep the key in TWIN_TEACHER_KEY or teacher-key"
            )
    return url, settings.model


def _read_answer(value: Any) -> Answer:
    choice = value["choices"][0]
    content = choice["message"]["content"]
    if content is not None and not isinstance(content, str):
        raise TypeError
    text = "".join(sign for sign in (content or "").replace("\t", " ") if sign == "\n" or category(sign) != "Cc")
    text.encode()
    usage = value.get("usage") or {}
    return Answer(
        text,
        str(choice.get("finish_reason") or "stop"),
        _count(usage, "prompt_tokens"),
        _count(usage, "completion_tokens"),
    )


def _count(usage: dict[str, Any], name: str) -> int | None:
    found = usage.get(name)
    return found if isinstance(found, int) and found >= 0 else None
