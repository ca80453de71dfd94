"""Retry policy: what can be done about a refusal: leave something out, clamp it, or say it otherwise; and remember
that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.errors import BadParameter, GatewayError, TooLong
from bot.gateways.capabilities import CapabilityCache
from bot.gateways.chat_api.amounts import LEAST
from bot.gateways.chat_api.check import cannot
from bot.gateways.profiles import Profile
from bot.types import FramesPart, ImagePart, Json, ModelRequest, Supposition, VideoPart

__all__ = ["learn", "meant", "remedied", "spoken"]

_LENGTHS = ("max_tokens", "max_completion_tokens")


async def remedied(
    error: BadParameter, request: ModelRequest, profile: Profile, learned: CapabilityCache
) -> ModelRequest | None:
    """The request to try instead, or None. What was learned is kept."""
    match error.name:
        case "stream_options":
            await learned.note("stream_options", False)
            return request
        case "enable_search" if "enable_search" in request.parameters:
            await learned.told(f"{request.model}/search", False)
            return replace(request, parameters=_without(request.parameters, "enable_search"))
        case "enable_thinking" if "enable_thinking" in request.parameters:
            await learned.told(f"{request.model}/thinking", False)
            return replace(request, parameters=_without(request.parameters, "enable_thinking"))
        case "system" | "messages" if any(message.role == "system" for message in request.messages):
            return _supposing(request, "system", False)
        case "max_completion_tokens" if "max_tokens" in request.parameters:
            return _renamed_length(request, learned)
        case "max_tokens" if "max_tokens" in request.parameters:
            return await _clamped(error.limit, request, learned)
        case "translation_options" if request.translation is not None:
            return await _renamed(request, profile, learned)
        case _:
            return None


async def learn(error: GatewayError, request: ModelRequest, learned: CapabilityCache) -> None:
    """Keep what a refusal tells for the next time. Raises InvalidRequest where the model lacks an ability."""
    if isinstance(error, TooLong) and error.limit is not None:
        await learned.told(f"{request.model}/context", error.limit)
    if isinstance(error, BadParameter) and error.name in ("image", "video"):
        ability = _ability(request)
        if ability is not None:
            await learned.told(f"{request.model}/{ability}", False)
            raise cannot(ability, request.model) from error


def meant(error: GatewayError, request: ModelRequest, extra: Mapping[str, Json]) -> GatewayError:
    """The error in words that are true of this request: what nobody has set is nothing that anybody could change.
    `extra`: fields that the operator adds to each request."""
    if not isinstance(error, BadParameter) or error.name in request.parameters:
        return error
    if error.name == "translation_options" and request.translation is not None:
        return error
    if error.name == "max_completion_tokens" and "max_tokens" in request.parameters:
        return BadParameter("max_tokens", limit=error.limit, status=error.status, detail=error.detail)
    if error.name in extra:
        return GatewayError(
            "The model's service does not take {name}, which the settings of this bot add to each request. "
            "The admin has to take it out.",
            status=error.status,
            detail=error.detail,
            name=error.name,
        )
    if error.name in _LENGTHS:  # the answer it would give by itself has no room beside the prompt
        return TooLong(status=error.status, detail=error.detail)
    return GatewayError(status=error.status, detail=error.detail, vague=True)


def spoken(request: ModelRequest, learned: CapabilityCache) -> ModelRequest:
    """The request with languages named as this gateway is known to name them."""
    wanted = request.translation
    if wanted is None:
        return request
    source, target = (_name(each, learned) for each in (wanted.source, wanted.target))
    return replace(request, translation=replace(wanted, source=source, target=target or wanted.target))


def _name(language: str | None, learned: CapabilityCache) -> str | None:
    known = learned.get(f"language/{language}")
    return known if isinstance(known, str) else language


async def _clamped(limit: int | None, request: ModelRequest, learned: CapabilityCache) -> ModelRequest | None:
    """Never left out in silence: somebody wants answers to be that short."""
    asked = request.parameters["max_tokens"]
    if limit is None or limit < 1 or not isinstance(asked, int) or asked <= limit:
        return _renamed_length(request, learned)
    if limit >= LEAST:
        await learned.told(f"{request.model}/max_output", limit)
    return replace(request, parameters={**request.parameters, "max_tokens": limit})


def _renamed_length(request: ModelRequest, learned: CapabilityCache) -> ModelRequest:
    """The same bound under the name that it hasn't had."""
    known = learned.get(f"{request.model}/max_completion_tokens", request) is True
    return _supposing(request, "max_completion_tokens", not known)


def _supposing(request: ModelRequest, fact: str, value: Json) -> ModelRequest:
    return replace(request, supposed=(Supposition(f"{request.model}/{fact}", value), *request.supposed))


async def _renamed(request: ModelRequest, profile: Profile, learned: CapabilityCache) -> ModelRequest | None:
    wanted = request.translation
    asked = (wanted.source or "", wanted.target) if wanted else ()
    others = {name: profile.languages[name] for name in asked if name in profile.languages}
    for name, other in others.items():
        await learned.note(f"language/{name}", other)
    return spoken(request, learned) if others else None


def _ability(request: ModelRequest) -> str | None:
    """None: there is nothing to see in the request, so it can't be about that."""
    kinds = {
        type(part) for message in request.messages if not isinstance(message.content, str) for part in message.content
    }
    if VideoPart in kinds:
        return "video"
    if FramesPart in kinds:
        return "frames"
    return "image" if ImagePart in kinds else None


def _without(parameters: Mapping[str, Json], name: str) -> dict[str, Json]:
    return {key: value for key, value in parameters.items() if key != name}
