"""Answers as models write them, made up here: in several languages and scripts, with everything that Markdown has, whole
and broken. `answers()` gives them by name; the same ones every time."""

# ruff: noqa: E501  (an answer is one string)

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

__all__ = ["CODE", "answers"]

CODE = {
    "python": "def mean(values):\n    # 平均值\n    return sum(values) / len(values) if values else 0.0\n\nprint(mean([1, 2]))",
    "javascript": "const wait = (ms) => new Promise((done) => setTimeout(done, ms));\nawait wait(`${5}0`);",
    "typescript": "type Bird = { name: string; eggs?: number };\nconst birds: Array<Bird> = [{ name: 'magpie' }];",
    "java": 'List<String> names = new ArrayList<>();\nnames.add("Elster");  // <String>',
    "c": '#include <stdio.h>\nint main(void) { printf("%d\\n", 1 << 4); return 0; }',
    "cpp": 'std::vector<std::string> nest{"twig", "moss"};\nfor (auto& part : nest) std::cout << part << \'\\n\';',
    "go": "func count(birds []string) (n int) {\n\tfor range birds {\n\t\tn++\n\t}\n\treturn\n}",
    "rust": 'fn main() {\n    let eggs: Vec<u8> = (1..=3).collect();\n    println!("{eggs:?}");\n}',
    "sql": "SELECT name, COUNT(*) AS seen\nFROM birds\nWHERE place = 'Köln' AND seen > 2\nGROUP BY name;",
    "bash": 'for file in *.txt; do\n  echo "$file" | sed \'s/_/-/g\' > "/tmp/${file%.txt}"\ndone',
    "html": '<!DOCTYPE html>\n<p class="note">5 &lt; 6 <!-- <!channel> --></p>\n<script>alert(1)</script>',
    "css": '.nest > .egg:nth-child(2n+1)::after { content: "\\2022"; margin: 0 *; }',
    "json": '{"birds": [{"name": "喜鹊", "eggs": null}], "ok": true}',
    "yaml": "birds:\n  - name: pica\n    tags: [black, white]  # *not emphasis*",
    "diff": "--- a/nest\n+++ b/nest\n@@ -1 +1 @@\n-twig\n+moss",
    "": "no language\n    but *stars* and | pipes |",
}

_SAID = {
    "en": (
        "A magpie builds its nest early",
        "It is **not** a thief, whatever people say",
        "They store food in the ground",
    ),
    "zh": ("喜鹊很早就开始筑巢", "它**不是**小偷，尽管人们这么说", "它们把食物藏在地里"),
    "ja": ("カササギは早くから巣を作る", "人々が何と言おうと、**泥棒**ではない", "地面に食べ物を隠す"),
    "ko": ("까치는 일찍 둥지를 짓는다", "사람들이 뭐라 하든 **도둑**은 아니다", "먹이를 땅에 숨긴다"),
    "ar": ("يبني العقعق عشه مبكرا", "إنه **ليس** لصا مهما قال الناس", "ويخزن الطعام في الأرض"),
    "he": ("העקעק בונה את קינו מוקדם", "הוא **לא** גנב", "הוא אוגר מזון באדמה"),
    "hi": ("नीलकंठ जल्दी घोंसला बनाता है", "यह **चोर** नहीं है", "यह भोजन ज़मीन में छिपाता है"),
    "th": ("นกสาลิกาสร้างรังแต่เช้า", "มัน**ไม่ใช่**ขโมย", "มันซ่อนอาหารไว้ในดิน"),
    "de": ("Die Elster baut früh ihr Nest", "Sie ist **keine** Diebin", "Sie vergräbt Vorräte"),
    "emoji": ("🐦‍⬛ baut 🪺", "👩‍👩‍👧 sehen **🥚🥚** zu 👍🏽", "🇨🇳🇩🇪 1️⃣ ❤️ fertig 🎉"),
}

_PROSE = {
    "advice": "{0}.\n\n{1}. {2}, so *look twice* and read `notes_v2.txt` first.\n\nIn short: {0}.",
    "steps": "## {0}\n\n1. {1}\n2. {2}\n   - {0}\n   - `a_b_c` and 5 * 3 * 2\n3. **{0}：**{2}\n\n> {1}\n",
    "loose": "- {0}\n\n- {1}\n\n  {2}\n\n- [x] {0}\n- [ ] {2}\n",
    "mixed": "### {0}\n\n{1}\n\n```text\n{2}\n```\n\n| {0} | {2} |\n|:--|--:|\n| {1} | `x` |\n\n---\n\n*{2}*",
}

_WIDE = {
    "结论": "**结果：**后面的字，这是**“加粗”**文字，价格为**$5**元，*斜体*中文。~~旧价，~~新价（见[说明](https://example.com/说明)）。",
    "步骤": "请按以下步骤：\n1. **第一步：**打开`设置`；\n2. **第二步**：选择“模型”→“qwen-plus”；\n3. 完成。\n\n**注意！**不要忘记保存。",
    "对比": "| 项目 | 说明 | 价格（元） |\n|---|:-:|--:|\n| 模型一 | **快** | 0.4 |\n| 模型二 | 慢，但更好；适合长文档的阅读与总结 | 1.2 |\n",
    "引用": "> **问：**为什么？\n>\n> > 因为$E=mc^2$。\n>\n> - 甲\n> - 乙\n\n以上。",
    "诗": "床前有鸟声，  \n枝上两三行。  \n*不知何处去*，  \n__只见月如霜__。",
}

_MATH = {
    "inline": "The area is $\\pi r^2$, so with $r = 3$ it is \\(9\\pi \\approx 28.3\\). It costs $5 and $10, or US$5 至 HK$10.",
    "display": "Then\n\n$$\nx = \\frac{-b \\pm \\sqrt{b^2-4ac}}{2a}\n$$\n\nand\n\n\\[ \\sum_{i=1}^{n} i = \\frac{n(n+1)}{2} \\]\n\nholds.",
    "matrix": "令\n\n$$A = \\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}$$\n\n则 $\\det A = -2$，$A^{-1}$ 存在。",
    "aligned": "$$\n\\begin{aligned}\na &= b + c \\\\\n  &= \\int_0^1 x^2\\,dx\n\\end{aligned}\n$$",
    "list": "1. $\\alpha \\to \\beta$\n2. 设 $x_1, \\dots, x_n \\in \\mathbb{R}$\n\n   $$\n   \\lim_{n\\to\\infty} \\bar{x}_n = \\mu\n   $$\n3. 完",
    "unknown": "Chemists write $\\ce{2H2 + O2 -> 2H2O}$ and\n\n$$\n\\foo{\\bar{x}}{y\n$$",
    "table": "| f | f' |\n|---|---|\n| $x^n$ | $nx^{n-1}$ |\n| $\\sin x$ | $\\cos x$ |\n| $\\ln x$ | $1/x$ |",
}

_BROKEN = {
    "fence": "Look:\n\n```python\nprint('never closed')\n\nstill code",
    "fence in list": "1. Do:\n   ```sh\n   ls -l\n2. and this is code, too",
    "bold": "This **is bold to the end\n\nand *this too",
    "stars": "***a** b* **c *d** e*** * ** _f__ ~~g~ ~~~",
    "ticks": "`a ``b` c``` d ` e\\` f",
    "table": "| a | b\n|--|\n| 1 | 2 | 3 |\n|\n| 4\nnot a row",
    "table ends": "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 ",
    "links": "[a](http://x.y [b]( [c][d] ![e](f) [g](<h i>) [](https://e.org) [javascript](javascript:alert(1)) <http://[::1>",
    "html": '<div onclick=\'x()\'>hi</div> <br> <tg-button type="callback_data" data="w">go</tg-button> <details><summary>s</summary>t</details>',
    "entities": "&lt;b&gt; &amp;amp; &#x41; &nbsp;| &bogus; & < >",
    "nest": "> - > 1. > - deep\n>   more\n\n- - - a\n  - b\n* * *\n",
    "deep": "> " * 20 + "deep\n\n" + "- " * 20 + "deeper",
    "money": "It costs $5, $10 or 20$; *not* $ 5 $ and $$ nor $x$y and a$b$c.",
    "math": "\\( never closed, \\[ neither\n\n$$\na\n\nb",
    "headings": "#no\n# \n####### seven\n## ok ##\ntext\n===\nmore\n---",
    "numbers": "1986. A great year\n2) other\n10000000000. too long\n- \n-\n+ x",
    "bidi": "admin\u202e gpj.exe\u202c `a\u2066b\u2069` [x\u202ey](https://e.org/\u202e)",
    "control": "a\0b\x07c\x1b[31md\ufeffe\u2028f\u2029g\ufdd0h\ufffei",
    "crlf": "# a\r\n\r\n- b\r\n- c\r\n\r\n```\r\nd\r\n```\r\n",
    "spaces": "   \n\t\n    indented\n\n\tcode\n \u3000全角\u00a0space  ",
    "surrogate": "half \ud83d pair **\udc00** `\ud800`",
    "think": "About the tag <think>: it opens, and </think> closes.\n\n`<think>` in code.",
    "mentions": "<!channel> <!here|x> @channel @everyone <@U123> <#C1|x> `<!here>` /allow 123 /start@bot @name #tag $CASH +49 30 123456",
    "disguise": "[bank.com](http://evil.example) [https://bank.com/login](https://e.example/?u=bank.com) <https://bank.com@evil.example/>",
    "footnotes": "A claim[^1], another[^2][^note] and a pattern [^a-z].\n\n[^1]: **because**\n[^2]: see [here](https://e.org)\n[^note]: no",
}


def _table(columns: int, rows: int, words: str) -> str:
    head = "| " + " | ".join(f"{words} {number}" for number in range(columns)) + " |"
    mark = "|" + "|".join((":--", "--:", ":-:", "---")[number % 4] for number in range(columns)) + "|"
    body = [
        "| "
        + " | ".join(f"**{row}**.{number}" if number == 0 else f"{row}.{number}" for number in range(columns))
        + " |"
        for row in range(rows)
    ]
    return "\n".join([head, mark, *body])


def _long(language: str, characters: int) -> str:
    first, second, third = _SAID[language]
    parts: list[str] = []
    number = 0
    while sum(map(len, parts)) < characters:
        number += 1
        kind = number % 6
        parts.append(
            {
                0: f"## {number}. {first}",
                1: f"{first}. {second}. " * 6,
                2: "\n".join(f"{place}. {third} `{number}_{place}`" for place in range(1, 9)),
                3: f"```python\n# {second}\n" + "print('nest')\n" * 12 + "```",
                4: _table(3, 6, third.split()[0]),
                5: f"> {third}\n>\n> - **{first}**\n> - $x_{{{number}}}^2$",
            }[kind]
        )
    return "\n\n".join(parts)


def _all() -> Iterator[tuple[str, str]]:
    for language, said in _SAID.items():
        for form, text in _PROSE.items():
            yield f"{form} {language}", text.format(*said)
    for language, code in CODE.items():
        yield (
            f"code {language}",
            f"Here it is:\n\n```{language}\n{code}\n```\n\nand in a list:\n\n- run\n  ```{language}\n"
            + "\n".join(f"  {line}" for line in code.split("\n"))
            + "\n  ```\n- done",
        )
        yield f"bare {language}", f"```{language}\n{code}\n```"
    for columns in (1, 2, 3, 5, 8, 13, 20):
        yield f"table {columns}", f"All of it:\n\n{_table(columns, 4, 'col')}\n\nThat is all."
        yield f"table {columns} 宽", _table(columns, 3, "列名")
    for name, group in (("wide", _WIDE), ("math", _MATH), ("broken", _BROKEN)):
        yield from ((f"{name} {key}", text) for key, text in group.items())
    for language in ("en", "zh", "emoji"):
        yield f"long {language}", _long(language, 6_000)
    yield "very long", _long("zh", 15_000) + "\n\n" + _long("en", 15_000)
    yield "one word", "a" * 9_000
    yield "one line", "喜鹊" * 4_500
    yield "one list", "\n".join(f"{number}. item **{number}**" for number in range(1, 400))
    yield "one code", "```py\n" + "\n".join(f"x{number} = {number}" for number in range(900)) + "\n```"


@cache
def answers() -> dict[str, str]:
    """At least 120, by name."""
    return dict(_all())
