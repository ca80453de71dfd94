"""The sandbox keeps the chat API's contract: shapes, pace, money, refusals; and what it says is true."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import time
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import pairwise
from typing import Any

import httpx
import pytest
import uvicorn
from PIL import Image

from bot.gateways.catalogue import Catalogue
from bot.languages.detection import detect
from bot.money.price import cost
from bot.sandbox.app import sandbox
from bot.types import AsgiApp, Usage
from tests.fakes.clock import PATIENCE, SimClock

CHAT = "/api/gpt/v1/chat/completions"
Message = dict[str, Any]


def picture(colour: str = "red", *, size: tuple[int, int] = (320, 200), format: str = "PNG") -> str:
    image = Image.new("RGB", size, colour)
    image.paste("blue", (0, 0, size[0] // 3, size[1]))
    raw = io.BytesIO()
    image.save(raw, format)
    return f"data:image/{format.lower()};base64,{base64.b64encode(raw.getvalue()).decode()}"


def user(text: str, *images: str) -> Message:
    if not images:
        return {"role": "user", "content": text}
    parts: list[Message] = [{"type": "image_url", "image_url": {"url": url}} for url in images]
    return {"role": "user", "content": [{"type": "text", "text": text}, *parts]}


class Client:
    """Speaks to an app in memory, where nothing is streamed for real."""

    def __init__(self, app: AsgiApp) -> None:
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox")

    async def post(self, body: object, **headers: str) -> httpx.Response:
        return await self.http.post(CHAT, json=body, headers=headers)

    async def ask(self, question: str | list[Message], model: str = "qwen-plus", **more: Any) -> str:
        messages = [user(question)] if isinstance(question, str) else question
        response = await self.post({"model": model, "messages": messages, **more})
        assert response.status_code == 200, response.text
        return str(response.json()["choices"][0]["message"]["content"])

    async def stream(self, question: str, model: str = "qwen-plus", **more: Any) -> list[Message]:
        response = await self.post({"model": model, "messages": [user(question)], "stream": True, **more})
        assert response.status_code == 200, response.text
        return chunks(response.text)

    async def refusal(self, body: object, **headers: str) -> tuple[int, Message]:
        response = await self.post(body, **headers)
        assert set(response.json()) == {"error"}
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}
        return response.status_code, response.json()["error"]

    async def balance(self) -> Decimal:
        response = await self.http.get("/api/account/billing/grants")
        return Decimal(str(response.json()["data"]["total_available"]))


def chunks(text: str) -> list[Message]:
    *events, done, rest = text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    assert all(event.startswith("data: ") for event in events)
    return [json.loads(event.removeprefix("data: ")) for event in events]


def joined(answer: list[Message], key: str = "content") -> str:
    return "".join(chunk["choices"][0]["delta"].get(key) or "" for chunk in answer if chunk["choices"])


@pytest.fixture
def client() -> Client:
    return Client(sandbox(rate=0))


# ── shapes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_stream_has_the_documented_shape(client: Client) -> None:
    answer = await client.stream("你好", "qwen2.5-14b-instruct")
    first, *middle, last, usage = answer
    for chunk in answer[:-1]:
        assert list(chunk) == ["id", "object", "created", "model", "choices"]
        assert list(chunk["choices"][0]) == ["index", "delta", "finish_reason"]
    assert first["choices"][0] == {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    assert all(list(chunk["choices"][0]["delta"]) == ["content"] for chunk in middle)
    assert last["choices"][0] == {"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}
    assert list(usage) == ["id", "object", "created", "model", "choices", "usage"]
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == len(middle)
    assert usage["usage"]["total_tokens"] == usage["usage"]["prompt_tokens"] + len(middle)
    assert {(chunk["id"], chunk["object"], chunk["model"]) for chunk in answer} == {
        (first["id"], "chat.completion.chunk", "qwen2.5-14b-instruct")
    }
    assert len(middle) > 10


async def test_whole_and_streamed_say_the_same(client: Client) -> None:
    assert joined(await client.stream("markdown, please")) == await client.ask("markdown, please")


async def test_a_whole_answer_has_the_documented_shape(client: Client) -> None:
    messages = [{"role": "system", "content": "You are a helpful assistant."}, user("你好")]
    body = (await client.post({"model": "qwen2.5-14b-instruct", "messages": messages})).json()
    assert list(body) == ["id", "object", "created", "model", "choices", "usage"]
    assert body["object"] == "chat.completion"
    assert list(body["choices"][0]) == ["index", "message", "finish_reason"]
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["prompt_tokens"] == pytest.approx(20, abs=2)


async def test_a_video_file_is_answered_in_the_native_shape(client: Client) -> None:
    parts = [{"video": "https://example.com/a/clip.mp4?x=1"}, {"text": "这段视频介绍的是什么?"}]
    messages = [{"role": "system", "content": [{"text": "Be kind."}]}, {"role": "user", "content": parts}]
    body = (await client.post({"model": "qwen-vl-max-latest", "input": {"messages": messages}})).json()
    assert list(body) == ["output", "usage", "request_id"]
    choice = body["output"]["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["role"] == "assistant"
    assert "clip.mp4" in choice["message"]["content"][0]["text"]
    assert list(body["usage"]) == ["output_tokens", "video_tokens", "input_tokens"]
    assert 0 < body["usage"]["video_tokens"] < body["usage"]["input_tokens"]


async def test_reasoning_comes_before_the_answer_and_is_counted(client: Client) -> None:
    answer = await client.stream("hello", "qwq-32b-preview")
    deltas = [chunk["choices"][0]["delta"] for chunk in answer if chunk["choices"]]
    thinking = [number for number, delta in enumerate(deltas) if delta.get("reasoning_content")]
    assert thinking == list(range(1, len(thinking) + 1))
    assert "topic" in joined(answer, "reasoning_content")
    assert answer[-1]["usage"]["completion_tokens_details"] == {"reasoning_tokens": len(thinking)}
    assert answer[-1]["usage"]["completion_tokens"] > len(thinking)


async def test_thinking_can_be_switched(client: Client) -> None:
    for said, thinks in (({}, True), ({"enable_thinking": True}, True), ({"enable_thinking": False}, False)):
        answer = await client.stream("hello", "qwen3-8b", **said)
        assert bool(joined(answer, "reasoning_content")) == thinks
        assert "sandbox" in joined(answer)


async def test_models(client: Client) -> None:
    body = (await client.http.get("/api/gpt/v1/models")).json()
    ids = [model["id"] for model in body["data"]]
    assert body["object"] == "list"
    assert ids[:42] == [info.id for info in Catalogue().all()]
    assert "qwen-vl-max-latest" in ids


async def test_any_prefix_will_do(client: Client) -> None:
    for path in ("/chat/completions", "/v1/chat/completions", "/sandbox/v1/chat/completions"):
        response = await client.http.post(path, json={"model": "qwen-plus", "messages": [user("hi")]})
        assert response.status_code == 200
    assert (await client.http.get("/nothing")).status_code == 404
    assert (await client.http.get(CHAT)).status_code == 404


# ── money ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_balance_goes_down_by_the_price_list(client: Client) -> None:
    response = await client.post({"model": "qwen-vl-plus", "messages": [user("write 9000 characters")]})
    usage = response.json()["usage"]
    paid = cost(Usage(usage["prompt_tokens"], usage["completion_tokens"]), Catalogue().info("qwen-vl-plus"))
    assert paid
    assert paid.amount > Decimal("0.005")
    assert response.headers["x-account-balance"] == f"{10 - paid.amount:.4f}"
    assert await client.balance() == round(10 - paid.amount, 4)


async def test_a_stream_tells_the_balance_before_it_starts(client: Client) -> None:
    body = {"model": "qwen-vl-plus", "messages": [user("markdown")], "stream": True}
    assert (await client.post(body)).headers["x-account-balance"] == "10.0000"
    assert Decimal((await client.post(body)).headers["x-account-balance"]) < 10


async def test_the_grants_have_the_documented_shape() -> None:
    client = Client(sandbox(balance=Decimal("200.10244")))
    assert (await client.http.get("/api/account/billing/grants")).json() == {
        "status": "success",
        "error_message": "",
        "error_code": None,
        "data": {
            "total_available": 200.1024,
            "total_available_currency": "CNY",
            "total_available_currency_symbol": "¥",
        },
    }


async def test_out_of_money() -> None:
    client = Client(sandbox(balance=Decimal("0.0001"), rate=0))
    assert "first question" in await client.ask("hello")
    status, error = await client.refusal({"model": "qwen-plus", "messages": [user("hello")]})
    assert (status, error["code"]) == (402, "insufficient_quota")
    assert error["message"].startswith("API_KEY exceeded the current quota")
    assert await client.balance() < 0


async def test_search_puts_tokens_into_the_prompt(client: Client) -> None:
    response = await client.post({"model": "qwen-plus", "messages": [user("今天是星期几?")], "enable_search": True})
    usage = response.json()["usage"]
    assert usage["prompt_tokens"] == pytest.approx(758, abs=5)
    assert usage["prompt_tokens_details"] == {"cached_tokens": 0}


# ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_key() -> None:
    client = Client(sandbox(key="sk-right", rate=0))
    body = {"model": "qwen-plus", "messages": [user("hi")]}
    documented = {"message": "Invalid API-KEY", "type": "invalid_request_error", "param": None, "code": None}
    assert await client.refusal(body) == (401, documented)
    assert await client.refusal(body, Authorization="Bearer sk-wrong") == (401, documented)
    assert await client.refusal(body, Authorization="sk-right") == (401, documented)
    assert (await client.post(body, Authorization="Bearer sk-right")).status_code == 200
    assert (await client.http.get("/v1/models")).status_code == 401
    assert (await client.http.get("/api/account/billing/grants")).status_code == 401


HI = [user("hi")]
MT: Message = {"model": "qwen-mt-turbo", "messages": [user("你好")]}
TO_ENGLISH = {"source_lang": "Chinese", "target_lang": "English"}
REFUSED: list[tuple[Message, int, str]] = [
    ({"model": "gpt-4o", "messages": HI}, 404, "The model `gpt-4o` does not exist"),
    ({"messages": HI}, 400, "you must provide a model parameter"),
    ({"messages": []}, 400, "[] is too short - 'messages'"),
    ({"messages": None}, 400, "[] is too short - 'messages'"),
    ({"temperature": 2}, 400, "Range of temperature should be [0.0, 2.0)"),
    ({"temperature": "hot"}, 400, "'temperature' must be Float"),
    ({"temperature": True}, 400, "'temperature' must be Float"),
    ({"top_p": 0}, 400, "Range of top_p should be (0.0, 1.0]"),
    ({"presence_penalty": -2.5}, 400, "Range of presence_penalty should be [-2.0, 2.0]"),
    ({"max_tokens": 0}, 400, "Range of max_tokens should be [1, 8192]"),
    ({"model": "qwen-math-plus", "max_tokens": 3073}, 400, "Range of max_tokens should be [1, 3072]"),
    ({"max_tokens": 1.5}, 400, "'max_tokens' must be Integer"),
    ({"seed": -1}, 400, "Range of seed should be [0, 18446744073709551615]"),
    ({"stop": ["你好", 123456]}, 400, "'stop' must be an array of strings or an array of token ids"),
    ({"stream": "yes"}, 400, "'stream' must be Boolean"),
    ({"model": "qwq-32b-preview"}, 400, "This model only support stream mode, please enable the stream parameter"),
    ({"model": "qwen-vl-plus", "enable_search": True}, 400, "This model does not support enable_search."),
    ({"model": "qwen-plus", "enable_thinking": True}, 400, "This model does not support enable_thinking."),
    ({"messages": [user("see", picture())]}, 400, "This model does not support image input."),
    ({"messages": [*HI, *HI]}, 400, "User and assistant need to appear alternately"),
    ({"messages": [*HI, {"role": "assistant", "content": "hi"}]}, 400, "Role of the last message must be user"),
    ({"messages": [*HI, {"role": "system", "content": "x"}, *HI]}, 400, "System message must be at the beginning."),
    ({"messages": [{"role": "developer", "content": "x"}]}, 400, "'developer' is not one of ['system',"),
    ({"messages": [user("  ")]}, 400, "The content field is a required field."),
    ({"messages": [{"role": "user"}]}, 400, "The content field is a required field."),
    ({"messages": [user("字" * 300_000)]}, 400, "Range of input length should be [1, 122880]"),
    ({"translation_options": TO_ENGLISH}, 400, "translation_options is only supported by qwen-mt models"),
    (MT, 400, "translation_options.target_lang is required"),
    (
        {**MT, "translation_options": TO_ENGLISH, "messages": [{"role": "system", "content": "x"}, *HI]},
        400,
        "Role must be in [user, assistant].",
    ),
    (
        {**MT, "translation_options": TO_ENGLISH, "messages": [*HI, {"role": "assistant", "content": "x"}, *HI]},
        400,
        "Translation models take exactly one message",
    ),
    (
        {**MT, "translation_options": {"source_lang": "Chinese", "target_lang": "Klingon"}},
        400,
        "Current language settings are not supported!",
    ),
    (
        {**MT, "translation_options": TO_ENGLISH, "messages": [user("字" * 3000)]},
        400,
        "Range of input length should be [1, 1024]",
    ),
    (
        {"model": "qwen-vl-max", "messages": [{"role": "user", "content": [{"video": ["https://a/1.jpg"] * 3}]}]},
        400,
        "Range of video frames should be [4, 80]",
    ),
    ({"model": "qwen-vl-plus", "messages": [user("x", "file:///etc/passwd")]}, 400, "The provided URL does not appear"),
    (
        {"model": "qwen-vl-plus", "messages": [user("x", "data:image/png;base64,aGVsbG8=")]},
        400,
        "The image format is illegal",
    ),
    ({"model": "qwen-vl-plus", "messages": [user("x", "data:image/png;base64,%")]}, 400, "The image format is illegal"),
    (
        {"model": "qwen-vl-plus", "messages": [user("x", picture(size=(300, 10)))]},
        400,
        "The image length and width do not meet the model restrictions.",
    ),
]


@pytest.mark.parametrize(("body", "status", "message"), REFUSED, ids=[f"{n}" for n in range(len(REFUSED))])
async def test_refusals_in_the_gateways_words(client: Client, body: Message, status: int, message: str) -> None:
    asked = body if body == {"messages": HI} else {"model": "qwen-plus", "messages": HI, **body}
    got, error = await client.refusal(asked)
    assert (got, error["message"][: len(message)]) == (status, message)
    assert await client.balance() == 10  # a refusal costs nothing


async def test_a_body_that_is_no_json_object(client: Client) -> None:
    for raw in (b"", b"{", b"[]", b'{"model": NaN}', b"\xff"):
        response = await client.http.post(CHAT, content=raw)
        assert response.status_code == 400
        assert response.json()["error"]["message"]


async def test_the_bounds_themselves_are_taken(client: Client) -> None:
    await client.ask("hi", temperature=0, top_p=1, presence_penalty=-2, max_tokens=8192, seed=2**64 - 1, stop=[1, 2])
    await client.ask("hi", temperature=1.999, presence_penalty=2.0, seed=0)


# ── what it says ────────────────────────────────────────────────────────────────────────────────────────────────────

QUESTIONS = ["Hello", "What is love?", "markdown", "12 * 34", "how do I set a key?", "what day is it?", "count to 7"]
ZH_QUESTIONS = ["你好", "什么是爱?", "给我一个表格", "写一段代码", "怎么设置密钥?", "今天是星期几?", "一个长回答"]


@pytest.mark.parametrize("question", QUESTIONS)
async def test_english_questions_get_english_answers_from_a_sandbox(client: Client, question: str) -> None:
    answer = await client.ask(question)
    assert "This answer comes from a sandbox, not from a real model." in answer
    assert not re.search("[\u4e00-\u9fff]", answer)


@pytest.mark.parametrize("question", ZH_QUESTIONS)
async def test_chinese_questions_get_chinese_answers_from_a_sandbox(client: Client, question: str) -> None:
    answer = await client.ask(question)
    assert "本回答来自沙箱" in answer
    assert detect(answer) == "Chinese"


async def test_some_answers(client: Client) -> None:
    assert "= **408**" in await client.ask("What is 12 * 34?")
    assert "zero" in await client.ask("1/0")
    assert "CHAT_API_KEY=" in await client.ask("how do I set a key?")
    assert "> What is love?" in await client.ask("What is love?")
    assert "\n7. 7\n" in await client.ask("count to 7")
    assert "= **" not in await client.ask("It was on 2024-11-01, was it?")


async def test_the_date_is_the_clocks() -> None:
    client = Client(sandbox(rate=0, clock=SimClock()))
    assert "Friday, 15 January 2027" in await client.ask("what day is it?")
    assert "2027年1月15日，星期五" in await client.ask("今天是星期几?")


async def test_markdown_has_code_and_a_table(client: Client) -> None:
    for question in ("Show me Markdown with code", "表格和代码"):
        answer = await client.ask(question)
        assert "```python\n" in answer
        assert answer.count("```") == 2
        assert re.search(r"^\|[-:|]+\|$", answer, re.MULTILINE)


@pytest.mark.parametrize(
    ("question", "least"),
    [("write 9000 characters", 9000), ("please give me a long answer", 6000), ("写9000字", 9000), ("来个长的", 6000)],
)
async def test_a_long_answer_shows_cuts_and_repeats(client: Client, question: str, least: int) -> None:
    answer = await client.ask(question)
    assert least <= len(answer) < least + 600
    numbered = re.findall(r"^\*\*(\d+)\.\*\* (.+)$", answer, re.MULTILINE)
    assert [int(number) for number, _ in numbered] == list(range(1, len(numbered) + 1))
    assert len({text for _, text in numbered}) == len(numbered) > 15
    assert str(len(numbered)) in answer.rpartition("**")[2]
    assert answer == await client.ask(question)


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("Write some python code with a long line", "```python"),
        ("How do I write a long function in Python?", "```python"),
        ("写一段代码，里面有一行很长", "```python"),
        ("Give me a long answer about Python code", "paragraphs."),
        ("来个长回答，讲讲代码", "全文完"),
        ("I long for a table", "| Model |"),
        ("What is the date, in a table?", "By the sandbox's clock"),
        ("Remember my account?", "You have not asked anything"),
    ],
)
async def test_a_question_is_about_what_it_names_first(client: Client, question: str, told: str) -> None:
    assert told in await client.ask(question)


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("Explain how tides work, for a ten-year-old", "two high tides"),
        ("why does the tide come twice a day?", "two high tides"),
        ("给十岁的孩子讲讲潮汐是怎么回事", "两次涨潮"),
        ("Write a polite e-mail asking for a day off", "**Subject:**"),
        ("帮我写一封得体的请假邮件", "**主题：**"),
        ("Compare SQLite and PostgreSQL in a table", "| **Writers at once** |"),
        ("postgres or sqlite?", "| **Writers at once** |"),
        ("用表格比较 SQLite 和 PostgreSQL", "| **同时写入** |"),
        ("用SQLite还是PostgreSQL好", "| **同时写入** |"),
    ],
)
async def test_the_pages_ideas_have_answers_made_for_them(client: Client, question: str, told: str) -> None:
    answer = await client.ask(question)
    assert told in answer
    assert "sandbox" in answer or "沙箱" in answer
    assert re.search("[一-鿿]", answer) is None or re.search("[一-鿿]", question)


async def test_the_account_is_low_when_that_is_asked_for(client: Client) -> None:
    for low, full in (("Show me a low-balance alert", "Top up, please"), ("给我看看余额不足的提醒", "充值")):
        assert "¥4.20" in await client.ask(low)
        assert await client.balance() < Decimal("4.2")
        assert "¥20.00" in await client.ask(full)
        assert await client.balance() > 19


async def test_not_every_long_asks_for_length(client: Client) -> None:
    for question in ("How long is the Nile?", "长城在哪里?", "它有多长?"):
        assert len(await client.ask(question)) < 1000


async def test_it_remembers_what_was_said(client: Client) -> None:
    messages = [user("What is love?"), {"role": "assistant", "content": "..."}, user("What did I ask?")]
    answer = await client.ask(messages)
    assert "1. What is love?" in answer
    assert "You asked 2 questions so far." in answer


@pytest.mark.parametrize("wish", ["Continue your answer exactly where it ends.", "请从你的回答断开的地方接着写。"])
async def test_it_goes_on_where_its_answer_stopped(client: Client, wish: str) -> None:
    question = user("Please give me a long answer")
    whole = await client.ask([question])
    part = {"role": "assistant", "content": whole[:200]}
    assert await client.ask([question, part, user(wish)]) == whole[200:]
    assert "A real model would" in await client.ask([question, {**part, "content": "never said"}, user("Continue.")])


async def test_max_tokens_and_stop_cut_the_answer(client: Client) -> None:
    whole = await client.ask("markdown")
    cut = await client.stream("markdown", max_tokens=10)
    assert whole.startswith(joined(cut))
    assert cut[-2]["choices"][0]["finish_reason"] == "length"
    assert cut[-1]["usage"]["completion_tokens"] == 10
    assert await client.ask("markdown", stop="```") == whole.partition("```")[0]
    assert await client.ask("markdown", stop=["|", "italic"]) == whole.partition("italic")[0]


# ── what it sees ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_true_account_of_a_picture(client: Client) -> None:
    answer = await client.ask([user("What is it?", picture())], "qwen-vl-plus")
    assert "A PNG picture, 320 × 200 pixels, mostly red and blue." in answer
    answer = await client.ask([user("这是什么?", picture("green", size=(1200, 900), format="JPEG"))], "qwen-vl-plus")
    assert "一张 JPEG 图片，1200 × 900 像素，主要颜色是绿色、蓝色。" in answer


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ("white", "white"),
        ("black", "black"),
        ("#808080", "grey"),
        ("orange", "orange"),
        ("#8b4513", "brown"),
        ("yellow", "yellow"),
        ("purple", "purple"),
        ("hotpink", "pink"),
        ("turquoise", "turquoise"),
        ("navy", "blue"),
        ("darkgreen", "green"),
    ],
)
async def test_colours(client: Client, colour: str, name: str) -> None:
    answer = await client.ask([user("?", picture(colour))], "qwen-vl-plus")
    assert f"mostly {name}" in answer


async def test_a_picture_costs_its_tokens_and_several_are_told_apart(client: Client) -> None:
    messages = [user("?", picture(size=(640, 480)), picture("white", size=(640, 480)))]
    body = (await client.post({"model": "qwen-vl-plus", "messages": messages})).json()
    assert body["usage"]["prompt_tokens"] == pytest.approx(2 * 393 + 9, abs=2)
    assert "2. A PNG picture" in body["choices"][0]["message"]["content"]


async def test_it_fetches_nothing(client: Client) -> None:
    answer = await client.ask([user("?", "https://example.com/dog.jpg")], "qwen-vl-plus")
    assert "opens nothing on the web" in answer


async def test_frames_are_counted(client: Client) -> None:
    parts: list[Message] = [{"type": "video", "video": [picture()] * 6}, {"type": "text", "text": "What happens?"}]
    answer = await client.ask([{"role": "user", "content": parts}], "qwen-vl-max-latest")
    assert "given as 6 frames" in answer
    assert "320 × 200" in answer


# ── translation ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def translated(client: Client, text: str, source: str, target: str) -> str:
    return await client.ask(text, "qwen-mt-turbo", translation_options={"source_lang": source, "target_lang": target})


@pytest.mark.parametrize(
    ("text", "source", "target", "result"),
    [
        ("你好", "Chinese", "English", "Hello"),
        ("hello", "English", "French", "Bonjour"),
        ("Good morning!", "English", "German", "Guten Morgen!"),
        ("Thank you. Goodbye.", "English", "Spanish", "Gracias. Adiós."),
        ("你好,世界", "Chinese", "Italian", "Ciao, mondo"),
        ("Спасибо", "Russian", "Japanese", "ありがとうございます"),
    ],
)
async def test_known_phrases(client: Client, text: str, source: str, target: str, result: str) -> None:
    answer = await translated(client, text, source, target)
    assert answer.partition("\n")[0] == result
    assert answer.endswith("(From a sandbox, not a real model.)")


async def test_what_it_can_not_translate_it_says(client: Client) -> None:
    answer = await translated(client, "Hello. Colourless green ideas.", "English", "French")
    assert answer.startswith("The sandbox knows a few dozen phrases only")
    assert "Hello. Colourless green ideas." in answer
    assert (await translated(client, "Colourless", "English", "Chinese")).startswith("沙箱")


async def test_translation_streams_cumulative_chunks(client: Client) -> None:
    answer = await client.stream("你好", "qwen-mt-plus", translation_options=TO_ENGLISH)
    texts = [chunk["choices"][0]["delta"]["content"] for chunk in answer[1:-1]]
    assert all(after.startswith(before) for before, after in pairwise(texts))
    assert len(set(texts)) > 3
    assert texts[-1].startswith("Hello\n")


# ── pace ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Connection:
    """A caller at the ASGI level, with simulated time: keeps when each event came, may be slow, may hang up."""

    def __init__(self, clock: SimClock, *, slow: float = 0.0, hang_up: float | None = None) -> None:
        self.clock = clock
        self.slow = slow
        self.hang_up = hang_up
        self.events: list[tuple[float, bytes]] = []
        self.asked = False

    async def receive(self) -> MutableMapping[str, Any]:
        if not self.asked:
            self.asked = True
            body = {"model": "qwen-plus", "messages": [user("write 2000 characters")], "stream": True}
            return {"type": "http.request", "body": json.dumps(body).encode()}
        if self.hang_up is None:
            await asyncio.get_running_loop().create_future()
        await self.clock.sleep(self.hang_up or 0)
        return {"type": "http.disconnect"}

    async def send(self, event: MutableMapping[str, Any]) -> None:
        self.events.append((self.clock.monotonic(), event.get("body", b"")))
        if self.slow:
            await self.clock.sleep(self.slow)

    async def run(self, app: AsgiApp) -> None:
        scope = {"type": "http", "method": "POST", "path": CHAT, "headers": []}
        await self.clock.run(app(scope, self.receive, self.send))

    @property
    def done(self) -> bool:
        return self.events[-1][1] == b"data: [DONE]\n\n"

    @property
    def content(self) -> list[float]:
        """When each token came."""
        return [at for at, body in self.events[2:] if b'"finish_reason":null' in body]


async def test_tokens_come_at_the_rate() -> None:
    clock = SimClock()
    connection = Connection(clock)
    await connection.run(sandbox(rate=20, clock=clock))
    assert connection.done
    assert len(connection.content) > 100
    assert connection.content == pytest.approx([number / 20 for number in range(1, len(connection.content) + 1)])


async def test_a_slow_reader_does_not_slow_the_rate_down() -> None:
    clock = SimClock()
    connection = Connection(clock, slow=0.03)
    await connection.run(sandbox(rate=20, clock=clock))
    assert connection.content[-1] == pytest.approx(len(connection.content) / 20, abs=0.1)


async def test_it_stops_when_the_client_goes_and_charges_for_what_it_made() -> None:
    clock = SimClock()
    app = sandbox(rate=20, clock=clock)
    gone = Connection(clock, hang_up=1.02)
    await gone.run(app)
    assert not gone.done
    assert len(gone.content) == 20
    assert clock.monotonic() == pytest.approx(1.02)
    paid = 10 - await Client(app).balance()
    whole = Connection(clock)
    await whole.run(app)
    assert 0 < paid < (10 - await Client(app).balance() - paid) / 4


async def test_no_rate_is_no_wait() -> None:
    clock = SimClock()
    connection = Connection(clock)
    await connection.run(sandbox(rate=0, clock=clock))
    assert connection.done
    assert clock.monotonic() == 0


@asynccontextmanager
async def served(app: AsgiApp) -> AsyncIterator[str]:
    """The app on a port of its own."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", ws="none", lifespan="on"))  # type: ignore[arg-type]
    task = asyncio.ensure_future(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
        if task.done():
            task.result()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


async def test_a_real_connection_streams_and_can_be_cut() -> None:
    app = sandbox(rate=100)
    body = {"model": "qwen-plus", "messages": [user("hello")], "stream": True}
    async with served(app) as url, httpx.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE) as http:
        times = []
        start = time.monotonic()
        async with http.stream("POST", CHAT, json=body) as response:
            assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
            text = ""
            async for part in response.aiter_text():
                times.append(time.monotonic() - start)
                text += part
        tokens = len(chunks(text)) - 3
        late = max(1.0, times[-1] * 100 / tokens)  # how much slower than said: what is late comes together
        assert len(times) > tokens / 3 / late
        assert times[-1] >= tokens / 100 - 0.01  # not before its time; how much later is the machine's business
        before = Decimal((await http.get("/api/account/billing/grants")).json()["data"]["total_available"])
        body = {"model": "qwen2.5-vl-72b-instruct", "messages": [user("write 60000 characters")], "stream": True}
        async with http.stream("POST", CHAT, json=body) as response:
            await anext(response.aiter_bytes())
        left = before
        async with asyncio.timeout(PATIENCE):
            while left == before:
                await asyncio.sleep(0.02)
                left = Decimal((await http.get("/api/account/billing/grants")).json()["data"]["total_available"])
        assert 0 < before - left < Decimal("0.05")  # in full it would be 0.5, and take 80 s
