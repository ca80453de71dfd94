"""Text files: told by their bytes, in the encodings that people use; what is not text is not taken for it."""

from __future__ import annotations

import random

import pytest

from bot.decoding.kinds import Complaint
from bot.decoding.texts import decoded

CHINESE = "姓名,城市,金额\n王小明,上海,1200.50\n李雷,北京,88\n"
PROSE = (
    "我们今天开会讨论了新的项目计划，大家都觉得时间有点紧张，但是可以完成。请各位在周五之前把自己的部分发给我，谢谢。"
)
FRENCH = "Le café est fermé à midi ; nous mangerons où tu préfères.\n" * 5
SOURCE = "def f(x):\n\treturn x * 2  # twice\n"


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        (SOURCE, "ascii", "utf-8"),
        (CHINESE, "utf-8", "utf-8"),
        (CHINESE, "utf-8-sig", "utf-8-sig"),
        (CHINESE, "utf-16", "utf-16"),
        ("a,b\n1,2\n" * 9, "utf-16-le", "utf-16"),
        ("a,b\n1,2\n" * 9, "utf-16-be", "utf-16"),
        (CHINESE, "gb18030", "gb18030"),
        (PROSE, "gbk", "gb18030"),
        (PROSE, "gb18030", "gb18030"),
        (FRENCH, "latin-1", "cp1252"),
        ("Größe;Straße\nÄÖÜ;ß\n" * 3 + "plain words to read here\n" * 3, "cp1252", "cp1252"),
        ("\x1b[31merror\x1b[0m at line 3\n" * 20, "ascii", "utf-8"),
    ],
)
def test_encodings(text: str, encoding: str, found: str) -> None:
    assert decoded(text.encode(encoding)) == (text, found)


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_a_text_cut_inside_of_a_character(encoding: str) -> None:
    data = (PROSE * 9).encode(encoding)[:-1]
    text, _ = decoded(data, whole=False)
    assert (PROSE * 9).startswith(text)
    assert len(text) >= len(PROSE * 9) - 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (random.Random(1).randbytes(4000), "binary"),
        (b"MZ" + bytes(range(256)) * 4, "binary"),
        ("오늘은 회의가 있어서 늦게 갑니다. 내일 다시 이야기해요.\n".encode("cp949") * 5, "encoding"),
        ("Сегодня хорошая погода, пойдём гулять в парк.\n".encode("cp1251") * 5, "encoding"),
    ],
)
def test_what_is_not_known_is_not_guessed_at(data: bytes, code: str) -> None:
    with pytest.raises(Complaint) as refused:
        decoded(data)
    assert refused.value.code == code
