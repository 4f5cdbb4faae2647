"""All errors, with the HTTP status of each.

    ServeError
    ├── BadRequest 400             a field is wrong; `param` names the field
    │   ├── UnknownField 400       this interface has no such field
    │   └── UnsupportedField 400   the field is known, but has no effect on this model
    ├── Unauthorized 401           the API key is missing or unknown
    ├── Forbidden 403              the caller lacks a role, or calls from another machine
    ├── SlowBody 408               the body did not come in time; the connection is closed
    ├── NotFound 404               the voice, model or session does not exist
    ├── Conflict 409               the name of a voice is taken
    ├── DuplicateSession 409       the session id is live or remembered
    ├── RateLimited 429            a limit of this key is reached; says when to try again
    ├── Overloaded 503             the server has no room; says when to try again
    ├── SynthesisFailed 500        the engine could not finish this session
    ├── NotServed 501              this server cannot do that; the message says why
    ├── LanguageModelFailed 502    the language model of a realtime session did not reply as it must
    ├── StorageFull 507            the store has no room; nothing was stored
    ├── ReaderStalled              the client takes no more bytes; nothing can be sent to it
    ├── Unavailable 503            a part of the server did not answer (registry, engine)
    │   ├── NotEnrolled 503        the voice is in the store, but is not prepared
    │   ├── OutOfMemory 503        a step of this session did not fit in the device's memory
    │   └── StorageAway 503        the store of recordings and voices did not answer
    └── ConfigError                stops the start, names file and key; never sent over HTTP
        └── CheckpointError        a model file is missing, truncated or mismatched

One place translates all of them to OpenAI's error shape: app/api/errors.py.
"""

import math


class ServeError(Exception):
    """Clients may match on `code`, which is stable. `param` is the request field that is wrong."""

    status = 500
    code = "internal_error"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or type(self).code

    def __reduce__(self) -> tuple[object, ...]:  # Ray pickles errors between processes
        return _rebuild, (type(self), self.message, self.param, self.code)


def _rebuild(cls: type[ServeError], message: str, param: str | None, code: str) -> ServeError:
    return cls(message, param=param, code=code)


class BadRequest(ServeError):
    status = 400
    code = "invalid_value"


class UnknownField(BadRequest):
    code = "unknown_field"


class UnsupportedField(BadRequest):
    code = "unsupported_field"


class Unauthorized(ServeError):
    status = 401
    code = "invalid_api_key"


class Forbidden(ServeError):
    status = 403
    code = "forbidden"


class SlowBody(ServeError):
    status = 408
    code = "slow_body"


class RateLimited(ServeError):
    """`limit` is the name of the limit in the key's quota or in the configuration."""

    status = 429
    code = "rate_limit_exceeded"

    def __init__(self, limit: str, retry_after_s: float, code: str | None = None) -> None:
        reason = f"this API key has reached its limit {limit}"
        super().__init__(reason, param=limit, code=code)
        self.retry_after_s = max(1, math.ceil(retry_after_s))

    def __reduce__(self) -> tuple[object, ...]:
        return RateLimited, (self.param, self.retry_after_s, self.code)


class NotFound(ServeError):
    status = 404
    code = "not_found"


class Conflict(ServeError):
    status = 409
    code = "conflict"


class DuplicateSession(ServeError):
    status = 409
    code = "duplicate_session"


class Overloaded(ServeError):
    status = 503
    code = "overloaded"

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_s: float = 0.0,
    ) -> None:
        super().__init__(message, param=param, code=code)
        self.retry_after_s = max(1, math.ceil(retry_after_s))

    def __reduce__(self) -> tuple[object, ...]:
        return _overloaded, (self.message, self.param, self.code, self.retry_after_s)


def _overloaded(message: str, param: str | None, code: str, retry_after_s: float) -> Overloaded:
    return Overloaded(message, param=param, code=code, retry_after_s=retry_after_s)


class NotServed(ServeError):
    status = 501
    code = "not_served"


class SynthesisFailed(ServeError):
    status = 500
    code = "synthesis_failed"


class LanguageModelFailed(ServeError):
    status = 502
    code = "llm_failed"


class ReaderStalled(ServeError):
    code = "reader_stalled"


class Unavailable(ServeError):
    status = 503
    code = "unavailable"
    retry_after_s = 1


class NotEnrolled(Unavailable):
    code = "not_enrolled"


class OutOfMemory(Unavailable):
    code = "out_of_memory"


class StorageAway(Unavailable):
    code = "storage_unavailable"


class StorageFull(ServeError):
    status = 507
    code = "storage_full"


class ConfigError(ServeError):
    code = "config_error"


class CheckpointError(ConfigError):
    code = "checkpoint_error"
