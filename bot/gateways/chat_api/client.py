"""The chat API's client: check, ask, read, and where it makes sense ask again. Streams all but video files."""

from __future__ import annotations

import json
import logging
import random as chance
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

import httpx
import orjson

from bot.errors import BadParameter, Broken, GatewayError, RateLimited, Unreachable, Upstream
from bot.gateways.capabilities import CapabilityCache
from bot.gateways.catalogue import Catalogue
from bot.gateways.chat_api.call import HttpCall, Late, Load, Timeouts
from bot.gateways.chat_api.check import check
from bot.gateways.chat_api.errors import classify
from bot.gateways.chat_api.remedy import learn, meant, remedied, spoken
from bot.gateways.chat_api.stream.chunks import Damaged, is_name
from bot.gateways.chat_api.stream.reader import NoAnswer, ResponseReader, collect
from bot.gateways.chat_api.transport import Transport
from bot.gateways.chat_api.wire import encode, is_native, loads
from bot.gateways.probes import PROBES, amount
from bot.gateways.profiles import Gateway
from bot.types import BalanceReading, Clock, Delta, Json, ModelInfo, ModelRequest, Money

__all__ = ["CapabilityCache", "Client", "Timeouts"]

log = logging.getLogger(__name__)

_TRIES = 3
_PAID = 2  # tries, where what came was an answer
_PATIENCE = 30.0  # seconds; who is told to wait longer had better ask again later
_ERROR_BODY = 1 << 18  # bytes
_MOST_MODELS = 2000  # of a gateway's list; what isn't in it can be chosen by its name all the same
_LIST = 16 << 20  # bytes of a list of models: 100,000 are some 10 million


class Client:
    """Implements `ChatModel` for one gateway. `random` gives numbers from 0 to 1, for the jitter."""

    def __init__(
        self,
        gateway: Gateway,
        catalogue: Catalogue,
        clock: Clock,
        *,
        learned: CapabilityCache,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        transport: httpx.AsyncBaseTransport | None = None,
        random: Callable[[], float] = chance.random,
    ) -> None:
        self._gateway = gateway
        self._catalogue = catalogue
        self._clock = clock
        self._learned = learned
        self._timeouts = timeouts
        self._random = random
        self._load = Load()
        self.unlisted = 0  # models of the gateway's list that are left out, as there are too many
        self._answered = False  # there has been an answer from this address
        headers = {"Accept-Encoding": "identity", "User-Agent": "magpie"}
        if gateway.key:
            headers["Authorization"] = f"Bearer {gateway.key}"
        self._http = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(None, connect=timeouts.connect),
            transport=transport or Transport(keepalive=30.0),
            trust_env=False,
        )

    @property
    def gateway(self) -> str:
        return self._gateway.name

    def info(self, model: str) -> ModelInfo:
        """What is known of a model, trying included; never fails."""
        return self._learned.applied(self._catalogue.info(model))

    async def aclose(self) -> None:
        await self._http.aclose()

    async def models(self) -> list[str]:
        """The ids of the gateway's own list (GET /models), as far as anybody could read and choose them. Raises
        GatewayError."""
        value = await self._get(f"{self._gateway.url}/models")
        found = value.get("data", value.get("models")) if isinstance(value, dict) else value
        if not isinstance(found, list):
            raise self._classified(200, {}, value)
        ids = [each.get("id") or each.get("name") if isinstance(each, dict) else each for each in found]
        fit = dict.fromkeys(each for each in ids if isinstance(each, str) and is_name(each))
        self.unlisted = max(0, len(fit) - _MOST_MODELS)
        if self.unlisted:
            log.warning("%s lists %d models; the first %d count", self.gateway, len(fit), _MOST_MODELS)
        return list(fit)[:_MOST_MODELS]

    async def balance(self) -> BalanceReading | None:
        """What the gateway says when it is asked for the balance. None: it can't be asked, or sets this key no limit.
        Raises GatewayError."""
        probe = PROBES.get(self._gateway.profile.probe)
        started = self._clock.now()
        money = await probe(self._gateway.url, self._gateway.profile.currency, self._get) if probe else None
        return None if money is None else BalanceReading(self.gateway, money, started, "probe")

    async def _get(self, url: str) -> Json:
        request = self._http.build_request("GET", url)
        async with self._call(request, first=self._timeouts.first, until=self._clock.monotonic() + 60) as call:
            response = await call.head()
            body = await collect(call.pieces(), _LIST)
        try:
            value = loads(body)
        except ValueError:
            value = None
        if response.status_code != 200 or value is None or (isinstance(value, dict) and _failed(value)):
            raise self._classified(response.status_code, response.headers, body)
        return value

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """See `ChatModel.stream`. An error may also come after some text: then that text is a part."""
        ready, guessed = self._ready(request), any(each.guessed for each in request.supposed)
        until = self._clock.monotonic() + self._timeouts.total
        remedies: set[str] = set()
        tries = 1
        while True:
            began, input = False, None
            usage = self._asks_usage(ready) and "vague" not in remedies and not guessed
            try:
                async with aclosing(self._once(ready, usage, until)) as deltas:
                    async for delta in deltas:
                        began = began or bool(delta.text or delta.reasoning or delta.finish)
                        input = delta.usage.input if delta.usage else input
                        yield delta
                if "vague" in remedies:
                    await self._learned.note("stream_options", False)
                self._answered = True
                await self._learned.answered(ready, input)
                return
            except GatewayError as error:
                if began:
                    raise
                other = await self._remedied(error, ready, usage, remedies)
                if other is None:
                    tries += 1
                    await self._wait(meant(error, ready, self._extra), _TRIES + 1 if guessed else tries, until)
                else:
                    ready = self._ready(other)

    # ── trying again ────────────────────────────────────────────────────────────────────────────────────────────────

    def _ready(self, request: ModelRequest) -> ModelRequest:
        """As it may be sent. Raises InvalidRequest."""
        info = self._learned.applied(self._catalogue.info(request.model), request)
        return spoken(check(request, info, self._gateway.profile), self._learned)

    def _asks_usage(self, request: ModelRequest) -> bool:
        """What wasn't asked for may come all the same; where it didn't, ask the next time."""
        if is_native(request) or self._learned.get("stream_options") is False:
            return False
        return not self._gateway.profile.usage_unasked or self._learned.get("usage_asked") is True

    async def _remedied(
        self, error: GatewayError, request: ModelRequest, usage: bool, remedies: set[str]
    ) -> ModelRequest | None:
        """What to send instead; each remedy is tried once. Raises InvalidRequest where the model lacks an ability."""
        await learn(error, request, self._learned)
        if isinstance(error, BadParameter) and error.name not in remedies:
            remedies.add(error.name)
            return await remedied(error, request, self._gateway.profile, self._learned)
        if usage and "vague" not in remedies and error.vague and error.status in (400, 422):
            remedies.add("vague")  # perhaps it can't have stream_options, and doesn't say so
            return request
        return None

    async def _wait(self, error: GatewayError, tries: int, until: float) -> None:
        """Wait before try number `tries`, or raise `error` if there should be none."""
        pause = 0.5 * 2 ** (tries - 2) * (0.5 + self._random())
        if isinstance(error, RateLimited):
            pause = 4 * pause if error.after is None else error.after + self._random()
        again = isinstance(error, RateLimited | Upstream | Unreachable | Broken) and not isinstance(error, Late)
        if (
            not again
            or tries > (_PAID if isinstance(error, Damaged) else _TRIES)
            or pause > _PATIENCE
            or self._clock.monotonic() + pause >= until
        ):
            raise error
        log.warning("%s: %s (%s); try %d in %.1f s", self.gateway, type(error).__name__, error.detail, tries, pause)
        await self._clock.sleep(pause)

    # ── one try ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _once(self, request: ModelRequest, usage: bool, until: float) -> AsyncGenerator[Delta, None]:
        started = self._clock.now()
        info = self.info(request.model)
        async with self._call(self._request(request, usage), first=self._first(request, info), until=until) as call:
            response = await call.head()
            if (balance := self._balance(response.headers, started)) is not None:
                yield Delta(balance=balance)
            if not response.is_success:
                call.expect(self._timeouts.read)
                body = await collect(call.pieces(), _ERROR_BODY, partly=True)
                raise self._classified(response.status_code, response.headers, body, request.model)
            reader = ResponseReader(call, response.headers, info, self._timeouts)
            try:
                async with aclosing(reader.deltas()) as deltas:
                    async for delta in deltas:
                        yield delta
            except NoAnswer as error:
                status = error.status or response.status_code
                raise self._classified(status, response.headers, error.body, request.model) from None
        await self._learn_from(reader, request, info, usage)

    def _request(self, request: ModelRequest, usage: bool) -> httpx.Request:
        stream = not is_native(request)
        body = encode(request, stream=stream, include_usage=usage, extra=self._extra)
        if "max_tokens" in body and self._learned.get(f"{request.model}/max_completion_tokens", request) is True:
            body["max_completion_tokens"] = body.pop("max_tokens")
        return self._http.build_request(
            "POST",
            f"{self._gateway.url}/chat/completions",
            content=_dumps(body),
            headers={
                "Content-Type": "application/json",
                "Accept": "text/event-stream" if stream else "application/json",
            },
        )

    @property
    def _extra(self) -> Mapping[str, Json]:
        return {**self._gateway.profile.extra_body, **self._gateway.extra_body}

    def _call(self, request: httpx.Request, *, first: float, until: float) -> HttpCall:
        return HttpCall(
            self._http, request, self._clock, self._load, first=first, idle=self._timeouts.idle, until=until
        )

    def _first(self, request: ModelRequest, info: ModelInfo) -> float:
        if is_native(request):
            return self._timeouts.whole
        slow = info.reasoning or any(request.parameters.get(name) for name in ("enable_search", "enable_thinking"))
        return self._timeouts.slow if slow else self._timeouts.first

    def _balance(self, headers: httpx.Headers, at: int) -> BalanceReading | None:
        value = amount(headers.get(self._gateway.profile.balance_header, ""))
        return None if value is None else BalanceReading(self.gateway, Money(value, self._gateway.profile.currency), at)

    def _classified(self, status: int, headers: Mapping[str, str], body: bytes | Json, model: str = "") -> GatewayError:
        secrets = (self._gateway.key,)
        return classify(status, headers, body, model=model, secrets=secrets, answered=self._answered)

    async def _learn_from(self, reader: ResponseReader, request: ModelRequest, info: ModelInfo, usage: bool) -> None:
        if reader.assembler.promoted and not info.cumulative:
            await self._learned.note(f"{request.model}/cumulative", True)
        if reader.streamed and not reader.assembler.usage_known and not usage:
            await self._learned.note("usage_asked", True)


def _failed(value: Mapping[str, Json]) -> bool:
    """Is this an error that came with status 200?"""
    return bool(value.get("error")) or value.get("success") is False or value.get("status") == "error"


def _dumps(body: Json) -> bytes:
    """JSON in UTF-8; half a surrogate that somebody pasted becomes a question mark."""
    try:
        return orjson.dumps(body)
    except TypeError:
        return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
