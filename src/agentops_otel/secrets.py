"""Secrets in a text, found in three ways: as what we know, by their shape, and by a name such as ``password``.

The one thing to know: what we know (the keys of the clients that are traced, our own) goes verbatim, wherever it
stands and whatever it looks like; shapes and names are the net for all others.
"""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias
from urllib.parse import quote, quote_plus

from .text import whole_words

REDACTED: Final = "[redacted]"

# ---------------------------------------------------------------------------------------------------------------
# shapes
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
    r"\\U[0-9A-Fa-f]{8}",
    "%[0-9A-Fa-f]{2}",
    "%25[0-9A-Fa-f]{2}",
    r"\[[mK]",  # a terminal's colours
    r"\[[0-9]K",
    r"[\[;][0-9]m",
    r"[\[;][0-9]{2}m",
    r"[\[;][0-9]{3}m",
)
# A space as such texts write it.
_BLANK: Final = r"(?:[ \t\xa0]|\\{1,8}(?:t|u00[2Aa]0|xa0)|%20)"
_QUOTE: Final = r"\\{0,16}[\"']"
_BEHIND_ESCAPE: Final = re.compile("|".join(f"(?<={escape})" for escape in _ESCAPES))


def _begins(start: str, before: str = "A-Za-z0-9") -> str:
    """A pattern that looks back on `start`: true where a word begins with it."""
    return f"(?:(?<![{before}]{start})|" + "|".join(f"(?<={escape}{start})" for escape in _ESCAPES) + ")"


def _word(start: str, before: str = "A-Za-z0-9") -> str:
    """A pattern for `start` where a word begins."""
    return start + _begins(start, before)


def _kept(mark: str = "") -> Callable[[re.Match[str]], str]:
    """A replacement that leaves the first group; a template takes twice the time up to Python 3.11."""
    behind = mark + REDACTED
    return lambda found: found[1] + behind


# Keys by their shape: how they begin, the characters behind that, and at least how many. A new one is a new row.
_KEYS: Final = (
    # OpenAI, Anthropic, OpenRouter, DeepSeek, Langfuse and others.
    ("sk-ant- sk-proj- sk-or- sk-svcacct- sk-admin- sk-", "A-Za-z0-9_*-", 8),
    ("gsk_", "A-Za-z0-9", 16),  # Groq
    ("hf_", "A-Za-z0-9", 16),  # Hugging Face
    ("xai- pplx- csk- tvly-dev- tvly-prod- tvly-", "A-Za-z0-9", 16),  # xAI, Perplexity, Cerebras, Tavily
    ("nvapi-", "A-Za-z0-9_-", 16),  # NVIDIA
    ("fw_ r8_ jina_ rpa_", "A-Za-z0-9", 20),  # Fireworks, Replicate, Jina, Runpod
    ("pcsk_", "A-Za-z0-9_", 30),  # Pinecone
    ("fc- e2b_ bb_live_", "A-Za-z0-9", 20),  # Firecrawl, E2B, Browserbase
    ("lsv2_pt_ lsv2_sk_ tgp_v1_", "A-Za-z0-9_-", 20),  # LangSmith, Together
    ("AIza", "A-Za-z0-9_-", 20),  # Google
    ("ya29.", "A-Za-z0-9_.-", 20),
    ("GOCSPX-", "A-Za-z0-9_-", 20),
    ("AKIA ASIA", "A-Z0-9", 12),  # AWS
    ("ghp_ gho_ ghu_ ghs_ ghr_", "A-Za-z0-9", 16),  # GitHub
    ("github_pat_", "A-Za-z0-9_", 16),
    ("glpat- gldt- glrt- glcbt- glptt- glft- glsoat- glimt-", "A-Za-z0-9_.-", 16),  # GitLab
    ("glagent- gloas- glffct- glwt-", "A-Za-z0-9_.-", 16),
    ("xoxa- xoxb- xoxc- xoxd- xoxe- xoxo- xoxp- xoxr- xoxs- xapp-", "A-Za-z0-9-", 8),  # Slack
    ("sk_live_ sk_test_ rk_live_ rk_test_ sk_org_live_ sk_org_test_ sk_org_", "A-Za-z0-9", 8),  # Stripe
    ("whsec_", "A-Za-z0-9+/=", 16),
    ("sq0atp- sq0csp- sq0idp-", "A-Za-z0-9_-", 20),  # Square
    ("shpat_ shpss_ shpca_ shppa_", "A-Za-z0-9", 20),  # Shopify
    ("SG.", "A-Za-z0-9_.-", 40),  # SendGrid
    ("npm_", "A-Za-z0-9", 30),
    ("pypi-", "A-Za-z0-9_-", 50),
    ("dop_v1_ doo_v1_ dor_v1_", "a-f0-9", 32),  # DigitalOcean
    ("lin_api_ lin_oauth_", "A-Za-z0-9", 20),  # Linear
    ("ntn_", "A-Za-z0-9", 30),  # Notion
    ("figd_ glsa_ glc_", "A-Za-z0-9_=-", 20),  # Figma, Grafana
    ("sbp_ sb_secret_", "A-Za-z0-9_-", 20),  # Supabase
    ("sntrys_ sntryu_", "A-Za-z0-9_=+/", 20),  # Sentry
    ("pscale_tkn_ pscale_pw_ pscale_oauth_", "A-Za-z0-9_.-", 20),  # PlanetScale
    ("PMAK- NRAK-", "A-Za-z0-9-", 20),  # Postman, New Relic
    ("hvs. hvb. hvr.", "A-Za-z0-9_-", 24),  # HashiCorp Vault
    ("dapi", "a-f0-9", 32),  # Databricks
    ("dckr_pat_ dckr_oat_", "A-Za-z0-9_-", 20),  # Docker
    ("ATATT3 ATCTT3", "A-Za-z0-9_=-", 60),  # Atlassian
    ("ATBB", "A-Za-z0-9", 32),  # Bitbucket
    ("dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.", "A-Za-z0-9_.-", 40),  # Doppler
    ("tskey-", "A-Za-z0-9-", 20),  # Tailscale
    ("nfp_", "A-Za-z0-9_", 36),  # Netlify
    ("xkeysib- xsmtpsib-", "A-Za-z0-9-", 40),  # Brevo
    ("sgp_", "A-Za-z0-9_", 40),  # Sourcegraph
    ("rubygems_", "a-f0-9", 48),
    ("pylf_v1_ pylf_v2_", "A-Za-z0-9_", 30),  # Logfire
    ("phx_", "A-Za-z0-9_", 40),  # PostHog
    ("CFPAT-", "A-Za-z0-9_-", 40),  # Contentful
    ("pul-", "a-f0-9", 40),  # Pulumi
    ("ops_eyJ", "A-Za-z0-9+/=_-", 80),  # 1Password
    ("AQ.Ab8", "A-Za-z0-9_-", 40),  # Google
    ("1//0", "A-Za-z0-9_-", 40),
    ("EAAA", "A-Za-z0-9_-", 56),  # Square
    ("AGE-SECRET-KEY-1", "A-Z0-9", 58),
    ("fm2_", "A-Za-z0-9+/=", 80),  # Fly
    ("HRKU-AA", "A-Za-z0-9_-", 58),  # Heroku
    ("tfp_", "A-Za-z0-9_.=-", 50),  # Typeform
    # Amazon Bedrock (https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-how.html).
    ("ABSK", "A-Za-z0-9+/=", 80),
    ("bedrock-api-key-", "A-Za-z0-9+/=", 40),
    ("dt0c01.", "A-Z0-9.", 60),  # Dynatrace
    ("AKCp", "A-Za-z0-9", 60),  # JFrog
    ("pat-na1- pat-na2- pat-eu1-", "a-f0-9-", 36),  # HubSpot
    ("sqp_ squ_ sqa_", "a-f0-9", 40),  # SonarQube
    ("vcp_ vck_ vca_ vci_ vcr_", "A-Za-z0-9", 24),  # Vercel
    ("vercel_blob_rw_", "A-Za-z0-9_", 30),
    ("CCIPAT_ CCIPRJ_", "A-Za-z0-9_", 40),  # CircleCI
    ("sha256~", "A-Za-z0-9_-", 43),  # OpenShift
    ("duffel_live_ duffel_test_", "A-Za-z0-9_=-", 43),
    ("EZAK EZTK", "A-Za-z0-9", 54),  # EasyPost
    ("shippo_live_ shippo_test_", "a-f0-9", 40),
    ("access_token$production$ access_token$sandbox$", "a-z0-9$", 48),  # Braintree
    ("AVNS_", "A-Za-z0-9_-", 19),  # Aiven
    ("LTAI", "A-Za-z0-9", 20),  # Alibaba
    ("NRII-", "A-Za-z0-9_-", 32),  # New Relic
    ("NRJS-", "a-f0-9", 19),
    ("CLOJARS_", "a-z0-9", 60),
    ("napi_", "a-z0-9", 60),  # Neon
)
# Rare characters, the rarest first: the search looks for the first of them that is in a beginning.
_ANCHORS: Final = "~-_JIG9Q./TApB"

_Replacement: TypeAlias = Callable[[re.Match[str]], str]
_Secret: TypeAlias = tuple[str, _Replacement]
_Compiled: TypeAlias = tuple[re.Pattern[str], _Replacement]
# Anchor; sign, which goes on behind the anchor; and the patterns with what they are replaced by.
_Shape: TypeAlias = tuple[str, str, tuple[_Secret, ...]]


def _key_shapes() -> Iterator[_Shape]:
    """The table above by anchor."""
    rows = [(start, characters, least) for starts, characters, least in _KEYS for start in starts.split()]
    rows.sort(key=lambda row: -len(row[0]))  # so that all of a beginning is shown
    by_anchor: dict[str, dict[tuple[str, int], list[str]]] = {}
    for start, characters, least in rows:
        anchor = next(character for character in _ANCHORS if character in start[1:])
        by_anchor.setdefault(anchor, {}).setdefault((characters, least), []).append(start)
    for anchor, bodies in by_anchor.items():
        keys = "|".join(_key(anchor, starts, *body) for body, starts in bodies.items())
        near = "".join(sorted({start.partition(anchor)[0][-1] for starts in bodies.values() for start in starts}))
        literal = re.escape(anchor)
        shape = f"{literal}(?<=[{near}]{literal})(?:{keys})"
        yield anchor, _sign(anchor, bodies.values()), ((shape, _shown(anchor)),)


def _divided(anchor: str, start: str) -> tuple[str, str]:
    before, _, after = start.partition(anchor)
    return re.escape(before + anchor), re.escape(after)


# Words with hyphens between them, and numbers: the class of an element, the name of a package. The case of letters does
# not change in a word, as it does all the time in what is made by chance.
_WORD_OF_A_NAME: Final = r"(?:(?:[A-Z]?[a-z]{1,19}|[A-Z]{2,19})[0-9]{0,2}|[0-9]{1,4})"
_HYPHENATED: Final = rf"(?:{_WORD_OF_A_NAME}[_-]{{1,2}}){{1,15}}(?:{_WORD_OF_A_NAME})?"


def _key(anchor: str, starts: Iterable[str], characters: str, least: int) -> str:
    """A pattern for keys from the anchor on; the group is what is left of the beginning.

    It is not a word when there is a digit in it, or when it is longer than words are; and no name made of words.
    """
    rests: dict[str, list[str]] = {}
    for before, after in (_divided(anchor, start) for start in starts):
        rests.setdefault(before, []).append(after)
    ends = "|".join(f"(?<={before}){_begins(before)}(?:{'|'.join(after)})" for before, after in rests.items())
    no_digits = characters.replace("0-9", "")
    letters, is_no_name = "A-Za-z*", ""
    if characters.endswith("-"):
        letters, is_no_name = no_digits, f"(?!{_HYPHENATED}(?![{characters}]))"
    is_no_word = f"(?=[{no_digits}]{{0,39}}[0-9]|[{letters}]{{20}}|[{characters}]{{40}})"
    return f"({ends}){is_no_word}{is_no_name}[{characters}]{{{least},}}"


def _shown(anchor: str) -> Callable[[re.Match[str]], str]:
    """A replacement that leaves the beginning of a key."""
    behind = "…" + REDACTED
    return lambda found: f"{anchor}{found[found.lastindex or 0]}{behind}"


def _without_key(found: re.Match[str]) -> str:
    """The first line of a private key without the others; what stands between these, when each is a text, stays."""
    lines = found[3]
    if lines is None:
        return found[1] + REDACTED
    pieces = _BETWEEN_LINES.split(lines) if lines.strip() else [REDACTED]
    return found[1] + "".join(REDACTED if piece and not at % 2 else piece for at, piece in enumerate(pieces))


def _without_basic(found: re.Match[str]) -> str:
    """`Basic` without what is behind it, when that is a user and a password: what has no colon is another word."""
    encoded = found[2].replace("\\", "").rstrip("=")
    user, colon, _ = base64.b64decode(encoded[: len(encoded) // 4 * 4]).partition(b":")
    is_user = colon and user.decode(errors="surrogateescape").isprintable()
    return found[1] + REDACTED if is_user else found[0]


def _without_element(found: re.Match[str]) -> str:
    """An element of XML without its text, when its name is that of a secret and its text is no ordinary word."""
    is_secret = is_secret_name(found[2]) and _NO_WORD.fullmatch(found[3])
    return found[1] + REDACTED if is_secret else found[0]


def _sign(anchor: str, starts: Iterable[list[str]]) -> str:
    """A pattern that finds all of `starts`, and first looks only at the two characters before the anchor."""
    every = {start for group in starts for start in group}
    befores = {start.partition(anchor)[0] for start in every}
    width = min(2, *map(len, befores)) if len(befores) > 1 else 1
    quick = "|".join(sorted({re.escape(before[-width:]) for before in befores}))
    whole = sorted({_divided(anchor, start) for start in every})
    ends = "|".join(f"(?<={before}){f'(?={after})' if after else ''}" for before, after in whole)
    return f"(?<=(?:{quick}){re.escape(anchor)})(?:{ends})"


_USER_AND_PASSWORD: Final = (
    r"(?:[^\s/@:\"'<>\\]{0,64}:[^\s/@\"'<>\\]{1,128}(?:@[^\s/@,?#\"'<>\\]{1,64}){0,2}|[^\s/@:\"'<>\\]{20,128})(?=@)"
)
_SLASH: Final = r"(?:\\{0,20}/|%2[Ff])"

# A private key (https://www.rfc-editor.org/rfc/rfc7468) up to its end in the same text. Without one, it was cut
# off, or is one text for each line; or somebody only speaks of keys. Then only what looks like its lines is one.
_END_OF_KEY: Final = r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_KEY_TEXT: Final = r"(?:[^\"'\x1f{};-]+|-(?!----(?:BEGIN|END) )){0,4000}"
_KEY_HEADER: Final = r"(?:Proc-Type|DEK-Info|Version|Comment|Charset|Hash):[^\r\n\"'\\]{0,200}"
_KEY_CHARACTERS: Final = r"(?:[A-Za-z0-9+/=]+|\\{1,20}/|\\{1,20}u00(?:2[BbFf]|3[Dd])|%2[BbFf]|%3[Dd])"
_KEY_LINE: Final = (
    r"(?=[A-Za-z0-9+/=\\%]{16})(?=[A-Za-z+/\\%]{0,63}[0-9]|[A-Za-z0-9+/=\\%]{40})" + _KEY_CHARACTERS + "{1,200}"
)
_KEY_BREAK: Final = r"(?:[\r\n]|\\{1,20}[nr]|\\{1,20}u000[AaDd]|%0[AaDd])"
# Between two lines that are texts of their own, in a list or in code; behind it there is a line and nothing else.
_KEY_JOINT: Final = (
    rf"(?:{_QUOTE}(?:[\s,+]|\\{{1,20}}[nrt]){{0,64}}{_QUOTE}|\x1f \n)"
    rf"(?=[A-Za-z0-9+/=\\]{{0,200}}(?:{_QUOTE}(?!\s?:)|[\r\n]|\Z)|-----END |Proc-Type:|DEK-Info:)"
)
_KEY_NUMBER: Final = r"[0-9]{1,6}(?:[:|\t→]|\\{1,20}(?:t|u2192))"  # of a line, as tools show files
_KEY_GAP: Final = rf"(?:{_KEY_BREAK}|[ \t>]|\\{{1,20}}t|%20|{_KEY_NUMBER}|{_KEY_JOINT}){{0,64}}"
# Cut in the middle.
_KEY_PIECE: Final = (
    rf"{_KEY_BREAK}{{1,4}}(?=[A-Za-z]{{0,62}}[0-9+/=]|[A-Za-z]{{12}})[A-Za-z0-9+/=]{{4,63}}(?=\Z|{_QUOTE}|\n\x1f)"
)
_KEY_LINES: Final = (
    rf"(?:{_KEY_GAP}(?:{_KEY_HEADER}|{_KEY_LINE})){{1,4000}}"
    rf"(?:{_KEY_PIECE})?"
    rf"(?:{_KEY_GAP}(?:[A-Za-z0-9+/=]{{1,63}}{_KEY_GAP})?{_END_OF_KEY})?"
    rf"|{_KEY_GAP}[A-Za-z0-9+/=]{{16,63}}{_KEY_GAP}{_END_OF_KEY}"
    rf"|{_KEY_PIECE}"
    # (a text that ends so is not clean, because the lines may be in the next one)
    rf"|[ \t\r\n]{{0,8}}(?=\Z|\n\x1f)"
)
_BETWEEN_LINES: Final = re.compile(rf"({_QUOTE}[^\"']{{0,400}}?{_QUOTE}|\n?\x1f \n)")
# 17 to 19 digits in base64.
_DISCORD_NUMBER: Final = "|".join(
    rf"(?<=(?:[MNO][DTjz][AEIMQUYcgk][w-z0-5]){{5}}[A-Za-z0-9]{{{rest}}}\.)" for rest in (3, 4, 6)
)

_OTHER_SHAPES: Final[tuple[_Shape, ...]] = (
    (
        "-",
        "(?=BEGIN )",
        (
            (
                (
                    r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)(?!\[redacted\])"
                    # (a group in a look ahead is not tried again)
                    rf"(?:(?=({_KEY_TEXT}))\2{_END_OF_KEY}|({_KEY_LINES}))"
                ),
                _without_key,
            ),
        ),
    ),
    (
        "J",
        "(?<=eyJ)",
        # A JSON web token.
        (
            (
                rf"({_word('eyJ', 'A-Za-z0-9_-')})[A-Za-z0-9_-]{{8,}}\.[A-Za-z0-9_-]{{4,}}(?:\.[A-Za-z0-9_-]*)?",
                _kept("…"),
            ),
        ),
    ),
    (
        "B",
        r"(?=earer[ \t\\%])",
        (
            (
                (
                    rf"({_word('Bearer', 'A-Za-z0-9_')}{_BLANK}{{1,4}})(?=[A-Za-z0-9._~+/=-]{{6}})"
                    r"(?=(?:[A-Za-z0-9._~+/=-]|\\{1,20}/){0,64}[0-9]|(?:[A-Za-z0-9._~+/=-]|\\{1,20}/){20})"
                    r"(?:[A-Za-z0-9._~+=-]|\\{0,20}/){6,}"
                ),
                _kept(),
            ),
        ),
    ),
    (
        "B",
        r"(?=asic[ \t\\%])",
        (
            (
                rf"({_word('Basic', 'A-Za-z0-9_')}{_BLANK}{{1,4}})((?:[A-Za-z0-9+]|\\{{0,20}}/){{8,}}={{0,2}})",
                _without_basic,
            ),
        ),
    ),
    (
        ".",
        r"(?<=hooks\.)(?=slack)|(?<=[dp]\.)(?:(?<=discord\.)|(?<=discordapp\.))(?=com)",
        # The address of a webhook is all that it takes to write there.
        (
            (
                rf"(\.slack(?:-gov)?\.com{_SLASH}(?:services|triggers|workflows){_SLASH})(?:[A-Za-z0-9_-]|{_SLASH}){{20,}}",
                _kept("…"),
            ),
            (
                rf"(\.com{_SLASH}api{_SLASH}(?:v[0-9]{{1,2}}{_SLASH})?webhooks{_SLASH}[0-9]{{16,20}}{_SLASH})[A-Za-z0-9_-]{{40,}}",
                _kept("…"),
            ),
        ),
    ),
    (
        "I",
        "(?=DENTIFIED BY )",
        # A password in SQL.
        ((rf"(IDENTIFIED BY {_QUOTE})(?!\[redacted\])[^\s\"'\\]{{4,}}", _kept()),),
    ),
    (
        "J",
        "(?=Ti)(?<=LS0tLS1CRUdJ)",
        # A private key in base64, as `client-key-data` of Kubernetes: RSA, EC, DSA, OPENSSH, ENCRYPTED or none of them.
        ((r"(J(?<=LS0tLS1CRUdJ)Ti)(?=BSU0|BFQyB|BEU0|BPUEV|BFTkN|BQUkl)[A-Za-z0-9+/=]{20,}", _kept("…")),),
    ),
    (
        "S",
        "(?=ecretString)",
        # Of AWS Secrets Manager; in an object in there the names say it
        # (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html).
        ((rf"(SecretString{_QUOTE}\s?:\s?{_QUOTE})(?!\[redacted\])[^\s\"'\\{{][^\"'\\]{{3,}}", _kept()),),
    ),
    (
        ".",
        r"(?<=webhook\.)(?=office)",
        ((rf"(\.office(?:365)?\.com{_SLASH}webhook(?:b2)?{_SLASH})(?:[A-Za-z0-9@-]|{_SLASH}){{40,}}", _kept("…")),),
    ),
    (
        ".",
        r"(?=atlasv1\.)",
        # Of Terraform.
        ((r"(\.(?<=[A-Za-z0-9]{14}\.)atlasv1\.)[A-Za-z0-9_=-]{60,}", _kept("…")),),
    ),
    (
        ".",
        r"(?=[a-f0-9]{8})(?<=pat[A-Za-z0-9]{14}\.)",
        # Of Airtable.
        ((r"(\.(?<=pat[A-Za-z0-9]{14}\.))[a-f0-9]{64}", _kept("…")),),
    ),
    (
        "J",
        r"(?=QQJ9)(?<=[A-Za-z0-9]{52}J)",
        # Of Azure.
        ((rf"({_begins('')})[A-Za-z0-9]{{52}}JQQJ9[A-Za-z0-9]{{27,}}", _kept()),),
    ),
    (
        "Z",
        r"(?=DO)(?<=[A-Za-z0-9]{76}AZ)",
        # Of Azure DevOps (https://learn.microsoft.com/azure/devops/organizations/accounts/use-personal-access-tokens-to-authenticate).
        ((rf"({_begins('')})[A-Za-z0-9]{{76}}AZDO[A-Za-z0-9]{{4,}}", _kept()),),
    ),
    (
        "A",
        r"(?=L)(?<=[0-9a-fux]{36}NRA)",
        # Of New Relic.
        ((rf"({_begins('')})[0-9a-fux]{{36}}NRAL(?![A-Za-z0-9])", _kept()),),
    ),
    (
        ".",
        r"(?=[A-Za-z0-9_-]{6}\.)(?<=[A-Za-z0-9]{20}\.)",
        # Of a bot of Discord: its number in base64, when, and a signature
        # (https://discord.com/developers/docs/reference#authentication).
        ((rf"(\.(?:{_DISCORD_NUMBER})[A-Za-z0-9_-]{{6}}\.)[A-Za-z0-9_-]{{27,}}", _kept("…")),),
    ),
    (
        "A",
        "(?<=[0-9]:A)(?=A)",
        # Of a bot of Telegram (https://core.telegram.org/bots/api#authorizing-your-bot).
        (("(A(?<=[0-9]{6}:A)A)[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])", _kept("…")),),
    ),
    (
        "~",
        "(?<=[0-9]Q~)",
        # The secret of a client in Microsoft Entra.
        ((r"(~(?<=[A-Za-z0-9_~.-]{3}[0-9]Q~))[A-Za-z0-9_~.-]{31,}", _kept("…")),),
    ),
    (
        "-",
        "(?=[A-Za-z])(?<=--)",
        # An option of a command line: `--api-key KEY`; in quotes, as in a list of JSON, only what has a digit, because
        # the next argument there may be another name of the option. With `=` it is a named secret.
        (
            (
                (
                    rf"(--(?=[A-Za-z0-9]){_begins('--', 'A-Za-z0-9_-')}(?=[A-Za-z0-9_-]{{3,94}}[ \t\\%\"'])"
                    r"(?:[A-Za-z0-9]{1,20}[_-]){0,4}(?i:key|token|secret|password|passphrase)"
                    rf"(?:{_BLANK}{{1,4}}|(?:{_BLANK}{{1,4}}|{_QUOTE},{_BLANK}{{0,4}}){_QUOTE}(?=[^\s\"'\\]{{0,64}}[0-9])))"
                    r"(?=[^\s\"'\\\[-])[^\s\"'\\]{8,}"
                ),
                _kept(),
            ),
        ),
    ),
    (
        "-",
        r"(?=u(?:[ \t\\\"']|[\w.@-]{1,32}:))|(?=user[ \t=\\\"'])(?<=--)",
        # User and password of curl; what a variable says is none (https://curl.se/docs/manpage.html#-u).
        (
            (
                (
                    r"(curl(?:(?!curl)[^|;]){0,300}?(?:\s|\\[nrt]|[\"'])-(?:u|-user)"
                    rf"(?:=|{_BLANK}{{1,4}}|{_QUOTE},{_BLANK}{{0,4}}|(?<=-u))(?:{_QUOTE})?[^\s:\"'\\]{{1,64}}:)"
                    r"(?![$%<{\[])[^\s\"'\\]{1,128}"
                ),
                _kept(),
            ),
        ),
    ),
    (
        "<",
        r"(?=\\{0,16}/[A-Za-z])",
        # <password>...</password>
        (
            (
                r"(<([\w:.-]{2,60})(?:\s[^<>]{0,200})?>\s{0,64})([^<>\s\\]{4,256})(?=\s{0,64}<\\{0,16}/\2>)",
                _without_element,
            ),
        ),
    ),
    (
        "@",
        r"(?<=[^\s/:\"'<>\\@]@)[A-Za-z0-9\[/]",
        # User and password of a URL, also of one in parts; a user alone, as in ssh://git@host, is none unless it is as
        # long as a key.
        (
            (rf"(:(?:\\{{0,20}}/){{2}}){_USER_AND_PASSWORD}", _kept()),
            (rf"(netloc(?:{_QUOTE})? ?[:=] ?{_QUOTE}){_USER_AND_PASSWORD}", _kept()),
        ),
    ),
)


def _compiled() -> tuple[tuple[str, re.Pattern[str], Callable[[], tuple[_Compiled, ...]]], ...]:
    """One sign for each anchor, because each search takes its time, and what compiles the patterns behind it.

    Few programs meet a text with such a sign, and compiling the patterns of all takes as long as a quarter of the
    import of this package.
    """
    signs: dict[str, list[str]] = {}
    patterns: dict[str, list[_Secret]] = {}
    for anchor, sign, secrets in (*_key_shapes(), *_OTHER_SHAPES):
        signs.setdefault(anchor, []).append(sign)
        patterns.setdefault(anchor, []).extend(secrets)

    @functools.cache
    def compiled(anchor: str) -> tuple[_Compiled, ...]:
        return tuple((re.compile(secret, re.DOTALL), replacement) for secret, replacement in patterns[anchor])

    return tuple(
        (
            anchor,
            re.compile(re.escape(anchor) + "(?:" + "|".join(signs[anchor]) + ")"),
            functools.partial(compiled, anchor),
        )
        for anchor in signs
    )


_SHAPES: Final = _compiled()

# ---------------------------------------------------------------------------------------------------------------
# names

# A name whose value is a secret, as a whole word: `max_tokens` and `token_count` are none.
_NAME: Final = re.compile(
    r"(?:authorization|cookies?|credentials?|passcode|passphrase|passw(?:or)?ds?|secrets?|(?:auth|csrf|identity)?token)\Z",
    re.IGNORECASE,
)
# Whose password or key it is, in a name that says so in short: DB_PASS, smtp-pwd, OPENAI_KEY.
_OWNERS_OF_PASSWORDS: Final = (
    "admin", "auth", "database", "db", "email", "ftp", "imap", "ldap", "login", "mail", "mongo", "mysql", "pg",
    "postgres", "proxy", "redis", "root", "sftp", "smtp", "sql", "ssh", "sudo", "user", "vnc", "vpn",
)  # fmt: skip
_OWNERS_OF_KEYS: Final = (
    "access", "account", "admin", "algolia", "anthropic", "api", "application", "auth", "azure", "brave", "claude",
    "cohere", "cosmos", "deepseek", "encryption", "fastly", "fireworks", "functions", "gemini", "groq", "huggingface",
    "llm", "master", "mistral", "openai", "openrouter", "perplexity", "pinecone", "private", "qdrant", "rapidapi",
    "replicate", "secret", "sendgrid", "serper", "service", "signing", "speech", "stripe", "subscription", "supabase",
    "tavily", "weaviate",
)  # fmt: skip
_OWNERS: Final = {
    "pass": _OWNERS_OF_PASSWORDS, "pwd": _OWNERS_OF_PASSWORDS, "key": _OWNERS_OF_KEYS, "keys": _OWNERS_OF_KEYS,
}  # fmt: skip
# These alone are words and the working directory, too: only what looks like a secret is one behind them.
_WEAK_NAME: Final = re.compile(
    r"(?i:(?<![A-Za-z])pwd|(?<![A-Za-z_-])pass(?=\s*=|\\{0,16}[\"']))[\\\"'\s\]]{0,18}[:=]\Z"
)
# So behind what goes on behind a secret's name: `password2`, `api_key_2`, `password_confirmation`.
_BEHIND_NAME: Final = re.compile(r"(?:[-_ ]?[0-9]{1,2}|[-_](?:base|confirmation|value))\Z", re.IGNORECASE)
_WEAK_VALUE: Final = re.compile(r"(?![$<{%\[.~])(?=[^A-Za-z]*[A-Za-z])(?=[^0-9]*[0-9])[^\s/\\]{4,}")
# User and password in base64, as Docker and npm keep them
# (https://docs.docker.com/reference/cli/docker/login/#credential-stores).
_AUTH: Final = re.compile(r"(?<![A-Za-z0-9])auth\Z")
_AUTH_VALUE: Final = re.compile(r"(?=[A-Za-z+/]{0,40}[0-9])[A-Za-z0-9+/]{12,}={0,2}")
# A key in the name of a constant or in the environment, whoever it is for: COSMOS_KEY. There only what is long and not
# made of words is one, as such a name is often that of a name: CACHE_PREFIX_KEY = "user:profile:v2".
_ANY_KEY: Final = re.compile(r"([A-Z][A-Z0-9]*)_KEY\Z")
_NO_SECRET_KEY: Final = frozenset({
    "BUCKET", "CACHE", "COLUMN", "CORRELATION", "DEDUPLICATION", "EVENT", "FILE", "FOREIGN", "GROUP", "HASH",
    "IDEMPOTENCY", "INDEX", "LOCK", "LOOKUP", "MESSAGE", "OBJECT", "ORDER", "PARTITION", "PRIMARY", "PUBLIC",
    "PUBLISHABLE", "RANGE", "REQUEST", "ROUTING", "ROW", "S3", "SHARD", "SORT", "TRACE", "UNIQUE",
})  # fmt: skip
_ANY_KEY_VALUE: Final = re.compile(
    rf"(?![$<{{%\[.~/]|[a-z]+://|(?:{_WORD_OF_A_NAME}[_.:/-]{{1,2}}){{0,15}}{_WORD_OF_A_NAME}?\Z)"
    r"(?=[^A-Za-z]*[A-Za-z])(?=[^0-9]*[0-9])[^\s\\]{16,}"
)
# Before `token`, these words say that it marks a place in a list or in a vocabulary.
_WORD: Final = re.compile(r"([A-Z]?[a-z]+|[A-Z]+)[-_. ]?\Z")
_NO_SECRET_TOKEN: Final = re.compile(
    "bos|cached|change|completion|continuation|continue|count|cursor|delta|end|eos|expected|first|forward|backward"
    "|illegal|input|last|mask|max|min|next|output|pad|page|pagination|per|prev|previous|prompt|reasoning|resume|sep"
    "|skip|special|start|stop|sync|total|unexpected|unk|watch",
    re.IGNORECASE,
)
# The last letters of those names, with the sign that stands behind them.
_LAST_LETTERS: Final = frozenset("yYnNtTdDeElLsShH0123456789")
_LETTERS: Final = rf"[eErRwWsSiIaAlLoOuUdDtTyY_][{''.join(sorted(_LAST_LETTERS))}]"
_TAIL: Final = (
    r"(?:[_ iIeEsStThHnNrRgG-][kK][eE][yY]|[oO][kK](?:[eE][nN]|[iI][eE])|[cC][rR][eE][tT]|[wW][oO][rR][dD]"
    r"|[sS][sS][wW][dD]|[bBrR][aA][sS][eE]|[tT][iI](?:[aA][lL]|[oO][nN](?<=[zZmM][aA][tT][iI][oO][nN]))"
    r"|[iI][aA][lL][sS]|[kK][iI][eE][sS]|[aA][lL][uU][eE]"
    r"|[pP][aA][sS][sS]|(?s:.)[pP][wW][dD]|[oO][rR][dD][sS0-9]|[kK][eE][yY][sS0-9]|[rR][eE][tT][sS0-9]|[cC][oO][dD][eE]"
    r"|[eErR][dDnNtTyY]_[0-9]|[aA][uU][tT][hH]|nput)"
)


def _behind_a_name(sign: str) -> str:
    # From the cheap to the dear: two letters, then four; first without a quote, then with one, then with an escaped
    # one. Its backslashes are 1, 3 or 7, as deep as JSON lies within JSON; `repr()` makes other numbers of them, and
    # some write a blank before the sign. There only the two letters are looked for: four take longer to compile than
    # to ask `is_secret_name()`. In Markdown asterisks or a backtick stand there.
    def name(end: str, *, whole: bool = True) -> str:
        return f"(?<={_LETTERS}{end})" + (f"(?<={_TAIL}{end})" if whole else "")

    plain, quoted, escaped = (name(end) for end in (sign, rf"[\"' *`]{sign}", rf"[\\\"'*][\"' *]{sign}"))
    more = "|".join(name(rf"\\{{{count}}}[\"']{sign}", whole=count in (3, 7)) for count in range(2, 17))
    spaced = "|".join(name(rf"\\{{{count}}}[\"'] {sign}", whole=False) for count in (1, 2, 3, 7))
    deeper = rf"(?<=[\\\"'*][\"' *]{sign})(?:{escaped}|(?<=\\\\[\"']{sign})(?:{more})|(?<=\\[\"'] {sign})(?:{spaced}))"
    # Where names are aligned, or a tab stands behind them, blanks are sign enough.
    aligned = rf"(?<=[ \t][ \t]{sign})|(?<=\t{sign})"
    # `environ["API_KEY"] = "..."`
    item = rf"(?<=[\"']\]{sign})|(?<=[\"']\] {sign})"
    spaced_out = rf"(?<=[\"' \t*`]{sign})(?:{quoted}|{deeper}|{aligned})"
    return rf"{sign}(?:{plain}|{spaced_out}|(?<=\\t{sign})|(?<=[ \]]{sign})(?:{item}))"


def _behind_a_first(sign: str) -> str:
    """A pattern for the sign behind a name in quotes, which are as deep as JSON lies within JSON."""
    plain = rf"(?<={_LETTERS}[\"']{sign})(?<={_TAIL}[\"']{sign})"
    deeper = "|".join(rf"(?<={_LETTERS}\\{{{count}}}[\"']{sign})" for count in range(1, 17))
    return rf"{sign}(?:{plain}|(?<=\\[\"']{sign})(?:{deeper}))"


_COLON: Final = re.compile(_behind_a_name(":"))
_COMMA: Final = re.compile(_behind_a_first(","))
# With that of a signature in a URL, which lets in whoever has it: one search finds both, because each takes time.
_EQUALS: Final = re.compile(_behind_a_name("=") + r"|=(?<=[ge]=)(?:(?<=[?&;6]sig=)|(?<=[sS]ignature=))")
_SIGNATURE: Final = re.compile(
    r"([?&\\](?:(?<=\?)|(?<=&)(?:amp;)?|(?<=\\)u0026)(?:sig|[A-Za-z-]{0,16}[sS]ignature)="
    r"|[ ,]Signature=(?=[0-9a-fA-F]{32}))[^&#\s\"'<>\\\[]{8,}"
)
_ENCODED_SIGNATURE: Final = re.compile(
    r"(%(?:26|3[Ff])(?:sig|[A-Za-z-]{0,16}[sS]ignature)%3[Dd])(?:[^&#\s\"'<>\\\[%]|%(?!26)){8,}"
)
# A colon or an equals sign in a URL within a URL.
_ENCODED: Final = re.compile(rf"%3[aAdD](?<={_LETTERS}%3[aAdD])(?<={_TAIL}%3[aAdD])")
# Long runs of plain characters are one step each: a step for each character takes memory for each.
_QUOTED: Final = re.compile(rf"""{_BLANK}{{0,8}}[bBuUrR]{{0,2}}(?:"([^"\\]*(?:\\.[^"\\]*)*)|'([^'\r\n]*))""", re.DOTALL)
_OPENED: Final = re.compile(rf"""{_BLANK}{{0,8}}[bBuUrR]{{0,2}}(\\{{0,16}})([\"'])""")
_LINE: Final = re.compile(r"[^\r\n]*")
# A call is none: `token=next(ids)`, `secret=os.getenv(name)`; nor is a link, of which what is secret has a shape.
_BARE: Final = re.compile(
    rf"{_BLANK}{{0,8}}(?!https?:/|(?:[A-Za-z_]{{1,64}}|[A-Za-z_]\w{{0,63}}(?:\.\w{{1,64}}){{1,6}})\()([^\s\"'&;,<>(){{}}\[\]\\|`]+)"
)
# Headers with more than one word: all cookies, and what stands behind a scheme, its parameters too.
_HEADER: Final = re.compile(r"(?:authorization|cookie)\Z", re.IGNORECASE)
_HEADER_VALUE: Final = re.compile(
    rf"{_BLANK}{{0,8}}("
    r"[^\s;,=\"'\\()]{1,64}=[^\s;\"'\\]*(?:; ?[^\s;,=\"'\\()]{1,64}=[^\s;\"'\\]*)+"
    rf"|[A-Za-z][A-Za-z0-9-]{{1,30}}{_BLANK}{{1,4}}(?:"
    r"[A-Za-z]{1,30}=(?:\\{0,16}\"[^\"\\\r\n]*\\{0,16}\"|[^\s,\"'\\]+)"
    r"(?:, ?[A-Za-z]{1,30}=(?:\\{0,16}\"[^\"\\\r\n]*\\{0,16}\"|[^\s,\"'\\]+))*"
    r"|(?=[^\s\"'\\,]{0,64}[0-9])[^\s\"'\\,=(][^\s\"'\\,]{7,}))"
)
# In a list or an object behind a name: what a text has to be to be taken for a secret, as there are labels and schemas.
_INSIDE: Final = re.compile(rf"{_BLANK}{{0,8}}(?=[\[{{(])")
_NEAR: Final = 1000
_LEAF: Final = re.compile(r"(?=[^0-9]*[0-9])\S{8,}")
_NAME_QUOTE: Final = re.compile(rf"{_QUOTE} ?\Z")
# Behind the token of a vocabulary or of an analysed text: how likely it was, where it stands
# (https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-indices-analyze).
_LIKELY: Final = re.compile(
    rf"[^\r\n]{{0,64}}?{_QUOTE},(?:\s|\\{{1,16}}[nrt]){{0,16}}{_QUOTE}"
    rf"(?:logprob{_QUOTE}\s?:\s?[-0]|bytes{_QUOTE}\s?:\s?(?:\[|null)|start_offset{_QUOTE}\s?:\s?[0-9])"
)
# A coin, and what a browser sends with a request (https://developer.mozilla.org/docs/Web/API/RequestInit#credentials).
_TICKER: Final = re.compile(rf" ?{_QUOTE}[A-Z]{{1,6}}{_QUOTE}")
_OF_FETCH: Final = re.compile(rf" ?{_QUOTE}(?:same-origin|include|omit){_QUOTE}")
# A quote that ends the text in which the name stands: `input("password: ")`.
_ENDS_CALL: Final = re.compile(rf"{_BLANK}{{0,8}}({_QUOTE})[ \t]{{0,8}}[)\]}},;]")
_SCHEME: Final = re.compile(
    rf"{_BLANK}{{0,8}}((?i:bearer|basic|digest|token|apikey){_BLANK}{{1,4}}[^\s\"'&;,<>(){{}}\[\]\\|`]{{4,}})"
)
_SPACE: Final = r"(?:\s|\\{1,16}[nrt]){0,64}"
# `password: str = "..."`, `API_KEY: Final[str] = "..."`, as Python and TypeScript write it.
_ANNOTATED: Final = re.compile(r"(?<=:) ?[A-Za-z_][\w.]{0,40}(?:\[[\w., |\[\]]{1,60}\])?(?: \| None)? ?= ?(?=[\\\"'])")
# What may stand before a value. In Markdown: `**password:** x`, with a backtick; in JSON and the like a text may stand
# on the next line; in YAML it is indented there, and of what looks like that only one word with a digit is a value.
_MARKED: Final = re.compile(rf"(?:{_BLANK}{{0,8}}\*{{1,3}})?(?:{_BLANK}{{0,8}}`{{1,3}})?")
_BEFORE_TEXT: Final = re.compile(rf"{_SPACE}(?=[bBuU]?{_QUOTE})")
_BEFORE_LINE: Final = re.compile(
    rf"{_BLANK}{{0,8}}(?:[|>][+-]?)?(?:\r?\n|(?:\\{{1,16}}r)?\\{{1,16}}n)[ \t]{{1,32}}"
    r"(?=[^\s0-9]{0,64}[0-9])(?=[^\s\"'\\:()=,;\[\]{}<>#`]{8,}[ \t]{0,8}(?:[\r\n]|\\{0,16}[\"']|\\{1,16}[nr]|\Z))"
)
# A list or a tuple of two, as headers are: `["x-api-key", "..."]`. A second one that may be another word stays.
_PAIR: Final = re.compile(rf"[\[(]{_SPACE}[bBuU]?(\\{{0,16}}[\"'])\w[\w.-]*\1\Z")
_ENDS_PAIR: Final = re.compile(rf"{_QUOTE}{_SPACE},?{_SPACE}[\])]")
_NO_WORD: Final = re.compile(r"(?![<{$%\[])(?=\S*[^A-Za-z_.\s-]|\S{12})\S{4,}")
# An object with a name and a value: {"name": "API_KEY", "value": "..."}, in YAML and XML, too.
_NAME_OF_VALUE: Final = re.compile(rf"(?i:name|key)(?:{_QUOTE})?\s?[:=]\s?(?:{_QUOTE})?[\w./-]{{2,60}}\Z")
_TYPE_OF_VALUE: Final = re.compile(
    rf",{_SPACE}{_QUOTE}[Tt]ype{_QUOTE}\s?:\s?{_QUOTE}\w{{1,40}}{_QUOTE},{_SPACE}{_QUOTE}\Z"
)


# What pydantic says of a value that is not valid (https://docs.pydantic.dev/latest/errors/errors/): on a line where it
# stands, `a.0.api_key`, and on the next one, indented by two, what is wrong, and the value.
_PLACE: Final = re.compile(r"(?s:.*)(?:\n|\\{1,16}n)([^\s\\]{1,200}?)(?:\.[0-9]{1,9})?(?:\n|\\{1,16}n)  (?=\S)")
_INPUT_VALUE: Final = re.compile(r"(?!\[redacted\])[^\r\n]{1,800}?(?=, input_type=)")
# The same as an object, as FastAPI answers it: {"loc": ["body", "password"], "msg": "...", "input": "..."}.
_LOCATION: Final = re.compile(
    rf"loc{_QUOTE}\s?:\s?[\[(][^\[\]()]{{0,200}}?([\w.-]{{1,60}}){_QUOTE}(?:,\s?[0-9]{{1,9}})?,?[\])],"
    r"[^{}]{0,400}\Z"
)


@functools.cache
def _end_in_json() -> re.Pattern[str]:
    """Matches the quote that ends a text of JSON, and what then stands behind it: as in `"enter your password:"}`."""
    return re.compile(
        rf"""{_BLANK}{{0,8}}\\{{0,16}}["']{_SPACE}"""
        rf"""(?:[}}\]]{_SPACE}(?:[,}}\]]|\\{{0,16}}["']|\Z)|,{_SPACE}(?:\\{{0,16}}["']|[\[{{]))"""
    )


# A quoted value with more quotes than this inside is an attack, too.
_MOST_QUOTES: Final = 100
# More named secrets than this in one text is an attack on our time; what is behind them goes too.
_MOST_NAMED: Final = 5000


def _start_of_name(text: str) -> int:
    found = _NAME.search(text, max(len(text) - 20, 0))
    return -1 if found is None else found.start()


def _start_of_short_name(text: str, short: str) -> int:
    stem = text[-20:].lower().removesuffix(short)
    left = len(text[-20:]) - len(stem)
    if stem.endswith(("-", "_", " ")):
        stem, left = stem[:-1], left + 1
    if not stem.endswith(_OWNERS[short]):
        return -1
    return len(text) - left - max(len(owner) for owner in _OWNERS[short] if stem.endswith(owner))


def is_secret_name(text: str) -> bool:
    """Whether `text` ends with a secret's name: ``OPENAI_API_KEY``, ``accessToken``, ``request.header.cookie``."""
    last = text[-4:].lower()
    short = last if last in _OWNERS else last[-3:]
    at = _start_of_short_name(text, short) if short in _OWNERS else _start_of_name(text)
    if at < 0:
        return False
    before = text[at - 1 : at]
    if before.isascii() and before.isalpha() and not (text[at].isupper() and before.islower()):
        # (`PGPASSWORD`: no other word ends so)
        return text[at : at + 4].lower() == "pass" or _BEHIND_ESCAPE.match(text, at) is not None
    if len(text) - at > 5 or text[-1] not in "nN":
        return True
    word = _WORD.search(text, max(at - 20, 0), at)
    if word is None:
        return True
    start, end = word.span(1)
    if _NO_SECRET_TOKEN.fullmatch(text, start, end):
        return False
    # The first letter may be that of an escape, as in `\nnext_token`.
    return not (_BEHIND_ESCAPE.match(text, start + 1) and _NO_SECRET_TOKEN.fullmatch(text, start + 1, end))


def _named_secrets(text: str, sign: re.Pattern[str], *, loose: int) -> str:
    """`text` without the values behind secrets' names; `loose`: how long a bare word without a digit must be."""
    first = sign.search(text)
    if first is None:
        return text
    spans: list[tuple[int, int]] = []
    done = named = read = weak = 0
    for found in sign.finditer(text, first.start()):
        at, end = found.span()
        if at < done:
            continue
        before = text[max(at - 60, 0) : at]
        name = _name(text, at, before)
        is_weak = name[-1:] not in _LAST_LETTERS or not is_secret_name(name)
        needed = _needed(text, at - len(before) + len(name), end, name) if is_weak and at >= weak else None
        if is_weak and needed is None:
            continue
        named += 1
        if named > _MOST_NAMED:
            return _without(text[:at], spans) + REDACTED
        if _is_none(text, at, end, name, is_bare=name == before):
            continue
        quote = _NAME_QUOTE.search(before, max(len(before) - 18, 0))
        opened = None if quote is None or sign is _COMMA else _INSIDE.match(text, end)
        if opened is not None and quote is not None:  # the names in there are looked at, too
            if opened.end() >= read:
                read = _read_inside(text, opened.end(), quote[0].rstrip(), spans)
            continue
        if sign is _COMMA:
            span = _second(text, at, end, name)
        else:
            is_item = before.rstrip(" ").endswith("]")  # (what is assigned to it bare is a variable)
            span = _value(text, end, name, sign, loose, in_json=quote is not None or is_item)
        if span is None:
            continue
        if needed is not None and needed.fullmatch(text, *span) is None:
            weak = span[1]  # (a long one is read once)
            continue
        spans.append(span)
        done = span[1]
    return _without(text, spans) if spans else text


def _name(text: str, at: int, before: str) -> str:
    """The name that ends where a sign stands, or the one whose value is behind that sign; `before`: what ends there."""
    name = _stripped(before, "\\\"' \t*`]")
    last = name[-5:].lower()
    if last == "input":
        first = max(text.rfind(f"loc{quote}", max(at - 800, 0), at) for quote in "\"'\\")
        place = _LOCATION.match(text, first, at) if first >= 0 else None
        return "" if place is None else place[1]
    if last != "value":
        return name
    if name.endswith("input_value"):
        place = _PLACE.match(text, max(at - 800, 0), at) if "[type=" in text[max(at - 100, 0) : at] else None
        return "" if place is None else place[1]
    start = at - len(before) + len(name) - 5
    around = text[max(start - 300, 0) : start]
    between = _TYPE_OF_VALUE.search(around) if "ype" in around else None
    named = _stripped(around if between is None else around[: between.start()], "\\\"' \t\r\n,")
    is_pair = named[-1:] in _LAST_LETTERS and is_secret_name(named) and _NAME_OF_VALUE.search(named)
    return named if is_pair else name


def _stripped(text: str, characters: str) -> str:
    """`text` without these characters, and blanks as JSON writes them, at its end."""
    text = text.rstrip(characters)
    while text.endswith(("\\t", "\\n", "\\r")):
        text = text[:-2].rstrip(characters)
    return text


def _needed(text: str, at: int, end: int, name: str) -> re.Pattern[str] | None:
    """What a value has to be behind a weak name, which ends at `at`, and its sign at `end`; None: it is none."""
    if text[at - 2 : at].lower() in ("ss", "wd") and _WEAK_NAME.search(text, max(at - 4, 0), end):
        return _WEAK_VALUE
    if _AUTH.search(name, max(len(name) - 5, 0)):
        return _AUTH_VALUE
    if name.endswith("_KEY"):
        key = _ANY_KEY.search(name, max(len(name) - 40, 0))
        return None if key is None or key[1] in _NO_SECRET_KEY else _ANY_KEY_VALUE
    behind = _BEHIND_NAME.search(name, max(len(name) - 13, 0))
    return _WEAK_VALUE if behind and is_secret_name(name[: behind.start()]) else None


def _value(
    text: str, at: int, name: str, sign: re.Pattern[str], loose: int, *, in_json: bool
) -> tuple[int, int] | None:
    """Where the value behind a name and its sign begins and ends: all of a header, else the secret."""
    rejected = _INPUT_VALUE.match(text, at) if text.startswith("input_value=", at - 12) else None
    if rejected:
        return rejected.span()
    header = _HEADER_VALUE.match(text, at) if sign is _COLON and not in_json and _HEADER.search(name) else None
    # (where the next parameter begins in a URL within a URL)
    until = "%26" if sign is _ENCODED else ""
    return header.span(1) if header else _secret_value(text, at, loose, in_json=in_json, until=until)


def _second(text: str, at: int, end: int, name: str) -> tuple[int, int] | None:
    """Where the second of two texts begins and ends; None when there are not two, or when it may be another word."""
    if _PAIR.search(text, max(at - 120, 0), at) is None:
        return None
    span = _secret_value(text, end, 0, in_json=True)
    if span is None or _ENDS_PAIR.match(text, span[1]) is None:
        return None
    return span if _HEADER.search(name) or _NO_WORD.fullmatch(text, *span) else None


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    pieces: list[str] = []
    done = 0
    for start, stop in sorted(spans):
        if start >= done:
            pieces += (text[done:start], REDACTED)
            done = stop
    return "".join((*pieces, text[done:]))


def _is_none(text: str, at: int, end: int, name: str, *, is_bare: bool) -> bool:
    """Whether a sign behind a name says nothing of it: at the end of a text, and of a word of a vocabulary."""
    if name[-6:] in ('"token', "'token") and (_LIKELY.match(text, end) or _TICKER.match(text, end)):
        return True
    if name[-11:].lower() == "credentials" and _OF_FETCH.match(text, end):
        return True
    return is_bare and bool((text[0] in "[{" and _end_in_json().match(text, end)) or _is_end_of_text(text, at, end))


def _is_end_of_text(text: str, at: int, end: int) -> bool:
    """Whether the quote behind a name ends the text in which the name stands, and does not begin a value."""
    closing = _ENDS_CALL.match(text, end)
    if closing is None:
        return False
    first = max(at - _NEAR, 0)
    return text.count(closing[1], max(first, text.rfind("\n", first, at)), at) % 2 == 1


def _read_inside(text: str, start: int, mark: str, secrets: list[tuple[int, int]]) -> int:
    """Find the secrets in a list or an object whose texts stand between such quotes; returns how far it was read.

    That is as far as it is plain: up to its end, a text with an escape, or some hundred characters.
    """
    level, at = 0, start
    for found in _tokens(mark).finditer(text, start, start + _NEAR):
        if found.start() != at:
            break
        at = found.end()
        if found[1] is not None:
            if not found[2] and _LEAF.fullmatch(found[1]):
                secrets.append(found.span(1))
        elif found[0] in "[{(":
            level += 1
        elif found[0] in "]})":
            level -= 1
            if not level:
                break
    return at


@functools.lru_cache(maxsize=64)
def _tokens(mark: str) -> re.Pattern[str]:
    """What JSON, or Python's notation, is made of: texts (with a colon behind it, a name), brackets, and the rest."""
    quote = re.escape(mark)
    return re.compile(rf"{quote}([^\"'\\\r\n]*){quote}({_BLANK}?:)?|[\[\]{{}}()]|[^\[\]{{}}()\"'\\]+|\\[nrt]")


def _secret_value(text: str, at: int, loose: int, *, in_json: bool, until: str = "") -> tuple[int, int] | None:
    """Where the value behind a secret's name begins and ends; None when it is none or redacted already."""
    if text[at - 1 : at + 1] in (":=", "=>"):  # what is not quoted there is code
        span = _quoted(text, at + 1)
        return span if span and _NO_WORD.fullmatch(text, *span) and "|" not in text[slice(*span)] else None
    annotated = _ANNOTATED.match(text, at)
    if annotated is not None:
        span = _quoted(text, annotated.end())
        return span if span and _NO_WORD.fullmatch(text, *span) else None
    before = (_BEFORE_TEXT if in_json else _BEFORE_LINE).match(text, at) or _MARKED.match(text, at)
    at = at if before is None else before.end()
    span = _quoted(text, at)
    if span is not None:
        return span
    scheme = _SCHEME.match(text, at)
    if scheme is not None:
        return scheme.span(1)
    bare = _BARE.match(text, at)
    # Numbers and words of JSON stay, or it would be JSON no more.
    if bare is None or in_json:
        return None
    word = bare.group(1).partition(until)[0] if until else bare.group(1)
    if len(word) < 4 or (len(word) < loose and not any(map(str.isdigit, word))):
        return None
    return bare.start(1), bare.start(1) + len(word)


def _quoted(text: str, at: int) -> tuple[int, int] | None:
    """Where a value in quotes begins and ends; None when there is none, or it is empty or redacted already."""
    quoted, opened = _QUOTED.match(text, at), _OPENED.match(text, at)
    if quoted is not None:
        start, end = quoted.span(quoted.lastindex or 0)
        if end == len(text):  # a quote that nothing closes: it was cut off, or is no such quote
            end = _end_of_line(text, start)
    elif opened is not None:
        start, end = opened.end(), _closing(text, opened.end(), opened[2], len(opened[1]))
    else:
        return None
    return (start, end) if end > start and not text.startswith(REDACTED, start) else None


def _closing(text: str, start: int, quote: str, depth: int) -> int:
    """Where a value ends that was opened by a quote behind `depth` backslashes: 1 within JSON, 3 within that."""
    at = start - 1
    for _ in range(_MOST_QUOTES):
        at = text.find(quote, at + 1)
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


# ---------------------------------------------------------------------------------------------------------------
# known secrets

# How many of the latest are kept. A program with more keys than this calls with one of them and learns it again.
_MOST_KNOWN: Final = 64
_SHORTEST: Final = 8
_SCHEMES: Final = frozenset({"bearer", "basic", "digest", "token", "apikey"})  # what stands before a key says nothing
_LONGEST: Final = 8192
_known: dict[str, tuple[str, ...]] = {}  # each with how else it may be written
forms: tuple[str, ...] = ()
"""Every known secret in every form; another object as soon as one is learnt."""


def learn(value: object, *, certain: bool = True) -> bool:
    """Take `value` out of every text from now on, whatever it looks like.

    Not a short or an ordinary word, which would be taken out of sentences and names: fewer than 8 characters, or
    fewer than 16 that are only digits or have none, such as ``not-needed``.

    Args:
        certain: False for what need not be a secret, such as the value of any header: then 16 characters, letters and
            digits, are the least.

    Returns:
        False when it is never taken out. What is kept may be displaced by later ones, and has to be learnt again.
    """
    if type(value) is not str:
        return False
    if value in _known:
        return True
    whole = value.strip()
    scheme, _, key = whole.partition(" ")
    parts = {key.strip()} if scheme.lower() in _SCHEMES else {key.strip(), whole}
    secrets = [part for part in parts if _SHORTEST <= len(part) <= _LONGEST and not _is_ordinary(part, certain=certain)]
    if secrets or certain:  # the latter are looked at, for the next time
        _keep(value, secrets)
    return bool(secrets)


# A list, a sentence, a URL, a media type, a product and its version.
_OPEN: Final = re.compile(r".*[ ,;]|[a-z]+:|[A-Za-z-]+/")


def _is_ordinary(text: str, *, certain: bool) -> bool:
    digits = sum(map(str.isdigit, text))
    if certain:
        return len(text) < 16 and digits in (0, len(text))
    return len(text) < 16 or digits in (0, len(text)) or _OPEN.match(text) is not None


def _keep(value: str, secrets: Iterable[str]) -> None:
    """Keep what has been learnt under the value that it was learnt from: another may have the same key."""
    global forms  # noqa: PLW0603
    written = (form for secret in secrets for form in _written(secret))
    _known[value] = tuple(dict.fromkeys(written))
    for oldest in list(_known)[:-_MOST_KNOWN]:
        _known.pop(oldest, None)
    # The longest first: one may be a part of another.
    forms = tuple(sorted({form for each in list(_known.values()) for form in each}, key=len, reverse=True))


_WRITERS: Final[tuple[Callable[[str], str], ...]] = (
    json.dumps,
    functools.partial(json.dumps, ensure_ascii=False),
    repr,
    lambda text: repr(f'"{text}')[1:],  # where the text around it has both kinds of quotes
)
_LOWER: Final = re.compile("%[0-9A-F]{2}")


def _written(secret: str) -> Iterator[str]:
    """All ways in which a secret is found in texts: most are letters and digits, of which there is one."""
    written = {secret}
    for _ in range(3):  # as JSON or by `repr()`, three deep
        written |= {write(each)[1:-1] for each in written for write in _WRITERS}
    yield from written
    for encoded in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield encoded
        yield _LOWER.sub(lambda found: found[0].lower(), encoded)


def forget() -> None:
    """Know no secret any more."""
    global forms  # noqa: PLW0603
    _known.clear()
    forms = ()


# How keys begin, and user and password of a URL whose host is not there any more; a port is no password.
_BEGINNINGS: Final = ("eyJ", *(start for starts, _, _ in _KEYS for start in starts.split()))
_USER: Final = re.compile(r"(?<=://)[^\s/@:]{0,64}:(?![0-9]{0,5}\Z)[^\s/@]{1,128}\Z")


def without_half(text: str) -> str:
    """A text that was cut where it ends, without what may be half of a key: that has no shape by which it is known."""
    start = whole_words(text, len(text))
    start = start if start < len(text) else max(start - _LONGEST, 0)  # one word
    word = text[start:]
    places = [at for begins in _BEGINNINGS if (at := word.find(begins)) >= 0 and not word[at - 1 : at].isalnum()]
    user = _USER.search(word)
    places += [] if user is None else [user.start()]
    return text[: start + min(places)] if places else text


def scrub(text: str) -> str:
    """`text` without what looks like a secret; the same object when nothing does. Linear in the length of the text."""
    for known in forms:
        if known in text:
            text = text.replace(known, REDACTED)
    for anchor, sign, secrets in _SHAPES:
        # (`find()` is many times as fast as a pattern)
        if anchor in text and sign.search(text, text.find(anchor)) is not None:
            for secret, replacement in secrets():
                clean = secret.sub(replacement, text)
                text = text if clean == text else clean  # (a replacement may leave all as it was)
    if ":" in text:
        text = _named_secrets(text, _COLON, loose=20)
    if "=" in text and _EQUALS.search(text, text.find("=")) is not None:
        text = _SIGNATURE.sub(_kept(), text)
        text = _named_secrets(text, _EQUALS, loose=12)
    if "%3" in text:
        text = _ENCODED_SIGNATURE.sub(_kept(), text)
        text = _named_secrets(text, _ENCODED, loose=12)
    if "," in text:
        text = _named_secrets(text, _COMMA, loose=0)
    return text


def one_line(text: object) -> str:
    """Foreign text as one short printable line, without secrets: a backend may repeat the key that it refuses."""
    return "".join(c if c.isprintable() else " " for c in scrub(str(text))[:200]).strip()
