"""What each problem means and what its caller can do, in Chinese and English."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from models.language import Lang


@dataclass(frozen=True, slots=True)
class Explanation:
    """Explains a problem in one language."""

    title: str
    means: str
    remedy: str


def _both(zh: tuple[str, str, str], en: tuple[str, str, str]) -> Mapping[Lang, Explanation]:
    return {Lang.ZH: Explanation(*zh), Lang.EN: Explanation(*en)}


EXPLANATIONS: Final[Mapping[str, Mapping[Lang, Explanation]]] = {
    "invalid-request": _both(
        (
            "请求无效",
            "某个字段、参数或请求头缺失、未知、重复或超出范围，detail 中给出了它的名称。",
            "修正 detail 所指之处后再发送。原样重发仍会得到相同的答复。",
        ),
        (
            "The request is not valid",
            "A field, parameter or header is missing, unknown, repeated or out of range; detail names it.",
            "Correct what detail names, then send the request again. The same request gets the same answer.",
        ),
    ),
    "invalid-code": _both(
        (
            "一次性凭证无效",
            "code 或 registration 未知、已使用、已过期，或属于其他网站。",
            "让用户重新登录。每个 code 只能兑换一次，须在确认后 60 秒内完成。",
        ),
        (
            "The one-time code or registration is not valid",
            "The code or registration is unknown, used, expired, or was issued to another site.",
            "Let the user sign in again. A code is exchanged once, within 60 seconds after the confirmation.",
        ),
    ),
    "unauthorized": _both(
        (
            "凭据缺失或错误",
            "请求没有有效的凭据。WWW-Authenticate 给出了所需的认证方式。",
            "网站后端请核对 client_id 和 secret；页面请使用创建时得到的 secret。",
        ),
        (
            "Credentials are missing or wrong",
            "The request has no valid credentials. WWW-Authenticate names the scheme that is needed.",
            "A back end compares client id and secret with the settings. A page sends the secret of its ticket.",
        ),
    ),
    "forbidden": _both(
        (
            "网站无权进行此操作",
            "凭据有效，但配置没有授予该网站此项权限。",
            "请服务的运维人员在该网站的配置中授权，例如 clients.NAME.access_token。",
        ),
        (
            "The client may not do this",
            "The credentials are valid, but the configuration does not grant this to the site.",
            "Ask the operator of the service to grant it, for example in clients.NAME.access_token.",
        ),
    ),
    "forbidden-origin": _both(
        (
            "不允许此页面来源",
            "发出请求的页面不在允许的来源之列，或者请求不是由浏览器打开页面而产生的。",
            "请运维人员把页面的来源（协议、主机和端口）加入 clients.NAME.origins。",
        ),
        (
            "The page's origin is not allowed",
            "The page that sent the request is of no allowed origin, or no browser was opening the address.",
            "Ask the operator to add the page's origin (scheme, host and port) to clients.NAME.origins.",
        ),
    ),
    "person-blocked": _both(
        (
            "微信不允许此人登录",
            "微信认为此人存在高风险，没有告知其身份。",
            "不要重试，请让用户换一种登录方式。",
        ),
        (
            "WeChat does not let this person log in",
            "WeChat takes the person for a high risk, and does not say who they are.",
            "Do not try again. Offer the person another way to log in.",
        ),
    ),
    "bad-signature": _both(
        (
            "签名无效",
            "推送不是由微信签名的，或其时间戳超出 max_skew。",
            "运维人员请核对公众号后台的 Token、EncodingAESKey 与配置，并检查服务器时间。日志记有具体原因。",
        ),
        (
            "The signature is not valid",
            "The push is not signed by WeChat, or its timestamp is outside max_skew.",
            (
                "The operator compares Token and EncodingAESKey in WeChat's console with the configuration, and "
                "checks the clock. The log has the reason."
            ),
        ),
    ),
    "ticket-not-found": _both(
        (
            "没有此登录请求",
            "ticket 未知或已清除，或者 secret 不正确，二者得到相同的答复。",
            "重新创建。结束的 ticket 在到期 120 秒后无法再读取。",
        ),
        (
            "There is no such ticket",
            "The ticket is unknown or removed, or the secret is wrong: both get the same answer.",
            "Create a new one. A ticket can be read until 120 seconds after its expiry.",
        ),
    ),
    "session-not-found": _both(
        (
            "没有此会话",
            "管理页面的链接或会话未知、已使用或已过期，或者 secret 不正确，它们得到相同的答复。",
            "返回网站，重新打开管理页面。",
        ),
        (
            "There is no such session",
            "The portal's link or session is unknown, used or expired, or the secret is wrong: the same answer.",
            "Go back to the site, and open the portal again.",
        ),
    ),
    "binding-not-found": _both(
        (
            "没有此绑定",
            "该用户没有此绑定，可能已经解除。",
            "读取 GET /v1/bindings/{user_id}，查看现有的绑定。",
        ),
        (
            "There is no such binding",
            "The user does not have this binding; it may have been removed already.",
            "Read GET /v1/bindings/{user_id} to see which there are.",
        ),
    ),
    "not-found": _both(
        (
            "此地址没有内容",
            "没有这个地址、账号或二维码。",
            "核对地址，所有地址见 /openapi.json。",
        ),
        (
            "There is nothing at this address",
            "There is no such address, account or QR code.",
            "Compare the address with those in /openapi.json.",
        ),
    ),
    "method-not-allowed": _both(
        (
            "此地址不支持该方法",
            "地址存在，但不支持该 HTTP 方法。Allow 列出了支持的方法。",
            "使用 Allow 所列的方法。",
        ),
        (
            "The method is not allowed at this address",
            "The address exists, but does not answer this HTTP method. Allow lists those it answers.",
            "Use a method that Allow lists.",
        ),
    ),
    "account-not-configured": _both(
        (
            "账号未配置",
            "该凭证属于网站已不再使用的账号，或者账号的 appid 已改变。detail 给出了账号名称，凭证未被使用。",
            "请运维人员恢复该账号的配置，或让用户用其他账号重新登录。",
        ),
        (
            "The account is not configured",
            (
                "The code or registration is of an account that the site no longer has, or whose appid changed; "
                "detail names it. Nothing was used up."
            ),
            "Ask the operator to configure the account again, or let the user sign in with another one.",
        ),
    ),
    "binding-conflict": _both(
        (
            "与已有绑定冲突",
            "reason 为 wechat_taken：此微信已绑定该网站的其他用户；为 user_taken：该用户已绑定其他微信。",
            "告知用户并让其选择：先解除原有绑定，或改用已绑定的账号登录。",
        ),
        (
            "The binding conflicts with another one",
            (
                "The reason wechat_taken: the WeChat is bound to another user of the site. user_taken: the user "
                "is bound to another WeChat."
            ),
            "Tell the user, who can end the other binding first, or log in to the account that is bound.",
        ),
    ),
    "ticket-finished": _both(
        (
            "登录请求已结束",
            "ticket 已有最终状态，或者已由另一个人扫描。",
            "读取其状态；需要时创建新的。",
        ),
        (
            "The ticket has ended",
            "The ticket already has a final status, or another person scanned it.",
            "Read its status, and create a new one if need be.",
        ),
    ),
    "payload-too-large": _both(
        (
            "请求体过大",
            "请求体超过了 64 KiB。",
            "发送更小的请求体。",
        ),
        (
            "The body is too large",
            "The body is over 64 KiB.",
            "Send a smaller body.",
        ),
    ),
    "unsupported-media-type": _both(
        (
            "不支持请求体的媒体类型",
            "请求体经过压缩，或不是该地址接受的类型：通常为 application/json，加密调用为 application/jose。",
            "使用正确的 Content-Type，不要压缩。",
        ),
        (
            "The body's media type is not supported",
            (
                "The body is compressed, or not of the type that the address takes: application/json, or "
                "application/jose for a sealed call."
            ),
            "Send the right Content-Type, without compression.",
        ),
    ),
    "rate-limited": _both(
        (
            "请求过多",
            "超过了频率限制。Retry-After 给出了需要等待的秒数。",
            "等待后再试。运维人员可在 limits 中调整限制。",
        ),
        (
            "Too many requests",
            "A rate limit is exceeded. Retry-After has the seconds to wait.",
            "Wait, then try again. The operator changes the limits under limits.",
        ),
    ),
    "internal": _both(
        (
            "服务器内部错误",
            "服务出现了未预料的错误，原因记录在日志中。",
            "把 instance 的值告知运维人员，可凭它在日志中找到此请求。",
        ),
        (
            "Internal server error",
            "An error occurred that the service does not expect. The log has the cause.",
            "Tell the operator the value of instance, which finds the request in the log.",
        ),
    ),
    "wechat-unavailable": _both(
        (
            "微信拒绝或未答复",
            "对微信接口的调用失败，日志记有微信的错误码。",
            "稍后重试，或提供其他登录方式。运维人员可运行 scanbind doctor。",
        ),
        (
            "WeChat refused or did not answer",
            "A call to WeChat failed. The log has WeChat's error code.",
            "Try again later, or offer another way to sign in. The operator runs scanbind doctor.",
        ),
    ),
    "store-unavailable": _both(
        (
            "存储不可用",
            "Redis 或数据库没有答复，未进行任何操作。Retry-After 给出了需要等待的秒数。",
            "等待后再试。运维人员可查看 /readyz 和日志。",
        ),
        (
            "A store is unavailable",
            "Redis or the database did not answer, and nothing was done. Retry-After has the seconds to wait.",
            "Wait, then try again. The operator looks at /readyz and at the log.",
        ),
    ),
}
"""By the slug of the problem."""
