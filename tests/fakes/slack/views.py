"""Modals, App Home and what else people's deeds allow for a while (docs.slack.dev: Modals, Home tabs, Handling user
interaction): a trigger_id for three seconds and one use, a response_url for 30 minutes and five."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from slack_sdk.models.views import View as Rules

from tests.fakes.slack.blocks import check_blocks, with_ids
from tests.fakes.slack.params import Params
from tests.fakes.slack.places import TEAM, Json, Post, User
from tests.fakes.slack.refusals import Refusal, invalid, missing

if TYPE_CHECKING:
    from tests.fakes.slack.people import Room
    from tests.fakes.slack.world import World

__all__ = ["Interactivity", "OpenView"]

_TRIGGER = 3.0
_RESPONSES, _RESPONSE_LIFE = 5, 1800.0


@dataclass(eq=False)
class OpenView:
    """A modal that somebody sees, or their Home. `above` is the modal that was pushed over it."""

    id: str
    user: User
    json: Json
    hash: str = ""
    closed: bool = False

    @property
    def shown(self) -> Json:
        more = {"id": self.id, "team_id": TEAM, "hash": self.hash, "root_view_id": self.id, "previous_view_id": None}
        return {**self.json, **more, "state": {"values": {}}}


@dataclass
class _Trigger:
    user: User
    until: float
    used: bool = False


@dataclass
class _Response:
    room: Room
    user: User
    post: Post | None
    until: float
    left: int = _RESPONSES
    thread: str | None = None


@dataclass(eq=False)
class Interactivity:
    world: World
    base: str = ""  # of this server
    views: dict[str, OpenView] = field(default_factory=dict)
    homes: dict[str, OpenView] = field(default_factory=dict)
    _triggers: dict[str, _Trigger] = field(default_factory=dict)
    _responses: dict[str, _Response] = field(default_factory=dict)

    # ── what people's deeds allow ───────────────────────────────────────────────────────────────────────────────────

    def trigger(self, user: User) -> str:
        id = f"{self.world.number()}.{TEAM}.trigger"
        self._triggers[id] = _Trigger(user, self.world.seconds() + _TRIGGER)
        return id

    def response_url(self, room: Room, user: User, post: Post | None = None, thread: str | None = None) -> str:
        id = f"{self.world.number()}"
        until = self.world.seconds() + _RESPONSE_LIFE
        self._responses[id] = _Response(room, user, post, until, thread=thread)
        return f"{self.base}/actions/{TEAM}/{id}/secret"

    def _use(self, params: Params) -> User:
        """docs.slack.dev: views.open: expired_trigger_id, exchanged_trigger_id, invalid_trigger_id."""
        trigger = self._triggers.get(params.needed("trigger_id"))
        if trigger is None:
            raise Refusal("invalid_trigger_id")
        if trigger.used:
            raise Refusal("exchanged_trigger_id")
        if self.world.seconds() > trigger.until:
            raise Refusal("expired_trigger_id")
        trigger.used = True
        return trigger.user

    # ── methods ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def open(self, params: Params) -> Json:
        """views.open and views.push: a view that is wrong has used its trigger up."""
        user = self._use(params)
        return self._show(f"V0{self.world.number():05}", user, _view(params, "modal"), self.views)

    def update(self, params: Params) -> Json:
        given = params.text("view_id")
        external = params.text("external_id")
        found = next(
            (
                view
                for view in self.views.values()
                if view.id == given or (external and view.json.get("external_id") == external)
            ),
            None,
        )
        if found is None or found.closed:
            raise Refusal("not_found")
        if params.text("hash") and params.text("hash") != found.hash:
            raise Refusal("hash_conflict")
        return self._show(found.id, found.user, _view(params, "modal"), self.views)

    def publish(self, params: Params) -> Json:
        user = self.world.users.get(params.needed("user_id"))
        if user is None:
            raise invalid("invalid_arguments", "user_id")
        known = self.homes.get(user.id)
        if known is not None and params.text("hash") not in ("", known.hash):
            raise Refusal("hash_conflict")
        id = known.id if known is not None else f"V0{self.world.number():05}"
        return self._show(id, user, _view(params, "home"), self.homes)

    def _show(self, id: str, user: User, json: Json, where: dict[str, OpenView]) -> Json:
        shown = {**json, "blocks": with_ids(json["blocks"], self.world.new_id)}
        view = OpenView(id, user, shown, f"{self.world.ts()}.hash")
        where[id if where is self.views else user.id] = view
        return {"view": view.shown}

    def answered(self, view: OpenView, answer: Json | None) -> None:
        """What a modal's acknowledgement does to it (docs.slack.dev: Modals, "response_action")."""
        match answer or {}:
            case {"response_action": "errors", "errors": dict(errors)}:
                known = {block["block_id"] for block in view.json["blocks"]}
                assert errors, "no errors in it"
                assert set(errors) <= known, f"no such block: {set(errors) - known}"
            case {"response_action": "update" | "push", "view": dict(json)}:
                self._show(view.id, view.user, _view(Params({"view": json}), "modal"), self.views)
            case _:
                view.closed = True

    # ── response_url ────────────────────────────────────────────────────────────────────────────────────────────────

    def respond(self, id: str, said: Json) -> Refusal | None:
        """A message by response_url: five times within 30 minutes (docs.slack.dev: Handling user interaction)."""
        response = self._responses.get(id)
        if response is None or self.world.seconds() > response.until:
            return Refusal("expired_url", 404)
        if not response.left:
            return Refusal("used_url", 404)
        response.left -= 1
        text, blocks = str(said.get("text") or ""), said.get("blocks") or []
        try:
            check_blocks(blocks)
        except Refusal as refusal:
            return Refusal(refusal.error, 400)
        if said.get("delete_original") or said.get("replace_original"):
            self._change(response, said, text, blocks)
        elif said.get("response_type") == "in_channel":
            where = {"thread_ts": said.get("thread_ts") or response.thread}
            self.world.said(self.world.post(response.room, self.world.bot, text, blocks=blocks, **where))
        else:
            response.room.whisper(response.user.id, text, blocks, said.get("thread_ts") or response.thread)
        return None

    def _change(self, response: _Response, said: Json, text: str, blocks: list[Json]) -> None:
        if response.post is None:
            return
        response.post.deleted = bool(said.get("delete_original"))
        response.post.text, response.post.blocks = text, with_ids(blocks, self.world.new_id)
        response.post.stream = None
        response.post.keep(self.world.seconds())


def _view(params: Params, kind: str) -> Json:
    """docs.slack.dev: View object."""
    view = params.data("view", dict)
    if view is None:
        raise missing("view")
    if view.get("type") != kind:
        raise invalid("invalid_arguments", f"must be {kind} [json-pointer:/view/type]")
    if not isinstance(view.get("blocks"), list):
        raise missing("view/blocks")
    if kind == "modal":
        _check_words(view)
    for name in ("callback_id", "private_metadata"):
        most = getattr(Rules, f"{name}_max_length")
        if len(view.get(name, "")) > most:
            raise invalid("invalid_arguments", f"must be no more than {most} characters [json-pointer:/view/{name}]")
    check_blocks(view["blocks"], view=True)
    return dict(view)


def _check_words(view: Json) -> None:
    """The title, and what stands on the buttons; a modal with inputs needs the one that submits."""
    if "title" not in view:
        raise missing("view/title")
    if "submit" not in view and any(block.get("type") == "input" for block in view["blocks"]):
        raise missing("view/submit")
    for name in ("title", "submit", "close"):
        words, most = view.get(name), getattr(Rules, f"{name}_max_length")
        if words is not None and not (words.get("type") == "plain_text" and 0 < len(words["text"]) <= most):
            raise invalid("invalid_arguments", f"must be plain_text of {most} characters [json-pointer:/view/{name}]")
