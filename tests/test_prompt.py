"""History and settings become a request: order, budget, speakers, pictures, and texts cut for translation."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.gateways.catalogue import Catalogue
from bot.gateways.tokens import estimate
from bot.media.attached import Material
from bot.turns.prompt import CEILING, PromptContext, budget, build, fitting, spoken, translations
from bot.types import (
    Attachment,
    Chat,
    ChatSettings,
    ImagePart,
    Kind,
    Message,
    ModelRequest,
    Person,
    PromptMessage,
    Role,
    TextPart,
    Translation,
)
from tests.fakes.clock import START

CHAT = Chat("fake", "bot", "room")
ANN, BEN = Person("1", "Ann"), Person("2", "Ben")
CATALOGUE = Catalogue()
SETTINGS = ChatSettings("qwen-plus")
SCENE = PromptContext(START)
PICTURE = Attachment(Kind.IMAGE, "cat.png")


def message(id: int, text: str, role: Role = Role.USER, author: Person = ANN, **more: object) -> Message:
    return Message(id, CHAT, id, role, author, text, START, **more)  # type: ignore[arg-type]  # the fields by name


def ask(
    question: list[Message], past: list[Message] | None = None, *, settings: ChatSettings = SETTINGS, **more: object
) -> ModelRequest:
    """`past` oldest first."""
    arguments = {"scene": SCENE, "images": {}, "estimate": estimate} | more
    scene, images = arguments.pop("scene"), arguments.pop("images")
    return build(
        settings,
        CATALOGUE.info(settings.model),
        scene,  # type: ignore[arg-type]
        question,
        list(reversed(past or [])),
        images,  # type: ignore[arg-type]
        arguments.pop("estimate"),  # type: ignore[arg-type]
        **arguments,  # type: ignore[arg-type]
    )


def test_the_system_prompt_comes_first_and_knows_date_zone_title_and_speakers() -> None:
    scene = PromptContext(1_795_305_600_000, "Asia/Shanghai", "Tea house", group=True)
    request = ask([message(1, "hi")], settings=replace(SETTINGS, system="Be brief."), scene=scene)
    system = request.messages[0]
    assert system.role == "system"
    assert isinstance(system.content, str)
    assert system.content.startswith("Be brief.")
    for known in ("2026-11-22", "Sunday", "Asia/Shanghai", "Tea house", "Ann"):
        assert known in system.content


def test_history_stands_in_order_before_the_question_and_roles_alternate() -> None:
    past = [message(1, "one"), message(2, "ONE", Role.ASSISTANT), message(3, "two"), message(4, "two more")]
    request = ask([message(5, "three")], past)
    assert [(m.role, m.content) for m in request.messages[1:]] == [
        ("user", "one"),
        ("assistant", "ONE"),
        ("user", "two\n\ntwo more\n\nthree"),
    ]


def test_in_a_group_lines_carry_their_speakers() -> None:
    request = ask([message(1, "hi"), message(2, "hello", author=BEN)], scene=PromptContext(START, group=True))
    assert request.messages[-1].content == "Ann: hi\n\nBen: hello"


def test_what_a_message_replies_to_comes_along() -> None:
    request = ask([message(1, "is this so?", quoted="the moon\nis cheese")])
    assert request.messages[-1].content == "> the moon\n> is cheese\nis this so?"


def test_whose_words_are_quoted_is_said() -> None:
    def last(asked: Message, **more: object) -> object:
        return ask([asked], **more).messages[-1].content

    asked = message(1, "is he right?", quoted="100 元。\n不贵", quoted_by=BEN)
    group = PromptContext(START, group=True, language="zh")
    assert last(asked) == "> Ben: 100 元。\n> 不贵\nis he right?"
    assert last(asked, scene=group) == "Ann:\n> Ben: 100 元。\n> 不贵\nis he right?"
    assert last(replace(asked, text=""), scene=group) == "Ann:\n> Ben: 100 元。\n> 不贵"
    assert last(replace(asked, quoted_by=Person("")), scene=group) == "Ann:\n> 你: 100 元。\n> 不贵\nis he right?"
    assert last(replace(asked, quoted_by=Person("3", "B\n> Carl"))) == "> B > Carl: 100 元。\n> 不贵\nis he right?"


def test_forwarded_words_are_told_from_ones_own_and_once() -> None:
    def forward(id: int, text: str, by: Person = BEN, turn: int = 7, **more: object) -> Message:
        return replace(message(id, text, forwarded_from=by, **more), turn=turn)

    zh = PromptContext(START, language="zh")
    assert ask([forward(1, "hm")]).messages[-1].content == "Forwarded from Ben:\nhm"
    assert ask([forward(1, "hm", Person(""))]).messages[-1].content == "Forwarded:\nhm"
    own = replace(message(1, "so?"), turn=7)
    talk = [own, forward(2, "one"), forward(3, "two"), forward(4, "three", ANN)]
    assert ask(talk, scene=zh).messages[-1].content == ("so?\n\n转发自 Ben：\none\n\ntwo\n\n转发自 Ann：\nthree")
    past = [forward(1, "one", turn=1), forward(2, "two", turn=2)]  # two questions: each says it
    assert str(ask([own], past).messages[1].content).count("Forwarded from Ben:") == 2


def test_a_forwarded_picture_asks_what_is_in_it_in_nobodys_name() -> None:
    images = {PICTURE: Material((ImagePart("data:x"),))}
    asked = message(1, "", attachments=(PICTURE,), forwarded_from=BEN)
    request = ask([asked], images=images)
    words = TextPart("What is in this picture?\nForwarded from Ben:")
    assert request.messages[-1].content == (words, ImagePart("data:x"))


def test_the_oldest_goes_when_the_budget_is_used_up_and_never_the_question() -> None:
    small = replace(CATALOGUE.info("qwen-plus"), context=3000, max_output=1000)
    past = [message(n, f"message {n} " + "word " * 100, Role.ASSISTANT if n % 2 else Role.USER) for n in range(40)]
    request = build(SETTINGS, small, SCENE, [message(99, "the question")], past[::-1], {}, estimate)
    contents = [m.content for m in request.messages]
    assert contents[0].startswith("You are")  # type: ignore[union-attr]
    assert contents[-1] == "the question"
    assert request.messages[1].role == "user"
    assert "message 38" in str(contents[-2]) or "message 39" in str(contents[-2])
    assert not any("message 0 " in str(content) for content in contents)
    assert sum(estimate(str(content)) for content in contents) <= budget(small, {})


def test_a_question_that_is_too_long_is_sent_whole_without_history() -> None:
    small = replace(CATALOGUE.info("qwen-plus"), context=1000, max_output=500)
    long = "word " * 5000
    request = build(SETTINGS, small, SCENE, [message(2, long)], [message(1, "old")], {}, estimate)
    assert [m.content for m in request.messages[1:]] == [long]


def test_a_limit_that_the_gateway_named_counts() -> None:
    info = CATALOGUE.info("qwen-plus")
    assert budget(info, {}) == CEILING
    assert budget(info, {}, limit=1000) == 1000


def test_pictures_are_parts_and_a_missing_one_is_a_word() -> None:
    seen = ask([message(1, "what?", attachments=(PICTURE,))], images={PICTURE: Material((ImagePart("data:x", 100),))})
    assert seen.messages[-1].content == (TextPart("what?"), ImagePart("data:x", 100))
    unseen = ask([message(1, "what?", attachments=(PICTURE,))])
    assert unseen.messages[-1].content == "[picture]\nwhat?"


def test_a_picture_without_words_gets_the_question_everybody_means() -> None:
    request = ask([message(1, "", attachments=(PICTURE,))], images={PICTURE: Material((ImagePart("data:x"),))})
    assert request.messages[-1].content == (TextPart("What is in this picture?"), ImagePart("data:x"))


def test_of_an_album_it_is_asked_once_and_only_if_it_has_no_caption() -> None:
    pictures = {Attachment(Kind.IMAGE, f"{n}.png"): Material((ImagePart(f"data:{n}"),)) for n in range(4)}
    album = [
        replace(message(id, words, attachments=(Attachment(Kind.IMAGE, f"{id}.png"),)), turn=7)
        for id, words in ((1, ""), (2, "which one?"), (3, ""))
    ]
    (*_, asked) = ask(album, images=pictures).messages
    assert [part.text for part in asked.content if isinstance(part, TextPart) and part.text] == ["which one?"]
    album[1] = replace(album[1], text="")
    (*_, asked) = ask(album, images=pictures).messages
    assert [part.text for part in asked.content if isinstance(part, TextPart) and part.text] == [SCENE.about_picture]
    (_, asked) = ask([message(9, "and now?")], album, images=pictures).messages
    words = [part.text for part in asked.content if isinstance(part, TextPart) and part.text]
    assert words == [SCENE.about_picture, "and now?"]


def test_a_picture_that_does_not_fit_becomes_a_word() -> None:
    small = replace(CATALOGUE.info("qwen-vl-plus"), context=1500, max_output=500)
    past = [message(1, "look", attachments=(PICTURE,))]
    images = {PICTURE: Material((ImagePart("data:x", 1280),))}
    request = build(SETTINGS, small, SCENE, [message(2, "and now?")], past, images, estimate)
    assert [m.content for m in request.messages[1:]] == ["[picture]\nlook\n\nand now?"]


def test_parameters_the_model_can_not_have_are_left_out() -> None:
    parameters = {"enable_search": True, "temperature": 0.5}
    assert fitting(parameters, CATALOGUE.info("qwen-plus")) == parameters
    assert fitting(parameters, CATALOGUE.info("qwen-vl-plus")) == {"temperature": 0.5}


# ── translation ─────────────────────────────────────────────────────────────────────────────────────────────────────

TRANSLATING = replace(SETTINGS, translation=Translation("English"), parameters={"enable_search": True})


PAIR = Translation("English", "Chinese")


def translate(text: str) -> tuple[tuple[str, ModelRequest], ...]:
    return translations(TRANSLATING, CATALOGUE.info("qwen-mt-turbo"), text, PAIR, estimate)


def test_a_translation_is_one_user_message_and_names_both_languages() -> None:
    ((separator, request),) = translate("你好，世界")
    assert separator == ""
    assert request.messages == (PromptMessage("user", "你好，世界"),)
    assert request.translation == Translation("English", "Chinese")
    assert "enable_search" not in request.parameters


def test_a_long_text_goes_paragraph_by_paragraph_and_reads_the_same_when_joined() -> None:
    text = "\n\n".join(f"第{n}段。" + "这是一个很长的句子，里面有很多字。" * 12 for n in range(12))
    parts = translate(text)
    assert len(parts) > 2
    assert "".join(separator + str(request.messages[0].content) for separator, request in parts) == text
    assert all(estimate(str(request.messages[0].content)) <= 682 for _, request in parts)


@given(st.text(alphabet=st.sampled_from("ab 。.\n汉"), max_size=3000))
def test_no_letter_is_lost_in_cutting(text: str) -> None:
    parts = translations(TRANSLATING, replace(CATALOGUE.info("qwen-mt-turbo"), context=192), text, PAIR, estimate)
    joined = "".join(separator + str(request.messages[0].content) for separator, request in parts)
    assert joined.split() == text.split()


def test_what_a_question_says_is_its_words_or_what_it_quotes() -> None:
    forwarded = message(2, " 好的\n", forwarded_from=BEN)
    assert spoken([message(1, ""), forwarded, message(3, "", quoted="那个", quoted_by=BEN)]) == "好的\n\n那个"
