"""Where the chat API is, from the settings; and the sandbox in its place."""

from __future__ import annotations

import httpx
import pytest
from pydantic import SecretStr

from bot.errors import SettingError
from bot.gateways.gateway import make_gateway, sandboxed
from bot.service.config import GatewayTable, Settings, Toml
from tests.fakes.clock import PATIENCE


def settings(**more: object) -> Settings:
    return Settings.model_construct(**{"chat_api_key": SecretStr("sk-1234567"), **more})  # type: ignore[arg-type]


def test_the_profile_is_guessed_and_names_the_gateway() -> None:
    gateway = make_gateway(settings(), Toml())
    assert (gateway.name, gateway.profile.name, gateway.url) == ("wcode", "wcode", "https://wcode.net/api/gpt/v1")


def test_another_gateway_goes_by_its_host() -> None:
    gateway = make_gateway(settings(chat_api_url="llm.example.org/v1/chat/completions"), Toml())
    assert (gateway.name, gateway.url) == ("llm.example.org", "https://llm.example.org/v1")


def test_a_profile_can_be_named() -> None:
    gateway = make_gateway(settings(chat_api_url="https://llm.example.org/v1", chat_api_profile="dashscope"), Toml())
    assert gateway.profile.name == "dashscope"


def test_extra_body_comes_along() -> None:
    gateway = make_gateway(settings(), Toml(GatewayTable({"top_k": 5})))
    assert gateway.extra_body["top_k"] == 5


@pytest.mark.parametrize("key", [None, SecretStr(""), SecretStr("  ")])
def test_no_key_says_where_to_get_one(key: SecretStr | None) -> None:
    with pytest.raises(SettingError, match="CHAT_API_KEY") as caught:
        make_gateway(settings(chat_api_key=key), Toml())
    assert "https://wcode.net/get-apikey" in str(caught.value)


async def test_the_sandbox_is_a_gateway_like_any_other() -> None:
    async with sandboxed() as overrides:
        gateway = make_gateway(settings(**overrides), Toml())
        assert gateway.profile.name == "sandbox"
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as http:
            headers = {"authorization": f"Bearer {gateway.key}"}
            listed = (await http.get(f"{gateway.url}/models", headers=headers)).json()
    assert "qwen-plus" in str(listed)
