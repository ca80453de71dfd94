"""The accounts that tests work for."""

OURS = (
    "fake/bot",
    "fake/bot2",
    "fake/another",
    "one/bot",
    "two/bot",
    "p/a",
    "p/b",
    "slack/T1",
    "telegram/1",
    "web/a%25b",
    "web/local",
    "other/local",
)
