// Asks the person who scanned a code what the web page asks for, and sends the answer.
//
// The service learns two things: the code's scene and a fresh code of wx.login. It finds out itself who the person is.

const { api } = require('../../config')
const texts = require('../../texts')

// Problems after which a new wx.login may help.
const RETRIED = ['invalid-code', 'rate-limited', 'other']

Page({
  data: { state: 'loading', t: texts.of('zh'), asked: {}, problem: '', text: '', hint: false, busy: false, retry: false },

  onLoad(query) {
    this.scene = query.scene || '' // letters, digits, - and _: the same encoded
    this.speak(wx.getAppBaseInfo().language)
    if (this.scene) this.ask()
    else this.setData({ state: 'idle' }) // opened without a code: reviewers and visitors see what the program does
  },

  onUnload() {
    clearTimeout(this.timer)
  },

  ask() {
    this.repeat = () => this.ask()
    this.setData({ state: 'loading' })
    wx.login({
      success: ({ code }) => this.call('scans', { scene: this.scene, js_code: code }, (asked) => this.show(asked)),
      fail: () => this.fail('other'),
    })
  },

  show(asked) {
    this.token = asked.reply_token
    this.speak(asked.lang)
    this.setData({ state: 'asking', asked, hint: false, busy: false })
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.fail('ticket-finished'), asked.expires_in * 1000)
  },

  yes() {
    this.answer('yes')
  },

  no() {
    this.answer('no')
  },

  choose(event) {
    this.answer(event.currentTarget.dataset.number)
  },

  submit(event) {
    const number = event.detail.value.number.trim()
    if (/^\d{2}$/.test(number)) this.answer(number)
    else this.setData({ hint: true })
  },

  answer(answer) {
    if (this.data.busy) return
    // After a lost response the same answer is sent again: the service says how it ended the ticket.
    this.repeat = () => this.answer(answer)
    this.setData({ busy: true, hint: false })
    this.call('answers', { reply_token: this.token, answer }, ({ text }) => {
      clearTimeout(this.timer)
      this.setData({ state: 'answered', text })
    })
  },

  again() {
    this.repeat()
  },

  close() {
    wx.exitMiniProgram()
  },

  call(name, data, done) {
    wx.request({
      url: `${api}/${name}`,
      method: 'POST',
      header: { 'content-type': 'application/json' },
      data,
      success: ({ statusCode, data: answer }) => (statusCode === 200 ? done(answer) : this.fail(slug(answer))),
      fail: () => this.fail('other'),
    })
  },

  fail(problem) {
    clearTimeout(this.timer)
    const known = problem in this.data.t.errors ? problem : 'other'
    if (known === 'invalid-code') this.repeat = () => this.ask()
    this.setData({ state: 'failed', problem: this.data.t.errors[known], busy: false, retry: RETRIED.includes(known) })
  },

  speak(language) {
    const t = texts.of(language)
    this.setData({ t })
    wx.setNavigationBarTitle({ title: t.title })
  },
})

// The service names a problem by the last part of its type (RFC 9457).
function slug(answer) {
  return String((answer && answer.type) || '').split('/').pop()
}
