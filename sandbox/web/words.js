// What the page says, in the language of whoever's phone it is.

const WORDS = {
  en: {
    title: "Sandbox WeChat", phone: "Phone", chat: "Chat", account: "Account", close: "Close", cancel: "Cancel",
    whosePhone: "Whose phone", newPhone: "New phone",
    newcomer: "Whose phone is this?", newcomerWhy: "This pretend WeChat asks for a nickname, and for nothing else.",
    nickname: "Nickname", language: "Language of the phone", more: "More",
    unionid: "UnionID, if accounts are to get one", begin: "Begin",
    following: "Following", stranger: "Not following", unfollow: "Unfollow",
    notFollowing: "You do not follow this account. Scan a code, and you are asked to.", search: "Follow without a code",
    followFirst: "Follow this account to go on.", follow: "Follow", notNow: "Not now",
    message: "Message", cannotWrite: "Follow to write", send: "Send", scan: "Scan",
    you: "You", wechat: "WeChat",
    camera: "Camera", nothing: "No code in sight. Open a login page, or read a picture of a code.",
    oneCode: "The newest code is in view.", aimed: "This is the code you came with.",
    several: "Several codes are in the picture. Tap the one you mean.",
    stale: "The code you came with is out of date. Open the page again for a new one.",
    code: "Scan the code of {name}, shown at {time}", until: "until {time}", forever: "permanent",
    picture: "A picture of a code", pasteHint: "or paste or drop a screenshot on this page",
    address: "A code's address", read: "Read", drop: "Drop the picture here",
    looking: "Looking for a code …", expired: "This code is out of date.", unknownCode: "That is no code of this sandbox.",
    not_a_picture: "That is no picture this phone can read.", no_code: "There is no code in the picture.",
    foreign_code: "The code in the picture is of another WeChat.", several_codes: "Several codes are in the picture.",
    too_large: "The picture is larger than 8 MiB.", too_many_pixels: "The picture has too many pixels.",
    too_slow: "Reading the picture took too long.", busy: "Other pictures are being read. Try again in a moment.",
    no_reader: "Reading pictures needs two more libraries: pip install 'scanbind[sandbox]'",
    unreachable: "The sandbox does not answer. Is it still running?",
    desk: "Behind the scenes", deskWhat: "What is pushed, and how to spoil it",
    nextPush: "Spoil the next push", asUsual: "As usual",
    onItsWay: "On its way", forged: "Forged", armed: "Next push: {name}", disarm: "As usual after all",
    atOnce: "At once", noise: "Noise", push: "Push", verify: "Verify the callback",
    verified: "The callback address answers well.", badCallback: "The callback address: {flaw}",
    log: "Pushes and answers", noLog: "Nothing has been pushed for this phone yet.", raw: "Text of the push",
    held: "held back", waiting: "under way", answered: "answered", faulty: "faulty", refused: "refused",
    believed: "believed", said: "Replied", silent: "“success”: received, nothing to say",
    turnedAway: "Refused with {status}, as it should be", failed: "Failed with {status}", mute: "No answer in time",
    badAnswer: "An answer WeChat does not show: {flaw}", taken: "Taken for true, though it was forged",
    heldWhat: "It goes out after the next push.", waitingWhat: "No answer yet.",
    SCAN: "Scan", subscribe: "Follow", unsubscribe: "Unfollow", text: "Message", CLICK: "Menu", VIEW: "Menu page",
  },
  zh: {
    title: "沙盒微信", phone: "手机", chat: "聊天", account: "公众号", close: "关闭", cancel: "取消",
    whosePhone: "谁的手机", newPhone: "新手机",
    newcomer: "这是谁的手机？", newcomerWhy: "这是模拟的微信，只需要一个昵称。",
    nickname: "昵称", language: "手机语言", more: "更多",
    unionid: "UnionID（公众号需要时填写）", begin: "开始",
    following: "已关注", stranger: "未关注", unfollow: "取消关注",
    notFollowing: "尚未关注此公众号。扫一扫它的二维码即可关注。", search: "直接关注",
    followFirst: "关注后继续", follow: "关注公众号", notNow: "暂不",
    message: "消息", cannotWrite: "关注后才能发消息", send: "发送", scan: "扫一扫",
    you: "我", wechat: "微信",
    camera: "相机", nothing: "没有看到二维码。请打开登录页，或识别一张图片。",
    oneCode: "已对准最新的二维码", aimed: "这就是你带来的二维码",
    several: "图片里有多个二维码，请轻触要扫的那个。",
    stale: "你带来的二维码已过期，请重新打开网页获取。",
    code: "扫描 {time} 出示的“{name}”二维码", until: "{time} 前有效", forever: "永久有效",
    picture: "从图片识别", pasteHint: "也可以直接粘贴或拖入截图",
    address: "二维码的网址", read: "识别", drop: "把图片拖到这里",
    looking: "正在识别……", expired: "二维码已过期。", unknownCode: "这不是本沙盒的二维码。",
    not_a_picture: "无法读取这个文件，请换一张图片。", no_code: "图片里没有二维码。",
    foreign_code: "图片里的二维码不属于本沙盒。", several_codes: "图片里有多个二维码。",
    too_large: "图片超过 8 MiB。", too_many_pixels: "图片的像素太多。",
    too_slow: "识别超时，请换一张图片。", busy: "正在识别其他图片，请稍后再试。",
    no_reader: "识别图片需要另装两个库：pip install 'scanbind[sandbox]'",
    unreachable: "沙盒没有回应，它还在运行吗？",
    desk: "幕后", deskWhat: "看看推送了什么，也可以捣乱",
    nextPush: "捣乱下一次推送", asUsual: "照常",
    onItsWay: "途中", forged: "伪造", armed: "下一次推送：{name}", disarm: "还是照常吧",
    atOnce: "立即", noise: "干扰", push: "推送", verify: "验证回调地址",
    verified: "回调地址验证通过。", badCallback: "回调地址有问题：{flaw}",
    log: "推送与回复", noLog: "这部手机还没有任何推送。", raw: "推送原文",
    held: "扣住", waiting: "途中", answered: "已回复", faulty: "故障", refused: "已拒绝",
    believed: "被相信", said: "回复", silent: "“success”：已收到，不回复",
    turnedAway: "以 {status} 拒绝，正该如此", failed: "失败：{status}", mute: "没有及时回应",
    badAnswer: "微信不会显示的回复：{flaw}", taken: "伪造的推送被当真了",
    heldWhat: "等下一次推送之后再发出。", waitingWhat: "还没有回复。",
    SCAN: "扫码", subscribe: "关注", unsubscribe: "取消关注", text: "消息", CLICK: "菜单", VIEW: "菜单网页",
  },
};

/** What can be done to a push, and what else can be pushed: name -> [short name, half a sentence]. */
const TRICKS = {
  en: {
    twice: ["Deliver twice", "sent again after it was answered"],
    at_once: ["Twice at once", "two deliveries at the same moment"],
    late: ["Deliver late", "arrives ten seconds after it happened"],
    out_of_order: ["Out of order", "waits until the next push has overtaken it"],
    unsigned: ["Unsigned", "carries no signature at all"],
    wrong_token: ["Wrong token", "signed by somebody who does not know the token"],
    wrong_key: ["Wrong key", "encrypted with a key that is not the account's"],
    wrong_appid: ["Wrong account", "sealed for another appid"],
    plaintext: ["In the clear", "under a signature stolen elsewhere"],
    trade_follow: ["Follow after paying", "its key is an order number, not a scene"],
    trade_unfollow: ["Unfollow after paying", "the same, the other way"],
    bare_follow: ["Follow without a key", "some pushes leave it out"],
    lowercase_scan: ["Scan in small letters", "of a code that is not ours"],
    template_sent: ["Template message sent", "a report about another message"],
    location: ["Location", "where the person is"],
    image: ["Picture", "a message that is no text"],
  },
  zh: {
    twice: ["重复送达", "回复之后又送一次"],
    at_once: ["同时两次", "同一时刻送达两份"],
    late: ["迟到", "发生十秒之后才送达"],
    out_of_order: ["乱序", "等下一次推送超过它再送"],
    unsigned: ["没有签名", "完全不带签名"],
    wrong_token: ["签名不对", "签名的人不知道 token"],
    wrong_key: ["密钥不对", "用别的密钥加密"],
    wrong_appid: ["账号不对", "封装给另一个 appid"],
    plaintext: ["明文", "借用别处的签名，内容不加密"],
    trade_follow: ["支付后关注", "带的是订单号，不是场景值"],
    trade_unfollow: ["支付后取关", "同上，方向相反"],
    bare_follow: ["不带值的关注", "有的推送会省略它"],
    lowercase_scan: ["小写的扫码事件", "扫的不是我们的码"],
    template_sent: ["模板消息送达", "关于另一条消息的回执"],
    location: ["位置", "这个人在哪里"],
    image: ["图片", "不是文字的消息"],
  },
};

const LOCALES = { en: "en-GB", zh: "zh-CN" };
let lang = "";

/** Return `zh` or `en` for a language as WeChat or a browser names it. */
export const spoken = (language) => (/^zh/i.test(language) ? "zh" : "en");

export const language = () => lang;

/** Return the words for `key` with its {blanks} filled in. */
export const t = (key, blanks = {}) =>
  (WORDS[lang][key] ?? key).replace(/\{(\w+)\}/g, (_, name) => blanks[name] ?? "");

export const has = (key) => key in WORDS[lang];

/** Return [short name, half a sentence] for a trick; one that is new here has its own name and no sentence. */
export const trick = (name) => TRICKS[lang][name] ?? [name.replaceAll("_", " "), ""];

/** Say everything on the page in this language from now on; return whether that changed anything. */
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

/** Return the time as a chat shows it between messages: the day only when it is another. */
export function moment(seconds) {
  const today = new Date(seconds * 1000).toDateString() === new Date().toDateString();
  const day = today ? {} : { month: "short", day: "numeric" };
  return shown(seconds, { ...day, hour: "2-digit", minute: "2-digit" });
}
