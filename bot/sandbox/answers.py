"""Sandbox answers: what it says. Plain functions of the question: the same question always gets the same answer.

These are a model's words, not ours: they stand outside the message catalogues, in English and in Chinese.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bot.sandbox.pictures import Picture
from bot.sandbox.prepared import prepared, written
from bot.sandbox.rules import Asked
from bot.sandbox.translation import translate

__all__ = ["Said", "answer"]

_COLOURS = {
    "black": "黑色",
    "white": "白色",
    "light grey": "浅灰色",
    "grey": "灰色",
    "dark grey": "深灰色",
    "red": "红色",
    "orange": "橙色",
    "brown": "棕色",
    "beige": "米色",
    "yellow": "黄色",
    "green": "绿色",
    "turquoise": "青色",
    "blue": "蓝色",
    "purple": "紫色",
    "pink": "粉色",
}
_MOST_CHARACTERS = 60_000
_GO_ON = re.compile(r"\s*(?:(?:please )?(?:continue|go on)\b|请?(?:从|接着|继续))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Said:
    text: str
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class _Talk:
    """A question, and what is around it. `zh`: it was asked in Chinese."""

    asked: Asked
    pictures: Mapping[str, Picture]
    now: int
    question: str
    earlier: tuple[str, ...]
    zh: bool

    def say(self, english: str, chinese: str) -> str:
        return chinese if self.zh else english


def answer(asked: Asked, pictures: Mapping[str, Picture], now: int) -> Said:
    """The answer to a request; `pictures` by URL, `now` in UTC milliseconds."""
    if asked.translation is not None:
        return Said(translate(asked.last.text, *asked.translation))
    if (rest := _rest(asked, pictures, now)) is not None:
        return Said(rest)
    questions = tuple(said.text.strip() for said in asked.messages if said.role == "user")
    written = questions[-1] or "".join(questions)
    zh = bool(re.search("[\u3400-\u9fff]", written)) and not re.search("[\u3040-\u30ff]", written)
    talk = _Talk(asked, pictures, now, questions[-1], questions[:-1], zh)
    text = f"{_body(talk)}\n\n{_closing(talk)}"
    return Said(text, _reasoning(talk) if asked.thinking else "")


def _rest(asked: Asked, pictures: Mapping[str, Picture], now: int) -> str | None:
    """What is left of an answer that stopped in the middle, if that is what is asked for."""
    if len(asked.messages) < 3 or not _GO_ON.match(asked.last.text):
        return None
    *before, part, _ = asked.messages
    if part.role != "assistant" or not part.text:
        return None
    whole = answer(replace(asked, messages=tuple(before)), pictures, now).text
    _, found, rest = whole.partition(part.text)
    return rest if found and rest else None


def _body(talk: _Talk) -> str:
    last = talk.asked.last
    if last.images:
        return _pictures(talk)
    if last.frames:
        return _frames(talk)
    if last.video:
        return _video(talk)
    if (ready := prepared(talk.question, zh=talk.zh)) is not None:
        return ready
    return _topic_of(talk.question)(talk)


def _closing(talk: _Talk) -> str:
    number = len(talk.earlier) + 1
    remembered = talk.say(
        f"You asked {number} questions so far." if number > 1 else "This is your first question.",
        f"到目前为止你问了 {number} 个问题。" if number > 1 else "这是你的第一个问题。",
    )
    source = talk.say(
        "*This answer comes from a sandbox, not from a real model.*", "*本回答来自沙箱，不是真正的模型。*"
    )
    return f"{remembered}{'' if talk.zh else ' '}{source}"


def _reasoning(talk: _Talk) -> str:
    return talk.say(
        f"The question has {len(talk.question)} characters. I look for a topic that a sandbox knows, "
        "and then say where the answer comes from.",
        f"问题一共 {len(talk.question)} 个字符。我先看沙箱是否认得这个话题，然后说明回答的来源。",
    )


# ── what can be seen ────────────────────────────────────────────────────────────────────────────────────────────────


def _pictures(talk: _Talk) -> str:
    lines = [_picture(talk, talk.pictures[url]) for url in talk.asked.last.images]
    if len(lines) > 1:
        lines = [f"{number}. {line}" for number, line in enumerate(lines, 1)]
    lines.append(
        talk.say(
            "What it shows, only a real model can tell: a sandbox measures, it does not see.",
            "画面里有什么，只有真正的模型才能看懂：沙箱只会测量，不会看。",
        )
    )
    return "\n\n".join(lines)


def _picture(talk: _Talk, picture: Picture) -> str:
    if not picture.format:
        return talk.say(
            "A picture by its web address; the sandbox opens nothing on the web.", "一张网络图片；沙箱不会访问网络。"
        )
    colours = _and([_COLOURS[name] if talk.zh else name for name in picture.colours], talk.zh)
    return talk.say(
        f"A {picture.format} picture, {picture.width} × {picture.height} pixels, mostly {colours}.",
        f"一张 {picture.format} 图片，{picture.width} × {picture.height} 像素，主要颜色是{colours}。",
    )


def _frames(talk: _Talk) -> str:
    urls = talk.asked.last.frames
    lines = [talk.say(f"A video given as {len(urls)} frames.", f"一段视频，共 {len(urls)} 帧。")]
    first, last = talk.pictures[urls[0]], talk.pictures[urls[-1]]
    if first.format:
        lines.append(talk.say("The first one: ", "第一帧：") + _picture(talk, first))
    if last.format:
        lines.append(talk.say("The last one: ", "最后一帧：") + _picture(talk, last))
    return "\n\n".join(lines)


def _video(talk: _Talk) -> str:
    url = talk.asked.last.video or ""
    if url.startswith("data:"):
        size = len(url.partition(",")[2]) * 3 // 4
        return talk.say(f"A video file of about {size:,} bytes.", f"一个约 {size:,} 字节的视频文件。")
    name = re.sub(r"[?#].*", "", url).rpartition("/")[2] or url
    return talk.say(
        f"A video file, `{name}`. The sandbox opens nothing on the web, so this is all it can tell.",
        f"一个视频文件：`{name}`。沙箱不会访问网络，所以只能说这么多。",
    )


def _and(words: list[str], zh: bool) -> str:
    if zh:
        return "、".join(words)
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


# ── topics ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _hello(talk: _Talk) -> str:
    return talk.say(
        "Hello! I am the sandbox: I stand in for a model, so that you can try everything without an account.\n\n"
        "Ask me for **markdown**, a **long** answer, the date, or a sum; send me a picture; "
        "or ask how to set a **key**.",
        "你好！我是沙箱，代替模型回答，让你不用账号也能试用全部功能。\n\n"
        "可以让我写一段**代码**或**表格**，来一个**长**回答，问日期或算术；发一张图片；或者问我怎么设置**密钥**。",
    )


def _key(talk: _Talk) -> str:
    return talk.say(
        "To talk to a real model:\n\n"
        "1. Get a key, for example at https://wcode.net/get-apikey\n"
        "2. Put it into `.env`:\n\n"
        "```\nCHAT_API_KEY=sk-...\nCHAT_MODEL=qwen-plus\n```\n\n"
        "3. Start again. With another gateway, set `CHAT_API_URL` as well.",
        "要和真正的模型对话：\n\n"
        "1. 获取密钥，例如 https://wcode.net/get-apikey\n"
        "2. 写进 `.env`：\n\n"
        "```\nCHAT_API_KEY=sk-...\nCHAT_MODEL=qwen-plus\n```\n\n"
        "3. 重新启动。若用别的网关，还要设置 `CHAT_API_URL`。",
    )


def _memory(talk: _Talk) -> str:
    if not talk.earlier:
        return talk.say("You have not asked anything before this.", "在这之前你还没有问过别的问题。")
    asked = "\n".join(f"{number}. {_quote(text, 80)}" for number, text in enumerate(talk.earlier, 1))
    return talk.say(f"Before this you asked:\n\n{asked}", f"在这之前你问过：\n\n{asked}")


def _date(talk: _Talk) -> str:
    day = datetime.fromtimestamp(talk.now / 1000, UTC)
    text = talk.say(
        f"By the sandbox's clock it is {day:%A}, {day.day} {day:%B %Y}, {day:%H:%M} UTC.",
        f"按沙箱的时钟，现在是{day.year}年{day.month}月{day.day}日，星期{'一二三四五六日'[day.weekday()]}，"
        f"{day:%H:%M}(UTC)。",
    )
    searched = talk.say(" Web search was on, but a sandbox does not search.", "联网搜索已打开，不过沙箱不会真的搜索。")
    return text + searched if talk.asked.search else text


def _sum(talk: _Talk) -> str:
    found = _SUM.search(talk.question)
    assert found is not None  # the topic was chosen by it
    left, sign, right = int(found[1]), found[2], int(found[3])
    if sign in "/÷" and right == 0:
        return talk.say("Nothing can be divided by zero.", "不能除以零。")
    results: dict[str, Callable[[], object]] = {
        "+": lambda: left + right,
        "-": lambda: left - right,
        "*": lambda: left * right,
        "/": lambda: left // right if left % right == 0 else left / right,
    }
    plain = sign.replace("×", "*").replace("÷", "/").replace("−", "-")
    return f"{left} {sign} {right} = **{results[plain]()}**"


_CODE = """def greet(name: str) -> str:
    return f"Hello, {name}!"


print(greet("Ada"))"""


def _markdown(talk: _Talk) -> str:
    return talk.say(
        "## A little of everything\n\n"
        "Some **bold**, some *italic*, some `code`, and a [link](https://example.com).\n\n"
        "- a point\n- another point\n  - a point below it\n\n"
        f"```python\n{_CODE}\n```\n\n"
        "| Model | Sees pictures | Searches |\n|---|:---:|:---:|\n"
        "| qwen-plus | no | yes |\n| qwen-vl-plus | yes | no |\n| qwen-mt-turbo | no | no |\n\n"
        "> A quotation closes the show.",
        "## 各样都来一点\n\n"
        "**粗体**、*斜体*、`代码`，还有[链接](https://example.com)。\n\n"
        "- 一点\n- 又一点\n  - 下面再一点\n\n"
        f"```python\n{_CODE}\n```\n\n"
        "| 模型 | 看图 | 联网 |\n|---|:---:|:---:|\n"
        "| qwen-plus | 否 | 是 |\n| qwen-vl-plus | 是 | 否 |\n| qwen-mt-turbo | 否 | 否 |\n\n"
        "> 最后是一段引用。",
    )


def _code(talk: _Talk) -> str:
    return written("code", zh=talk.zh)


def _count(talk: _Talk) -> str:
    found = _COUNT.search(talk.question)
    end = min(int(found[1]), 1000) if found else 10
    return "\n".join(f"{number}." + " " + str(number) for number in range(1, end + 1))


def _echo(talk: _Talk) -> str:
    quoted = "\n".join(f"> {line}" for line in _quote(talk.question, 400).splitlines())
    return talk.say(
        f"You asked:\n\n{quoted}\n\n"
        f"That is {len(talk.question)} characters. A real model would answer it; the sandbox only shows how an answer "
        'grows. Try "markdown", "a long answer", "what day is it", "12 * 34", send a picture, or ask how to set a key.',
        f"你问的是：\n\n{quoted}\n\n"
        f"一共 {len(talk.question)} 个字符。真正的模型会回答它；沙箱只演示回答如何逐字出现。"
        "可以试试“表格”“长回答”“今天星期几”“12 * 34”，发一张图片，或者问怎么设置密钥。",
    )


def _quote(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


# ── long answers ────────────────────────────────────────────────────────────────────────────────────────────────────

_EN = (
    ("The river", "A small town", "The old library", "Every morning the market", "The night train", "A quiet garden"),
    ("keeps its own time", "remembers more than it says", "wakes before the light", "is never the same twice"),
    ("and everyone near it", "while the wind in the trees", "so that a traveller", "and each letter sent from here"),
    ("finds a slower way home.", "asks the same question again.", "carries a little of it away.", "arrives in order."),
    ("Nothing of it is lost.", "Somebody writes it down.", "The next page tells the rest.", "It was a clear day."),
)
_ZH = (
    ("河边的小镇", "古老的图书馆", "清晨的集市", "夜行的列车", "安静的花园", "山脚下的学校"),
    ("有自己的节奏", "记得的比说出的多", "在天亮之前醒来", "每一天都不相同"),
    (",附近的人们", ",风里的树叶", ",远道而来的旅人", ",从这里寄出的每一封信"),
    ("走上了更慢的归途。", "又问起同样的问题。", "带走了其中的一点。", "依次到达。"),
    ("什么也没有丢失。", "有人把它写了下来。", "下一页会讲完余下的事。", "那是晴朗的一天。"),
)


def _long(talk: _Talk) -> str:
    """Numbered paragraphs, no two alike, so that a cut or a repeat shows; the last line says how many there were."""
    found = _LENGTH.search(talk.question)
    wanted = min(int(found[1].replace(",", "")), _MOST_CHARACTERS) if found else 6000
    if found and not found[2].startswith(("char", "字")):
        wanted = min(wanted * 6, _MOST_CHARACTERS)  # words
    parts = [talk.say("A long answer, in numbered paragraphs.", "一个长回答，段落带编号。")]
    size = len(parts[0])
    for number, paragraph in enumerate(_paragraphs(talk.zh), 1):
        parts.append(f"**{number}.** {paragraph}")
        size += len(parts[-1]) + 2
        if size >= wanted:
            break
    count = len(parts) - 1
    parts.append(talk.say(f"That was all: {count} paragraphs.", f"全文完，共 {count} 段。"))
    return "\n\n".join(parts)


def _paragraphs(zh: bool) -> Iterator[str]:
    words = _ZH if zh else _EN
    gap = "" if zh else " "
    for number in itertools.count(1):
        dice = random.Random(number)  # the same paragraph for the same number
        yield gap.join(dice.choice(some) for _ in range(dice.randint(2, 4)) for some in words)


# ── which topic ─────────────────────────────────────────────────────────────────────────────────────────────────────

_SUM = re.compile(r"(?<![\d.-])(-?\d{1,15})\s*([-+*/×÷−])\s*(\d{1,15})(?![\d.]|-\d)")
_COUNT = re.compile(r"(?:count (?:up )?to|数到)\s*(\d{1,4})", re.IGNORECASE)
_LENGTH = re.compile(r"(\d[\d,]{1,6})\s*(?:个)?\s*(characters?|chars?|words?|字符?|词)", re.IGNORECASE)


def _topic_of(question: str) -> Callable[[_Talk], str]:
    """What the question is about is what it names first: "python code with a long line" asks for code."""
    found = [(match.start(), speak) for pattern, speak in _TOPICS if (match := pattern.search(question))]
    return min(found, key=lambda each: each[0])[1] if found else _echo


def _topic(english: str, chinese: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{english})\b|{chinese}", re.IGNORECASE)


_TOPICS: tuple[tuple[re.Pattern[str], Callable[[_Talk], str]], ...] = (
    (_COUNT, _count),
    (_LENGTH, _long),
    (
        _topic(
            "long(?:er)? (?:answer|text|reply|response|story|essay|article|letter|poem|one)s?|at length",
            "长(?:一点|一些|些)?的?(?:回答|答案|回复|文|故事|文章|篇|信|诗)|(?:来|写|说|讲)(?:个|得|篇|点)?长",
        ),
        _long,
    ),
    (_topic("markdown|tables?|lists?|formatting", "表格|格式|排版|列表"), _markdown),
    (_topic("code|python|program|function|script", "代码|编程|程序|函数|脚本"), _code),
    (
        _topic("keys?|api[-_ ]?key|set ?up|real model|account|configure", "密钥|真正的模型|真实模型|配置|账号|接入"),
        _key,
    ),
    (
        _topic(
            "how many questions|what did i (?:ask|say)|did i ask|remember|before this",
            "我问过|问了什么|记得|几个问题|刚才",
        ),
        _memory,
    ),
    (_topic("what day|which day|date|weekday|time is it", "星期几|几号|日期|几点"), _date),
    (_SUM, _sum),
    (
        _topic(
            "hello|hi|hey|who are you|what are you|^help|good morning|introduce yourself", "你好|您好|你是谁|介绍|帮助"
        ),
        _hello,
    ),
)
