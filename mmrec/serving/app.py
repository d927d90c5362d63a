"""The application: a run in, what answers requests out (`docs/serving.md` has the addresses)."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, Final, TypeVar

import jinja2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from mmrec.io import DataError
from mmrec.library.filters import Filters
from mmrec.library.run import Run
from mmrec.serving import limits
from mmrec.serving.bodies import RecommendBody, SimilarBody, read_body
from mmrec.serving.pictures import Pictures
from mmrec.serving.shelf import Shelf
from mmrec.serving.together import Together
from mmrec.serving.worker import BusyError, Worker

logger = logging.getLogger(__name__)

T = TypeVar("T")

_KEEP: Final = {"cache-control": "private, max-age=600"}


class Service:
    """Answers of a run.

    Args:
        run: opened.
        pictures: of its items.
    """

    def __init__(self, run: Run, pictures: Pictures) -> None:
        self._run, self._pictures = run, pictures
        self._shelf = Shelf(run.items, pictures)
        self._together = Together(run)
        self._ranking = Worker("ranking", waiting=limits.WAITING)
        self._drawing = Worker("pictures", waiting=limits.PICTURES_WAITING)
        self._categories = sorted({*run.known_categories().values()})
        # What is computed once is computed before anybody waits for it; and a run that cannot
        # rank is found out.
        first = [run.items["item_id"][0]]
        run.recommend([first], 1, filters=Filters(keep_seen=True))
        if not run.without_vectors:
            run.recommend([first], 1, filters=Filters(keep_seen=True, diversity=0.5))

    def close(self) -> None:
        """End its threads."""
        self._ranking.close()
        self._drawing.close()

    async def page(self, _request: Request) -> Response:
        """The page, which asks for all else."""
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
            "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        text = _TEMPLATE.render(
            nonce=nonce,
            run=self._run.name,
            num_items=self._run.items.height,
            alike=not self._run.without_vectors,
            users=self._run.dataset is not None,
            categories=self._categories,
            most=limits.ITEMS,
        )
        return HTMLResponse(text, headers={"content-security-policy": policy})

    async def health(self, _request: Request) -> Response:
        """That it is there, and what it serves."""
        return JSONResponse(
            {
                "status": "ok",
                "version": metadata.version("mmrec"),
                "run": self._run.name,
                "num_items": self._run.items.height,
                "without_vectors": self._run.without_vectors or None,
                "categories": self._categories,
            }
        )

    async def recommend(self, request: Request) -> Response:
        """Lists after histories, or for users."""
        asked = await read_body(request, RecommendBody)

        with self._together.waiting(asked) as ranked:

            def answer() -> list[dict[str, Any]]:
                names: Sequence[str | int] = asked.users or range(len(asked.histories or ()))
                return self._shelf.lists(ranked(), names)

            return JSONResponse({"lists": await _answered(self._ranking, answer)})

    async def similar(self, request: Request) -> Response:
        """Lists of what is like items."""
        asked = await read_body(request, SimilarBody)

        def answer() -> list[dict[str, Any]]:
            filters = asked.filters(keep_seen=True)
            found = self._run.similar(asked.items, asked.k, filters=filters)
            return self._shelf.lists(found, asked.items)

        return JSONResponse({"lists": await _answered(self._ranking, answer)})

    async def items(self, request: Request) -> Response:
        """Items by words of their titles or ids, the most popular first."""
        words, k = request.query_params.get("words", ""), _number(request, "k", 20)
        if len(words) > limits.WORDS_LENGTH:
            what = f"found {len(words):,} characters, expected {limits.WORDS_LENGTH} at most"
            raise HTTPException(400, f"words: {what}")
        found = await _answered(self._ranking, lambda: self._shelf.find(words, k))
        return JSONResponse({"items": found})

    async def history(self, request: Request) -> Response:
        """The last items that a user of the dataset interacted with, oldest first."""
        user = _text(request, "user")

        def answer() -> list[dict[str, Any]]:
            return self._shelf.cards(self._run.histories_of([user])[user][-limits.ITEMS :])

        return JSONResponse({"items": await _answered(self._ranking, answer)})

    async def picture(self, request: Request) -> Response:
        """A small picture of an item."""
        item = _text(request, "item")
        found = await _answered(self._drawing, lambda: self._pictures.jpeg(item))
        if found is None:
            raise HTTPException(404, f"item {item!r}: no picture")
        return Response(found, media_type="image/jpeg", headers=_KEEP)


def create_app(run: Run, pictures: Pictures, *, hosts: Sequence[str] = ()) -> Starlette:
    """The application.

    Args:
        run: what answers.
        pictures: of its items.
        hosts: names under which it may be asked for; none for any.
    """
    service = Service(run, pictures)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            service.close()

    return Starlette(
        routes=[
            Route("/", service.page),
            Route("/health", service.health),
            Route("/recommend", service.recommend, methods=["POST"]),
            Route("/similar", service.similar, methods=["POST"]),
            Route("/items", service.items),
            Route("/history", service.history),
            Route("/picture", service.picture),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[*hosts] or ["*"])],
        exception_handlers={
            HTTPException: _told,
            DataError: _wrong_data,
            ClientDisconnect: _gone,
            Exception: _failed,
        },
        lifespan=lifespan,
    )


async def _answered(worker: Worker, job: Callable[[], T]) -> T:
    """What a job gives; what it refuses, or that too many wait, as an answer to the request."""
    try:
        return await worker.do(job)
    except BusyError:
        what = "too many requests wait already; ask again in a moment"
        raise HTTPException(503, what, headers={"retry-after": "1"}) from None
    except ValueError as error:
        raise HTTPException(400, str(error)) from error


def _text(request: Request, name: str) -> str:
    found = request.query_params.get(name, "")
    if not found or len(found) > limits.ID_LENGTH:
        what = f"found {len(found):,} characters, expected 1 to {limits.ID_LENGTH:,}"
        raise HTTPException(400, f"{name}: {what}; set ?{name}=")
    return found


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= limits.K):
        shown = text[: limits.WORDS_LENGTH]
        raise HTTPException(400, f"{name}: found {shown!r}, expected 1 to {limits.K}")
    return int(text)


async def _told(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _wrong_data(request: Request, error: Exception) -> Response:
    logger.error("%s: %s", request.url.path, error)
    return JSONResponse({"error": str(error)}, 500)


async def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # Nobody reads it.


async def _failed(_request: Request, _error: Exception) -> Response:
    # The server logs the error itself.
    return JSONResponse({"error": "a fault of the server, whose log says more"}, 500)


_TEMPLATE: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
).get_template("page.html.j2")
