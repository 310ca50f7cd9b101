// The address of the service for this mini program: https, and its host is a request domain (request 合法域名) in the
// console. It ends in the name of the app in the service's config.yaml.
module.exports = { api: 'https://login.example.com/v1/miniprogram/mini' }
