// The texts of the page in English and Chinese.

const WORDS = {
  en: {
    title: "WeChat sandbox", phone: "Phone", chat: "Chat", account: "Official Account", close: "Close", cancel: "Cancel",
    whosePhone: "User", newPhone: "New user", ownNumber: "Phone number:",
    sms: "SMS", dismiss: "Dismiss", smsLog: "SMS to all numbers", noSms: "No SMS yet.",
    newcomer: "New user", newcomerWhy: "The sandbox emulates WeChat. It only needs a nickname.",
    nickname: "Nickname", language: "Phone language", more: "More",
    unionid: "UnionID (optional)", begin: "Start",
    following: "Following", stranger: "Not following", unfollow: "Unfollow",
    notFollowing: "You do not follow this account yet. Scan one of its QR codes to follow it.",
    search: "Follow without scanning",
    wantsLogin: "This website asks to log you in with WeChat.", allow: "Allow", refuse: "Refuse",
    ownCode: "QR code of the account itself", scanOwnCode: "Scan the QR code of the account {name} itself",
    websiteLogin: "Website login", back: "Allowed. The page in the browser goes on.", refusedLogin: "Login refused.",
    visit: "Open a page inside WeChat", pageAddress: "Address", openPage: "Open",
    browser: "Page inside WeChat", goBack: "Back", reload: "Reload", fullService: "使用完整服务 · Use the full service",
    webAuthorization: "Web authorization", snapshots: "Show this user snapshots of pages",
    snsFault: "Fault in calls of sns, for all users",
    miniPrograms: "Mini programs", blocked: "Refuse logins of this user (40226)",
    followFirst: "Follow this account to continue.", follow: "Follow", notNow: "Not now",
    message: "Message", cannotWrite: "Follow to write", send: "Send", scan: "Scan",
    you: "You", wechat: "WeChat",
    camera: "Camera", nothing: "No QR code in view. Open a login page, or read a QR code from a picture.",
    oneCode: "The newest QR code is in view.", aimed: "This is the QR code that you opened.",
    several: "The picture contains several QR codes. Choose the one to scan.",
    stale: "The QR code that you opened has expired. Get a new code on its page.",
    code: "Scan the QR code of {name}, created at {time}", until: "valid until {time}", forever: "permanent",
    picture: "Read from a picture", pasteHint: "or paste or drop a screenshot on this page",
    address: "QR code URL", read: "Read", drop: "Drop the picture here",
    looking: "Looking for a QR code…", expired: "This QR code has expired.",
    unknownCode: "This QR code does not belong to this sandbox.",
    not_a_picture: "This file cannot be read as a picture.", no_code: "There is no QR code in the picture.",
    foreign_code: "The QR code in the picture does not belong to this sandbox.",
    several_codes: "The picture contains several QR codes.",
    too_large: "The picture is larger than 8 MiB.", too_many_pixels: "The picture has too many pixels.",
    too_slow: "Reading the picture took too long.", busy: "Other pictures are being read. Try again in a moment.",
    no_reader: "Reading pictures needs two more libraries: pip install 'scanbind[sandbox]'",
    unreachable: "The sandbox does not respond. Is it still running?",
    desk: "Pushes", deskWhat: "Push log and fault simulation",
    nextPush: "Simulate a fault in the next push", asUsual: "No fault",
    onItsWay: "Delivery", forged: "Forged", armed: "Next push: {name}", disarm: "Remove the fault",
    atOnce: "Send now", noise: "Other pushes", push: "Send", verify: "Verify callback",
    verified: "The callback address is verified.", badCallback: "Verifying the callback address failed: {flaw}",
    unionidHere: "UnionID at this account", noUnionid: "none",
    withhold: "Withhold", disclose: "Disclose", change: "Change",
    log: "Push log", noLog: "No pushes for this user yet.", raw: "Raw push",
    held: "held back", waiting: "in progress", answered: "answered", faulty: "failed", refused: "rejected",
    believed: "accepted", said: "Replied", silent: "“success”: received, no reply",
    turnedAway: "Rejected with {status}, as expected", failed: "Failed with {status}", mute: "No response",
    badAnswer: "Invalid reply: {flaw}", taken: "The service accepted a forged push",
    heldWhat: "It is sent after the next push.", waitingWhat: "No response yet.",
    SCAN: "Scan", subscribe: "Follow", unsubscribe: "Unfollow", text: "Message", CLICK: "Menu", VIEW: "Menu link",
  },
  zh: {
    title: "模拟微信", phone: "手机", chat: "聊天", account: "公众号", close: "关闭", cancel: "取消",
    whosePhone: "用户", newPhone: "新建用户", ownNumber: "手机号：",
    sms: "短信", dismiss: "关闭通知", smsLog: "发往所有号码的短信", noSms: "还没有短信。",
    newcomer: "新建用户", newcomerWhy: "这里是模拟微信，只需填写昵称。",
    nickname: "昵称", language: "手机语言", more: "更多",
    unionid: "UnionID（选填）", begin: "开始使用",
    following: "已关注", stranger: "未关注", unfollow: "取消关注",
    notFollowing: "尚未关注此公众号，扫描其二维码即可关注。", search: "直接关注",
    wantsLogin: "此网站申请使用你的微信登录", allow: "允许", refuse: "拒绝",
    ownCode: "公众号二维码", scanOwnCode: "扫描公众号“{name}”的二维码",
    websiteLogin: "网站登录", back: "已允许，请回到浏览器中的页面继续。", refusedLogin: "已拒绝登录。",
    visit: "在微信中打开网页", pageAddress: "网址", openPage: "打开",
    browser: "微信中的网页", goBack: "返回", reload: "刷新", fullService: "使用完整服务",
    webAuthorization: "网页授权", snapshots: "向此用户展示网页快照", snsFault: "sns 接口异常（所有用户）",
    miniPrograms: "小程序", blocked: "拒绝此用户登录（40226）",
    followFirst: "关注公众号后继续", follow: "关注公众号", notNow: "暂不关注",
    message: "消息", cannotWrite: "关注后才能发消息", send: "发送", scan: "扫一扫",
    you: "我", wechat: "微信",
    camera: "相机", nothing: "未发现二维码。请打开登录页，或从图片识别。",
    oneCode: "已对准最新的二维码", aimed: "这是你刚才打开的二维码",
    several: "图片中有多个二维码，请选择要扫描的一个。",
    stale: "你打开的二维码已过期，请在原网页上刷新二维码。",
    code: "扫描“{name}”的二维码（{time} 生成）", until: "{time} 前有效", forever: "永久有效",
    picture: "从图片识别", pasteHint: "也可以直接粘贴或拖入截图",
    address: "二维码链接", read: "识别", drop: "将图片拖到此处",
    looking: "正在识别二维码…", expired: "二维码已过期。", unknownCode: "此二维码不属于当前模拟微信。",
    not_a_picture: "无法读取此文件，请换一张图片。", no_code: "图片中没有二维码。",
    foreign_code: "图片中的二维码不属于当前模拟微信。", several_codes: "图片中有多个二维码。",
    too_large: "图片超过 8 MiB。", too_many_pixels: "图片分辨率过高。",
    too_slow: "识别超时，请换一张图片。", busy: "正在识别其他图片，请稍后再试。",
    no_reader: "识别图片需要另外安装两个库：pip install 'scanbind[sandbox]'",
    unreachable: "模拟微信没有响应，请确认它仍在运行。",
    desk: "推送调试", deskWhat: "查看推送记录，模拟异常",
    nextPush: "模拟异常（下一次推送）", asUsual: "无异常",
    onItsWay: "传输异常", forged: "伪造推送", armed: "下一次推送：{name}", disarm: "取消模拟异常",
    atOnce: "立即执行", noise: "其他推送", push: "推送", verify: "验证回调地址",
    verified: "回调地址验证通过。", badCallback: "回调地址验证失败：{flaw}",
    unionidHere: "此公众号获取的 UnionID", noUnionid: "无", withhold: "暂不提供", disclose: "恢复提供", change: "更换",
    log: "推送记录", noLog: "此用户还没有推送记录。", raw: "推送原文",
    held: "暂缓发送", waiting: "发送中", answered: "已响应", faulty: "失败", refused: "已拒绝",
    believed: "未拦截", said: "已回复", silent: "“success”：已收到，不回复",
    turnedAway: "已拒绝（{status}），符合预期", failed: "请求失败（{status}）", mute: "无响应",
    badAnswer: "回复无效：{flaw}", taken: "服务未拦截伪造的推送",
    heldWhat: "将在下一次推送之后发送。", waitingWhat: "尚未收到响应。",
    SCAN: "扫码", subscribe: "关注", unsubscribe: "取消关注", text: "消息", CLICK: "菜单", VIEW: "菜单链接",
  },
};

/** The faults of pushes and of sns calls, and the other pushes that can be sent: name -> [label, explanation]. */
const TRICKS = {
  en: {
    twice: ["Deliver twice", "sent again after the response"],
    at_once: ["Deliver twice at once", "two deliveries at the same time"],
    late: ["Deliver late", "ten seconds after the event"],
    out_of_order: ["Out of order", "sent after the next push"],
    unsigned: ["Unsigned", "no signature"],
    wrong_token: ["Wrong token", "signed with another token"],
    wrong_key: ["Wrong key", "encrypted with another key"],
    wrong_appid: ["Wrong appid", "encrypted for another account"],
    plaintext: ["Not encrypted", "plaintext with a copied signature"],
    trade_follow: ["Follow after payment", "EventKey is an order number, not a scene"],
    trade_unfollow: ["Unfollow after payment", "EventKey is an order number, not a scene"],
    bare_follow: ["Follow without EventKey", "WeChat sometimes omits it"],
    lowercase_scan: ["Scan event in lowercase", "with an unknown scene"],
    template_sent: ["Template message sent", "the delivery report of a template message"],
    location: ["Location", "the position of the user"],
    image: ["Picture", "an image message"],
    busy: ["Busy", "errcode -1"],
    day_quota: ["Quota of the day", "errcode 45009"],
    minute_quota: ["Quota of the minute", "errcode 45011"],
    slow: ["Slow", "answered late"],
    away: ["No connection", "nothing is done"],
    cut: ["Connection cut", "done, but not answered"],
  },
  zh: {
    twice: ["重复推送", "收到响应后再推送一次"],
    at_once: ["并发推送", "同时推送两次"],
    late: ["延迟推送", "事件发生 10 秒后才送达"],
    out_of_order: ["乱序推送", "排在下一次推送之后"],
    unsigned: ["缺少签名", "请求不带签名"],
    wrong_token: ["签名错误", "使用其他 token 签名"],
    wrong_key: ["密钥错误", "使用其他密钥加密"],
    wrong_appid: ["appid 错误", "加密内容属于其他账号"],
    plaintext: ["未加密", "明文内容，复用有效签名"],
    trade_follow: ["支付后关注", "EventKey 是订单号，不是场景值"],
    trade_unfollow: ["支付后取消关注", "EventKey 是订单号，不是场景值"],
    bare_follow: ["不带 EventKey 的关注", "微信有时会省略该字段"],
    lowercase_scan: ["小写的扫码事件", "场景值未知"],
    template_sent: ["模板消息回执", "模板消息的发送结果"],
    location: ["地理位置", "用户上报的位置"],
    image: ["图片", "图片消息"],
    busy: ["系统繁忙", "errcode -1"],
    day_quota: ["超过当日限额", "errcode 45009"],
    minute_quota: ["超过分钟限额", "errcode 45011"],
    slow: ["响应缓慢", "响应超时"],
    away: ["无法连接", "请求未处理"],
    cut: ["连接中断", "已处理，但没有响应"],
  },
};

const LOCALES = { en: "en-GB", zh: "zh-CN" };
let lang = "";

/** Return `zh` or `en` for a language code of WeChat or of a browser. */
export const spoken = (language) => (/^zh/i.test(language) ? "zh" : "en");

export const language = () => lang;

/** Return the text of `key` with its {blanks} filled in. */
export const t = (key, blanks = {}) =>
  (WORDS[lang][key] ?? key).replace(/\{(\w+)\}/g, (_, name) => blanks[name] ?? "");

export const has = (key) => key in WORDS[lang];

/** Return [label, explanation] of a fault or push; one without a text here is labelled with its name. */
export const trick = (name) => TRICKS[lang][name] ?? [name.replaceAll("_", " "), ""];

/** Set the language of the page; return whether it changed. */
export function speak(language) {
  if (spoken(language) === lang) return false;
  lang = spoken(language);
  document.documentElement.lang = lang === "zh" ? "zh-CN" : "en";
  document.title = t("title");
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = t(node.dataset.text);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", t(node.dataset.label));
  for (const node of document.querySelectorAll("[data-hint]")) node.placeholder = t(node.dataset.hint);
  return true;
}

const shown = (seconds, options) =>
  new Intl.DateTimeFormat(LOCALES[lang], { hourCycle: "h23", ...options }).format(new Date(seconds * 1000));

export const clock = (seconds) => shown(seconds, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** Return a time as shown between chat messages: with the date unless it is today. */
export function moment(seconds) {
  const today = new Date(seconds * 1000).toDateString() === new Date().toDateString();
  const day = today ? {} : { month: "short", day: "numeric" };
  return shown(seconds, { ...day, hour: "2-digit", minute: "2-digit" });
}
