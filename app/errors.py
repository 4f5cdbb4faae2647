"""Everything that can be refused or go wrong, and what HTTP makes of it.

    ServeError
    ├── BadRequest 400             a field is wrong; `param` names it
    │   ├── UnknownField 400       not a field of this interface
    │   └── UnsupportedField 400   a known field that cannot act on this model
    ├── Unauthorized 401           no API key, or none that is known
    ├── Forbidden 403              a known caller who may not, or a caller from outside
    ├── NotFound 404               voice, model or session
    ├── Conflict 409               the name of a voice is taken
    ├── DuplicateSession 409       the id is live or remembered
    ├── RateLimited 429            a limit of this key; tells when to come back
    ├── Overloaded 503             no room; tells when to come back
    ├── SynthesisFailed 500        the engine could not finish this session
    ├── NotServed 501              this server cannot do that, and says why
    ├── StorageFull 507            no room for what was to be kept; nothing of it was
    ├── Unavailable 503            a part that must answer did not (registry, engine)
    │   ├── NotEnrolled 503        a voice of the store that nobody has prepared, or not yet again
    │   ├── OutOfMemory 503        a step of this session did not fit in the device's memory
    │   └── StorageAway 503        the store of recordings and voices did not answer
    └── ConfigError                never over HTTP: stops the start, names file and key
        └── CheckpointError        a model file is missing, truncated or mismatched

Raised anywhere, translated to OpenAI's error shape in one place (app/api/errors.py).
"""

import math


class ServeError(Exception):
    """`code` is the stable name clients may match on; `param` the request field at fault."""

    status = 500
    code = "internal_error"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or type(self).code

    def __reduce__(self) -> tuple[object, ...]:  # survives the hop between Ray processes
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


class RateLimited(ServeError):
    """`limit` is the quota's name."""

    status = 429
    code = "rate_limit_exceeded"

    def __init__(self, limit: str, retry_after_s: float) -> None:
        super().__init__(f"this key's limit {limit} is reached", param=limit)
        self.retry_after_s = max(1, math.ceil(retry_after_s))

    def __reduce__(self) -> tuple[object, ...]:
        return RateLimited, (self.param, self.retry_after_s)


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
    retry_after_s = 1


class NotServed(ServeError):
    status = 501
    code = "not_served"


class SynthesisFailed(ServeError):
    status = 500
    code = "synthesis_failed"


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
