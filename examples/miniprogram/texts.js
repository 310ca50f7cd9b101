// The texts of the page. The question and how a ticket ended come from the service, in the ticket's language.

const zh = {
  title: '扫码登录',
  idle: '请在网页上选择“使用微信小程序登录”，然后用微信扫描网页上的小程序码。',
  idleMore: '扫码后，这里会显示网站、浏览器和 IP 地址，由你决定是否登录或绑定。',
  privacy: '本小程序只向网站的登录服务提供你在本小程序中的微信标识，不收集昵称、头像和手机号。',
  loading: '请稍候…',
  login: '登录', bind: '绑定微信',
  site: '网站', account: '账号', browser: '浏览器', address: 'IP 地址',
  yes: '是我，继续', no: '不是我', go: '继续', number: '两位数字', hint: '请只输入两位数字。',
  retry: '重试', close: '完成',
  errors: {
    'ticket-not-found': '此小程序码不属于本小程序，或已无法识别。',
    'ticket-finished': '此小程序码已失效，或已被他人扫描。请在网页上刷新后重新扫码。',
    'invalid-code': '登录信息已过期，请重试。',
    'person-blocked': '微信暂不允许此账号登录，请稍后使用其他方式。',
    'rate-limited': '操作过于频繁，请一分钟后再试。',
    other: '服务暂时不可用，请一分钟后重试。',
  },
}

const en = {
  title: 'Scan to sign in',
  idle: 'Choose the sign-in with the WeChat mini program on a web page, and scan its code with WeChat.',
  idleMore: 'This page then shows the site, the browser and its IP address, and you decide whether to go on.',
  privacy: 'The site’s login service learns your WeChat identifier in this mini program: no name, picture or phone.',
  loading: 'One moment…',
  login: 'Sign in', bind: 'Bind WeChat',
  site: 'Site', account: 'Account', browser: 'Browser', address: 'IP address',
  yes: 'Yes, that is me', no: 'Not me', go: 'Continue', number: 'Two digits', hint: 'Type two digits and nothing else.',
  retry: 'Try again', close: 'Done',
  errors: {
    'ticket-not-found': 'This code is not one of this mini program.',
    'ticket-finished': 'This code is no longer valid, or another person scanned it. Get a new code on the page.',
    'invalid-code': 'That took too long. Try again.',
    'person-blocked': 'WeChat does not let this account sign in at the moment. Use another way.',
    'rate-limited': 'Too many attempts. Try again in a minute.',
    other: 'Not available at the moment. Try again in a minute.',
  },
}

/** Return the texts for a language code of WeChat or of the service. */
module.exports = { of: (language) => (/^zh/i.test(language) ? zh : en) }
