"""A Slack workspace on the loopback interface (aiohttp; asyncio), which refuses what the real one refuses.

    async with FakeSlack() as slack:            # slack.url, .token, .app_token, .signing_secret: the settings
        ann = slack.private("Ann")              # or slack.channel(...): what people do is done in a Room
        asked = ann.write("Hello!")             # in a channel: room.mention("Hello!"); thread=asked, files=[...]
        await slack.until(lambda: slack.shown(ann, asked))     # what people see
        slack.history(ann, asked)                              # every version of it, with its time

Events go to any of the app's sockets; with `slack.pushes.url` set (or `await slack.pushes.verify(url)`) they are pushed
there. They wait while nobody listens; `slack.deliveries` knows of each what became of it, and its `retries` may be
shorter than a minute. Time is that of the clock handed in. `slack.fail(method, n, how)` scripts what goes wrong,
`slack.at` is told of each call's moments, `slack.calls` has them all, `slack.floods` counts those that came too fast.

Its facts are docs.slack.dev's, slack_sdk's, and those of the issues named; each refusal names its own. Where it is
stricter than the real one, or a word is not documented, it says so.
"""

from tests.fakes.slack.deliveries import Delivery
from tests.fakes.slack.fake import FakeSlack
from tests.fakes.slack.limits import Limits
from tests.fakes.slack.people import Room
from tests.fakes.slack.places import Post, Shown, User, Version
from tests.fakes.slack.pushes import signed
from tests.fakes.slack.server import Call

__all__ = ["Call", "Delivery", "FakeSlack", "Limits", "Post", "Room", "Shown", "User", "Version", "signed"]
