"""What can go wrong, in the service's own words. Knows nothing of HTTP: handlers/http/problems.py maps it."""

from models.binding import ConflictReason


class ServiceError(Exception):
    """The root of everything the service refuses or fails at; `detail` is safe to show to the caller."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidRequest(ServiceError):
    """What was sent does not have the form it must have; the detail names the field."""


class Malformed(InvalidRequest):
    """A WeChat push that cannot be read. Says the same whatever is wrong, so none is an oracle.

    `fault` is for the log: one of a few fixed words, never anything that was sent.
    """

    def __init__(self, fault: str) -> None:
        super().__init__("the push cannot be read")
        self.fault = fault


class InvalidCode(ServiceError):
    """A code or registration that is unknown, used, late, or somebody else's."""


class Unauthorized(ServiceError):
    """No credentials, or wrong ones; `scheme` is how to prove oneself."""

    def __init__(self, detail: str = "", *, scheme: str = "Basic") -> None:
        super().__init__(detail)
        self.scheme = scheme


class WrongCredentials(Unauthorized):
    """A client id and a password that do not belong together; *client* is None if no client has that id."""

    def __init__(self, *, client: str | None) -> None:
        super().__init__("client id or secret is wrong")
        self.client = client


class ForbiddenOrigin(ServiceError):
    """A page whose origin the client does not list."""


class BadSignature(ServiceError):
    """A WeChat push that WeChat did not sign, or not now; `fault` is for the log alone, as Malformed's is."""

    def __init__(self, fault: str = "signature") -> None:
        super().__init__()
        self.fault = fault


class TicketNotFound(ServiceError):
    """No such ticket, or not with this secret: one answer for both."""


class TicketFinished(ServiceError):
    """The ticket has already ended."""


class SessionNotFound(ServiceError):
    """No such portal session, not with this secret, or over: one answer for all."""


class BindingNotFound(ServiceError):
    """The user has no such binding."""


class BindingConflict(ServiceError):
    """The binding cannot be made."""

    def __init__(self, reason: ConflictReason, detail: str = "") -> None:
        super().__init__(detail)
        self.reason = reason


class NotFound(ServiceError):
    """Nothing stands at this address."""


class PayloadTooLarge(ServiceError):
    """The body is larger than its door takes."""


class UnsupportedMediaType(ServiceError):
    """The body is not of the type the door takes."""


class Retryable(ServiceError):
    """May go through later; `retry_after` is in whole seconds."""

    def __init__(self, detail: str = "", *, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class RateLimited(Retryable):
    """Asked too often; `limit` names the limit as the figures do, the rest whose it is, where that is known."""

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
    """Redis or the database does not answer, so nothing was done."""


class WeChatUnavailable(ServiceError):
    """WeChat refused or did not answer; `errcode` is WeChat's (None: no answer at all)."""

    def __init__(self, detail: str = "", *, errcode: int | None = None) -> None:
        super().__init__(detail)
        self.errcode = errcode
