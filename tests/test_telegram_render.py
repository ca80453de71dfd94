"""What people see in Telegram: text and entities, which the strict server of the tests takes as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.telegram.outgoing.render import MOST, MOST_ENTITIES, SIZE, Entity, Rendered, measure, render
from bot.markdown import Segmenter, parse, plain, utf16
from bot.markdown.tree import Code, Fence, Link, Paragraph, Quote, Strong, Words
from bot.types import Note, NoteKind, Piece
from tests.fakes.telegram import part
from tests.fakes.telegram.entities import check_entities, found_entities, trimmed
from tests.test_markdown import SAMPLE


def show(source: str, **more: object) -> Rendered:
    return render(Piece("1.0", parse(source), **more))  # type: ignore[arg-type]


def parts(rendered: Rendered) -> list[tuple[str, str]]:
    return [
        (each.type, part(rendered.text, {"offset": each.offset, "length": each.length})) for each in rendered.entities
    ]


def taken(rendered: Rendered) -> None:
    """The server takes it, and shows it as it is."""
    entities = [as_json(each) for each in rendered.entities]
    assert trimmed(rendered.text, check_entities(rendered.text, entities)) == (rendered.text, entities)
    assert utf16(rendered.text) <= MOST


def as_json(entity: Entity) -> dict[str, object]:
    more = {name: getattr(entity, name) for name in ("language", "url") if getattr(entity, name)}
    return {"type": entity.type, "offset": entity.offset, "length": entity.length, **more}


# ── inside of a line ────────────────────────────────────────────────────────────────────────────────────────────────


def test_styles_are_entities_and_leave_no_marks() -> None:
    shown = show("**bold** *italic* ~~gone~~ `code` $x^2$")
    assert shown.text == "bold italic gone code x²"
    assert parts(shown) == [
        ("bold", "bold"),
        ("italic", "italic"),
        ("strikethrough", "gone"),
        ("code", "code"),
    ]
    taken(shown)


def test_offsets_count_in_utf16() -> None:
    shown = show("🐦👩‍👩‍👧 **结果：**后面 `𝒙`")
    assert parts(shown) == [("bold", "结果："), ("code", "𝒙")]
    assert shown.entities[0].offset == utf16("🐦👩‍👩‍👧 ")
    taken(shown)


def test_code_inside_bold_splits_it() -> None:
    shown = show("**before `code` after**")
    assert parts(shown) == [("bold", "before "), ("code", "code"), ("bold", " after")]
    taken(shown)


def test_links() -> None:
    shown = show("[here](https://example.org/a?b=c) and [`x`](http://example.org)")
    assert shown.text == "here and x"
    assert [(each.type, each.url) for each in shown.entities] == [
        ("text_link", "https://example.org/a?b=c"),
        ("text_link", "http://example.org"),
    ]
    taken(shown)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("mailto:ann@example.org", "write (ann@example.org)"),
        ("tel:+4912345", "write (+4912345)"),
        ("javascript:alert(1)", "write (javascript:alert(1))"),
        ("http://localhost:8080/", "write (http://localhost:8080/)"),
        ("https://[::1/", "write (https://[::1/)"),
        ("http://a b.org", "write (http://a b.org)"),
    ],
)
def test_what_the_platform_would_refuse_as_a_link_is_words(url: str, text: str) -> None:
    shown = render(Piece("1.0", (Paragraph((Link(url, (Words("write"),)),)),)))
    assert shown == Rendered(text)


def test_an_address_is_not_said_twice() -> None:
    blocks = (Paragraph((Link("mailto:ann@example.org", (Words("ann@example.org"),)),)),)
    assert render(Piece("1.0", blocks)).text == "ann@example.org"


def test_half_a_surrogate_pair_can_travel() -> None:
    shown = render(Piece("1.0", (Paragraph((Words("a\ud83d\0"), Strong((Words("b"),)))),)))
    shown.text.encode()
    assert parts(shown) == [("bold", "b")]


# ── blocks ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_headings_are_bold_and_blocks_have_air_between() -> None:
    shown = show("# Title `x`\n\ntext\n\n---\n\nmore")
    assert shown.text == "Title x\n\ntext\n\n———\n\nmore"
    assert parts(shown) == [("bold", "Title "), ("code", "x")]
    taken(shown)


@pytest.mark.parametrize(
    "source",
    [
        SAMPLE,
        "- a\n- \\begin{matrix}\n\n> **b** `c`\n>\n> ```\n> d\n> ```",
        "| 🐦 | b |\n|---|---|\n| c | " + "**d** " * 20 + "|\n\n```py\ne\n```",
        "🐦\n\n1. [f](https://g.h)\n\n   $i^2$\n\n***\n\n~~j~~",
    ],
)
def test_a_block_looks_the_same_whether_or_not_it_is_the_last(source: str) -> None:
    shown, more = show(source), show(source + "\n\n# end")
    assert more.text == shown.text + "\n\nend"
    assert more.entities[:-1] == shown.entities
    assert measure(parse(source)) == utf16(shown.text)


def test_fences_keep_language_and_indentation() -> None:
    shown = show("look:\n\n```python\n    def f():\n        pass\n```\n\nso")
    assert shown.entities == (Entity("pre", 7, len("    def f():\n        pass"), "python"),)
    assert shown.text == "look:\n\n    def f():\n        pass\n\nso"
    taken(shown)


def test_math_is_unicode_where_it_can_be() -> None:
    assert show("$$\nE = mc^2\n$$") == Rendered("E = mc²", (Entity("pre", 0, 7),))
    assert show("so $a_1 \\le x$ is") == Rendered("so a₁ ≤ x is")
    assert show("$$\n\\ce{H2O}\n$$") == Rendered("\\ce{H2O}", (Entity("pre", 0, 8, "latex"),))
    assert show("so $\\ce{H2O}$") == Rendered("so \\ce{H2O}", (Entity("code", 3, 8),))


def test_lists() -> None:
    shown = show("- one\n- two\n  - three\n\n3. a\n4. b")
    assert shown.text == "• one\n• two\n   • three\n\n3. a\n4. b"
    assert show("- [x] done\n- [ ] open").text == "☑ done\n☐ open"
    assert show("- one\n\n- two").text == "• one\n\n• two"


def test_a_fence_in_a_list_stands_on_its_own_lines() -> None:
    shown = show("1. run\n   ```sh\n   ls -l\n     x\n   ```\n2. ```\n   first\n   ```")
    assert shown.text == "1. run\nls -l\n  x\n2. \nfirst"
    assert parts(shown) == [("pre", "ls -l\n  x"), ("pre", "first")]
    taken(shown)


def test_quotes() -> None:
    shown = show("> said **so**\n>\n> and `that`\n\nwell")
    assert shown.text == "said so\n\nand that\n\nwell"
    assert parts(shown) == [("blockquote", "said so\n\nand that"), ("bold", "so")]
    taken(shown)


def test_quotes_in_quotes_and_lists_are_marked_by_hand() -> None:
    shown = show("> one\n> > two\n> > three")
    assert shown.text == "one\n\n> two\n> three"
    assert [each.type for each in shown.entities] == ["blockquote"]
    assert show("- > in a list").text == "• \n   > in a list"


def test_a_fence_splits_its_quote() -> None:
    shown = show("> a\n>\n> ```\n> code\n> ```\n>\n> b")
    assert [kind for kind, _ in parts(shown)] == ["blockquote", "pre", "blockquote"]
    taken(shown)


def test_tables_are_aligned_by_the_width_of_their_characters() -> None:
    shown = show("| 名 | price |\n|---|---:|\n| 模型 | 1 |\n| a | 200 |")
    assert shown.text == "名   | price\n-----|------\n模型 |     1\na    |   200"
    assert [each.type for each in shown.entities] == ["pre"]
    assert shown.entities[0].length == utf16(shown.text)
    taken(shown)


def test_a_wide_table_is_a_list_of_what_is_in_it() -> None:
    long = "with words that no telephone shows on one line"
    shown = show(f"| Model | Note | |\n|---|---|---|\n| **qwen** | {long} | `x` |\n| 模型 | [here](https://e.org) | |")
    assert shown.text == f"Model: qwen\n• Note: {long}\n• x\n\nModel: 模型\n• Note: here\n•"
    assert parts(shown) == [
        ("bold", "Model: qwen"),
        ("code", "x"),
        ("bold", "Model: 模型"),
        ("text_link", "here"),
    ]
    taken(shown)


@pytest.mark.parametrize(
    "source", ["/allow 123", "run\n/allow@bot", "(/allow)", "> `/allow`", "[/allow](https://e.org)", "/**allow**"]
)
def test_nothing_that_a_model_writes_is_a_live_command(source: str) -> None:
    shown = show(source)
    assert not [each for each in found_entities(shown.text) if each["type"] == "bot_command"]
    assert "allow" in shown.text


def test_commands_in_code_and_paths_stay_as_they_are() -> None:
    assert show("`/allow` a/b </b> https://e.org/allow").text == "/allow a/b </b> https://e.org/allow"


def test_footnotes_are_numbers_in_brackets() -> None:
    assert show("so[^1]\n\n[^1]: it is").text == "so[1]\n\n[1] it is"


# ── a piece ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_growing_piece_looks_unfinished() -> None:
    assert show("text", growing=True).text == "text …"
    in_code = show("```\ncode\n```", growing=True)
    assert in_code.text == "code\n…"
    assert parts(in_code) == [("pre", "code")]
    assert render(Piece("1.0", (), growing=True)).text == "…"


def test_notes_stand_below_in_italics_and_cost_does_not_stand_there() -> None:
    notes = (
        Note(NoteKind.REPEAT, "This may stand here twice."),
        Note(NoteKind.COST, "≈ ¥0.01"),
        Note(NoteKind.PART, "This is a part."),
    )
    shown = show("text", notes=notes)
    assert shown.text == "text\n\nThis may stand here twice.\nThis is a part."
    assert parts(shown) == [("italic", "This may stand here twice.\nThis is a part.")]
    assert show("text", notes=(Note(NoteKind.COST, "≈ ¥0.01"),)) == show("text")


def test_the_reasoning_is_folded_above_the_answer() -> None:
    shown = show("text", notes=(Note(NoteKind.REASONING, "first /think\nthen"), Note(NoteKind.PART, "A part.")))
    assert shown.text == "first /\u2060think\nthen\n\ntext\n\nA part."
    assert parts(shown)[0] == ("expandable_blockquote", "first /\u2060think\nthen")
    taken(shown)


@pytest.mark.parametrize(("answer", "there"), [(SIZE, True), (MOST - 50, False), (10, True)])
def test_reasoning_takes_no_more_than_the_room_that_is_left(answer: int, there: bool) -> None:
    notes = (Note(NoteKind.REASONING, "🐦" * 4000), Note(NoteKind.PART, "A part."))
    shown = render(Piece("1.0", (Paragraph((Words("a" * answer),)),), notes=notes))
    taken(shown)
    assert shown.text.endswith("a" * answer + "\n\nA part.")
    assert ("🐦…\n\na" in shown.text) == there


def test_more_entities_than_a_message_takes_make_it_too_long() -> None:
    source = " ".join(f"**b{number}**" for number in range(97))
    assert measure(parse(source)) > SIZE > measure(parse(source.rpartition(" ")[0]))


def test_nothing_is_never_sent() -> None:
    assert render(Piece("1.0", ())).text == "…"
    assert render(Piece("1.0", (Fence("  \n"),))).text == "…"


def test_long_notes_are_cut_rather_than_the_answer() -> None:
    answer = "a" * SIZE
    shown = show(answer, growing=True, notes=(Note(NoteKind.ERROR, "🐦" * 1000),))
    assert shown.text.startswith(answer + " …\n\n🐦")
    assert shown.text.endswith("🐦…")
    taken(shown)


def test_the_important_entities_stay_when_there_are_too_many() -> None:
    source = " ".join(f"**b{number}**" for number in range(150)) + "\n\n```\ncode\n```"
    shown = show(source)
    assert len(shown.entities) == MOST_ENTITIES
    assert shown.entities[-1].type == "pre"


def test_measure_is_the_length_of_what_is_shown() -> None:
    for source in ("# a\n\nb `c`", "- x\n- y\n  > z", "> q", "| a | b |\n|---|---|\n| 中文 | 🐦 |", "```\nx\n```"):
        assert measure(parse(source)) == utf16(show(source).text)


def test_a_long_answer_comes_in_messages_that_fit() -> None:
    source = "\n\n".join(
        f"## Part {number}\n\n{'字' * 700}\n\n```python\n{'print(1)' * 40}\n```" for number in range(9)
    )
    documents = Segmenter(SIZE, measure).update(source, whole=True)
    shown = [render(Piece("1.0", blocks, growing=True)) for blocks in documents]
    assert len(shown) > 2
    for each in shown:
        taken(each)
    assert sum(each.text.count("字") for each in shown) == 9 * 700
    assert sum(each.text.count("print(1)") for each in shown) == 9 * 40


def test_quotes_hold_code_as_words() -> None:
    blocks = (Quote((Paragraph((Strong((Code("x"), Words("y"))),)),)),)
    assert parts(render(Piece("1.0", blocks))) == [("blockquote", "xy"), ("bold", "xy")]


_MARKS = [
    "**",
    "*",
    "`",
    "~~",
    "> ",
    "- ",
    "1. ",
    "# ",
    "\n",
    "\n\n",
    "```\n",
    "| a | b |\n|---|---|\n",
    "[x](http://e.org)",
]


@given(st.lists(st.sampled_from([*_MARKS, "word ", "中文", "🐦", "  ", "$x$", "\\"]), max_size=40).map("".join))
def test_whatever_a_model_writes_is_taken(source: str) -> None:
    blocks = parse(source)
    for growing in (False, True):
        shown = render(Piece("1.0", blocks, growing=growing, notes=(Note(NoteKind.PART, "A part."),)))
        taken(shown)
    shown = render(Piece("1.0", blocks))
    assert [shown.text.count(each) for each in ("word", "中文", "🐦")] == [
        plain(blocks).count(each) for each in ("word", "中文", "🐦")
    ]
