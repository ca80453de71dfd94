"""A Bot API server on the loopback interface (aiohttp; asyncio), which refuses what the real one refuses.

    async with FakeTelegram() as tg:
        ann = tg.private("Ann")
        ann.write("Hello!")                    # what people do
        await tg.until(lambda: tg.shown(ann))  # what people see

What it knows is what the Bot API's own text says, and what its server (tdlib/telegram-bot-api) answers; each refusal
names its method or rule. Where it is stricter than the real one, it says so.
"""

from tests.fakes.telegram.chats import Post, Shown, Topic, User, Version
from tests.fakes.telegram.entities import part, units
from tests.fakes.telegram.fake import FakeTelegram
from tests.fakes.telegram.limits import Limits
from tests.fakes.telegram.media import picture
from tests.fakes.telegram.people import Room, text_mention
from tests.fakes.telegram.server import Call

__all__ = [
    "Call",
    "FakeTelegram",
    "Limits",
    "Post",
    "Room",
    "Shown",
    "Topic",
    "User",
    "Version",
    "part",
    "picture",
    "text_mention",
    "units",
]
