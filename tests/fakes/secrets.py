"""Secrets, what stands before them, and the forms in which they are written."""

from __future__ import annotations

import json

SECRETS = {
    "openai": "sk-abcdefghijklmnop1234567890ABCDEF",
    "openai project": "sk-proj-Zm9vYmFy_Zm9vYmFy-1234567890",
    "openai masked": "sk-ab12****************************wxyz",
    "anthropic": "sk-ant-api03-AbCdEfGhIjKl-MnOpQr_StUvWx",
    "google": "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "groq": "gsk_abcdefghijklmnop1234567890ABCDEF",
    "hugging face": "hf_AbCdEfGhIjKlMnOpQrStUvWxYz12345678",
    "github": "ghp_AbCdEfGhIjKlMnOpQrStUvWxYz1234567890",
    "github oauth": "gho_AbCdEfGhIjKlMnOpQrStUvWxYz1234567890",
    "github fine-grained": "github_pat_11ABCDEFG0abcdefghijkl_MNOPQRSTUVWXYZ",
    "slack": "xoxb-123456789012-abcdefghijkl",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "xai": "xai-AbCdEfGhIjKlMnOpQrSt1234567890",
    "gitlab": "glpat-AbCdEfGhIj1234567890",
    "stripe": "sk_live_AbCdEfGhIj1234567890",
    "nvidia": "nvapi-AbCdEfGhIjKl-MnOpQr_StUvWx1234567890",
    "cerebras": "csk-abcdefghij1234567890klmnopqrst",
    "fireworks": "fw_AbCdEfGhIjKlMnOpQrSt1234",
    "replicate": "r8_AbCdEfGhIjKlMnOpQrStUvWxYz123456789",
    "npm": "npm_AbCdEfGhIjKlMnOpQrStUvWxYz1234567890",
    "tavily": "tvly-dev-AbCdEfGhIjKlMnOpQrStUvWxYz12",
    "digitalocean": "dop_v1_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "perplexity": "pplx-AbCdEfGhIjKlMnOpQrSt1234567890",
    "sendgrid": "SG.AbCdEfGhIjKlMnOpQr12Aw.AbCdEfGhIjKlMnOpQrStUvWxYz1234567890AbCdEfG",
    "stripe webhook": "whsec_AbCdEfGhIj1234567890",
    "square": "sq0atp-AbCdEfGhIj_1234567890A",
    "shopify": "shpat_0123456789abcdef0123456789abcdef",
    "linear": "lin_api_AbCdEfGhIjKlMnOpQrStUvWxYz1234567890",
    "google oauth": "ya29.a0AbCdEfGhIjKlMnOp-QrStUv_WxYz1234567890",
    "aws temporary": "ASIAIOSFODNN7EXAMPLE",
    "slack app": "xapp-1-A0123456789-0123456789-abcdef",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow+IBAAKC/AQEA\n-----END RSA PRIVATE KEY-----",
}

# What may stand right before a secret in a text, and what that becomes when the text is put into JSON.
BEFORE = {
    "line break": "\n",
    "carriage return": "\r",
    "tab": "\t",
    "form feed": "\f",
    "backspace": "\b",
    "quote": '"',
    "backslash and quote": '\\"',
    "space": " ",
    "space as JSON may write it": "\\u0020",
    "line break as JSON writes it": "\\n",
    "tab as JSON in JSON writes it": "\\\\t",
    "letter that is not ASCII": "é",
    "emoji": "\U0001f511",
    "lone surrogate": "\ud83d",
    "control character": "\x1b",
    "colour of a terminal": "\x1b[1;32m",
    "one of 256 colours": "\x1b[38;5;196m",
    "one of the first colours": "\x1b[38;5;9m",
    "bold": "\x1b[0;1m",
    "no colour any more": "\x1b[m",
    "end of a line": "\x1b[K",
    "percent encoding": "?q=%0A",
    "percent encoding twice": "?q=%2520",
    "emoji as Python writes it": "\\U0001F511",
}
# `{}` is the secret: it has to go, and the words around it have to stay.
NAMED = {
    "shape": "{}",
    "password": "password: {}",
    "password, tab": "password:\t{}",
    "quoted password": 'password: "{}"',
    "quoted words": 'password = "correct {}"',
    "assignment": "api_key={}",
    "JSON": '{{"api_key": "{}"}}',
    "aligned": 'password    = "{}"',
    "aligned, tabs": "password\t=\t{}",
    "aligned, colon": "password   : {}",
    "capitals in one": "PGPASSWORD={}",
    "URL in a URL": "?next=%2Flogin%3Ftoken%3D{}",
    "list of JSON": '{{"password": ["a", "{}"]}}',
    "object of JSON": '{{"cookies": {{"sid": "{}", "b": [1]}}}}',
    "bytes of Python": "{{'password': b'{}'}}",
    "tuple of Python": "{{'secret': ('{}',)}}",
    "cookies": "Cookie: _ga=GA1.2.34; sid={}",
    "header of another scheme": "Authorization: Negotiate {}",
    "header with parameters": 'Authorization: Digest username="u", uri="/a b", response="{}"',
    "quoted option": "--token '{}'",
    "option in a list": '["prog", "--token", "{}", "-v"]',
    "PGP": "-----BEGIN PGP PRIVATE KEY BLOCK-----{}-----END PGP PRIVATE KEY BLOCK-----",
    "URL with an @ in its password": "https://user:p@ss{}@host/",
    "URL without a host": "postgresql+psycopg2://user:{}@/db",
    "JSON with a quote inside": '{{"client_secret": "a\\"{}"}}',
    "Python": "{{'secret': '{}'}}",
    "bearer": "Bearer {}",
    "bearer, tab": "Bearer\t{}",
    "header": "Authorization: Bearer {}",
    "basic": "authorization: basic {}",
    "option": "--api-key {}",
    "URL": "https://user:{}@host/",
    "URL as PHP writes it": "https:\\/\\/user:{}@host\\/",
    "signature": "https://host/?sig={}",
}


def as_json(text, depth, *, ascii_only):
    """`text` in JSON, in JSON, ..."""
    for _ in range(depth):
        text = json.dumps({"content": text, "role": "user"}, ensure_ascii=ascii_only)
    return text


def from_json(text, depth):
    for _ in range(depth):
        text = json.loads(text)["content"]
    return text
