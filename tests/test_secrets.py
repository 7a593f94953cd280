"""Secrets in a text, in whatever form and wherever they stand; and what only looks like one."""

from __future__ import annotations

import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentops_otel import secrets
from agentops_otel.redaction import Redactor
from agentops_otel.secrets import REDACTED, is_secret_name, learn, scrub
from agentops_otel.text import MAX_LENGTH
from agentops_otel.values import to_json
from tests.fakes.secrets import BEFORE, NAMED, SECRETS, as_json, from_json
from tests.fakes.spans import span


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize(
    "around",
    ["{}", "Incorrect key provided: {}.", '[{{"content": "my key is {}"}}]', "a={}&b", "x\n{}\ny"],
    ids=["alone", "sentence", "json", "query", "lines"],
)
def test_keys_are_taken_out_by_their_shape(secret, around):
    """A key is recognised wherever it stands; what is around it stays, also valid JSON."""
    text = around.format(secret)
    clean = scrub(text)

    assert REDACTED in clean
    assert secret[len(secret) // 2 :][:8] not in clean
    if text.startswith("["):
        assert json.loads(clean.replace("\n", "\\n"))


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("sk-abcdefghijklmnop1234567890ABCDEF", "sk-…[redacted]"),
        ("key sk-proj-Zm9vYmFy1234567890 end", "key sk-proj-…[redacted] end"),
        ("Authorization: Bearer abc123def456", "Authorization: Bearer [redacted]"),
        ("run with Basic dXNlcjpwYXNz as it is", "run with Basic [redacted] as it is"),
        ("token=https://user:pass@host/x2", "token=https://[redacted]@host/x2"),
        ('{"authorization": "Basic dXNlcjpwYXNz"}', '{"authorization": "[redacted]"}'),
        ("authorization: basic dXNlcjpwYXNz", "authorization: [redacted]"),
        ("https://user:pass@host/path?q=1", "https://[redacted]@host/path?q=1"),
        ("postgres://:pass@host/db", "postgres://[redacted]@host/db"),
        ("OPENAI_API_KEY=abcd1234", "OPENAI_API_KEY=[redacted]"),
        ("https://host/blob?sv=1&sig=abcd1234%2B&se=2", "https://host/blob?sv=1&sig=[redacted]&se=2"),
        ("https://host/x?X-Amz-Signature=abcdef0123", "https://host/x?X-Amz-Signature=[redacted]"),
        ("run --api-key abcdefgh -v", "run --api-key [redacted] -v"),
        ("--db-password hunter2hunter2", "--db-password [redacted]"),
        ("https://host/?api_key=abcd1234&x=1", "https://host/?api_key=[redacted]&x=1"),
        ('{"api_key": "abcd"}', '{"api_key": "[redacted]"}'),
        ('{"apiKey":"abcd","x":"y"}', '{"apiKey":"[redacted]","x":"y"}'),
        ('{"a": "{\\"password\\": \\"hunter2\\"}"}', '{"a": "{\\"password\\": \\"[redacted]\\"}"}'),
        ('{"password" : "hunter2"}', '{"password" : "[redacted]"}'),
        ('{"a": "{\\"password\\" : \\"hunter2\\"}"}', '{"a": "{\\"password\\" : \\"[redacted]\\"}"}'),
        (
            json.dumps({"a": json.dumps({"b": '{"password" : "hunter2"}'})}),
            json.dumps({"a": json.dumps({"b": '{"password" : "[redacted]"}'})}),
        ),
        ("{'secret': 'abc', 'y': 1}", "{'secret': '[redacted]', 'y': 1}"),
        ("password: hunter2", "password: [redacted]"),
        ('passwd = "pa ss"', 'passwd = "[redacted]"'),
        ('{"accessToken": "abc"}', '{"accessToken": "[redacted]"}'),
        ('{"refresh_token": "abc"}', '{"refresh_token": "[redacted]"}'),
        ('{"x-api-key": "abc"}', '{"x-api-key": "[redacted]"}'),
        ('{"Set-Cookie": "sid=abc"}', '{"Set-Cookie": "[redacted]"}'),
        ('{"private_key": "a\\nb", "c": "d"}', '{"private_key": "[redacted]", "c": "d"}'),
        ('{"aws_secret_access_key": "a\\"b"}', '{"aws_secret_access_key": "[redacted]"}'),
        ('{"password": "a", "secret": "b"}', '{"password": "[redacted]", "secret": "[redacted]"}'),
        # In a list or an object, what looks like one; what is plain is read.
        (
            '{"cookies": {"sid": "abcd1234", "b": {}}, "c": "abcd1234"}',
            '{"cookies": {"sid": "[redacted]", "b": {}}, "c": "abcd1234"}',
        ),
        ("{'password': ('user', ['hunter22'], None), 'c': 1}", "{'password': ('user', ['[redacted]'], None), 'c': 1}"),
        (
            json.dumps({"a": json.dumps({"credentials": {"user": "x", "keys": ["abcd1234"]}, "z": 1})}),
            json.dumps({"a": json.dumps({"credentials": {"user": "x", "keys": ["[redacted]"]}, "z": 1})}),
        ),
        (
            '{"credentials": {"password": "hunter2", "id": "abcd1234"}, "c": 1}',
            '{"credentials": {"password": "[redacted]", "id": "[redacted]"}, "c": 1}',
        ),
        ("password:\n  hunter22x\nnext: 1", "password:\n  [redacted]\nnext: 1"),
        ("api_key: >-\n    hunter22x", "api_key: >-\n    [redacted]"),
        ('"password":\n  "hunter"', '"password":\n  "[redacted]"'),
        ('[["x-api-key","Zq8t"],["cookie","a=b"]]', '[["x-api-key","[redacted]"],["cookie","[redacted]"]]'),
        ("(('authorization', 'Token abcd'), )", "(('authorization', '[redacted]'), )"),
        ('{"netloc":"app:hunter2@db:5432"}', '{"netloc":"[redacted]@db:5432"}'),
        ("Cookie: a=b1; sid=2\r\nHost: h", "Cookie: [redacted]\r\nHost: h"),
        ("curl -H 'Cookie: a=b1; sid=2' h", "curl -H 'Cookie: [redacted]' h"),
        ('Authorization: Digest a="b c", r="d"\nHost: h', "Authorization: [redacted]\nHost: h"),
        (
            '{"headers": "Authorization: AWS4-HMAC-SHA256 Credential=x/y, Signature=0a\\r\\nHost: h"}',
            '{"headers": "Authorization: [redacted]\\r\\nHost: h"}',
        ),
        (f"a, Signature={'0a' * 32} b", "a, Signature=[redacted] b"),
        ('["p", "--password", "hunter22", "-v"]', '["p", "--password", "[redacted]", "-v"]'),
        ("p --token 'abcd1234' -v", "p --token '[redacted]' -v"),
        ("DB_PASSWORD=S3cr3t(2024)!", "DB_PASSWORD=[redacted](2024)!"),
        ("password=Sup3rS3cret%26rest99", "password=[redacted]"),
        ('{"access_token": "s3cr3tvalue", "bytes": 42}', '{"access_token": "[redacted]", "bytes": 42}'),
        (r'"Bearer abcdefgh\/ijk1234567"', '"Bearer [redacted]"'),
        ("postgres://u:p@db:5432,ada@example.com", "postgres://[redacted]@db:5432,ada@example.com"),
        ("%3Ftoken%3Dabcd1234%26x%3D1", "%3Ftoken%3D[redacted]%26x%3D1"),
        ("https://user:p@ss@host/x@y", "https://[redacted]@host/x@y"),
        ("postgresql+psycopg2://u:pass@/db", "postgresql+psycopg2://[redacted]@/db"),
        ("{'password': b'abc', 'y': 1}", "{'password': b'[redacted]', 'y': 1}"),
    ],
)
def test_secrets_leave_their_surroundings(text, clean):
    """Exactly the secret is replaced, and doing it twice changes nothing more."""
    assert scrub(text) == clean
    assert scrub(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        '{"max_tokens": 1000, "input_tokens": 123456, "total_tokens":"1234567"}',
        '{"token_count": "abc", "tokenizer": "cl100k_base", "keyword": "search term", "key": "value"}',
        '{"primary_key": "id", "monkey": "banana", "sort_key": "created_at"}',
        '{"token": 5, "password": null, "secret": true}',
        "The password must be changed every month. Your token: none yet.",
        "risk-adjusted task-management sk-learn sk-SK",
        "hf_hub_download_settings_for_a_model gsk_ gh_ hf_",
        "xai-grok-4-fast-reasoning-latest jina_embeddings_v2_base_en_model fw_1 r8_of_something_long npm_config_2",
        "mail ada@example.com or see http://example.com/a@b and ssh://git@github.com/x.git",
        "a bearer of bad news; Bearer of the ring",
        '[["password", "email"], ["token", "expected"]] {"required": ["api_key", "password"]}',
        'parametrize(("token", "count"), [("secret", "x1")]), ("password", "The password"), "token", "abcd1234"',
        '{"name":"max_tokens","value":"12345678"},{"key":"sort_key","value":"created_at2"}, name: ada, value: abc12345',
        '{"name":"token"},{"value":"abcd1234"} <secret name="x" value="abcd1234"> netloc=user@host',
        'PWD=/home/ada2/x pwd: ~/x2 {"PWD":"/home/ada2"} pass: ok PASS: test_foo2 {"pass":"ok"} first_pass: abc12345',
        "if token == 'EOF2': d['token'] = token2; f = token => token.id2; token := os.Getenv('X9')",
        "'password' => 'required|string|min:8', secrets: inherit, api keys: 3 of 5, <token>word</token>",
        "if token:\n    break2()\nEnter password:\nLogin ok2\nsecret:\n  secretName2: foo",
        "curl -u $USER:$PASS1 https://x; docker run -u 1000:1000 x; python -u a:b2; - `token`: the token of the user",
        "Basic Mathematics101 and Basic Electronics2/Course; Basic understanding/knowledge2, Basic authentication",
        '<div id="sk-container-id-1" class="sk-top-container sk-fading-circle-12 sk-estimator-doc-link2">',
        "pip install sk-image-processing-tools-v2 sk-learn-contrib-extension-package-version-2 sk-my_tools_2024",
        "Get your API key: https://platform.openai.com/api-keys2 token=https://example.com/v1/tokens2",
        '{"tokens":[{"token":"quick","start_offset":4,"end_offset":9,"type":"<ALPHANUM>","position":0}]}',
        json.dumps({"tokens": [{"token": "over2", "start_offset": 4}, {"token": ".", "start_offset": 10}]}, indent=4),
        json.dumps(json.dumps({"tokens": [{"token": "over2", "start_offset": 4}]}, indent=4)),
        "eyJ is how it begins. AIza too. AKIA three.",
        "token = next_token(stream)",
        "sort --key name --key=value and --tokens many --password",
        "the signature=of(x) and design=blue; a?design=sig-nature",
        "token=tokenizer.decode(ids) api_key=get_api_key(env) secret=os.environ2.get(x)",
        r"Hi.\nUse Bearer authentication\nBye, and more.",
        r"page\ncontinuation_token=abc123def456\tcursor_token=abc12345%0Anext_token=abc12345\nfirst token: 123ms",
        '{"token": "Paris", "logprob": -0.01, "bytes": null}, {"token": ",", "bytes": [44], "logprob": -1}',
        "Unexpected token: \"}\" at position 123; unexpected token: 'foo123'",
        'password = input("Password: ") or getpass("token: ", stream)',
        json.dumps({"code": 'password = input("Password: ")'}),
        '{"properties": {"password": {"type": "string"}, "token": {"description": "d", "anyOf": [{"type": "null"}]}}}',
        '{"credentials": {}, "cookies": []}',
        json.dumps({"credentials": {"dir": "C:\\Users\\"}, "question": "Why?", "rest": [1, 2, 3]}),
        'The form has "password": (don\'t send it) and more.\nFix "password": [\nthen go on',
        '{"password": {"description": "The password", "type": ["string", "null"]}}',
        '{"secret": {"secretName": "tls-certs"}, "password": {"nullable": false, "length": 255}}',
        '{"password": ["This field is required."], "cls_token": {"content": "[CLS]"}, "token": [1, 2, 3]}',
        '{"api_key": {"type": "apiKey", "name": "api_key", "in": "header"}}',
        "{'token': (r'[a-z]+', 'IDENT'), 'credentials': [c.id for c in creds]}",
        "def me(authorization: str = Header(None), cookies: dict = None, cookie: str = '') -> User:",
        "Authorization: OAuth 2.0 is used since 2019. Cookies: mix 2 eggs, then bake for 12 minutes.",
        '@click.option("--api-key", "api_key", envvar="X"), ["--ask-password", "registry"], "--token" or "x"',
        "Authorization: see section of the manual. Cookies: chocolate, oat",
        'run with --token, "then" --password, or ["--password", "--verbose"]',
        "name    = value\nkeyword  : value",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        *(
            f"{name} = 'a8f5f167f44f4964e6c998dee827110c'; {name}: Zx9Kq2Lm7Wp4Rt8V"
            for name in (
                *("primary_key", "sort_key", "cache_key", "foreign_key", "public_key", "partition_key", "row_key"),
                *("idempotency_key", "ROW_KEY", "PRIMARY_KEY", "PUBLIC_KEY", "S3_KEY", "CACHE_KEY", "MONKEY", "KEY"),
                *("key_type", "storage_key", "user_key", "SORT_KEY", "object-key", "x1", "code", "string", "db"),
            )
        ),
        'SESSION_KEY = "session_id_2"; STORE_KEY="user:profile:cache_v2:settings", LAST_KEY = "/a/b/c/d/e/f/g2"',
        '{"token1": "quick", "token_2": "brown", "status_code_2": "a1b2c3d4"} secret_value=abc password2: str',
        "fetch(u, {credentials: 'same-origin'}), {\"credentials\": \"include\"}, credentials: 'omit'",
        '{"auth": "oauth2", "path": "a1b2c3d4e5f6g7h8"}, auth=(user2, "x"), oauth: a1b2c3d4e5f6g7h8',
        '{"token": "WETH", "price": 3000.1}; api_key: str = "value", password: Optional[str] = None, x-user:a1 -u',
        "certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSURCVENDQWUyZ0F3SUJBZ0lJ",
        "what does -----BEGIN PRIVATE KEY----- mean? It begins a key.",
        'if text.startswith("-----BEGIN RSA PRIVATE KEY-----"):\n    return read_it2(text)\n',
        json.dumps(
            [{"content": "-----BEGIN PRIVATE KEY-----", "role": "user"}, {"content": "a-----END PRIVATE KEY-----"}]
        ),
        '("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"), grep "BEGIN PRIVATE KEY" . ; echo 1',
        "b.name\n  Not valid [type=int_parsing, input_value='abcd1234', input_type=str] input_value='x2' max_value=1",
        "api_key\n  Field required [type=missing]\nname\n  Not valid [type=a, input_value='abcd1234', input_type=str]",
        '[{"loc": ["body", "name"], "msg": "password", "input": "abcd1234"}], {"loc": ["password"]}, {"input": "a1"}',
        "sha256~1 sha256:4f2a1c7e napi_create_function_2 vck_1 AZDO JQQJ99 ABSK2 LTAI2 AVNS_2 pat-na1-2 a.atlasv1.io",
        "chatcmpl-9abcDEF1234567890 req_0123456789abcdef0123456789abcdef resp_67ccd2bed1ec8190b14f964abc054267",
        "4f2a1c7e-9b3d-4c5e-8f6a-7b8c9d0e1f2a",
    ],
)
def test_what_is_no_secret_stays(text):
    """Token counts, ids and words that look like keys are the same object afterwards."""
    assert scrub(text) is text


@pytest.mark.parametrize(
    ("start", "characters", "least"),
    [(start, characters, least) for starts, characters, least in secrets._KEYS for start in starts.split()],
)
def test_each_row_of_the_table_of_keys_finds_its_key(start, characters, least):
    """A row is all that a new kind of key needs: it is found where a word begins, and not inside of one."""
    possible = re.compile(f"[{characters}]")
    body = "".join(each for each in "a1bC2dE3fG4h5A6B7C8D9E0F" * 4 if possible.match(each))[: least + 2]
    assert scrub(f"key\n{start}{body} end") == f"key\n{start}…[redacted] end"
    assert scrub(json.dumps(f"\t{start}{body}\n")) == f'"\\t{start}…[redacted]\\n"'
    for text in (f"x{start}{body}", f"the {start} begins"):
        assert scrub(text) is text


VALUES = ['{{"{}": "abcdef12345678"}}', "{}: abcdef12345678", "{}=abcdef12345678", "{{'{}': 'abcdef'}}"]
NO_SECRETS = [
    "max_tokens", "token_count", "next_page_token", "page_token", "nextPageToken", "pageToken", "sync_token",
    "nextSyncToken", "cursor_token", "continuation_token", "continuationToken", "x-continuation-token", "NextToken",
    "PAGE_TOKEN", "eos_token", "pad_token", "pagination_token", "prompt_token", "total_tokens", "deltaToken",
    "resume_token", "time_per_output_token",
]  # fmt: skip
TOKENS = [
    "token", "access_token", "refresh_token", "id_token", "session_token", "api token", "bot_token", "auth_token",
    "accessToken", "GITHUB_TOKEN", "x-auth-token", "X-Amz-Security-Token", "slack_bot_token", "csrfToken",
    "next_access_token", "api_token", "AuthToken", "TOKEN", "request.token", "Ocp-Apim-Subscription-Key", "AccountKey",
    "SharedAccessKey", "api key", "OPENAI_KEY", "openai_key", "x-rapidapi-key", "Fastly-Key",
    "DD-APPLICATION-KEY", "service_key", "passcode", "identitytoken", "authtoken", "csrftoken",
]  # fmt: skip


@pytest.mark.parametrize("form", VALUES)
@pytest.mark.parametrize("name", NO_SECRETS)
def test_a_token_that_marks_a_place_is_no_secret(name, form):
    """Where a list goes on, or how many tokens there are, is what a trace is read for."""
    text = form.format(name)
    assert scrub(text) is text
    assert Redactor().clean(given := span(attributes={name: "abcdef12345678"})) is given


@pytest.mark.parametrize("form", VALUES)
@pytest.mark.parametrize("name", TOKENS)
def test_a_token_that_lets_in_is_a_secret(name, form):
    """However it is named and written, its value goes."""
    assert "abcdef" not in scrub(form.format(name))
    assert Redactor().clean(span(attributes={name: "abcdef12345678"})).attributes[name] == REDACTED


@pytest.mark.parametrize("form", VALUES[:3])
@pytest.mark.parametrize(
    "name",
    [
        *("AZURE_OPENAI_KEY", "COHERE_KEY", "SPEECH_KEY", "AZURE_STORAGE_KEY", "COSMOS_KEY", "SUPABASE_KEY", "APP_KEY"),
        *("SUPABASE_SERVICE_ROLE_KEY", "MEILI_ADMIN_KEY", "SECRET_KEY_BASE", "password1", "token_2", "api_key_2"),
        *("OPENAI_API_KEY_2", "password_confirmation", "secret_value", "API_KEY1"),
    ],
)
def test_a_name_that_may_be_another_needs_a_value_that_looks_like_a_secret(name, form):
    """Any key of the environment, and what goes on behind a secret's name."""
    text = form.format(name)
    secret = "Zx9Kq2Lm7Wp4Rt8V1"
    assert scrub(text.replace("abcdef12345678", secret)) == text.replace("abcdef12345678", REDACTED)
    plain = text.replace("abcdef12345678", "another_name")
    assert scrub(plain) is plain or is_secret_name(name)


@pytest.mark.parametrize("ascii_only", [False, True], ids=["", "ascii"])
@pytest.mark.parametrize("depth", [0, 1, 2, 3])
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_a_secret_is_found_behind_whatever_stands_before_it(before, depth, ascii_only):
    """A word begins behind an escape too, also in JSON within JSON; what is searched stays JSON."""
    shaped = {name: (secret, "{}") for name, secret in SECRETS.items()}
    named = {name: ("correct7horse9battery1staple", form) for name, form in NAMED.items() if name != "shape"}
    for name, (secret, form) in (shaped | named).items():
        text = f"first{before}{form.format(secret)}\nlast"
        clean = scrub(as_json(text, depth, ascii_only=ascii_only))

        assert secret[8:].partition("\n")[2] or secret[-8:] not in clean, (name, clean)
        assert "MIIEow" not in clean
        shown = from_json(clean, depth)
        assert shown.startswith("first"), name
        assert shown.endswith("\nlast"), (name, shown)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("ending", ["enter your password:", "token=", "api_key: ", "the secret:\t"])
@pytest.mark.parametrize("write", [json.dumps, lambda value: json.dumps(value, indent=1), repr])
def test_a_name_at_the_end_of_a_text_in_json_is_followed_by_no_secret(write, ending, depth):
    """The quote behind it ends the text; it does not begin a value."""
    value = [{"content": ending, "role": "user"}, {"role": "user", "content": ending}, [ending], ending]
    for _ in range(depth - 1):
        value = [{"content": write(value)}]
    text = write(value)
    assert scrub(text) is text
    assert "hunter2" not in scrub(write([ending + "hunter22", {"content": f'{ending}"hunter2"'}]))


def test_what_is_behind_a_private_key_stays():
    """Also when it is searched once more."""
    text = f"first {SECRETS['pem']} last"
    assert scrub(text) == scrub(scrub(text)) == "first -----BEGIN RSA PRIVATE KEY-----[redacted] last"


def test_of_a_private_key_without_its_end_only_its_lines_go():
    """What stands behind them stays, in the same text and in the ones that follow; names in JSON are no lines."""
    line = "MIIEowIBAAKCAQEA1c7+9z5Pad7OejecsQ0bu3aozN3tihPmUodnjIrPBx3Dd4Kx"
    begins = "-----BEGIN RSA PRIVATE KEY-----"
    assert scrub(f"{begins}\n{line}\n{line[:20]}") == f"{begins}[redacted]"
    assert scrub(f"{begins}\n{line}\n{line}\nand then more") == f"{begins}[redacted]\nand then more"
    assert scrub(f"{begins} {line} and then more") == f"{begins}[redacted] and then more"
    document = {
        "a": f"{begins}\n{line}",
        "authenticationMethod2": 1,
        "b": [begins, line, line[:9], "c"],
        "role": "user",
    }
    clean = {
        "a": f"{begins}[redacted]",
        "authenticationMethod2": 1,
        "b": [begins, REDACTED, line[:9], "c"],
        "role": "user",
    }
    for indent in (None, 1):
        assert json.loads(scrub(json.dumps(document, indent=indent))) == clean
    lines = [begins, line, line, "AQ==", "-----END RSA PRIVATE KEY-----"]
    assert scrub(json.dumps([lines, "z"])) == json.dumps([[begins, *[REDACTED] * 4], "z"])


PEM = st.lists(
    st.sampled_from([
        *("-----BEGIN PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----", "-----END PRIVATE KEY-----", "-----"),
        *("MIIEowIBAAKCAQEA1c7+9z5P", "\n", "\\n", " ", '"', "'", "\\", "/", ",", ": ", "a word", "{", "Proc-Type: 4"),
    ]),
    max_size=12,
).map("".join)  # fmt: skip


@settings(max_examples=300, deadline=None, database=None)
@given(st.lists(PEM, min_size=1, max_size=4), st.integers(0, 2), st.booleans())
def test_no_text_about_private_keys_takes_what_follows_with_it(texts, depth, ascii_only):
    """However they are mentioned: what is searched stays JSON, with all its messages."""
    later = {"role": "assistant", "content": "a later message"}
    document = [each for text in texts for each in ({"role": "user", "content": text}, later)]
    written = as_json(json.dumps(document), depth, ascii_only=ascii_only)
    clean = json.loads(from_json(scrub(written), depth))
    assert clean[1::2] == document[1::2]
    assert [each["role"] for each in clean] == [each["role"] for each in document]


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("write", [repr, json.dumps], ids=["repr", "json"])
def test_a_secret_is_found_in_what_repr_makes_of_json(depth, write):
    """SDKs put the `repr()` of an answer into their errors: each quote has more or other backslashes than in JSON."""
    for name, form in NAMED.items():
        if name == "shape":
            continue
        text = as_json(f"it's\n{form.format('correct7horse9battery1staple')}\nlast", depth, ascii_only=False)
        for shown in (
            f"Error code: 400 - { ({'error': {'message': text}}) }",
            write(repr([text])),
            repr(write([text])),
        ):
            assert "battery1" not in scrub(shown), (name, shown)


@pytest.mark.parametrize("left", [1, 5, 12, 20, 35])
@pytest.mark.parametrize("secret", [secret for name, secret in SECRETS.items() if name != "pem"])
def test_a_key_that_a_cut_falls_into_goes_whole(secret, left):
    """The beginning of a key is too short to be known as one: the cut takes the whole word."""
    text = ("word " * 13107 + "end ")[: MAX_LENGTH - 32 - left - 1] + " " + secret + " more" * 100
    shown = Redactor().clean(span(attributes={"text": text, "json": to_json([text])})).attributes

    for written in shown.values():
        assert secret[:3] not in written or REDACTED in written
        assert secret[12:20] not in written
        assert len(written) > MAX_LENGTH - 200


NAMES = st.sampled_from(["password", "token", "credentials", "cookies", "api_key", "authorization", "note", "type"])
WORDS = st.sampled_from([
    *("abcd1234", "hunter2", "The password", 'say "password": [', "C:\\dir\\", "it's", "a\nb", "Cookie: a=1; b=2"),
    *("--token", "", "{"),
])  # fmt: skip
LEAVES = WORDS | st.text(st.sampled_from("sk-1: =\"'\\{[(]})\n"), max_size=12) | st.integers() | st.none()
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)


@settings(max_examples=300, deadline=None, database=None)
@given(st.dictionaries(NAMES, DOCUMENTS, max_size=5), st.integers(0, 2))
def test_json_stays_json_with_all_its_names(document, depth):
    """Texts are replaced in JSON, in JSON within JSON too; nothing else of it is lost."""
    text = json.dumps(document)
    for _ in range(depth):
        text = json.dumps({"arguments": text, "rest": [1, "end"]})
    clean = json.loads(scrub(text))
    for _ in range(depth):
        assert clean["rest"] == [1, "end"]
        clean = json.loads(clean["arguments"])
    assert shape(clean) == shape(document)


def shape(value):
    """What a value is made of, whatever its texts say."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return str if isinstance(value, str) else value


@settings(max_examples=100, deadline=None, database=None)
@given(st.text(st.sampled_from("sk-_:=@\"'\\ Bearer/token.AKIAeyJ\n1xo"), max_size=300))
def test_scrubbing_twice_is_scrubbing_once(text):
    """What was taken out is not taken out again, whatever the text is made of."""
    once = scrub(text)

    assert scrub(once) == once


def test_behind_too_many_named_secrets_all_goes(monkeypatch):
    """An attack with names of secrets costs a bounded time, and what is not looked at is not let out."""
    monkeypatch.setattr(secrets, "_MOST_NAMED", 3)
    text = " ".join(f"password=word{number}x" for number in range(10))
    scrubbed = scrub(text)
    assert not re.search(r"word[0-9]x", scrubbed)
    assert scrubbed.count("password=") <= 5


@pytest.mark.parametrize(
    "secret", ["ab+/cdSecret==12", 'k"e\\y-secret1', "team/of secret/9", "schlüssel'secret1", "abcdefgh12"]
)
def test_a_known_secret_is_found_however_it_is_written(secret):
    """Percent-encoded with and without its slashes, as JSON and by `repr()`, within each other."""
    learn(secret)
    as_text = [json.dumps, lambda value: json.dumps(value, ensure_ascii=False), repr]
    deep = [one(two(three(secret))) for one in as_text for two in as_text for three in as_text]
    encoded = [
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        re.sub("%..", lambda found: found[0].lower(), quote(secret)),
    ]
    for written in (secret, *deep, *(one(secret) for one in as_text), *encoded):
        clean = scrub(f"the key {written} is wrong")
        assert "ecret" not in clean
        assert "abcdefgh" not in clean
        assert clean.startswith("the key ")
        assert clean.endswith(" is wrong")


def test_the_latest_known_secrets_are_kept(monkeypatch):
    """Keys that rotate do not fill memory: the oldest go first, and one that is used again is learnt again."""
    monkeypatch.setattr(secrets, "_MOST_KNOWN", 3)
    keys = [f"our*own*key*{number}" for number in range(5)]
    try:
        for key in keys:
            learn(key)
        assert [scrub(key) == key for key in keys] == [True, True, False, False, False]
        assert len(secrets._known) == 3
        learn(keys[0])
        assert scrub(keys[0]) == "[redacted]"
    finally:
        secrets.forget()
