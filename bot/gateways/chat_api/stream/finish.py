"""Finish reasons: why an answer ended: the reasons of each vendor, as ours.

A reason that is not here is logged once; with a proper end of the stream the answer is whole.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from bot.types import Finish, Json

__all__ = ["known", "reason"]

log = logging.getLogger(__name__)

# as of 2026-11-28, from the vendors' own references; "-" and blanks count as "_", and no case
_REASONS: Mapping[Finish, str] = {
    # OpenAI, DashScope, DeepSeek, Ollama, llama.cpp: stop. Text Generation Inference, watsonx: eos_token. Together: eos
    # Anthropic, xAI: end_turn, stop_sequence. Cohere: complete. Baidu: normal. Others: the rest
    Finish.WHOLE: "stop stop_sequence stop_sequences stopped stop_word end_turn end eos eos_token end_of_text complete "
    "completed finish finished done success succeeded normal limit_stop stop_token",
    # Anthropic: max_tokens, model_context_window_exceeded. Mistral: model_length. Responses API: max_output_tokens
    # watsonx: token_limit, time_limit. Cohere: error_limit
    Finish.LENGTH: "length max_tokens max_length model_length max_output_tokens max_new_tokens max_completion_tokens "
    "token_limit tokens_limit limit error_limit max_tokens_exceeded context_length context_length_exceeded "
    "context_window_exceeded model_context_window_exceeded truncated",
    # Azure: content_filter. Zhipu, Hunyuan: sensitive. Gemini: safety … image_safety. Anthropic: refusal
    # Bedrock: guardrail_intervened, content_filtered. Cohere: error_toxic
    Finish.FILTER: "content_filter content_filtered sensitive safety recitation blocklist prohibited_content spii "
    "image_safety image_prohibited_content language refusal guardrail_intervened error_toxic blocked moderation",
    # Anthropic: tool_use, pause_turn. Gemini: malformed_function_call, unexpected_tool_call. Cohere: tool_call
    Finish.TOOL: "tool_calls tool_call tool_use function_call function_calls malformed_function_call "
    "unexpected_tool_call too_many_tool_calls pause_turn",
    # DeepSeek: insufficient_system_resource. Zhipu: network_error. vLLM: abort. watsonx, Cohere: cancelled, user_cancel
    # OpenRouter, Mistral: error. Gemini: other
    Finish.CUT: "error other abort aborted cancelled canceled user_cancel timeout network_error server_error failed "
    "insufficient_system_resource interrupted incomplete repetition_truncation",
}
_FINISH = {word: finish for finish, words in _REASONS.items() for word in words.split()}
_NONE = {"", "null", "none", "not_finished", "unspecified", "in_progress"}
_told: set[str] = set()  # unknown ones that were logged
_MOST_TOLD = 100


def reason(value: Json) -> str:
    """The reason in one spelling; "" for none. "null" is how DashScope writes null; SGLang has {"type": "stop"}."""
    if isinstance(value, dict):
        value = value.get("type") or value.get("reason")
    if not isinstance(value, str):
        return ""
    word = re.sub(r"[\s\-]+", "_", value.strip().lower())[:60].removeprefix("finish_reason_")
    return "" if word in _NONE else word


def known(word: str) -> Finish | None:
    """What a reason means; None, and a line in the log, if nobody knows."""
    found = _FINISH.get(word)
    if found is None and word not in _told and len(_told) < _MOST_TOLD:
        _told.add(word)
        log.warning("a reason for the end of an answer that is in no list: %r", word)
    return found
