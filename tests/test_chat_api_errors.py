"""What gateways say instead of an answer: every message of the catalogue, every shape, and anything at all."""

from __future__ import annotations

import json
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import (
    BadKey,
    BadParameter,
    Blocked,
    GatewayError,
    NoMoney,
    RateLimited,
    TooLong,
    UnknownModel,
    Upstream,
)
from bot.gateways.chat_api.errors import classify, is_error, redact, retry_after
from bot.types import Json

KEY = "sk-0123456789abcdefABCDEF"


def openai(message: str, code: object = None, type: object = None, **more: object) -> dict[str, Any]:
    return {"error": {"message": message, "type": type, "param": None, "code": code, **more}}


CATALOGUE: list[tuple[int, Any, type[GatewayError]]] = [
    (401, openai("Invalid API-KEY", type="invalid_request_error"), BadKey),
    (200, openai("Invalid API-KEY", type="invalid_request_error"), BadKey),
    (400, openai("Incorrect API_KEY provided. You can find your API_KEY at ..."), BadKey),
    (401, openai("Incorrect API key provided: sk-abc***xyz.", "invalid_api_key"), BadKey),
    (401, openai("无效的令牌 (request id: 2024)", type="one_api_error"), BadKey),
    (400, openai("No API_KEY provided, please check the Authorization header"), BadKey),
    (401, {"code": "InvalidApiKey", "message": "Invalid API-key provided.", "request_id": "r"}, BadKey),
    (401, {"success": False, "message": "未提供令牌"}, BadKey),
    (401, openai("No auth credentials found", 401), BadKey),
    (400, openai("API_KEY exceeded the current quota, please check your plan and billing details"), NoMoney),
    (200, openai("API_KEY exceeded the current quota, please check your plan and billing details"), NoMoney),
    (403, openai("用户额度不足, 剩余额度: ¥0.00", "insufficient_user_quota", "new_api_error"), NoMoney),
    (401, openai("该令牌额度已用尽 !token.UnlimitedQuota && token.RemainQuota = 0", type="one_api_error"), NoMoney),
    (400, {"code": "Arrearage", "message": "Access denied, your account is in overdue status."}, NoMoney),
    (402, openai("Insufficient Balance", "invalid_request_error"), NoMoney),
    (402, openai("This request requires more credits", 402), NoMoney),
    (429, openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), NoMoney),
    (402, "", NoMoney),
    (429, openai("Requests rate limit exceeded, please try again later.", "limit_requests"), RateLimited),
    (429, {"code": "Throttling.RateQuota", "message": "Requests rate limit exceeded"}, RateLimited),
    (429, openai("You exceeded your current requests list."), RateLimited),
    (429, openai("Request rate increased too quickly."), RateLimited),
    (429, openai("当前分组上游负载已饱和，请稍后再试", type="new_api_error"), RateLimited),
    (200, openai("Rate limit exceeded, please try again later or reduce your request frequency"), RateLimited),
    (429, {"code": "Throttling.AllocationQuota", "message": "Allocated quota exceeded"}, RateLimited),
    (429, openai("You exceeded your current quota, please check your plan and billing details."), RateLimited),
    (403, openai("You exceeded your current quota"), NoMoney),
    (429, "", RateLimited),
    (503, openai("The server is overloaded", "overloaded_error"), RateLimited),
    (
        400,
        {
            "error": {
                "code": "data_inspection_failed",
                "param": None,
                "message": "Input data may contain inappropriate content.",
                "type": "data_inspection_failed",
            },
            "id": "c",
            "request_id": "r",
        },
        Blocked,
    ),
    (400, {"code": "DataInspectionFailed", "message": "Output data may contain inappropriate content."}, Blocked),
    (500, openai("sensitive words detected", "sensitive_words_detected"), Blocked),
    (400, openai("blocked", "prompt_blocked"), Blocked),
    (400, openai("The response was filtered", "content_filter"), Blocked),
    (400, openai("输入内容包含敏感信息"), Blocked),
    (400, openai("Range of input length should be [1, 30720]", "invalid_parameter_error"), TooLong),
    (400, openai("This model's maximum context length is 8192 tokens. However", "context_length_exceeded"), TooLong),
    (400, openai("The request body (or file) is too large"), TooLong),
    (400, openai("输入内容过长"), TooLong),
    (413, "<html>413 Request Entity Too Large</html>", TooLong),
    (404, openai("The model `qwen-9` does not exist", "model_not_found"), UnknownModel),
    (404, openai("The model `qwen-9` does not exist or you do not have access to it."), UnknownModel),
    (503, openai("当前分组 default 下对于模型 qwen-9 无可用渠道", "model_not_found"), UnknownModel),
    (503, openai("No available channel for model qwen-9", type="new_api_error"), UnknownModel),
    (503, openai("no key is left", "channel:no_available_key"), UnknownModel),
    (400, openai("Model Not Exist", "invalid_request_error"), UnknownModel),
    (400, openai("qwen-9 is not a valid model ID", 400), UnknownModel),
    (403, {"code": "Model.AccessDenied", "message": "Model access denied."}, UnknownModel),
    (500, openai("bad response", "bad_response_status_code"), Upstream),
    (200, openai("empty response", "empty_response"), Upstream),
    (502, "<html><body>502 Bad Gateway</body></html>", Upstream),
    (504, b"", Upstream),
    (500, "upstream connect error", Upstream),
    (403, "<!DOCTYPE html><title>Just a moment...</title>", Upstream),
    (503, "<html>Rate limit exceeded? Invalid API key?</html>", Upstream),
    (408, "", Upstream),
    (401, "", BadKey),
]


@pytest.mark.parametrize(("status", "body", "kind"), CATALOGUE)
def test_the_catalogue(status: int, body: Any, kind: type[GatewayError]) -> None:
    error = classify(status, {}, body, model="qwen-9")
    assert type(error) is kind
    as_bytes = (
        body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    )
    assert type(classify(status, {}, as_bytes)) is kind
    if isinstance(body, dict):
        text = json.dumps(body, indent=2, ensure_ascii=False)
        assert type(classify(status, {}, text)) is kind
        assert error.detail


KNOWN = [
    json.loads(line) for line in (Path(__file__).parent / "data" / "refusals.jsonl").read_text("utf-8").splitlines()
]


@pytest.mark.parametrize("case", KNOWN, ids=lambda case: f"{case['source']}-{case['wanted']}")
def test_what_was_met_elsewhere(case: dict[str, Any]) -> None:
    """`source` is whose words these are, by their documentation or as people have reported them."""
    kind, _, name = case["wanted"].partition(":")
    for body in (case["body"], json.dumps(case["body"]), json.dumps(case["body"], ensure_ascii=False).encode()):
        error = classify(case["status"], {}, body, model="m1")
        assert (type(error).__name__, getattr(error, "name", "")) == (kind, name)
        assert "after" not in case or getattr(error, "after", None) == case["after"]
        assert case.get("says", "") in str(error)


@pytest.mark.parametrize(
    ("message", "limit", "sent"),
    [
        ("the request exceeds the available context size (2000 tokens)", 2000, None),
        ("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", 1048576, 1200000),
        ("maximum context length is 4096 tokens. However, you requested 5000 tokens (4000 in the messages", 4096, 4000),
        ("Prompt contains 65673 tokens, too large for model with 32768 maximum context length", 32768, 65673),
        ("maximum prompt length is 131072 but the request contains 200000 tokens", 131072, 200000),
        ("length of prompt_tokens (33000) must be less than max_seq_len (32768).", 32768, 33000),
        ("Requested token count exceeds the model's maximum context length of 8192 tokens", 8192, None),
    ],
)
def test_how_much_was_sent_and_how_much_is_taken(message: str, limit: int, sent: int | None) -> None:
    error = classify(400, {}, openai(message))
    assert isinstance(error, TooLong)
    assert (error.limit, error.sent) == (limit, sent)


def test_numbers_in_fields_of_their_own() -> None:
    """llama.cpp: tools/server, error of type exceed_context_size_error."""
    error = classify(400, {}, openai("too big", type="exceed_context_size_error", n_prompt_tokens=9000, n_ctx=4096))
    assert isinstance(error, TooLong)
    assert (error.limit, error.sent) == (4096, 9000)


@pytest.mark.parametrize(
    "message",
    [
        "Number of request tokens has exceeded your per-minute rate limit",
        "This request would exceed your organization's rate limit of 40,000 input tokens per minute",
        "Rate limit reached on tokens per min (TPM): Limit 30000, Used 29500, Requested 1200",
    ],
)
def test_a_minutes_tokens_are_not_a_context(message: str) -> None:
    assert isinstance(classify(429, {}, openai(message)), RateLimited)


def test_only_what_says_nothing_known_is_vague() -> None:
    for status, body in ((400, openai("Something odd")), (422, ""), (500, openai("no idea")), (400, "x")):
        assert classify(status, {}, body).vague
    for status, body in (
        (500, ""),
        (500, "<html>"),
        (502, openai("no idea")),
        (400, openai("context length exceeded")),
    ):
        assert not classify(status, {}, body).vague
    assert not classify(200, {}, openai("no idea")).vague


def test_a_long_wait_is_told_as_long_as_it_is() -> None:
    for after, words in ((20, "in a minute"), (432, "about 7 minutes"), (43_200, "about 12 hours")):
        assert words in str(classify(429, {"Retry-After": str(after)}, ""))


@pytest.mark.parametrize(
    ("status", "message", "name", "limit"),
    [
        (400, "This model only support stream mode, please enable the stream parameter", "stream", None),
        (400, "This model does not support enable_search.", "enable_search", None),
        (400, "该模型不支持联网搜索", "enable_search", None),
        (400, "This model does not support enable_thinking.", "enable_thinking", None),
        (400, "parameter.enable_thinking must be set to false for non-streaming calls", "enable_thinking", None),
        (400, "The value of the enable_thinking parameter is restricted to True.", "enable_thinking", None),
        (400, "Range of max_tokens should be [1, 8192]", "max_tokens", 8192),
        (400, "max_tokens is too large: 90000. This model supports at most 4096 completion tokens", "max_tokens", 4096),
        (400, "Unrecognized request argument supplied: stream_options", "stream_options", None),
        (422, "stream_options: Extra inputs are not permitted", "stream_options", None),
        (400, "User and assistant need to appear alternately in the conversation", "messages", None),
        (400, "Role must be in [user, assistant].", "messages", None),
        (400, "暂时不支持当前设置的语种!", "translation_options", None),
        (400, "Current language settings are not supported!", "translation_options", None),
        (400, "This model does not support image input", "image", None),
        (400, "Failed to deserialize: unknown variant `image_url`, expected `text`", "image", None),
        (404, "No endpoints found that support image input", "image", None),
        (400, "该模型不支持图片", "image", None),
        (400, "This model does not support video input", "video", None),
        (400, "Temperature should be in [0.0, 2.0)", "temperature", None),
        (400, "'top_p' must be less than or equal to 1", "top_p", None),
        (400, "Range of seed should be [0, 2147483647]", "seed", 2147483647),
    ],
)
def test_parameters(status: int, message: str, name: str, limit: int | None) -> None:
    error = classify(status, {}, openai(message, "invalid_parameter_error", "invalid_request_error"))
    assert isinstance(error, BadParameter)
    assert (error.name, error.limit) == (name, limit)


def test_a_parameter_by_its_field() -> None:
    body = {"error": {"message": "Invalid value", "param": "logprobs", "code": "invalid_value"}}
    error = classify(400, {}, body)
    assert isinstance(error, BadParameter)
    assert error.name == "logprobs"


@pytest.mark.parametrize(
    ("message", "limit"),
    [
        ("Range of input length should be [1, 30720]", 30720),
        ("This model's maximum context length is 8192 tokens. However, you requested 9000 tokens", 8192),
        ("prompt is too long: 9000 tokens > 8000 maximum", 8000),
        ("input length and `max_tokens` exceed context limit: 7000 + 1024 > 8000", 6976),
        ("context length exceeded by 4 tokens", None),
        ("invalid params, context window exceeds limit (2013)", None),
        ("This model's maximum context length is 5 tokens", None),
        ("Range of input length should be [1, " + "9" * 5000 + "]", None),
    ],
)
def test_limits(message: str, limit: int | None) -> None:
    error = classify(400, {}, openai(message))
    assert isinstance(error, TooLong)
    assert error.limit == limit


SHAPES: list[Any] = [
    {"error": {"message": "Invalid API-KEY"}},
    {"error": "Invalid API-KEY"},
    {"message": "Invalid API-KEY"},
    {"msg": "Invalid API-KEY"},
    {"err": "Invalid API-KEY"},
    {"error_msg": "Invalid API-KEY"},
    {"header": {"message": "Invalid API-KEY", "code": 10005}},
    {"response": {"error": {"message": "Invalid API-KEY"}}},
    {"code": "InvalidApiKey", "message": "Invalid API-KEY", "request_id": "r"},
    {"success": False, "message": "Invalid API-KEY"},
    {"object": "error", "message": "Invalid API-KEY", "code": 40101},
    {"detail": "Invalid API-KEY"},
    {"detail": [{"loc": ["header"], "msg": "Invalid API-KEY"}]},
    {"error": {"message": "Provider returned error", "metadata": {"raw": "Invalid API-KEY"}}},
    {"error": {"error": {"message": "Invalid API-KEY"}}},
    {"errors": [{"message": "Invalid API-KEY"}]},
    [{"error": {"message": "Invalid API-KEY"}}],
    "Invalid API-KEY",
]


@pytest.mark.parametrize("body", SHAPES)
def test_shapes(body: Any) -> None:
    error = classify(400, {}, json.dumps(body))
    assert isinstance(error, BadKey)
    assert "Invalid API-KEY" in error.detail


@pytest.mark.parametrize("code", ["invalid_api_key", 401, None])
def test_codes_of_any_kind(code: object) -> None:
    assert isinstance(classify(401, {}, openai("nope", code)), BadKey)
    assert isinstance(classify(200, {}, openai("nope", 401)), BadKey), "the body's code, where HTTP says all is well"
    assert isinstance(classify(200, {}, openai("nope", "429")), RateLimited)


def test_no_chat_api_there() -> None:
    for status, body in ((200, "<html><body>Welcome</body></html>"), (404, "Not Found"), (301, ""), (405, "")):
        error = classify(status, {}, body)
        assert type(error) is GatewayError
        assert "CHAT_API_URL" in str(error)


ODD_404 = (
    openai("Requested entity was not found.", 404),
    {"code": 404, "msg": "资源不存在"},
    {"message": "Gone fishing"},
)
PATHS_404 = (
    *({"detail": "Not Found"}, {"error": "not found"}, openai("Invalid URL (POST /v1/chat/completion)")),
    *(
        {"message": "no Route matched with those values"},
        "404 page not found",
        "<html>404</html>",
        "",
        "Cannot POST /v1",
    ),
)


@pytest.mark.parametrize("body", ODD_404)
def test_an_unknown_404_of_a_service_is_about_the_model_or_the_address(body: Any) -> None:
    error = classify(404, {}, body, model="m1")
    assert "knows no model m1" in str(error)
    assert "CHAT_API_URL" in str(error)
    assert type(classify(404, {}, body, model="m1", answered=True)) is UnknownModel


@pytest.mark.parametrize("body", PATHS_404)
def test_a_404_about_a_path_is_about_the_address_unless_it_has_answered(body: Any) -> None:
    assert "there is no chat API" in str(classify(404, {}, body, model="m1"))
    assert type(classify(404, {}, body, model="m1", answered=True)) is Upstream


def test_what_nobody_knows_stays_general() -> None:
    error = classify(400, {}, openai("Something odd"))
    assert type(error) is GatewayError
    assert (error.status, str(error)) == (400, GatewayError.vague_text)


def test_a_picture_that_could_not_be_loaded_is_not_blocked_content() -> None:
    for message in (
        "Download the media resource timed out during the data inspection process.",
        "Failed to download multimodal content",
        "Multimodal file size is too large",
    ):
        error = classify(400, {}, openai(message, "invalid_parameter_error"))
        assert type(error) is GatewayError
        assert "picture" in str(error)


def test_the_model_that_was_asked_for_is_named() -> None:
    assert "qwen-9" in str(classify(404, {}, openai("", "model_not_found"), model="qwen-9"))


# ── waiting ─────────────────────────────────────────────────────────────────────────────────────────────────────────

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"RETRY-AFTER": formatdate(NOW + 90, usegmt=True)}, 90.0),
        ({"Retry-After": formatdate(NOW - 90, usegmt=True)}, 0.0),
        ({"Retry-After": formatdate(NOW + 5, usegmt=True), "Date": formatdate(NOW + 2, usegmt=True)}, 3.0),
        ({"Retry-After-Ms": "1500"}, 1.5),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "1e99"}, 86_400.0),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Mon, 99 Foo 2026"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=NOW) == seconds


def test_waiting_by_header_words_or_nature() -> None:
    def after(message: str, headers: dict[str, str]) -> float | None:
        error = classify(429, headers, openai(message))
        assert isinstance(error, RateLimited)
        return error.after

    assert after("Rate limit exceeded", {"Retry-After": "7"}) == 7
    assert after("Rate limit exceeded, please try again in 20s.", {}) == 20
    assert after("Rate limit exceeded, please try again in 250ms.", {}) == 0.25
    assert after("Rate limit exceeded, retry after 2 min", {}) == 120
    assert after("Please try again in 7m12s.", {}) == 432
    assert after("Please retry in 1h2m3.5s", {}) == 3723.5
    assert after("请求过于频繁，请 30 秒后重试", {}) == 30
    assert after("请在2分钟后再试", {}) == 120
    assert after("Allocated quota exceeded", {}) == 60
    assert after("Rate limit exceeded", {}) is None


# ── secrets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect API key provided: {KEY}.",
        f"Authorization: Bearer {KEY}",
        f'{{"authorization": "Bearer {KEY}"}}',
        f"authorization=bearer {KEY}",
        f'api_key="{KEY}"',
        "with Bearer 0123456789abcdef it fails",
        f"https://a.example/?access_token={KEY}&x=1",
    ],
)
def test_keys_are_taken_out_even_unknown_ones(text: str) -> None:
    assert "0123456789" not in redact(text)
    assert "***" in redact(text)
    assert "0123456789" not in classify(401, {}, text).detail


@given(
    st.text("abcXYZ0189/+_-=", min_size=8, max_size=40),
    st.text(max_size=30),
    st.text(max_size=30),
    st.sampled_from([400, 401, 200, 500]),
)
def test_our_own_key_never_stands_in_the_detail(key: str, before: str, after: str, status: int) -> None:
    for body in (f"{before}{key}{after}", json.dumps(openai(before + key + after)), {"error": {key: key, "code": key}}):
        assert key not in classify(status, {}, body, secrets=(key,)).detail


def test_a_key_at_the_place_where_the_detail_is_cut() -> None:
    secret = "topsecretvalue1234"
    for fill in range(480, 520):
        assert "topsecret" not in classify(400, {}, "x" * fill + " " + secret, secrets=(secret,)).detail


def test_pictures_are_not_logged() -> None:
    assert redact("bad url data:image/png;base64," + "QUJD" * 100) == "bad url data:image/png;base64,***"


# ── anything at all ─────────────────────────────────────────────────────────────────────────────────────────────────

JSON: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=4)
            | st.sampled_from(["error", "message", "code", "type", "param", "header", "response", "detail", "choices"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)
HEADERS = st.dictionaries(st.text(max_size=5) | st.just("Retry-After"), st.text(max_size=20), max_size=3)


@given(st.integers(-1, 999), HEADERS, st.binary() | st.text() | JSON)
def test_classify_is_total(status: int, headers: dict[str, str], body: Any) -> None:
    error = classify(status, headers, body, secrets=(KEY,))
    assert isinstance(error, GatewayError)
    assert len(error.detail) <= 500
    assert str(error)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"error":' * 5000, b"\xff" * 1000, b"x" * 3_000_000, "\ud83d"])
def test_classify_stands_monsters(body: Any) -> None:
    assert isinstance(classify(400, {}, body), GatewayError)


# ── error or answer? ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if isinstance(shape, dict)])
def test_errors_are_told_from_answers(shape: dict[str, Any]) -> None:
    assert is_error(shape)


@pytest.mark.parametrize(
    "payload",
    [
        {"choices": []},
        {"choices": [], "usage": {"prompt_tokens": 1}},
        {"choices": [{"delta": {"content": "error"}}]},
        {"choices": [{"delta": {"content": "a"}}], "error": None},
        {"choices": [{"delta": {"content": "a"}}], "error": {"message": "a warning"}},
        {"choices": [{"delta": {"content": "a"}}], "message": "ok", "code": 0},
        {"output": {"text": "a"}, "message": "", "code": ""},
        {"id": "c1", "object": "chat.completion.chunk"},
        {"usage": {"prompt_tokens": 1}},
        {},
    ],
)
def test_answers_are_not_taken_for_errors(payload: dict[str, Any]) -> None:
    assert not is_error(payload)


def test_errors_beside_choices() -> None:
    assert is_error({"choices": [{"delta": {"content": ""}, "finish_reason": "error"}], "error": {"code": 502}})
    assert is_error({"choices": [], "error": {"message": "x"}})
    assert is_error({"code": "X"}, event="error")
