"""What people do. Each deed becomes the events or interactions that the real platform would send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tests.fakes.slack.blocks import check_blocks, elements, with_ids
from tests.fakes.slack.deliveries import Delivery
from tests.fakes.slack.files import StoredFile
from tests.fakes.slack.places import TEAM, Json, Post, User

if TYPE_CHECKING:
    from tests.fakes.slack.views import OpenView
    from tests.fakes.slack.world import World

__all__ = ["Room"]


@dataclass(eq=False)
class Room:
    """A conversation, from the people's side. `by` is who does it: the first who is here if nobody is named. `thread`
    takes any message of a thread. `restriction` is a word that whatever is posted here is refused with."""

    world: World
    id: str
    kind: Literal["im", "channel", "group", "mpim"]
    name: str
    members: dict[str, User]
    posts: dict[str, Post] = field(default_factory=dict)
    whispers: dict[str, list[Post]] = field(default_factory=dict)  # what only one person sees, by person
    archived: bool = False
    restriction: str = ""
    edits_closed: bool = False  # a workspace may close the window of edits

    # ── what stands here ────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def standing(self) -> list[Post]:
        """In order."""
        return sorted((post for post in self.posts.values() if not post.deleted), key=lambda post: post.ts)

    @property
    def person(self) -> User:
        return next(user for user in self.members.values() if not user.bot_id)

    def find(self, ts: str) -> Post | None:
        post = self.posts.get(ts)
        return None if post is None or post.deleted else post

    def whisper(self, user: str, text: str, blocks: list[Json], thread: str | None) -> Post:
        """An ephemeral message of the app's."""
        made = with_ids(blocks, self.world.new_id)
        post = Post(self.world.ts(), self, self.world.bot, self.world.seconds(), text, thread, made)
        post.keep(post.at)
        self.whispers.setdefault(user, []).append(post)
        return post

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────

    def write(
        self,
        text: str,
        by: User | None = None,
        *,
        thread: Post | None = None,
        files: Sequence[StoredFile] = (),
        mention_first: bool = False,
        unheard: bool = False,
        **extra: Any,
    ) -> Post:
        """A message. With the app's mark in a channel it comes as `message` and as `app_mention`, in either order.
        `unheard`: no event tells of it, as of what was said before the app came. `extra`: further fields of it."""
        author = by or self.person
        self.members.setdefault(author.id, author)
        post = self.world.post(
            self,
            author,
            text,
            thread_ts=thread.root if thread else None,
            files=[file.in_event for file in files],
            subtype="file_share" if files else "",
            extra=extra,
        )
        if unheard:
            return post
        if mention_first:
            self._mention(post)
        self.world.said(post)
        if not mention_first:
            self._mention(post)
        return post

    def mention(self, text: str, by: User | None = None, **more: Any) -> Post:
        """The app is named, then something is said."""
        return self.write(f"<@{self.world.bot.id}> {text}", by, **more)

    def _mention(self, post: Post) -> None:
        """docs.slack.dev: app_mention: not in conversations with the app alone."""
        if self.kind != "im" and f"<@{self.world.bot.id}" in post.text and self.world.bot.id in self.members:
            self.world.emit({**post.json, "type": "app_mention", "channel": self.id, "event_ts": post.ts})

    def edit(self, post: Post, text: str) -> Delivery | None:
        """Who is named in it is told once more, under the ts that the message had."""
        before = post.json
        post.text, post.edited = text, self.world.ts()
        post.keep(self.world.seconds())
        delivery = self.world.changed(post, before)
        self._mention(post)
        return delivery

    def preview(self, post: Post) -> Delivery | None:
        """A link in it gets its preview: message_changed with the text as it was."""
        before = post.json
        post.extra = {**post.extra, "attachments": [{"title": "A page", "from_url": "https://example.com"}]}
        return self.world.changed(post, before)

    def delete(self, post: Post) -> Delivery | None:
        return self.world.remove(post)

    def lose(self, post: Post) -> None:
        """A deletion whose event is lost."""
        self.world.bury(post)

    # ── interactions ────────────────────────────────────────────────────────────────────────────────────────────────

    def press(self, post: Post | str, label: str, by: User | None = None, *, choose: str = "") -> Delivery:
        """Press a button, found by its label, value or action_id; or choose an option of the menu with that
        action_id."""
        message = self._seen(post)
        user = by or self.person
        block, element = _wanted(message.blocks, label)
        whispered = any(message in said for said in self.whispers.values())
        where: Json = {"type": "message", "message_ts": message.ts, "channel_id": self.id, "is_ephemeral": whispered}
        if message.thread_ts:
            where["thread_ts"] = message.thread_ts
        body = {
            **self._interaction("block_actions", user),
            "container": where,
            "channel": {"id": self.id, "name": self.name},
            "state": {"values": {}},
            "response_url": self.world.interactivity.response_url(self, user, message, message.thread_ts),
            "actions": [_action(self.world, block, element, choose)],
        }
        if not whispered:
            body["message"] = message.json
        return self.world.deliveries.push("interactive", body)

    def command(self, text: str, by: User | None = None, *, name: str = "/magpie") -> Delivery:
        """The slash command, in the box below the conversation: clients don't offer it in threads."""
        user = by or self.person
        form = {
            "token": "verification",
            "team_id": TEAM,
            "team_domain": "magpie",
            "channel_id": self.id,
            "channel_name": "directmessage" if self.kind == "im" else self.name,
            "user_id": user.id,
            "user_name": user.name.lower(),
            "command": name,
            "text": text,
            "api_app_id": self.world.app_id,
            "is_enterprise_install": "false",
            "response_url": self.world.interactivity.response_url(self, user),
            "trigger_id": self.world.interactivity.trigger(user),
        }
        delivery = self.world.deliveries.push("slash_commands", form)
        delivery.on_answer = lambda answer: self._answered(user, answer or {})
        return delivery

    def _answered(self, user: User, said: Json) -> None:
        """A command's acknowledgement may be a message (docs.slack.dev: Slash commands)."""
        text, blocks = said.get("text", ""), said.get("blocks") or []
        if not text and not blocks:
            return
        check_blocks(blocks)
        if said.get("response_type") == "in_channel":
            self.world.said(self.world.post(self, self.world.bot, text, blocks=blocks))
        else:
            self.whisper(user.id, text, blocks, None)

    def shortcut(self, post: Post, callback_id: str, by: User | None = None) -> Delivery:
        """A message shortcut."""
        user = by or self.person
        body = {
            **self._interaction("message_action", user),
            "callback_id": callback_id,
            "channel": {"id": self.id, "name": self.name},
            "message_ts": post.ts,
            "message": post.json,
            "action_ts": self.world.ts(),
            "response_url": self.world.interactivity.response_url(self, user, post, post.thread_ts),
        }
        return self.world.deliveries.push("interactive", body)

    def submit(self, view: OpenView, values: Mapping[str, str] | None = None, *, close: bool = False) -> Delivery:
        """Submit a modal: `values` by block_id, texts or the values of options; or close it."""
        kind = "view_closed" if close else "view_submission"
        state = {"values": _filled(view, values or {})}
        body = {**self._interaction(kind, view.user), "view": {**view.shown, "state": state}, "response_urls": []}
        delivery = self.world.deliveries.push("interactive", body)
        delivery.on_answer = lambda answer: self.world.interactivity.answered(view, answer)
        return delivery

    def press_in(self, view: OpenView, label: str, *, choose: str = "") -> Delivery:
        """Press a button in a modal or in App Home."""
        block, element = _wanted(view.json["blocks"], label)
        body = {
            **self._interaction("block_actions", view.user),
            "container": {"type": "view", "view_id": view.id},
            "view": view.shown,
            "actions": [_action(self.world, block, element, choose)],
        }
        return self.world.deliveries.push("interactive", body)

    def open_home(self, by: User | None = None, tab: Literal["home", "messages"] = "home") -> Delivery | None:
        """docs.slack.dev: app_home_opened: `messages` is the conversation with the app."""
        user = by or self.person
        event = {"type": "app_home_opened", "user": user.id, "channel": self.id, "tab": tab}
        home = self.world.interactivity.homes.get(user.id)
        more = {"view": home.shown} if home is not None and tab == "home" else {}
        return self.world.emit({**event, **more, "event_ts": self.world.ts()})

    def stop(self, thread: Post, by: User | None = None) -> Delivery | None:
        """The platform's own Stop button (docs.slack.dev: agent_session_stopped): it ends the thread's streams; the app
        has to end its work. AssertionError if there is no button."""
        session = self.world.sessions.get((self.id, thread.root))
        assert session is not None, "no session"
        assert session.state == "processing", f"the session is {session.state!r}"
        assert "agent_session_stopped" in self.world.events, "no button: nobody listens to it"
        streams = [post for post in self.standing if post.root == thread.root and post.streams(self.world.seconds())]
        for post in streams:
            assert post.stream is not None
            post.stream.end = "stopped_by_user"
            post.keep(self.world.seconds())
        event: Json = {"type": "agent_session_stopped", "channel": self.id, "thread_ts": thread.root}
        more = {"user": (by or self.person).id, "streaming_message_ts": [post.ts for post in streams]}
        return self.world.emit({**event, **more, "event_ts": self.world.ts()})

    # ── who is here ─────────────────────────────────────────────────────────────────────────────────────────────────

    def invite_bot(self, by: User | None = None) -> Delivery | None:
        bot = self.world.bot
        self.members[bot.id] = bot
        event = {"type": "member_joined_channel", "user": bot.id, "channel": self.id, "team": TEAM}
        more = {"channel_type": "C" if self.kind == "channel" else "G", "inviter": (by or self.person).id}
        return self.world.emit({**event, **more, "event_ts": self.world.ts()})

    def remove_bot(self, by: User | None = None) -> Delivery | None:
        """docs.slack.dev: channel_left, group_left."""
        self.members.pop(self.world.bot.id, None)
        kind = "channel_left" if self.kind == "channel" else "group_left"
        actor = {"actor_id": (by or self.person).id, "event_ts": self.world.ts()}
        return self.world.emit({"type": kind, "channel": self.id, **actor})

    def archive(self, by: User | None = None, *, back: bool = False) -> Delivery | None:
        """Nothing can be written any more; `back` undoes it."""
        self.archived = not back
        kind = f"{'group' if self.kind == 'group' else 'channel'}_{'un' if back else ''}archive"
        actor = {"user": (by or self.person).id, "event_ts": self.world.ts()}
        return self.world.emit({"type": kind, "channel": self.id, **actor})

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _seen(self, post: Post | str) -> Post:
        if isinstance(post, Post):
            return post
        whispered = (each for said in self.whispers.values() for each in said if each.ts == post)
        return self.posts.get(post) or next(whispered)

    def _interaction(self, kind: str, user: User) -> Json:
        who = {"id": user.id, "username": user.name.lower(), "name": user.name.lower(), "team_id": TEAM}
        return {
            "type": kind,
            "team": {"id": TEAM, "domain": "magpie"},
            "user": who,
            "api_app_id": self.world.app_id,
            "token": "verification",
            "enterprise": None,
            "is_enterprise_install": False,
            "trigger_id": self.world.interactivity.trigger(user),
        }


def _wanted(blocks: list[Json], label: str) -> tuple[Json, Json]:
    for block, element in elements(blocks):
        names = (element.get("text", {}).get("text"), element.get("value"), element["action_id"], block["block_id"])
        if label in names:
            return block, element
    raise AssertionError(f"nothing says {label!r}")


def _action(world: World, block: Json, element: Json, choose: str) -> Json:
    """docs.slack.dev: block_actions payload."""
    kept: Json = {name: element[name] for name in ("action_id", "type", "text", "value", "style") if name in element}
    action = {**kept, "block_id": block["block_id"], "action_ts": world.ts()}
    return {**action, "selected_option": _option(element, choose)} if choose else action


def _option(element: Json, choose: str) -> Json:
    groups = element.get("option_groups") or [element]
    options: list[Json] = [option for group in groups for option in group["options"]]
    return next(option for option in options if choose in (option["value"], option["text"]["text"]))


def _filled(view: OpenView, values: Mapping[str, str]) -> Json:
    """view.state.values: what stands in each input, its initial value where nothing was filled in."""
    inputs = [block for block in view.json["blocks"] if block["type"] == "input"]
    unknown = set(values) - {block["block_id"] for block in inputs}
    assert not unknown, f"no such input: {unknown}"
    filled: Json = {}
    for block in inputs:
        filled[block["block_id"]] = {block["element"]["action_id"]: _filled_in(block, values.get(block["block_id"]))}
    return filled


def _filled_in(block: Json, value: str | None) -> Json:
    element = block["element"]
    if "options" in element or "option_groups" in element:
        chosen = _option(element, value) if value else element.get("initial_option")
        assert chosen or block.get("optional"), f"{block['block_id']} has to be filled in"
        return {"type": element["type"], "selected_option": chosen}
    text = element.get("initial_value") if value is None else value
    assert text or block.get("optional"), f"{block['block_id']} has to be filled in"
    most = element.get("max_length", 3_000)
    assert len(text or "") <= most, f"{block['block_id']} takes {most} characters"
    return {"type": element["type"], "value": text or None}
