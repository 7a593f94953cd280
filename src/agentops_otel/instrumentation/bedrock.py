"""Amazon Bedrock through boto3: which operations are LLM calls.

How they are read is in `readers/converse.py` and `readers/invoke_model.py`, whose API a body is in
`_bedrock_models.py`, how the streams of botocore are followed in `_botocore.py`.
API reference: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html
The one thing to know: every call of every AWS service passes here, and all but a few have to pass at once; what reads
those few is not loaded before there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from . import _aiobotocore, _botocore
from ._content import fields
from ._endpoint import Attributes, Request, Sdk, server_at
from ._integration import Integration, calls

_SERVICE: Final = "bedrock-runtime"
_OPERATIONS: Final = {  # whether they are streamed
    "Converse": False,
    "ConverseStream": True,
    "InvokeModel": False,
    "InvokeModelWithResponseStream": True,
}


def read(client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Request | None:
    """The LLM call that an API call is: `_make_api_call(operation_name, api_params)`."""
    if client._service_model.service_name != _SERVICE:  # noqa: SLF001  (the client itself knows it nowhere else)
        return None
    from . import _bedrock_models
    from .readers import converse, invoke_model

    operation, params = (*args, *kwargs.values())[:2]
    streamed = _OPERATIONS.get(operation)
    if streamed is None or not isinstance(params, Mapping):
        return None
    name = params.get("modelId")
    model = converse.model_of(name) if isinstance(name, str) else ""
    if operation.startswith("InvokeModel"):
        body = invoke_model.body_of(params.get("body"))
        endpoint = _bedrock_models.endpoint_of(model, body)
    else:
        # The lists of a request are the program's to go on with.
        body = {name: [*value] if isinstance(value, list) else value for name, value in params.items()}
        endpoint = _bedrock_models.CONVERSE
    server = server_at("aws.bedrock", client.meta.endpoint_url)
    return Request(endpoint, {**body, "model": model or None}, server, stream=streamed, keys=_keys(client))


def _keys(client: Any) -> list[Any]:
    """The secrets that requests are signed with: those of the moment, for asking botocore may fetch new ones."""
    held = fields(getattr(getattr(client, "_request_signer", None), "_credentials", None))
    return [held.get(name) for name in ("secret_key", "token", "_secret_key", "_token")]


def head(result: Mapping[str, Any], attributes: Attributes) -> None:
    """What a result, or the response of an exception, says beside the answer."""
    from .readers import invoke_model

    invoke_model.head(result, attributes)


def error_code(error: BaseException) -> str | None:
    """The service's own code of an error, such as `ThrottlingException`; a stream's is that of its event."""
    code = fields(fields(getattr(error, "response", None)).get("Error")).get("Code")
    return code if isinstance(code, str) and code else None


SDK: Final = Sdk(name="bedrock", error_code=error_code, head=head, follow=_botocore.follow)
ASYNC_SDK: Final = msgspec.structs.replace(SDK, follow=_aiobotocore.follow)
INTEGRATION: Final = Integration(
    name="bedrock",
    package="boto3",
    supported=">=1.35,<2",
    parts=(
        calls(SDK, ("botocore.client",), {"BaseClient._make_api_call": read}),
        calls(ASYNC_SDK, ("aiobotocore.client",), {"AioBaseClient._make_api_call": read}),
    ),
)
