"""Gateways with one peculiarity each, as servers on the loopback interface: they take what the real ones take, and
refuse in their words. Sources stand beside each rule."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable, MutableMapping
from itertools import pairwise
from typing import Any

import httpx

from bot.gateways.chat_api.transport import Transport
from bot.http.server import serving

Body = dict[str, Any]
Refusal = tuple[int, Any] | None
Rule = Callable[[Body], Refusal]

_FIELDS = frozenset(
    (
        *("model", "messages", "stream", "stream_options", "temperature", "top_p", "seed", "presence_penalty", "stop"),
        *("max_tokens", "max_completion_tokens"),
    )
)
_ROLES = ("system", "user", "assistant")


class Peculiar:
    """An ASGI app: the first rule that objects decides. What passes is answered with `answer`, as a stream. `bodies`
    are all requests, `refused` how many of them were."""

    def __init__(self, *rules: Rule, answer: str = "x" * 420) -> None:
        self.rules = [strict, *rules]
        self.answer = answer
        self.bodies: list[Body] = []
        self.refused = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        taken = b""
        while True:
            event = await receive()
            taken += event.get("body", b"")
            if not event.get("more_body"):
                break
        if not scope["path"].endswith("/chat/completions"):
            await _send(send, 404, {"error": {"message": "Not Found", "code": 404}})
            return
        body: Body = json.loads(taken)
        self.bodies.append(body)
        for rule in self.rules:
            if (refusal := rule(body)) is not None:
                self.refused += 1
                await _send(send, *refusal)
                return
        await _send(send, 200, self._stream(body), "text/event-stream")

    def _stream(self, body: Body) -> bytes:
        chunks: list[Body] = [_chunk(body, {"role": "assistant", "content": ""})]
        chunks += [_chunk(body, {"content": self.answer[at : at + 100]}) for at in range(0, len(self.answer), 100)]
        chunks.append(_chunk(body, {}, "stop"))
        if body.get("stream_options", {}).get("include_usage"):
            usage = {"prompt_tokens": characters(body) // 4, "completion_tokens": len(self.answer) // 4}
            chunks.append({**_chunk(body, {}), "choices": [], "usage": usage | {"total_tokens": sum(usage.values())}})
        return b"".join(f"data: {json.dumps(each)}\n\n".encode() for each in chunks) + b"data: [DONE]\n\n"


def _chunk(body: Body, delta: Body, finish: str | None = None) -> Body:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "model": body["model"], "choices": [choice]}


async def _send(send: Any, status: int, said: Any, kind: str = "application/json") -> None:
    body = said if isinstance(said, bytes) else json.dumps(said, ensure_ascii=False).encode()
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


# ── what they object to ─────────────────────────────────────────────────────────────────────────────────────────────


def characters(body: Body) -> int:
    """Of all messages: the emulators count these instead of tokens."""
    return sum(len(json.dumps(each["content"], ensure_ascii=False)) - 2 for each in body["messages"])


def pictures(body: Body) -> bool:
    return any(isinstance(each["content"], list) for each in body["messages"])


def strict(body: Body) -> Refusal:
    """What every one of them insists on: known fields, known roles, the last message the user's, nothing empty."""
    for name in body:
        if name not in _FIELDS:
            return 400, {"error": {"message": f"Unrecognized request argument supplied: {name}"}}
    roles = [each["role"] for each in body["messages"]]
    talk = [role for role in roles if role != "system"]
    fair = talk[:1] == ["user"] and talk[-1:] == ["user"] and all(a != b for a, b in pairwise(talk))
    if not fair or "system" in roles[1:] or any(role not in _ROLES for role in roles):
        return 400, {"error": {"message": f"bad roles: {roles}"}}
    return None if all(each["content"] for each in body["messages"]) else (400, {"error": {"message": "empty content"}})


def llama_cpp(most: int) -> Rule:
    """ggml-org/llama.cpp, tools/server: exceed_context_size_error."""

    def rule(body: Body) -> Refusal:
        if (size := characters(body)) <= most:
            return None
        words = f"request ({size} tokens) exceeds the available context size ({most} tokens), try increasing it"
        more = {"n_prompt_tokens": size, "n_ctx": most}
        return 400, {"error": {"code": 400, "message": words, "type": "exceed_context_size_error", **more}}

    return rule


def gemini(most: int) -> Rule:
    """Google's OpenAI-compatible endpoint: an error is the only member of an array."""

    def rule(body: Body) -> Refusal:
        if (size := characters(body)) <= most:
            return None
        words = f"The input token count ({size}) exceeds the maximum number of tokens allowed ({most})."
        return 400, [{"error": {"code": 400, "message": words, "status": "INVALID_ARGUMENT"}}]

    return rule


def claude(most: int) -> Rule:
    """A proxy before Anthropic that adds max_tokens of its own."""

    def rule(body: Body) -> Refusal:
        if (size := characters(body)) + 1024 <= most:
            return None
        words = (
            f"input length and `max_tokens` exceed context limit: {size} + 1024 > {most}, "
            "decrease input length or `max_tokens` and try again"
        )
        return 400, {"type": "error", "error": {"type": "invalid_request_error", "message": words}}

    return rule


def too_long(most: int, status: int, said: Any) -> Rule:
    """Over its size, in words of any kind."""
    return lambda body: (status, said) if characters(body) > most else None


def no_system(status: int, said: Any) -> Rule:
    return lambda body: (status, said) if any(each["role"] == "system" for each in body["messages"]) else None


def blind(model: str, status: int, said: Any) -> Rule:
    """This model takes strings only; any other sees."""
    return lambda body: (status, said) if body["model"] == model and pictures(body) else None


def flagged(word: str, status: int, said: Any) -> Rule:
    """One person's words, in the newest message."""
    return lambda body: (status, said) if word in json.dumps(body["messages"][-1], ensure_ascii=False) else None


def renamed(body: Body) -> Refusal:
    """OpenAI's newer models: max_tokens is max_completion_tokens."""
    if "max_tokens" not in body:
        return None
    words = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    error = {"message": words, "type": "invalid_request_error", "param": "max_tokens", "code": "unsupported_parameter"}
    return 400, {"error": error}


# ── how they are reached ────────────────────────────────────────────────────────────────────────────────────────────


class Counted(httpx.AsyncBaseTransport):
    """Connections over the loopback interface. While a request is under way, simulated time has to stand still."""

    def __init__(self) -> None:
        self._inner = Transport(keepalive=30.0)
        self.flying = 0

    def busy(self) -> bool:
        return self.flying > 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.flying += 1
        try:
            response = await self._inner.handle_async_request(request)
            body = b"".join([piece async for piece in response.aiter_raw()])
        finally:
            self.flying -= 1
        return httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(body))

    async def aclose(self) -> None:
        await self._inner.aclose()


@contextlib.asynccontextmanager
async def served(app: Peculiar) -> AsyncIterator[str]:
    """Its base URL."""
    async with serving(app) as url:
        yield f"{url}/v1"


def sizes(bodies: Iterable[Body]) -> list[int]:
    return [characters(body) for body in bodies]
