"""Decoding of what strangers send, in a process of its own that can be held: `python -m bot.decoding`.

One JSON line in for each file, one out; bytes go by files. The protocol:

    in   {"source": path, "target": path, "images": bool}
    out  {"recipe": "picture-1", "files": [{"name", "mime", "size", ...}], "facts": {...}, "peak": bytes}
    or   {"error": code, "data": {...}, "detail": "for the log", "peak": bytes}

What a file is, its bytes tell (`kinds`); that chooses its recipe (`recipes`). A recipe's name ends in its version: what
was made by another version is made anew. `files` stand beside `target`, as `<target>.0` and so on. `images`: it was
sent as a picture. Each code of an error has its words in `bot.media.attached`.
"""
