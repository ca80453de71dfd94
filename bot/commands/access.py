"""/claim, /allow, /deny: who may use the bot; and what a stranger is told."""

from __future__ import annotations

import re

from bot.commands.base import Invocation
from bot.commands.writing.wording import Markdown, code
from bot.errors import InvalidRequest
from bot.intake.access import UserRole
from bot.locales import say
from bot.types import Chat, Person, Reply, Text

__all__ = ["allow", "claim", "deny", "introduction", "turned_away"]

_LIST = ("list", "列表", "名单")
_REMOVE = ("remove", "移除", "删除")
_ADMIN = ("admin", "管理员")
_NAMED = 50  # people of a list whose names are looked up
_LONGEST_ID = 100
_STANDINGS = {
    UserRole.ADMIN: Text("admin"),
    UserRole.ALLOWED: Text("allowed"),
    UserRole.DENIED: Text("blocked"),
}


def introduction(stranger: Person, language: str, *, unclaimed: bool = False) -> str:
    """What somebody is told who has not been let in, as Markdown. `unclaimed`: it may be whoever has just set us up."""
    words = say(
        "I only answer people whom an admin has let in. Your id is {id}; an admin can let you in with {command}",
        language,
        id=code(stranger.id),
        command=code(f"/allow {stranger.id}"),
    )
    if not unclaimed:
        return words
    claim = say(
        "Nobody is my admin yet. If you have started me yourself, send me {command}, with the code that I showed then.",
        language,
        command=code("/claim CODE"),
    )
    return f"{claim}\n\n{words}"


def turned_away(language: str) -> str:
    """The same for a button, in a few words."""
    return say("You have not been let in here.", language)


async def claim(call: Invocation) -> Reply:
    """Whoever gives the code that was shown at the start becomes admin."""
    context, access = call.context, call.access
    if context.group:
        raise InvalidRequest("Send me the code in private; here everybody can read it.")
    if context.author.admin:
        return call.reply(call.say("You are an admin of this bot already."))
    person = context.who
    if not access.code.tries(person) or UserRole.ADMIN in (await access.roster(context.chat)).values():
        raise InvalidRequest("No code is valid now. While nobody is its admin, Magpie shows a new one at each start.")
    if not call.words:
        raise InvalidRequest("Add the code that Magpie showed when it was started: {command}", command="/claim CODE")
    if not access.code.fits(person, call.words):
        raise InvalidRequest("This is not the code. Tries that are left: {left}", left=access.code.tries(person))
    return call.reply(
        call.say("You are an admin of this bot now."),
        call.say(
            "In groups that you add me to, everybody may ask me. {allow} lets a person in, {deny} blocks one, "
            "{list} shows who is in.",
            allow=code("/allow ID"),
            deny=code("/deny ID"),
            list=code("/allow list"),
        ),
        sets=[access.person(context.chat, context.author.id, UserRole.ADMIN)],
    )


async def allow(call: Invocation) -> Reply:
    id, as_what = _asked(call, "/allow 12345")
    chat = call.context.chat
    if not id:
        done = call.say("Everybody in this group may use me now, but for those who are blocked.")
        return call.reply(done, sets=[call.access.room(chat, True)])
    if id.lower() in _LIST:
        return await _list(call)
    if id.lower() in _REMOVE:
        return await _remove(call, as_what)
    person = code(_checked(call, id))
    if (await call.access.roster(chat)).get(id) is UserRole.ADMIN:
        return call.reply(call.say("{person} is an admin, and may use me everywhere.", person=person))
    if as_what.lower() in _ADMIN:
        done = call.say("{person} is an admin of this bot now.", person=person)
        return call.reply(done, sets=[call.access.person(chat, id, UserRole.ADMIN)])
    if as_what:
        raise _whom()
    return call.reply(
        call.say("{person} may use me now, in private and in groups that are let in.", person=person),
        sets=[call.access.person(chat, id, UserRole.ALLOWED)],
    )


async def deny(call: Invocation) -> Reply:
    id, rest = _asked(call, "/deny 12345")
    chat = call.context.chat
    if not id:
        done = call.say("In this group I answer nobody but admins now.")
        return call.reply(done, sets=[call.access.room(chat, False)])
    if id.lower() in _LIST:
        return await _list(call)
    if id.lower() in _REMOVE:
        return await _remove(call, rest)
    if rest:
        raise _whom()
    person = code(_checked(call, id))
    _spare(call, id)
    return call.reply(
        call.say("{person} is blocked now, in private and in groups.", person=person),
        sets=[call.access.person(chat, id, UserRole.DENIED)],
    )


async def _remove(call: Invocation, id: str) -> Reply:
    """Of this person nothing is said any more."""
    if not id:
        raise InvalidRequest("Say whom: {command}", command="/allow remove 12345")
    person = code(id)
    if id not in await call.access.roster(call.context.chat):
        return call.reply(call.say("{person} is not in the list.", person=person))
    _spare(call, id)
    return call.reply(
        call.say("{person} is no longer in the list.", person=person),
        sets=[call.access.person(call.context.chat, id, UserRole.UNKNOWN)],
    )


def _spare(call: Invocation, id: str) -> None:
    """Nobody is to lock themselves out, and whom ADMINS names no command can unseat."""
    if id == call.context.author.id:
        raise InvalidRequest("You can't block yourself.")
    if id in call.access.named(call.context.chat):
        raise InvalidRequest("{id} is an admin by the setting ADMINS, and can be removed only there.", id=id)


def _asked(call: Invocation, example: str) -> tuple[str, str]:
    """The word that follows the command, '' for this group, and the one after it."""
    if not call.context.author.admin:
        raise InvalidRequest("Only an admin of this bot can do that.")
    words = call.words.split()
    if len(words) > 2 or not (words or call.context.group):
        raise _whom(example)
    first, second, *_ = (*words, "", "")
    return first, second


def _whom(example: str = "/allow 12345") -> InvalidRequest:
    return InvalidRequest(
        "Which person? Give the id, as in {command}. People who are not let in see theirs when they write to me in "
        "private. In a group, without an id, it is about the group.",
        command=example,
    )


def _checked(call: Invocation, id: str) -> str:
    form = call.context.features.person
    if id.startswith(("@", "<")) or len(id) > _LONGEST_ID or (form and not re.fullmatch(form, id)):
        raise InvalidRequest(
            "{got} is not an id. I tell people their id when they write to me in private.", got=id[:40]
        )
    return id


async def _list(call: Invocation) -> Reply:
    """Who is who is for admins alone; where others read along, only what is said of the group."""
    context, access = call.context, call.access
    if context.group and not context.is_press:
        return call.reply(await _group(call), call.say("Who else may use me I tell you in private."))
    roster = await access.roster(context.chat)
    ids = [(standing, id) for standing in _STANDINGS for id in sorted(roster) if roster[id] is standing]
    lines = [await _line(call, standing, id, named=place < _NAMED) for place, (standing, id) in enumerate(ids)]
    everyone = (
        call.say("Everybody may use me who is not blocked (ACCESS=open).") if access.everyone(context.chat) else ""
    )
    head = call.say("Whom I know on {platform}:", platform=context.chat.platform)
    return call.reply(
        everyone,
        head if lines else call.say("I know nobody by id yet."),
        "\n".join(lines),
        call.say("{command} takes somebody off the list.", command=code("/allow remove ID")) if lines else "",
        await _group(call),
    )


async def _line(call: Invocation, standing: UserRole, id: str, *, named: bool) -> str:
    who: Markdown = code(id)
    if named and (name := await _name(call, id)):
        who = call.say("{id} ({name})", id=who, name=name)
    return "- " + call.say("{name}: {what}", name=who, what=_STANDINGS[standing])


async def _name(call: Invocation, id: str) -> str:
    """As they wrote it in their private chat, where that has their own id."""
    chat = call.context.chat
    said = await call.reader.history(Chat(chat.platform, chat.account, id), limit=5)
    return next((message.author.name for message in said if message.author.id == id), "")


async def _group(call: Invocation) -> str:
    context = call.context
    if not context.group:
        return ""
    rights = await call.access.rights(context.chat, context.author, group=True)
    if rights.room if rights.room is not None else call.access.everyone(context.chat):
        return call.say("This group is let in.")
    return call.say("This group is not let in: I answer nobody but admins.")
