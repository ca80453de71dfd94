"""What is refused once is tried otherwise, and what worked is remembered: the whole service, against gateways with a
peculiarity, in many questions."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bot.types import Chat, Turn
from tests.fakes.account import Life, Platform, living
from tests.fakes.clock import SimClock
from tests.fakes.gateways import (
    Peculiar,
    Rule,
    blind,
    claude,
    flagged,
    gemini,
    llama_cpp,
    no_system,
    pictures,
    renamed,
    served,
    sizes,
    too_long,
)

SETTINGS: dict[str, Any] = {"chat_model": "m1", "vision_model": "eye"}
NOTHING = {"error": {"message": "Bad Request", "type": "invalid_request_error"}}


@pytest.fixture
def platform(clock: SimClock) -> Platform:
    return Platform(clock, size=4000)


async def last(life: Life, id: str = "room") -> Turn:
    turn = await life.store.last_turn(Chat("one", "bot", id))
    assert turn is not None
    return turn


async def ask(life: Life, platform: Platform, count: int, id: str = "room") -> list[int]:
    """Short questions, each of which gets a whole answer. Returns how many calls the ledger has for each."""
    calls = []
    for number in range(count):
        said = await life.says(platform, id, f"Question {number}: and what then?")
        turn = await last(life, id)
        assert turn.outcome == "whole", (number, said)
        calls.append(len(await life.store.ledger(turn.id)))
    return calls


OVERFLOWS: dict[str, Rule] = {
    "llama.cpp": llama_cpp(2000),
    "Gemini": gemini(2000),
    "Claude": claude(3024),
    "no numbers": too_long(2000, 400, {"error": {"code": "1261", "message": "Prompt 超长"}}),
    "unknown words": too_long(2000, 400, NOTHING),
    "no words": too_long(2000, 400, b""),
    "422, unknown": too_long(2000, 422, {"detail": "no"}),
    "500, unknown": too_long(2000, 500, {"error": {"message": "something odd"}}),
    "an array, in Chinese": too_long(2000, 400, [{"error": {"message": "请求参数有误"}}]),
    "a string": too_long(2000, 400, "no way"),
    "numbers that are wrong": too_long(2000, 400, {"error": {"message": "maximum context length is 128000 tokens"}}),
    "a number that can't be": too_long(2000, 400, {"error": {"message": "maximum context length is 3 tokens"}}),
    "429, too large": too_long(
        2000,
        429,
        {"error": {"message": "Request too large: Limit 2000, Requested 2100.", "code": "rate_limit_exceeded"}},
    ),
}
LATIN, HAN, FIGURES = "x" * 420, "好" * 420, "12 34. " * 60


@pytest.mark.parametrize(
    ("kind", "answer"),
    [*((kind, LATIN) for kind in OVERFLOWS)]
    + [(kind, answer) for kind in ("llama.cpp", "unknown words") for answer in (HAN, FIGURES)],
)
async def test_a_context_that_is_full_costs_a_few_calls_once(
    clock: SimClock, tmp_path: Path, platform: Platform, kind: str, answer: str
) -> None:
    app = Peculiar(OVERFLOWS[kind], answer=answer)
    async with served(app) as url, living(clock, tmp_path, url, platform, **SETTINGS) as life:
        calls = await ask(life, platform, 10)
        assert calls[0] == 1
        assert max(calls) <= 5
        assert sum(calls) <= 10 + 5, calls
        assert calls[-1] == 1, calls
        answered = app.bodies[-3:]
        assert all(len(body["messages"]) > 3 for body in answered), "some of what was said is still there"
        assert min(sizes(answered)) > 300


async def test_a_size_that_was_learned_holds_after_a_restart_and_is_forgotten_in_time(
    clock: SimClock, tmp_path: Path, platform: Platform
) -> None:
    app = Peculiar(OVERFLOWS["unknown words"])
    async with served(app) as url:
        async with living(clock, tmp_path, url, platform, **SETTINGS) as life:
            await ask(life, platform, 9)
        before = app.refused
        async with living(clock, tmp_path, url, platform, **SETTINGS) as life:
            await ask(life, platform, 3)
            assert app.refused == before
            app.rules = app.rules[:1]  # it takes more now
            clock.seconds += 3 * 86_400
            await ask(life, platform, 6)
            assert sizes(app.bodies)[-1] > 2000


async def test_a_question_that_is_too_long_by_itself_is_told_so_and_teaches_nothing(
    clock: SimClock, tmp_path: Path, platform: Platform
) -> None:
    app = Peculiar(OVERFLOWS["no numbers"])
    async with served(app) as url, living(clock, tmp_path, url, platform, **SETTINGS) as life:
        await ask(life, platform, 2)
        said = await life.says(platform, "room", "word " * 700)
        assert "more than the model can take in" in said
        assert (await life.store.learned("peculiar")) == {}
        assert max(await ask(life, platform, 9)) <= 4


SYSTEMLESS: dict[str, Rule] = {
    "Google": no_system(
        400, [{"error": {"code": 400, "message": "Developer instruction is not enabled for models/g"}}]
    ),
    "vLLM": no_system(400, {"object": "error", "message": "System role not supported", "code": 400}),
    "alternating": no_system(400, {"message": "Conversation roles must alternate user/assistant/user/assistant/..."}),
    "llama.cpp": no_system(500, {"error": {"message": "Jinja Exception: System role not supported"}}),
    "unknown words": no_system(400, NOTHING),
    "no words": no_system(422, b""),
    "500, unknown": no_system(500, {"error": {"message": "template error"}}),
}


@pytest.mark.parametrize("kind", SYSTEMLESS)
async def test_a_model_without_a_system_role_reads_it_in_the_first_question(
    clock: SimClock, tmp_path: Path, platform: Platform, kind: str
) -> None:
    app = Peculiar(SYSTEMLESS[kind], answer="Fine.")
    async with served(app) as url:
        async with living(clock, tmp_path, url, platform, **SETTINGS) as life:
            calls = await ask(life, platform, 8)
            assert calls[0] <= 2
            assert calls[1:] == [1] * 7
            assert app.refused <= 5
            first = app.bodies[-1]["messages"][0]
            assert first["role"] == "user"
            assert first["content"].startswith("You are a helpful assistant")
            assert first["content"].endswith("Question 0: and what then?")
        refused = app.refused
        async with living(clock, tmp_path, url, platform, **SETTINGS) as life:
            assert await ask(life, platform, 2, "other") == [1, 1]
            assert app.refused == refused


async def test_no_system_role_and_a_small_context_in_words_that_nobody_knows(
    clock: SimClock, tmp_path: Path, platform: Platform
) -> None:
    app = Peculiar(SYSTEMLESS["unknown words"], OVERFLOWS["unknown words"])
    async with served(app) as url, living(clock, tmp_path, url, platform, **SETTINGS) as life:
        calls = await ask(life, platform, 12)
        assert max(calls) <= 4
        assert calls[-1] == 1


BLIND: dict[str, Rule] = {
    "Groq": blind("m1", 400, {"error": {"message": "messages[1].content must be a string"}}),
    "unknown words": blind("m1", 400, NOTHING),
    "no words": blind("m1", 400, b""),
    "500, unknown": blind("m1", 500, {"error": {"message": "list index"}}),
    "Zhipu": blind("m1", 400, {"error": {"code": "1214", "message": "messages.content 参数非法"}}),
}


@pytest.mark.parametrize("kind", BLIND)
async def test_a_model_that_takes_no_pictures_is_helped_by_one_that_does(
    clock: SimClock, tmp_path: Path, platform: Platform, kind: str
) -> None:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(out, "PNG")
    platform.files["cat"] = out.getvalue()
    app = Peculiar(BLIND[kind], answer="Fine.")
    async with served(app) as url, living(clock, tmp_path, url, platform, **SETTINGS) as life:
        await ask(life, platform, 2)
        for number in range(2):
            chat = Chat("one", "bot", "room")
            await clock.run(life.app.core.intake.accept(platform.says("What is it?", chat=chat, files=["cat"])))
            await life.quiet()
            assert "Answered by eye: m1 cannot see pictures." in platform.said("room")[-1], number
            if number == 0:
                refused, answered = app.refused, len(app.bodies)
        assert refused <= 6
        assert app.refused == refused, "from then on it is known"
        assert len(app.bodies) == answered + 1
        assert app.bodies[-1]["model"] == "eye"
        assert pictures(app.bodies[-1])
        assert await ask(life, platform, 8) == [1] * 8
        assert app.refused == refused


async def test_the_bound_of_an_answer_goes_by_its_other_name(
    clock: SimClock, tmp_path: Path, platform: Platform
) -> None:
    app = Peculiar(renamed, answer="Fine.")
    async with served(app) as url, living(clock, tmp_path, url, platform, **SETTINGS) as life:
        await life.says(platform, "room", "/set max_tokens 50")
        await ask(life, platform, 1)
        assert [body.get("max_completion_tokens") for body in app.bodies] == [None, 50]
        await ask(life, platform, 7)
        assert len(app.bodies) == 9
        assert all(body["max_completion_tokens"] == 50 and "max_tokens" not in body for body in app.bodies[1:])


@pytest.mark.parametrize("name", ["max_tokens", "temperature", "seed", "enable_search"])
async def test_what_nobody_has_set_is_never_named(
    clock: SimClock, tmp_path: Path, platform: Platform, name: str
) -> None:
    words = f"Unsupported parameter: '{name}' is not supported with this model."
    app = Peculiar(too_long(0, 400, {"error": {"message": words, "param": name}}))
    async with served(app) as url, living(clock, tmp_path, url, platform, **SETTINGS) as life:
        said = await life.says(platform, "room", "Hello?")
        assert name not in said
        assert "/unset" not in said


FLAGGED: dict[str, tuple[int, Any]] = {
    "OpenRouter": (403, {"error": {"code": 403, "message": 'm1 requires moderation. Your input was flagged for "x"'}}),
    "xAI": (403, {"code": "no permission", "error": "Content violates usage guidelines."}),
    "unknown words": (403, {"error": {"message": "Denied."}}),
    "no words": (403, b""),
    "as 401": (401, {"error": {"message": "This is not for you"}}),
    "too dear": (402, {"error": {"message": "You requested up to 4096 tokens, but can only afford 100."}}),
    "a region": (403, {"error": {"code": "unsupported_country_region_territory", "message": "not supported"}}),
    "a model": (403, {"error": {"message": "You are not allowed to use model m1"}}),
    "DeepSeek": (400, {"error": {"message": "Content Exists Risk"}}),
}


@pytest.mark.parametrize("kind", FLAGGED)
async def test_what_one_person_is_refused_is_nobody_elses_matter(
    clock: SimClock, tmp_path: Path, platform: Platform, kind: str
) -> None:
    app = Peculiar(flagged("bomb", *FLAGGED[kind]), answer="Fine.")
    more = SETTINGS | {"alert_chats": "one:ops"}
    async with served(app) as url, living(clock, tmp_path, url, platform, **more) as life:
        await ask(life, platform, 1, "b")
        for _ in range(4):
            said = await life.says(platform, "a", "bomb")
            assert "CHAT_API_KEY" not in said
            assert "account of the model's service is empty" not in said
            assert await ask(life, platform, 1, "b") == [1]
            clock.seconds += 20
        assert await ask(life, platform, 8, "a") == [1] * 8
        await life.tick()
        assert platform.said("ops") == []
        words = [message["content"] for body in app.bodies for message in body["messages"]]
        assert words.count("Say ok.") <= 4
        assert len(app.bodies) <= 1 + 4 * 3 + 8


async def test_a_key_that_is_truly_gone_is_told_to_everybody_and_the_admins(
    clock: SimClock, tmp_path: Path, platform: Platform
) -> None:
    app = Peculiar(answer="Fine.")
    more = SETTINGS | {"alert_chats": "one:ops"}
    async with served(app) as url, living(clock, tmp_path, url, platform, **more) as life:
        await ask(life, platform, 1)
        words = "API key not valid. Please pass a valid API key."  # Gemini
        app.rules.append(too_long(0, 400, [{"error": {"code": 400, "message": words, "status": "INVALID_ARGUMENT"}}]))
        clock.seconds += 60
        for number in range(8):
            assert "CHAT_API_KEY" in await life.says(platform, f"room-{number}", "Hello?")
        assert len(app.bodies) == 3, "the question, one of our own, and no more"
        await life.tick()
        assert len(platform.said("ops")) == 1
        assert "rejects our key" in platform.said("ops")[0]
