"""The service's exceptions. Independent of HTTP: handlers/http/problems.py maps them to responses."""

from models.binding import ConflictReason


class ServiceError(Exception):
    """The base of all exceptions that the service raises on purpose. `detail` is safe to show to the caller."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidRequest(ServiceError):
    """The request is not well formed; `detail` names the field."""


class Malformed(InvalidRequest):
    """A WeChat push that cannot be parsed. `detail` is always the same, so that it is no oracle.

    `fault` is for the log: one of a few fixed words, never content of the push. With the fault `mode`, `console`
    is the encryption mode that the push is in, as set in WeChat's console.
    """

    def __init__(self, fault: str, *, console: str = "") -> None:
        super().__init__("the push cannot be read")
        self.fault = fault
        self.console = console


class UnreadablePush(Malformed):
    """An authentic push whose message cannot be read. It is acknowledged.

    If it were refused, WeChat would show the person its error text for what they wrote.
    """


class InvalidCode(ServiceError):
    """A login code or registration that is unknown, used, expired, or issued to another client."""


class AccountNotConfigured(ServiceError):
    """The Official Account is not configured for this client any more; `detail` names it. Nothing was used up."""


class Unauthorized(ServiceError):
    """Credentials are missing or wrong; `scheme` is the HTTP authentication scheme to use."""

    def __init__(self, detail: str = "", *, scheme: str = "Basic") -> None:
        super().__init__(detail)
        self.scheme = scheme


class WrongCredentials(Unauthorized):
    """The client id, or its secret or sealing key, is wrong; `client` is None if no client has that id."""

    def __init__(self, detail: str = "client id or secret is wrong", *, client: str | None) -> None:
        super().__init__(detail)
        self.client = client


class ForbiddenOrigin(ServiceError):
    """The page's origin is not among the client's `origins`."""


class Forbidden(ServiceError):
    """The client was not granted what it asks for."""


class BadSignature(ServiceError):
    """A push with a wrong signature, in a mode that signs too little, or with a timestamp out of range.

    `fault` and `console` are for the log, as in Malformed.
    """

    def __init__(self, fault: str = "signature", *, console: str = "") -> None:
        super().__init__()
        self.fault = fault
        self.console = console


class PersonBlocked(ServiceError):
    """WeChat takes the person for a high-risk user and does not say who they are. The ticket is unchanged."""


class TicketNotFound(ServiceError):
    """The ticket does not exist, or its secret is wrong. Callers cannot tell which."""


class TicketFinished(ServiceError):
    """The ticket has already ended."""


class SessionNotFound(ServiceError):
    """The portal session does not exist, has ended, or its secret is wrong. Callers cannot tell which."""


class BindingNotFound(ServiceError):
    """The user does not have this binding."""


class BindingConflict(ServiceError):
    """The binding cannot be made."""

    def __init__(self, reason: ConflictReason, detail: str = "") -> None:
        super().__init__(detail)
        self.reason = reason


class NotFound(ServiceError):
    """There is no resource at this address."""


class PayloadTooLarge(ServiceError):
    """The body is larger than the endpoint accepts."""


class UnsupportedMediaType(ServiceError):
    """The body is not of the media type that the endpoint accepts."""


class Retryable(ServiceError):
    """The request may succeed later; `retry_after` is in whole seconds."""

    def __init__(self, detail: str = "", *, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class RateLimited(Retryable):
    """A rate limit is exceeded. `limit` is its name in the metrics; the other fields name the caller, if known."""

    def __init__(
        self,
        detail: str = "",
        *,
        limit: str,
        retry_after: int = 1,
        client: str | None = None,
        account: str | None = None,
        user_id: str | None = None,
    ) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.limit = limit
        self.client = client
        self.account = account
        self.user_id = user_id


class StoreUnavailable(Retryable):
    """Redis or the database is unavailable; nothing was done.

    `reason` is the store's place and the driver's reason, without secrets. It is for operators: callers get only
    `detail`.
    """

    def __init__(self, detail: str = "", *, reason: str = "", retry_after: int = 1) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.detail}: {self.reason}" if self.reason else self.detail


class WeChatUnavailable(ServiceError):
    """A call to WeChat failed; `errcode` is WeChat's, or None if there was no answer."""

    def __init__(self, detail: str = "", *, errcode: int | None = None) -> None:
        super().__init__(detail)
        self.errcode = errcode
