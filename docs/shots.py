"""Draws one answer as each platform shows it, from what the writers make of it: `python -m docs.shots`, with Chromium.

The frames around it (bubbles, fonts, colours) are ours, like those of the clients; what is in them is the writers' own.
"""

# ruff: noqa: E501  (styles)

from __future__ import annotations

import shutil
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from playwright.sync_api import sync_playwright
from rich.console import Console

from adapters.slack.outgoing.posting import content
from adapters.telegram.outgoing import render as telegram
from adapters.telegram.outgoing.blocks import rich
from adapters.terminal.drawing import Document
from adapters.web.outgoing import render as web
from adapters.web.outgoing.formulas import mathml
from bot.markdown import parse, utf16
from bot.types import Note, NoteKind, Piece

HERE = Path(__file__).parent
ANSWER = """## 汇率与体积 Rates and volumes

**结果：**三个球的体积之和约为 **$V \\\\approx 18.8$**，价格为**$5**元。See [the docs](https://example.com/a_b)[^1].

1. 先算一个球：$V = \\\\frac{4}{3}\\\\pi r^3$
2. 再相加：
   - [x] measured
   - [ ] checked

| 球 ball | $r$ | 体积 volume |
|:--|--:|--:|
| 小 small | 1 | 4.19 |
| 大 large | 1.52 | 14.7 |

```python
def volume(r: float) -> float:
    return 4 / 3 * math.pi * r**3  # 球
```

$$
\\\\sum_{i=1}^{2} V_i = \\\\frac{4\\\\pi}{3}\\\\left(r_1^3 + r_2^3\\\\right)
$$

> 注意：`r` 的单位是 *cm*。

[^1]: Sphere, in any textbook.
""".replace("\\\\", "\\")
PIECE = Piece("1.0", parse(ANSWER), notes=(Note(NoteKind.REASONING, "Reasoning\nFirst the radius, then the sum."),))
_TAGS = {
    "bold": "b",
    "italic": "i",
    "strikethrough": "s",
    "code": "code",
    "pre": "pre",
    "text_link": "a",
    "blockquote": "blockquote",
    "expandable_blockquote": "blockquote",
}
_STYLE = """
body { margin: 0; padding: 24px; width: 560px; font: 15px/1.45 "Noto Sans", "Noto Sans CJK SC", system-ui, sans-serif; }
.bubble { background: #fff; border-radius: 14px; padding: 10px 14px; white-space: pre-wrap; overflow-wrap: anywhere; }
.rich { white-space: normal; } li > p:only-of-type { display: inline; } .rich p { margin: .5em 0; white-space: pre-wrap; }
pre, code { font-family: "DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace; font-size: 13px; }
pre { margin: 0; padding: 6px 8px; background: #f0f3f5; border-radius: 6px; white-space: pre-wrap;
  display: inline-block; }
blockquote { margin: 0; padding: 2px 10px; border-left: 3px solid #5aa0d8; background: #eef5fb; border-radius: 4px; }
span blockquote { display: inline-block; } a { color: #2678b6; } table { border-collapse: collapse; margin: .5em 0; }
td, th { border: 1px solid #ccd4d9; padding: 3px 10px; } .slack code { color: #c0392b; background: #f6f6f6; }
"""


def entities() -> str:
    """Text and entities as HTML, opened and closed where they say."""
    shown = telegram.render(PIECE)
    marks: dict[int, list[str]] = {}
    for each in shown.entities:
        marks.setdefault(each.offset, []).append(f"<{_TAGS[each.type]}>")
        marks.setdefault(each.end, []).insert(0, f"</{_TAGS[each.type]}>")
    out, at = [], 0
    for char in shown.text:
        out += [*marks.pop(at, []), escape(char)]
        at += utf16(char)
    return f'<div class="bubble">{"".join(out)}{"".join(marks.pop(at, []))}</div>'


def blocks(found: Any, *, is_block: bool = True) -> str:
    """Rich blocks as HTML."""
    if isinstance(found, str):
        return escape(found)
    if isinstance(found, list):
        return "".join(blocks(each, is_block=is_block) for each in found)
    inner = "".join(blocks(found[name], is_block=name == "blocks") for name in ("text", "blocks") if name in found)
    match found["type"]:
        case "list":
            items = "".join(_item(each) for each in found["items"])
            return f"<ol>{items}</ol>" if "value" in found["items"][0] else f"<ul>{items}</ul>"
        case "table":
            rows = (
                "".join(f"<td align={c['align']}>{blocks(c.get('text', ''), is_block=False)}</td>" for c in r)
                for r in found["cells"]
            )
            return "<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"
        case "mathematical_expression":
            return mathml(found["expression"], block=is_block)
        case "details":
            return f"<details><summary>{blocks(found['summary'])}</summary>{inner}</details>"
    tags = {"paragraph": "p", "heading": "h3", "pre": "pre", "url": "a", "superscript": "sup", "footer": "small"}
    tag = tags.get(found["type"]) or _TAGS.get(found["type"], "span")
    return f"<{tag}>{inner}</{tag}>"


def _item(item: Any) -> str:
    box = "" if "has_checkbox" not in item else "☑ " if item["is_checked"] else "☐ "
    return f"<li>{box}{blocks(item['blocks'])}</li>"


def on_slack() -> str:
    """The Markdown read by a CommonMark parser, the table block, and what is noted below."""
    reader = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    out = []
    for block in content(PIECE)["blocks"]:
        match block["type"]:
            case "markdown":
                out.append(reader.render(block["text"]))
            case "context":
                out.append(f"<p><small>{escape(block['elements'][0]['text'])}</small></p>")
            case "table":
                sides = [column["align"] for column in block["column_settings"]]
                rows = ("".join(map(_cell, row, sides)) for row in block["rows"])
                out.append("<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>")
    return f'<div class="bubble rich slack">{"".join(out)}</div>'


def _cell(cell: Any, side: str) -> str:
    inner = "".join(
        f"<b>{escape(each['text'])}</b>" if each.get("style", {}).get("bold") else escape(each["text"])
        for each in cell["elements"][0]["elements"]
    )
    return f"<td align={side}>{inner}</td>"


def on_page() -> str:
    style = (HERE.parent / "adapters/web/static/style.css").read_text()
    more = "body { display: block; overflow: visible; height: auto; padding: 24px }"
    thoughts = f'<details class="reasoning"><summary>{escape(PIECE.notes[0].text.splitlines()[0])}</summary></details>'
    return f'<style>{style} {more}</style>{thoughts}<div class="prose">{web.render(PIECE.blocks)}</div>'


def on_terminal() -> str:
    console = Console(file=StringIO(), record=True, width=64, force_terminal=True)
    console.print(Document(PIECE.blocks))
    html = console.export_html(inline_styles=True, code_format="<pre style='background:#fff'>{code}</pre>")
    return f"<style>pre {{ white-space: pre; }}</style>{html}"


def main() -> None:
    made = rich(PIECE)
    assert made is not None
    pages = {
        "telegram": ("#cfe0d0", entities()),
        "telegram-rich": ("#cfe0d0", f'<div class="bubble rich">{blocks(made["blocks"])}</div>'),
        "slack": ("#fff", on_slack()),
        "page": ("#fbfaf8", on_page()),
        "terminal": ("#fff", on_terminal()),
    }
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport={"width": 608, "height": 400})
        for name, (colour, html) in pages.items():
            page.set_content(
                f"<!doctype html><meta charset=utf-8><style>{_STYLE if name != 'page' else ''}</style><body style='background:{colour}'>{html}"
            )
            page.screenshot(path=str(HERE / f"answer-{name}.png"), full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
