"""The client over a real connection that says what the script says, and its limits in simulated time."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.web.view import model_view
from bot.clock import SystemClock
from bot.commands.models import ordered
from bot.errors import (
    BadKey,
    BadParameter,
    Blocked,
    Broken,
    GatewayError,
    InvalidRequest,
    NoMoney,
    RateLimited,
    StoreFull,
    TooLong,
    UnknownModel,
    Unreachable,
    Upstream,
)
from bot.gateways.catalogue import Catalogue
from bot.gateways.chat_api.client import CapabilityCache, Client, Timeouts
from bot.gateways.chat_api.stream.chunks import Damaged
from bot.gateways.chat_api.stream.reader import TEXT
from bot.gateways.profiles import PROFILES, Gateway
from bot.types import (
    BalanceReading,
    Clock,
    Delta,
    Finish,
    ImagePart,
    Json,
    ModelRequest,
    Money,
    PromptMessage,
    TextPart,
    Translation,
    Usage,
    VideoPart,
)
from tests.fakes.clock import PATIENCE, START, SimClock, moments
from tests.fakes.gateway import FakeGateway, Reply, chunk, sse

DATA = json.loads((Path(__file__).parent / "data" / "api_examples.json").read_text(encoding="utf-8"))
KEY = "sk-0123456789abcdef"
HELLO = ModelRequest("qwen-plus", (PromptMessage("user", "你好"),))
PICTURE = ModelRequest("some-eye", (PromptMessage("user", (TextPart("?"), ImagePart("https://a.example.org/i.png"))),))
VIDEO = ModelRequest(
    "qwen-vl-max", (PromptMessage("user", (VideoPart("https://a.example.org/v.mp4"), TextPart("?"))),), {"seed": 1}
)
USAGE = {"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 7, "total_tokens": 27}}
ANSWER = sse(chunk(""), chunk("你"), chunk("好"), chunk("", "stop"), USAGE)
JSON_TYPE = {"Content-Type": "application/json"}


class Hurry(SystemClock):
    """Real time, but nobody waits; what would have been slept is kept. Limits never pass."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        if seconds < 8:
            self.slept.append(seconds)
            await asyncio.sleep(0)
        else:
            await asyncio.sleep(3600)


def make(url: str, clock: Clock | None = None, learned: CapabilityCache | None = None, **more: Any) -> Client:
    gateway = Gateway(
        "test", url, more.pop("key", KEY), PROFILES[more.pop("profile", "generic")], more.pop("extra_body", {})
    )
    more.setdefault("random", lambda: 0.5)
    return Client(gateway, Catalogue(), clock or Hurry(), learned=learned or CapabilityCache(), **more)


@asynccontextmanager
async def serving(*replies: Reply, **more: Any) -> AsyncIterator[tuple[Client, FakeGateway]]:
    async with FakeGateway(*replies) as gateway:
        client = make(gateway.url, **more)
        try:
            yield client, gateway
        finally:
            await client.aclose()


async def ask(client: Client, request: ModelRequest = HELLO) -> list[Delta]:
    async with aclosing(client.stream(request)) as stream:
        return [delta async for delta in stream]


def text(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas)


def failing(status: int, message: str, code: str | None = None, **headers: str) -> Reply:
    body = {"error": {"message": message, "code": code, "type": None, "param": None}}
    return Reply([json.dumps(body).encode()], status, {**JSON_TYPE, **headers})


# ── whole answers ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_stream_from_request_to_deltas() -> None:
    async with serving(Reply([ANSWER], headers={"X-Account-Balance": "123.0165"})) as (client, gateway):
        before = SystemClock().now()
        deltas = await ask(client)
        request = gateway.requests[0]
    balance = deltas[0].balance
    assert balance is not None
    assert (balance.gateway, balance.money, balance.source) == ("test", Money(Decimal("123.0165")), "header")
    assert 0 <= balance.at - before < 10_000
    about: dict[str, Any] = {"model": "qwen-plus", "id": "c1"}
    assert deltas[1:] == [
        Delta(text="你好", **about),  # what one read brings is one
        Delta(finish=Finish.WHOLE, usage=Usage(20, 7), **about),
    ]
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["content-type"] == "application/json"
    assert request.json == {
        "model": "qwen-plus",
        "messages": [{"role": "user", "content": "你好"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_on_wcode_the_request_is_the_documented_one() -> None:
    example = DATA["W2.req"]["value"]
    messages = tuple(PromptMessage(each["role"], each["content"]) for each in example["messages"])
    stream = DATA["W2.sse"]["value"].encode()
    async with serving(Reply([stream]), profile="wcode") as (client, gateway):
        deltas = await ask(client, ModelRequest(example["model"], messages))
        assert gateway.requests[0].json == example
    assert text(deltas) == "你好!有什么可以帮助你的吗?"
    assert deltas[-1].usage == Usage(20, 7)


async def test_byte_by_byte_is_the_same() -> None:
    pieces = [bytes((byte,)) for byte in ANSWER]
    async with serving(Reply(pieces)) as (client, _):
        deltas = await ask(client)
    assert text(deltas) == "你好"
    assert deltas[-1].finish is Finish.WHOLE


@pytest.mark.parametrize(
    ("body", "finish"),
    [
        (sse(chunk("a")), Finish.WHOLE),  # no reason given, but a proper end
        (sse(chunk("a", "stop"), done=False), Finish.WHOLE),
        (sse(chunk("a", "length")), Finish.LENGTH),
        (sse(chunk("a", "content_filter")), Finish.FILTER),
        (sse(chunk("a"), done=False), Finish.CUT),
        (sse(chunk("a"), done=False).rstrip(), Finish.CUT),
        (sse(chunk("a", "stop"), chunk("", "stop"), USAGE), Finish.WHOLE),
        (sse(chunk("a", "length"), chunk("", "stop")), Finish.LENGTH),
        (b"data: [DONE]".join((sse(chunk("a"), done=False), b"  \n\ndata: {")), Finish.WHOLE),
        (b": ping\n\n\xef\xbb\xbf: ping\n\n" + sse(chunk("a")), Finish.WHOLE),
        (sse(chunk("a")).replace(b"\n\n", b"\n"), Finish.WHOLE),
        (sse(chunk("a")).replace(b"data: {", b"{"), Finish.WHOLE),
        (b"data: ping\n\nid: 3\n\n" + sse(chunk("a"), {"id": "x"}, [], None, "ping"), Finish.WHOLE),
        (sse(chunk("a"), done=False) + b'data: {"choices": [{"delta": {"cont\n\ndata: [DONE]\n\n', Finish.CUT),
    ],
)
async def test_ends(body: bytes, finish: Finish) -> None:
    async with serving(Reply([body])) as (client, _):
        deltas = await ask(client)
    assert text(deltas) == "a"
    assert [delta.finish for delta in deltas if delta.finish] == [finish]
    assert deltas[-1].finish is finish


async def test_usage_after_the_last_reason_is_waited_for() -> None:
    async with serving(Reply([sse(chunk("a", "stop"), done=False), sse(USAGE)])) as (client, _):
        assert (await ask(client))[-1].usage == Usage(20, 7)


async def test_reasoning_in_any_place() -> None:
    own = {"choices": [{"delta": {"reasoning_content": "why", "content": None}}]}
    async with serving(Reply([sse(own, chunk("a"))]), Reply([sse(chunk("<thi"), chunk("nk>why</think>a"))])) as (c, _):
        for _ in range(2):
            deltas = await ask(c)
            assert text(deltas) == "a"
            assert "".join(delta.reasoning for delta in deltas) == "why"


async def test_a_tag_that_was_text_after_all() -> None:
    async with serving(Reply([sse(chunk("<think> is"), chunk(" a tag", "stop"))])) as (client, _):
        assert text(await ask(client)) == "<think> is a tag"


async def test_a_refusal_is_passed_on() -> None:
    body = sse({"choices": [{"delta": {"refusal": "No."}}]}, chunk("", "stop"))
    async with serving(Reply([body])) as (client, _):
        assert text(await ask(client)) == "No."


async def test_characters_in_two_halves() -> None:
    first, second = (json.dumps(chunk(half)).encode() for half in ("a\ud83d", "\ude00"))
    async with serving(Reply([b"data: " + first + b"\n\ndata: " + second + b"\n\ndata: [DONE]\n\n"])) as (client, _):
        assert text(await ask(client)) == "a😀"


@pytest.mark.parametrize("example", ["W1.resp", "C1.resp"])
async def test_a_gateway_that_does_not_stream(example: str) -> None:
    body = json.dumps(DATA[example]["value"], indent=1).encode()
    async with serving(Reply([b"\xef\xbb\xbf", b"\r\n " + body[:99], body[99:]], headers=JSON_TYPE)) as (client, _):
        deltas = await ask(client)
    assert deltas[-1].finish is Finish.WHOLE
    assert text(deltas)[:2] in ("你好", "百度")


async def test_native_video() -> None:
    body = json.dumps(DATA["W4.resp"]["value"]).encode()
    async with serving(Reply([body], headers=JSON_TYPE)) as (client, gateway):
        deltas = await ask(client, VIDEO)
        sent = gateway.requests[0].json
    assert sent["input"]["messages"][0]["content"][0] == {"video": "https://a.example.org/v.mp4"}
    assert sent["parameters"] == {"seed": 1}
    assert "stream" not in sent
    assert deltas[-1].usage == Usage(5207, 110, video=5182)
    assert text(deltas).startswith("这段视频")


async def test_dashscope_says_that_it_stopped_at_its_limit() -> None:
    headers = {**JSON_TYPE, "x-dashscope-partialresponse": "true"}
    async with serving(Reply([json.dumps(DATA["W4.resp"]["value"]).encode()], headers=headers)) as (client, _):
        assert (await ask(client, VIDEO))[-1].finish is Finish.CUT


async def test_cumulative_chunks_of_a_translation_model() -> None:
    request = ModelRequest("qwen-mt-turbo", (PromptMessage("user", "你好"),), translation=Translation("English"))
    texts = ["Hello", "Hello my", "Hello my dear", "Hello my dear friend", "Hello my dear friend"]
    async with serving(Reply([sse(*(chunk(each) for each in texts))])) as (client, gateway):
        assert text(await ask(client, request)) == texts[-1]
        options = gateway.requests[0].json["translation_options"]
    assert options == {"source_lang": "Chinese", "target_lang": "English"}


async def test_a_cumulative_model_is_remembered() -> None:
    texts = ["The first piece ", "of many ", "is here, ", "and so on"]
    chunks = [chunk("".join(texts[: end + 1])) for end in range(len(texts))]
    async with serving(Reply([sse(*chunks)])) as (client, _):
        assert not client.info("qwen-plus").cumulative
        assert text(await ask(client)) == "".join(texts)
        assert client.info("qwen-plus").cumulative


async def test_a_gateways_own_fields() -> None:
    async with serving(Reply([ANSWER]), extra_body={"enable_thinking": False}) as (client, gateway):
        await ask(client)
        assert gateway.requests[0].json["enable_thinking"] is False


async def test_half_a_character_in_the_question_does_no_harm() -> None:
    async with serving(Reply([ANSWER])) as (client, gateway):
        await ask(client, ModelRequest("qwen-plus", (PromptMessage("user", "a\ud83d"),)))
        assert gateway.requests[0].json["messages"][0]["content"] == "a?"


@pytest.mark.parametrize(
    ("header", "amount"),
    [("0.0", "0.0"), ("-3.5", "-3.5"), ("¥3", None), ("NaN", None), ("1e999", None), ("", None), ("9" * 40, None)],
)
async def test_balances(header: str, amount: str | None) -> None:
    async with serving(Reply([ANSWER], headers={"x-account-balance": header})) as (client, _):
        found = [delta.balance for delta in await ask(client) if delta.balance]
    assert [each.money.amount for each in found] == ([] if amount is None else [Decimal(amount)])


async def test_an_error_tells_the_balance_too() -> None:
    async with serving(failing(403, "用户额度不足", "insufficient_user_quota", **{"X-Account-Balance": "-0.01"})) as (
        c,
        _,
    ):
        stream = c.stream(HELLO)
        first = await anext(stream)
        assert isinstance(first.balance, BalanceReading)
        with pytest.raises(NoMoney):
            await anext(stream)


# ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────────

WXERR = json.dumps(DATA["W-X1.err"]["value"]).encode()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply([WXERR], 401, JSON_TYPE), BadKey),
        (Reply([WXERR], 401), BadKey),  # called an event stream, and is none
        (Reply([WXERR], 200, JSON_TYPE), BadKey),
        (Reply([WXERR], 200), BadKey),
        (Reply([b"\xef\xbb\xbf", b"\r\n ", WXERR], 200), BadKey),
        (Reply([b"data: " + WXERR + b"\n\n"], 200), BadKey),
        (Reply([b"event:error\n:HTTP_STATUS/402\ndata:{}\n\n"], 200), NoMoney),
        (Reply([b'event:error\ndata:{"code":"DataInspectionFailed","message":"x"}\n\n'], 200), Blocked),
        (Reply([b'{"success": false, "message": "\xe6\x95\x8f\xe6\x84\x9f"}'], 200), Blocked),
        (Reply([sse(chunk("", "content_filter"))]), Blocked),
        (Reply([b"<!DOCTYPE html><html>Hi</html>"], 200, {"Content-Type": "text/html"}), GatewayError),
        (Reply([b"<html>404</html>"], 404, {"Content-Type": "text/html"}), GatewayError),
        (Reply([b'{"object": "list"}'], 200, JSON_TYPE), Upstream),
        (Reply([], 200), Upstream),
        (Reply([b": ping\n\n: ping\n\n"], 200), Upstream),
        (Reply([sse(chunk(""), done=False)], 200), Broken),
        (Reply([sse(chunk("", "stop"))], 200), Damaged),
        (Reply([b'{"choices": [{"message": {"content": "a'], 200, JSON_TYPE, end="cut"), Broken),
        (Reply([sse(chunk(""), done=False)], end="cut"), Broken),
        (Reply(raw=b"garbage\r\n\r\n"), Broken),
        (Reply(raw=b""), Broken),
        (failing(404, "The model `qwen-plus` does not exist", "model_not_found"), UnknownModel),
        (failing(500, "oh"), Upstream),
        (Reply([b"upstream error"], 502, end="cut"), Upstream),
        (Reply([], 302, {"Location": "https://a.example.org/"}), GatewayError),
    ],
)
async def test_errors(reply: Reply, kind: type[GatewayError]) -> None:
    async with serving(reply) as (client, _):
        with pytest.raises(GatewayError) as caught:
            await ask(client)
    assert type(caught.value) is kind
    assert KEY not in caught.value.detail


async def test_an_unknown_model_is_named() -> None:
    async with serving(failing(404, "no", "model_not_found")) as (client, _):
        with pytest.raises(UnknownModel, match=r"qwen-plus"):
            await ask(client)


async def test_an_error_after_some_text() -> None:
    body = sse(chunk("part"), {"error": {"message": "upstream error", "code": 502}}, done=False)
    async with serving(Reply([body])) as (client, gateway):
        stream = client.stream(HELLO)
        assert (await anext(stream)).text == "part"
        with pytest.raises(Upstream):
            await anext(stream)
        assert len(gateway.requests) == 1, "what was seen is not asked again"


async def test_a_connection_that_breaks_after_some_text_makes_a_part() -> None:
    async with serving(Reply([sse(chunk("par"), chunk("t"), done=False)], end="cut")) as (client, gateway):
        deltas = await ask(client)
        assert (text(deltas), deltas[-1].finish) == ("part", Finish.CUT)
        assert len(gateway.requests) == 1


async def test_a_connection_that_breaks_after_the_last_reason_leaves_a_whole() -> None:
    async with serving(Reply([sse(chunk("all", "stop"), done=False)], end="cut")) as (client, _):
        assert (await ask(client))[-1].finish is Finish.WHOLE


async def test_nobody_there() -> None:
    async with FakeGateway(Reply()) as gateway:
        url = gateway.url
    clock = Hurry()
    client = make(url, clock)
    with pytest.raises(Unreachable):
        await ask(client)
    await client.aclose()
    assert clock.slept == [0.5, 1.0]


async def test_too_much_is_a_part() -> None:
    """What a gateway sends without an end: two million bytes of it are kept, and it is not asked again."""
    line = sse(chunk("鹊" * 30_000), done=False)
    async with serving(Reply([line] * 100)) as (client, gateway):
        deltas = await ask(client)
        assert len(gateway.requests) == 1
    assert deltas[-1].finish is Finish.LENGTH
    assert len(text(deltas).encode()) in range(TEXT - 2, TEXT + 1)


# ── trying again ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_tries_three_times_with_growing_pauses() -> None:
    clock = Hurry()
    async with serving(failing(502, "bad gateway"), clock=clock) as (client, gateway):
        with pytest.raises(Upstream):
            await ask(client)
        assert len(gateway.requests) == 3
    assert clock.slept == [0.5, 1.0]


@pytest.mark.parametrize("kind", [failing(401, "Invalid API-KEY"), failing(402, ""), failing(404, "model not exist")])
async def test_some_errors_are_final(kind: Reply) -> None:
    async with serving(kind) as (client, gateway):
        with pytest.raises(GatewayError):
            await ask(client)
        assert len(gateway.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        failing(503, "service unavailable"),
        Reply(raw=b""),
        Reply([sse(chunk(""), done=False)], end="cut"),
        Reply([sse(chunk("", "stop"))]),
        Reply([sse({"error": {"message": "x", "code": 500}})]),
        Reply([b'{"error": {"message": "something odd"}}'], 200, JSON_TYPE),
    ],
)
async def test_a_second_try_helps(reply: Reply) -> None:
    async with serving(reply, Reply([ANSWER])) as (client, gateway):
        assert text(await ask(client)) == "你好"
        assert len(gateway.requests) == 2


async def test_what_is_announced_is_waited() -> None:
    clock = Hurry()
    limited = failing(429, "Rate limit exceeded", **{"Retry-After": "7"})
    async with serving(limited, Reply([ANSWER]), clock=clock) as (client, _):
        assert text(await ask(client)) == "你好"
    assert clock.slept == [7.5]


async def test_who_has_to_wait_too_long_is_told_so() -> None:
    clock = Hurry()
    async with serving(failing(429, "Rate limit exceeded", **{"Retry-After": "120"}), clock=clock) as (client, gateway):
        with pytest.raises(RateLimited) as caught:
            await ask(client)
        assert len(gateway.requests) == 1
    assert (caught.value.after, clock.slept) == (120, [])


async def test_an_answer_with_nothing_in_it_that_cost_something_is_not_asked_again() -> None:
    async with serving(Reply([sse(chunk("", "stop"), USAGE)])) as (client, gateway):
        deltas = await ask(client, ModelRequest("qwen-plus", HELLO.messages, {"stop": "你"}))
        assert (text(deltas), deltas[-1].finish, len(gateway.requests)) == ("", Finish.WHOLE, 1)


# ── learning ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Kept(dict[str, Json]):
    @property
    def facts(self) -> dict[str, Json]:
        """Without how long they hold."""
        return {name: fact["is"] if isinstance(fact, dict) else fact for name, fact in self.items()}

    async def save(self, name: str, value: Json) -> None:
        self[name] = value


@pytest.mark.parametrize(
    "reply",
    [
        failing(400, "Unrecognized request argument supplied: stream_options"),
        failing(400, "Something about your request is wrong"),
    ],
)
async def test_usage_is_done_without(reply: Reply) -> None:
    kept = Kept()
    async with serving(reply, Reply([sse(chunk("a"))]), learned=CapabilityCache({}, kept.save)) as (client, gateway):
        for _ in range(2):
            assert text(await ask(client)) == "a"
        assert ["stream_options" in each.json for each in gateway.requests] == [True, False, False]
    assert kept["stream_options"] is False
    async with serving(Reply([ANSWER]), learned=CapabilityCache(kept)) as (client, gateway):
        await ask(client)
        assert "stream_options" not in gateway.requests[0].json


async def test_a_vague_refusal_that_had_another_reason_teaches_nothing() -> None:
    kept = Kept()
    async with serving(failing(400, "Something is wrong"), learned=CapabilityCache({}, kept.save)) as (client, gateway):
        with pytest.raises(GatewayError, match="does not take this question"):
            await ask(client)
        assert len(gateway.requests) == 2
    assert kept == {}


async def test_usage_that_does_not_come_unasked_is_asked_for() -> None:
    async with serving(Reply([sse(chunk("a"))]), profile="wcode") as (client, gateway):
        for _ in range(2):
            await ask(client)
        assert ["stream_options" in each.json for each in gateway.requests] == [False, True]


async def test_search_is_done_without() -> None:
    request = ModelRequest("some-new-model", HELLO.messages, {"enable_search": True})
    refusal = failing(400, "This model does not support enable_search.", "invalid_parameter_error")
    async with serving(refusal, Reply([ANSWER])) as (client, gateway):
        assert text(await ask(client, request)) == "你好"
        assert ["enable_search" in each.json for each in gateway.requests] == [True, False]
        with pytest.raises(InvalidRequest, match="no web search"):
            await ask(client, request)


async def test_thinking_is_switched_until_it_is_refused() -> None:
    """The second model takes it, the first is asked without, then and for good."""
    refusal = failing(400, "The value of the enable_thinking parameter is restricted to True.")
    without = ModelRequest("some-new-model", HELLO.messages, {"enable_thinking": False})
    kept = Kept()
    more = {"profile": "dashscope", "learned": CapabilityCache({}, kept.save)}
    async with serving(refusal, Reply([ANSWER]), Reply([ANSWER]), **more) as (client, gateway):
        assert text(await ask(client, without)) == "你好"
        assert client.info("some-new-model").thinking is False
        with pytest.raises(InvalidRequest, match="Thinking can't be switched for some-new-model"):
            await ask(client, without)
        assert text(await ask(client, replace(without, model="qwen3-8b"))) == "你好"
        assert [each.json.get("enable_thinking") for each in gateway.requests] == [False, None, False]
    assert kept.facts == {"some-new-model/thinking": False}


async def test_max_tokens_is_clamped() -> None:
    request = ModelRequest("some-new-model", HELLO.messages, {"max_tokens": 9000})
    kept = Kept()
    async with serving(
        failing(400, "Range of max_tokens should be [1, 8192]"), Reply([ANSWER]), learned=CapabilityCache({}, kept.save)
    ) as (client, gateway):
        assert text(await ask(client, request)) == "你好"
        assert [each.json["max_tokens"] for each in gateway.requests] == [9000, 8192]
        assert client.info("some-new-model").max_output == 8192
    assert kept.facts == {"some-new-model/max_output": 8192}


async def test_too_long_teaches_the_limit() -> None:
    async with serving(failing(400, "Range of input length should be [1, 30720]")) as (client, gateway):
        with pytest.raises(TooLong) as caught:
            await ask(client)
        assert (caught.value.limit, len(gateway.requests)) == (30720, 1)
        assert client.info("qwen-plus").context == 30720


async def test_a_model_that_turns_out_to_be_blind() -> None:
    kept = Kept()
    refusal = failing(400, "This model does not support image input")
    async with serving(refusal, learned=CapabilityCache({}, kept.save)) as (client, gateway):
        for _ in range(2):
            with pytest.raises(InvalidRequest, match="some-eye cannot see"):
                await ask(client, PICTURE)
        assert len(gateway.requests) == 1, "the second time it is known"
        assert client.info("some-eye").image is False
    assert kept.facts == {"some-eye/image": False}


async def test_a_language_by_its_other_name() -> None:
    request = ModelRequest("qwen-mt-plus", HELLO.messages, translation=Translation("Filipino", "Chinese"))
    refusal = failing(400, "暂时不支持当前设置的语种!")
    async with serving(refusal, Reply([sse(chunk("Kumusta"))]), profile="dashscope") as (client, gateway):
        for _ in range(2):
            assert text(await ask(client, request)) == "Kumusta"
        sent = [each.json["translation_options"]["target_lang"] for each in gateway.requests]
    assert sent == ["Filipino", "Tagalog", "Tagalog"]


async def test_a_language_without_another_name_is_refused() -> None:
    request = ModelRequest("qwen-mt-plus", HELLO.messages, translation=Translation("Thai", "Chinese"))
    async with serving(failing(400, "暂时不支持当前设置的语种!"), profile="dashscope") as (client, gateway):
        with pytest.raises(BadParameter):
            await ask(client, request)
        assert len(gateway.requests) == 1


async def test_what_cannot_be_kept_still_holds() -> None:
    async def full(*_: object) -> None:
        raise StoreFull("no space")

    learned = CapabilityCache({}, full)
    await learned.note("m/image", False)
    assert learned.applied(Catalogue().info("m")).image is False


async def test_what_cannot_work_is_not_sent() -> None:
    async with serving(Reply([ANSWER])) as (client, gateway):
        with pytest.raises(InvalidRequest, match="below 2"):
            await ask(client, ModelRequest("qwen-plus", HELLO.messages, {"temperature": 2}))
        assert gateway.requests == []


class Leaps(Hurry):
    """Each look at the clock finds a second gone: an answer is soon well under way."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def monotonic(self) -> float:
        self.seconds += 1.0
        return self.seconds


async def test_reading_pauses_while_an_answer_is_under_way_and_nothing_of_it_is_lost() -> None:
    pieces = [sse(chunk(f"{number} "), done=False) for number in range(30)]
    answer = [*pieces, sse(chunk("", "stop"))]
    clock = Leaps()
    async with serving(Reply(answer), Reply(answer), Reply([ANSWER]), clock=clock) as (client, _):
        whole = "".join(f"{number} " for number in range(30))
        assert [text(await ask(client)) for _ in range(3)] == [whole, whole, "你好"]
    assert clock.slept.count(0.04) > 3


async def test_a_header_may_be_long() -> None:
    """Proxies put in whole policies and cookies."""
    headers = {"Content-Type": "text/event-stream", "Content-Security-Policy": "x" * 40_000}
    async with serving(Reply([ANSWER], headers=headers)) as (client, _):
        assert text(await ask(client)) == "你好"


async def test_a_name_that_nobody_looks_up_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(*_: Any, **__: Any) -> None:  # a nameserver that says nothing
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", silent)
    clock = Hurry()
    client = make("https://gateway.example/v1", clock, timeouts=Timeouts(connect=0.02))
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(Unreachable, match="reached"):
            await ask(client)
    await client.aclose()
    assert clock.slept == [0.5, 1.0], "it was not tried again"


# ── stopping ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_closing_closes_the_connection_at_once() -> None:
    reply = Reply([sse(chunk("a"), done=False)], end="hang")
    async with serving(reply) as (client, _):
        stream = client.stream(HELLO)
        assert (await anext(stream)).text == "a"
        await stream.aclose()
        await asyncio.wait_for(reply.left.wait(), PATIENCE)


async def test_cancelling_closes_the_connection_at_once() -> None:
    reply = Reply([b": ping\n\n"], end="hang")
    async with serving(reply) as (client, gateway):
        task = asyncio.create_task(ask(client))
        async with asyncio.timeout(PATIENCE):
            await gateway.asked.wait()
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(reply.left.wait(), PATIENCE)


async def test_no_task_is_left_behind() -> None:
    async with serving(Reply([ANSWER]), Reply([sse(chunk("a"), done=False)], end="hang")) as (client, _):
        before = asyncio.all_tasks()
        await ask(client)
        stream = client.stream(HELLO)
        await anext(stream)
        await stream.aclose()
        assert {task for task in asyncio.all_tasks() - before if "_serve" not in repr(task)} == set()


# ── limits, in simulated time ───────────────────────────────────────────────────────────────────────────────────────

LIMITS = Timeouts(first=60, slow=120, idle=60, event=100, tail=10, total=600, whole=200)


class Slow(httpx.AsyncByteStream):
    """Pieces after a pause each; the last pause has no piece."""

    def __init__(self, clock: Clock, *steps: tuple[float, bytes]) -> None:
        self.clock, self.steps, self.closed = clock, steps, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for pause, piece in self.steps:
            await self.clock.sleep(pause)
            yield piece

    async def aclose(self) -> None:
        self.closed = True


def slow(
    clock: SimClock, *steps: tuple[float, bytes], head: float = 0.0, timeouts: Timeouts = LIMITS, **more: Any
) -> Client:
    async def answer(_: httpx.Request) -> httpx.Response:
        await clock.sleep(head)
        return httpx.Response(200, stream=Slow(clock, *steps))

    return make("http://127.0.0.1:1/v1", clock, timeouts=timeouts, transport=httpx.MockTransport(answer), **more)


PING = b": ping\n\n"
A, END = sse(chunk("a"), done=False), sse(chunk("", "stop"))


async def test_patience_with_a_slow_stream(clock: SimClock) -> None:
    client = slow(clock, (50, PING), (5, A), (55, A), (55, PING), (40, A), (59, END), head=4)
    deltas = await clock.run(ask(client))
    assert (text(deltas), deltas[-1].finish) == ("aaa", Finish.WHOLE)


@pytest.mark.parametrize(
    ("steps", "head", "seconds"),
    [
        ([], 9999.0, 60),  # not even a head
        ([(9999.0, A)], 0.0, 60),  # a head and then nothing
        ([(20.0, PING)] * 99, 0.0, 60),  # pings are no answer
    ],
)
async def test_the_first_event_has_its_limit(
    clock: SimClock, steps: list[tuple[float, bytes]], head: float, seconds: float
) -> None:
    with pytest.raises(Unreachable, match=r"did not begin to answer within 60 seconds.*FIRST_TEXT_SECONDS"):
        await clock.run(ask(slow(clock, *steps, head=head)))
    assert clock.seconds == seconds, "and it is not asked again"


@pytest.mark.parametrize(
    ("steps", "head", "seconds", "words"),
    [
        ([], 9999.0, 300, r"did not begin to answer within 300 seconds.*FIRST_TEXT_SECONDS"),
        ([(9999.0, b"")], 0.0, 300, r"did not begin to answer within 300 seconds.*FIRST_TEXT_SECONDS"),
        ([(299, b'data: {"cho'), (9999, b"")], 0.0, 300, r"did not begin to answer within 300 seconds"),
        ([(1, b"A"), (9999, b"")], 0.0, 21, r"nothing more for 20 seconds.*IDLE_SECONDS"),
        ([(1, b"A"), *[(15, b": ping\n\n")] * 99], 0.0, 41, r"nothing more for 40 seconds.*IDLE_SECONDS"),
    ],
)
async def test_what_ran_out_is_said_by_its_setting_and_its_value(
    clock: SimClock, steps: list[tuple[float, bytes]], head: float, seconds: float, words: str
) -> None:
    limits = Timeouts.of(300, 20)
    steps = [(pause, A if piece == b"A" else piece) for pause, piece in steps]
    with pytest.raises(Unreachable, match=words):
        await clock.run(ask(slow(clock, *steps, head=head, timeouts=limits)))
    assert clock.seconds == seconds


async def test_a_server_that_loads_its_model_first(clock: SimClock) -> None:
    """Ollama says nothing at all for as long as it takes, and stops loading when the connection is closed."""
    assert text(await clock.run(ask(slow(clock, (1, A), (1, END), head=290, timeouts=Timeouts.of(300, 60))))) == "a"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(raw=b"", end="hang"), "did not begin to answer within 300 seconds"),
        (Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Ty", end="hang"), "did not begin to answer within 300 seconds"),
        (Reply([], end="hang"), "did not begin to answer within 300 seconds"),
        (Reply([b'data: {"choices": [{"del'], end="hang"), "did not begin to answer within 300 seconds"),
        (Reply([sse(chunk("a"), done=False)], end="hang"), "nothing more for 20 seconds"),
        (Reply([b'{"error": {"message": "no'], 500, JSON_TYPE, end="hang"), "problem of its own"),
    ],
)
async def test_limits_over_a_real_connection(reply: Reply, words: str) -> None:
    """What stops half way: before the head, in it, in the body, in an error's body; the connection is closed."""
    clock = Skipping(reply.said)
    async with serving(reply, clock=clock, timeouts=Timeouts.of(300, 20)) as (client, _):
        with pytest.raises(GatewayError, match=words):
            await ask(client)
        await asyncio.wait_for(reply.left.wait(), PATIENCE)


class Skipping(SystemClock):
    """Time stands still until all has been said; then whoever sleeps has slept."""

    def __init__(self, said: asyncio.Event) -> None:
        self._said = said
        self._passed = 0.0

    def monotonic(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        await self._said.wait()
        await moments()  # what was said is on its way
        self._passed += seconds


async def test_search_and_reasoning_may_take_longer(clock: SimClock) -> None:
    searching = ModelRequest("qwen-plus", HELLO.messages, {"enable_search": True})
    assert text(await clock.run(ask(slow(clock, (110, A), (1, END)), searching))) == "a"
    thinking = ModelRequest("qwq-32b-preview", HELLO.messages)
    assert text(await clock.run(ask(slow(clock, (110, A), (1, END)), thinking))) == "a"


@pytest.mark.parametrize(
    ("steps", "seconds", "words"),
    [
        ([(1, A), (9999, END)], 61, "nothing more for 60 seconds"),  # silence
        ([(1, A), *[(40, PING)] * 99], 101, "nothing more for 100 seconds"),  # alive, but says nothing
        ([(50, A)] * 999, 600, "too long altogether"),  # on and on
    ],
)
async def test_a_stream_that_dries_up_is_a_part(
    clock: SimClock, steps: list[tuple[float, bytes]], seconds: float, words: str
) -> None:
    deltas: list[Delta] = []

    async def read() -> None:
        async for delta in slow(clock, *steps).stream(HELLO):
            deltas.append(delta)

    with pytest.raises(Unreachable, match=words):
        await clock.run(read())
    assert set(text(deltas)) == {"a"}
    assert deltas[-1].finish is Finish.CUT
    assert clock.seconds == seconds


async def test_after_the_last_reason_usage_is_not_waited_for_long(clock: SimClock) -> None:
    deltas = await clock.run(ask(slow(clock, (1, sse(chunk("a", "stop"), done=False)), (9999, b""))))
    assert (text(deltas), deltas[-1].finish, clock.seconds) == ("a", Finish.WHOLE, 11)


async def test_a_video_may_take_its_time(clock: SimClock) -> None:
    body = json.dumps(DATA["W4.resp"]["value"]).encode()
    assert text(await clock.run(ask(slow(clock, (1, body), head=190), VIDEO))).startswith("这段视频")
    with pytest.raises(Unreachable):
        await clock.run(ask(slow(clock, (1, body), head=201), VIDEO))


async def test_a_reader_who_takes_his_time_is_not_the_gateways_fault(clock: SimClock) -> None:
    client = slow(clock, *[(0.0, A)] * 600, (0.0, END))

    async def read() -> int:
        count = 0
        async for delta in client.stream(HELLO):
            count += len(delta.text)
            if count == 1:
                await clock.sleep(300)
        return count

    assert await clock.run(read()) == 600


async def test_a_limit_closes_the_connection(clock: SimClock) -> None:
    body = Slow(clock, (1, A), (9999, A))
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=body))
    client = make("http://127.0.0.1:1/v1", clock, timeouts=LIMITS, transport=transport)
    with pytest.raises(Unreachable):
        await clock.run(ask(client))
    assert body.closed


async def test_the_balance_belongs_to_the_start_of_the_request(clock: SimClock) -> None:
    async def answer(_: httpx.Request) -> httpx.Response:
        await clock.sleep(30)
        return httpx.Response(200, stream=Slow(clock, (0, ANSWER)), headers={"X-Account-Balance": "1"})

    client = make("http://127.0.0.1:1/v1", clock, transport=httpx.MockTransport(answer))
    deltas = await clock.run(ask(client))
    assert deltas[0].balance == BalanceReading("test", Money(Decimal(1)), START)


# ── the rest ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"data": [{"id": "a"}, {"id": "b"}, {"id": "a"}, {"id": None}, 5]}, ["a", "b"]),
        ({"models": [{"name": "a"}]}, ["a"]),
        (["a", {"id": "b"}], ["a", "b"]),
        ({"data": []}, []),
        (["a\u202eb", "a\nb", "\x1b[0m", "m" * 101, "m" * 100], ["m" * 100]),
        ({"data": [{"id": f"m{number}"} for number in range(100_000)]}, [f"m{number}" for number in range(2000)]),
    ],
    ids=["ids", "names", "strings", "none", "not for reading", "more than anybody reads"],
)
async def test_the_gateways_own_list(body: object, expected: list[str]) -> None:
    async with serving(Reply([json.dumps(body).encode()], headers=JSON_TYPE)) as (client, gateway):
        assert await client.models() == expected
        assert (gateway.requests[0].method, gateway.requests[0].path) == ("GET", "/v1/models")


async def test_a_list_of_100_000_models_is_no_burden() -> None:
    """What is left out is known; the rest is looked up once, and then /model and the page have it at once."""
    body = {"data": [{"id": f"vendor-{number % 97}/model-{number}", "owned_by": "x" * 40} for number in range(100_000)]}
    async with serving(Reply([json.dumps(body).encode()], headers=JSON_TYPE)) as (client, _):
        catalogue = Catalogue()
        catalogue.merge(await client.models())
        assert client.unlisted == 98_000

    def spent() -> float:
        started = time.process_time()
        assert len(ordered(catalogue)) > 2000
        assert len(json.dumps([model_view(each) for each in catalogue.all()])) > 100_000
        return time.process_time() - started

    first, again = spent(), min(spent() for _ in range(3))
    assert again < first / 3
    assert again < 1


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply([WXERR], 401, JSON_TYPE), BadKey),
        (Reply([b"<html></html>"], 200), GatewayError),
        (Reply([b"<html></html>"], 404), GatewayError),
        (Reply([b"{"], 200), GatewayError),
    ],
)
async def test_a_list_that_does_not_come(reply: Reply, kind: type[GatewayError]) -> None:
    async with serving(reply) as (client, _):
        with pytest.raises(kind):
            await client.models()


async def test_nobody_reads_the_key_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = failing(401, f"Incorrect API key provided: {KEY}. Authorization: Bearer {KEY}")
    busy = failing(503, f"upstream said: Bearer {KEY}")
    async with serving(busy, echo) as (client, _):
        with pytest.raises(BadKey) as caught:
            await ask(client)
    assert "upstream said" in caplog.text, "something was logged"
    for shown in (caplog.text, caught.value.detail, str(caught.value), repr(client._gateway)):
        assert KEY not in shown
        assert "0123456789" not in shown


async def test_a_key_of_any_form_is_kept_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(failing(503, "who is my-own/key+7?"), key="my-own/key+7") as (client, gateway):
        with pytest.raises(Upstream) as caught:
            await ask(client)
        assert gateway.requests[0].headers["authorization"] == "Bearer my-own/key+7"
    assert "who is ***?" in caught.value.detail
    assert "my-own" not in caplog.text


async def test_no_key_no_header() -> None:
    async with serving(Reply([ANSWER]), key="") as (client, gateway):
        await ask(client)
        assert "authorization" not in gateway.requests[0].headers


async def test_settings_of_the_environment_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with serving(Reply([ANSWER])) as (client, _):
        assert text(await ask(client)) == "你好"


async def test_many_at_once() -> None:
    async with serving(Reply([ANSWER])) as (client, _):
        answers = await asyncio.gather(*(ask(client) for _ in range(120)))
    assert {text(each) for each in answers} == {"你好"}
