"""What a message may have beside its text, as the composer and apps make it: forwards, cells, alerts, previews."""

from __future__ import annotations

from collections.abc import Sequence

from tests.fakes.slack.places import Json, Post

__all__ = ["alert", "forwarded", "pasted", "preview"]

_NOTHING = "[no preview available]"


def forwarded(post: Post) -> Json:
    """A forward of a message: its words, its files, and what it had itself (background-agents#1143, openclaw#18620,
    hermes-agent#75481: text, files and author are in the attachment)."""
    said = post.json
    shared: Json = {
        "ts": post.ts,
        "channel_id": post.room.id,
        "channel_name": post.room.name,
        "is_msg_unfurl": True,
        "is_share": True,
        "author_id": post.by.id,
        "author_name": post.by.name,
        "author_subname": post.by.name,
        "from_url": f"https://magpie.slack.com/archives/{post.room.id}/p{post.ts.replace('.', '')}",
        "footer": f"Posted in #{post.room.name}",
        "fallback": f"[January 1st, 2027 8:00 AM] {post.by.name}: {post.text}",
        "text": post.text,
        "mrkdwn_in": ["text"],
    }
    if post.blocks:
        message = {"team": post.by.team, "channel": post.room.id, "ts": post.ts, "message": {"blocks": post.blocks}}
        shared["message_blocks"] = [message]
    return shared | {name: said[name] for name in ("files", "attachments") if name in said}


def pasted(rows: Sequence[Sequence[str]]) -> Json:
    """Cells of a spreadsheet: an attachment with a table block, no other words (vercel/chat#803, openclaw#112229)."""
    table = {"type": "table", "rows": [[_cell(text) for text in row] for row in rows]}
    return {"id": 1, "blocks": [table], "fallback": _NOTHING}


def _cell(text: str) -> Json:
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [section]}


def alert(title: str, text: str, **fields: str) -> Json:
    """Of an app, whose message has an empty text (hermes-agent#33469, slack-skills-plugin#24)."""
    made = [{"title": name, "value": value, "short": True} for name, value in fields.items()]
    return {"id": 1, "color": "a30200", "title": title, "text": text, "fields": made, "fallback": title}


def preview(url: str, title: str, text: str) -> Json:
    """Of a link (docs.slack.dev: Unfurling links in messages)."""
    return {
        "from_url": url,
        "original_url": url,
        "service_name": "Example",
        "title": title,
        "title_link": url,
        "text": text,
        "fallback": f"Example: {title}",
    }
