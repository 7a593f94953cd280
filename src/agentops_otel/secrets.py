"""Secrets in a text: keys that are known by their shape, and what stands behind a name such as ``password``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

REDACTED: Final = "[redacted]"

#
# Every text is searched on the user's thread, so the search is in two steps. A sign is a pattern that begins with one
# rare character, which `re` and `in` find at memory speed; only where it is found do the whole patterns run. Those too
# begin with what is literal and look back from there: a pattern that begins with a look back is tried at every
# character. All patterns are linear: a repetition is bounded or cannot start again inside what it has passed.


# Most texts are searched as JSON, some of them JSON within JSON, or within a URL or a log. There a line break is two or
# six characters, and the last one is often a letter: a word begins behind it nevertheless.
_ESCAPES: Final = (
    r"\\[abefnrtv0]",
    r"\\u[0-9A-Fa-f]{4}",
    r"\\x[0-9A-Fa-f]{2}",
    "%[0-9A-Fa-f]{2}",
    r"\[[0-9]m",  # a terminal's colours
    r"[\[;][0-9]{2}m",
)
# A space as such texts write it.
_BLANK: Final = r"(?:[ \t]|\\{1,8}t|\\{1,8}u00[2Aa]0|%20)"
_BEHIND_ESCAPE: Final = re.compile("|".join(f"(?<={escape})" for escape in _ESCAPES))


def _begins(start: str, before: str = "A-Za-z0-9") -> str:
    """A pattern that looks back on `start`: true where a word begins with it."""
    return f"(?:(?<![{before}]{start})|" + "|".join(f"(?<={escape}{start})" for escape in _ESCAPES) + ")"


def _word(start: str, before: str = "A-Za-z0-9") -> str:
    """A pattern for `start` where a word begins."""
    return start + _begins(start, before)


def _ends(*starts: str) -> str:
    """A pattern that looks back on one of `starts`, where a word begins."""
    return "(?:" + "|".join(f"(?<={start}){_begins(start)}" for start in starts) + ")"


def _kept(mark: str = "") -> Callable[[re.Match[str]], str]:
    """A replacement that leaves the first group; a template takes twice the time up to Python 3.11."""
    behind = mark + REDACTED
    return lambda found: found[1] + behind


_Secret: TypeAlias = tuple[str, str | Callable[[re.Match[str]], str]]
# Anchor, sign, and the patterns with what they are replaced by.
_PATTERNS: Final[tuple[tuple[str, str, tuple[_Secret, ...]], ...]] = (
    (
        "-",
        r"-(?:BEGIN|(?<=[a-z]-)(?:(?<=sk-)|(?<=xox[a-z]-)|(?<=xai-)|(?<=pplx-)|(?<=glpat-)))",
        (
            # OpenAI, Anthropic, OpenRouter, DeepSeek and others. A word such as "sk-learn-like" has no digit and is
            # short.
            (
                (
                    rf"({_word('sk-')}(?:ant-|proj-|or-|svcacct-|admin-)?)"
                    r"(?=[A-Za-z_*-]{0,64}[0-9]|[A-Za-z_*-]{20})[A-Za-z0-9_*-]{8,}"
                ),
                _kept("…"),
            ),
            (rf"({_word('xox[a-z]-')})[A-Za-z0-9-]{{8,}}", _kept("…")),  # Slack
            # xAI, Perplexity, GitLab.
            (
                (
                    rf"-(?<=[ixt]-){_ends('xai-', 'pplx-', 'glpat-')}"
                    r"(?=[A-Za-z_-]{0,64}[0-9])[A-Za-z0-9_-]{16,}"
                ),
                f"-…{REDACTED}",
            ),
            (
                (
                    r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----)"
                    r"(?:.*?-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|.*)"
                ),
                _kept(),
            ),
        ),
    ),
    (
        "_",
        r"_(?<=[khpousrt]_)(?:(?<=gsk_)|(?<=gh[opsur]_)|(?<=github_pat_)|(?<=[rs]k_))|_(?<=hf_)",
        # Groq, Hugging Face, GitHub; Stripe.
        (
            (
                (
                    rf"_(?<=[kfopsurt]_)(?:{_ends('gsk_', 'hf_', 'gh[opsur]_')}(?=[A-Za-z0-9]{{16}})"
                    rf"|{_ends('github_pat_')})[A-Za-z0-9_]{{16,}}"
                ),
                f"_…{REDACTED}",
            ),
            (rf"_(?<=[et]_){_ends('[rs]k_(?:live|test)_')}[A-Za-z0-9]{{8,}}", f"_…{REDACTED}"),
        ),
    ),
    (
        "I",
        r"I(?:za(?<=AIza)|A(?<=A[KS]IA))",
        # Google, AWS.
        (
            (rf"{_word('AIza')}[A-Za-z0-9_-]{{20,}}", f"AIza…{REDACTED}"),
            (rf"IA{_ends('A[KS]IA')}[A-Z0-9]{{12,}}", f"IA…{REDACTED}"),
        ),
    ),
    (
        "J",
        r"J(?<=eyJ)",
        # A JSON web token.
        (
            (
                rf"{_word('eyJ', 'A-Za-z0-9_-')}[A-Za-z0-9_-]{{8,}}\.[A-Za-z0-9_-]{{4,}}(?:\.[A-Za-z0-9_-]*)?",
                f"eyJ…{REDACTED}",
            ),
        ),
    ),
    (
        "B",
        r"B(?=earer[ \t\\%])",
        (
            (
                (
                    rf"({_word('Bearer', 'A-Za-z0-9_')}{_BLANK}{{1,4}})(?=[A-Za-z0-9._~+/=-]{{6}})"
                    r"(?=[^\s]{0,64}[0-9]|[^\s]{20})(?:[A-Za-z0-9._~+=-]|\\{0,8}/){6,}"
                ),
                _kept(),
            ),
        ),
    ),
    (
        "=",
        r"=(?<=[ge]=)(?:(?<=[?&]sig=)|(?<=[sS]ignature=))",
        # The signature of a URL that lets in whoever has it.
        ((r"([?&](?:sig|[A-Za-z-]{0,16}[sS]ignature)=)[^&#\s\"'<>\\\[]{8,}", _kept()),),
    ),
    (
        "-",
        r"-[A-Za-z](?<=--[A-Za-z])",
        # An option of a command line: `--api-key KEY`; with `=` it is a named secret.
        (
            (
                (
                    rf"(--(?=[A-Za-z0-9]){_begins('--', 'A-Za-z0-9_-')}(?=[A-Za-z0-9_-]{{3,94}}{_BLANK}{{1,4}}[^\s\[-])"
                    rf"(?:[A-Za-z0-9]{{1,20}}[_-]){{0,4}}(?i:key|token|secret|password|passphrase){_BLANK}{{1,4}})[^\s\"'\\]{{8,}}"
                ),
                _kept(),
            ),
        ),
    ),
    (
        "@",
        r"@(?<=[^\s/:\"'<>\\@]@)[A-Za-z0-9\[]",
        # User and password of a URL; a user alone, as in ssh://git@host, is none unless it is as long as a key.
        (
            (
                r"(:(?:\\{0,8}/){2})(?:[^\s/@:\"'<>\\]{0,64}:[^\s/@\"'<>\\]{1,128}|[^\s/@:\"'<>\\]{20,128})(?=@)",
                _kept(),
            ),
        ),
    ),
)
_SHAPES: Final = tuple(
    (anchor, re.compile(sign), tuple((re.compile(secret, re.DOTALL), replacement) for secret, replacement in secrets))
    for anchor, sign, secrets in _PATTERNS
)

# Names whose value is a secret, each as a whole word: `max_tokens` and `token_count` are none.
_NAMES: Final = (
    "access-key",
    "access_key",
    "accesskey",
    "api-key",
    "api_key",
    "apikey",
    "authorization",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "passphrase",
    "passwd",
    "password",
    "private-key",
    "private_key",
    "privatekey",
    "secret",
    "secret-key",
    "secret_key",
    "secretkey",
    "token",
)
# The last letters of those names, with the sign that stands behind them.
_LETTERS: Final = r"[eErRwWsSiIaAlLoO][yYnNtTdDeElLsS]"
_TAIL: Final = (
    r"(?:[_iIeEsStT-][kK][eE][yY]|[oO][kK](?:[eE][nN]|[iI][eE])|[cC][rR][eE][tT]|[wW][oO][rR][dD]|[sS][sS][wW][dD]"
    r"|[rR][aA][sS][eE]|[tT][iI](?:[aA][lL]|[oO][nN](?<=[zZ][aA][tT][iI][oO][nN]))|[iI][aA][lL][sS]|[kK][iI][eE][sS])"
)


def _behind_a_name(sign: str) -> re.Pattern[str]:
    # From the cheap to the dear: two letters, then four; first without a quote, then with one, then with an escaped
    # one, whose backslashes are 1, 3 or 7, as deep as the JSON lies within JSON.
    plain, quoted, escaped, *deeper = (
        f"(?<={_LETTERS}{end})(?<={_TAIL}{end})"
        for end in (
            sign,
            rf"[\"' ]{sign}",
            rf"[\\\"'][\"' ]{sign}",
            rf"\\{{3}}[\"']{sign}",
            rf"\\{{7}}[\"']{sign}",
        )
    )
    deep = rf"(?<=\\\\[\"']{sign})(?:{'|'.join(deeper)})"
    return re.compile(rf"{sign}(?:{plain}|(?<=[\"' ]{sign})(?:{quoted}|{escaped}|{deep}))")


_COLON: Final = _behind_a_name(":")
_EQUALS: Final = _behind_a_name("=")
# Long runs of plain characters are one step each: a step for each character takes memory for each.
_QUOTED: Final = re.compile(rf"""{_BLANK}{{0,8}}(?:"([^"\\]*(?:\\.[^"\\]*)*)|'([^'\r\n]*))""", re.DOTALL)
_OPENED: Final = re.compile(rf"""{_BLANK}{{0,8}}(\\{{0,16}})\"""")
_LINE: Final = re.compile(r"[^\r\n]*")
_BARE: Final = re.compile(rf"{_BLANK}{{0,8}}([^\s\"'&;,<>(){{}}\[\]\\|`]+)(?!\()")
_SCHEME: Final = re.compile(
    rf"{_BLANK}{{0,8}}((?i:bearer|basic|digest|token|apikey){_BLANK}{{1,4}}[^\s\"'&;,<>(){{}}\[\]\\|`]{{4,}})"
)
# A quoted value with more quotes than this inside is an attack, too.
_MOST_QUOTES: Final = 100
# More named secrets than this in one text is an attack on our time; what is behind them goes too.
_MOST_NAMED: Final = 5000


def is_secret_name(text: str) -> bool:
    """Whether `text` ends with a secret's name: ``OPENAI_API_KEY``, ``accessToken``, ``request.header.cookie``."""
    end = text[-20:]
    lower = end.lower()
    if not lower.endswith(_NAMES):
        return False
    for name in _NAMES:
        if lower.endswith(name):
            at = len(text) - len(name)
            before = text[at - 1 : at]
            if not (before.isascii() and before.isalpha()) or (text[at].isupper() and before.islower()):
                return True
            if _BEHIND_ESCAPE.match(text, at) is not None:
                return True
    return False


def _named_secrets(text: str, sign: re.Pattern[str], *, loose: int) -> str:
    """`text` without the values behind secrets' names; `loose`: how long a bare word without a digit must be."""
    first = sign.search(text)
    if first is None:
        return text
    pieces: list[str] = []
    done = 0
    for count, found in enumerate(sign.finditer(text, first.start())):
        at = found.start()
        if at < done:
            continue
        if count > _MOST_NAMED:
            return "".join((*pieces, text[done:at], REDACTED))
        before = text[max(at - 40, 0) : at]
        name = before.rstrip("\\\"' ")
        if not is_secret_name(name):
            continue
        span = _secret_value(text, found.end(), loose=loose, in_json=before.endswith(('"', "'")))
        if span is not None:
            pieces += (text[done : span[0]], REDACTED)
            done = span[1]
    return "".join((*pieces, text[done:])) if pieces else text


def _secret_value(text: str, at: int, *, loose: int, in_json: bool) -> tuple[int, int] | None:
    """Where the value behind a secret's name begins and ends; None when it is none or redacted already."""
    quoted = _QUOTED.match(text, at)
    if quoted is not None:
        start, end = quoted.span(quoted.lastindex or 0)
        if end == len(text):  # a quote that nothing closes: it was cut off, or is no such quote
            end = _end_of_line(text, start)
        return (start, end) if end > start and not text.startswith(REDACTED, start) else None
    opened = _OPENED.match(text, at)
    if opened is not None:
        start, end = opened.end(), _closing(text, opened.end(), len(opened.group(1)))
        return (start, end) if end > start and not text.startswith(REDACTED, start) else None
    scheme = _SCHEME.match(text, at)
    if scheme is not None:
        return scheme.span(1)
    bare = _BARE.match(text, at)
    # Numbers and words of JSON stay, or it would be JSON no more.
    if bare is None or in_json:
        return None
    word = bare.group(1)
    if len(word) < 4 or (len(word) < loose and not any(map(str.isdigit, word))):
        return None
    return bare.span(1)


def _closing(text: str, start: int, depth: int) -> int:
    """Where a value ends that was opened by a quote behind `depth` backslashes: 1 within JSON, 3 within that."""
    at = start - 1
    for _ in range(_MOST_QUOTES):
        at = text.find('"', at + 1)
        if at < 0:
            break  # cut off
        run = at
        while run > start and text[run - 1] == "\\":
            run -= 1
        backslashes = at - run
        if backslashes < depth or backslashes % (2 * depth + 2) == depth:
            return at - min(backslashes, depth)
    return _end_of_line(text, start)


def _end_of_line(text: str, start: int) -> int:
    line = _LINE.match(text, start)
    return len(text) if line is None else line.end()


def scrub(text: str) -> str:
    """`text` without what looks like a secret; the same object when nothing does. Linear in the length of the text."""
    for anchor, sign, secrets in _SHAPES:
        if anchor in text and sign.search(text) is not None:
            for secret, replacement in secrets:
                text = secret.sub(replacement, text)
    if ":" in text:
        text = _named_secrets(text, _COLON, loose=20)
    if "=" in text:
        text = _named_secrets(text, _EQUALS, loose=12)
    return text
