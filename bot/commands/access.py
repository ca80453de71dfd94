"""/claim, /allow, /deny: who may use the bot; and what a stranger is told."""

from __future__ import annotations

from bot.access import Standing
from bot.commands.base import Call
from bot.commands.wording import code
from bot.errors import RequestRefused
from bot.locales import say
from bot.types import Person, Reply, Text

__all__ = ["allow", "claim", "deny", "introduction", "turned_away"]

_LIST = ("list", "列表", "名单")
_LONGEST_ID = 100
_STANDINGS = {
    Standing.ADMIN: Text("admin"),
    Standing.ALLOWED: Text("let in"),
    Standing.DENIED: Text("kept out"),
}


def introduction(stranger: Person, language: str) -> str:
    """What somebody is told who has not been let in, as Markdown."""
    return say(
        "I only answer people whom an admin has let in. Your id is {id}; an admin can let you in with {command}",
        language,
        id=code(stranger.id),
        command=code(f"/allow {stranger.id}"),
    )


def turned_away(language: str) -> str:
    """The same for a button, in a few words."""
    return say("You have not been let in here.", language)


async def claim(call: Call) -> Reply:
    """Whoever gives the code that was shown at the start becomes admin."""
    context, access = call.context, call.access
    if context.group:
        raise RequestRefused("Send me the code in private; here everybody can read it.")
    if context.author.admin:
        return call.reply(call.say("You are an admin of this bot already."))
    person = context.who
    if not access.code.tries(person) or Standing.ADMIN in (await access.roster(context.chat)).values():
        raise RequestRefused("No code is valid now. While nobody is its admin, Magpie shows a new one at each start.")
    if not call.words:
        raise RequestRefused("Add the code that Magpie showed when it was started: {command}", command="/claim CODE")
    if not access.code.fits(person, call.words):
        raise RequestRefused("This is not the code. Tries that are left: {left}", left=access.code.tries(person))
    return call.reply(
        call.say("You are an admin of this bot now."),
        call.say(
            "In groups that you add me to, everybody may ask me. {allow} lets a person in, {deny} keeps one out, "
            "{list} shows who is in.",
            allow=code("/allow ID"),
            deny=code("/deny ID"),
            list=code("/allow list"),
        ),
        sets=[access.person(context.chat, context.author.id, Standing.ADMIN)],
    )


async def allow(call: Call) -> Reply:
    id = _asked(call, "/allow 12345")
    if not id:
        done = call.say("Everybody in this group may use me now, but for those who are kept out.")
        return call.reply(done, sets=[call.access.room(call.context.chat, True)])
    if id.lower() in _LIST:
        return await _list(call)
    person = code(_checked(id))
    if (await call.access.roster(call.context.chat)).get(id) is Standing.ADMIN:
        return call.reply(call.say("{person} is an admin, and may use me everywhere.", person=person))
    return call.reply(
        call.say("{person} may use me now, in private and in groups that are let in.", person=person),
        sets=[call.access.person(call.context.chat, id, Standing.ALLOWED)],
    )


async def deny(call: Call) -> Reply:
    id = _asked(call, "/deny 12345")
    chat = call.context.chat
    if not id:
        done = call.say("In this group I answer nobody but admins now.")
        return call.reply(done, sets=[call.access.room(chat, False)])
    if id.lower() in _LIST:
        return await _list(call)
    person = code(_checked(id))
    if id == call.context.author.id:
        raise RequestRefused("You can't keep yourself out.")
    if id in call.access.named(chat.platform):
        raise RequestRefused("{id} is an admin by the setting ADMINS, and can be removed only there.", id=id)
    return call.reply(
        call.say("{person} may not use me any more, neither in private nor in groups.", person=person),
        sets=[call.access.person(chat, id, Standing.DENIED)],
    )


def _asked(call: Call, example: str) -> str:
    """The one word that follows the command; '' is this group."""
    if not call.context.author.admin:
        raise RequestRefused("Only an admin of this bot can do that.")
    words = call.words.split()
    if len(words) > 1 or not (words or call.context.group):
        raise RequestRefused(
            "Say whom, by the id that I tell people whom I don't know: {command}. In a group, without an id, it is "
            "about the group.",
            command=example,
        )
    return words[0] if words else ""


def _checked(id: str) -> str:
    if id.startswith(("@", "<")) or len(id) > _LONGEST_ID:
        raise RequestRefused(
            "{got} is not an id. I tell people their id when they write to me in private.", got=id[:40]
        )
    return id


async def _list(call: Call) -> Reply:
    context, access = call.context, call.access
    roster = await access.roster(context.chat)
    lines = [
        "- " + call.say("{name}: {what}", name=code(id), what=words)
        for standing, words in _STANDINGS.items()
        for id in sorted(each for each, known in roster.items() if known is standing)
    ]
    everyone = call.say("Everybody may use me who is not kept out (ACCESS=open).") if access.everyone else ""
    return call.reply(
        everyone,
        call.say("Whom I know on {platform}:", platform=context.chat.platform)
        if lines
        else call.say("I know nobody by id yet."),
        "\n".join(lines),
        await _group(call),
    )


async def _group(call: Call) -> str:
    context = call.context
    if not context.group:
        return ""
    rights = await call.access.rights(context.chat, context.author, group=True)
    if rights.room if rights.room is not None else call.access.everyone:
        return call.say("This group is let in.")
    return call.say("This group is not let in: I answer nobody but admins.")
