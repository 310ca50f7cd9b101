"""Faulty configurations as people write them, each with the lines that `check-config` prints."""

from dataclasses import dataclass, field
from typing import Any

from config_files import ACCOUNT, CLIENT

REDIS_FORMS = (
    "redis.url: must be embedded, redis://:PASSWORD@HOST:6379/0, rediss://, unix:///FILE, "
    "redis+sentinel://HOST:26379,HOST:26379/NAME/0 or redis+cluster://HOST:7000,HOST:7001"
)
DATABASE_FORMS = (
    "database.url: must be embedded, postgresql://USER:PASSWORD@HOST/NAME, mysql://..., mariadb://... "
    "or sqlite:///FILE"
)
ENCODE = (
    "percent-encode special characters in the password: "
    "%23 for #, %3F for ?, %40 for @, %2F for /, %5B for [, %25 for %"
)
NO_SPACES = "must not contain spaces, line breaks or control characters; %20 stands for a space"
APPID = "must be an AppID, wx and 16 letters or digits; gh_... is the original id, gh_id"
UNKNOWN = "unknown key; write a colon and a space between key and value"
ADDRESS = "must be an address such as https://login.example, without user, password, query and fragment"
LISTEN = "must be an address of this machine, such as 0.0.0.0, :: or localhost, without scheme, port and brackets"
INTERNAL = "must be an address of this machine and a port, such as 127.0.0.1:9090, [::1]:9090 or 0.0.0.0:9090"
TWICE = "is where server.host and server.port listen: choose another port"
ORIGIN = "must be an origin such as https://shop.example: scheme, host and port, nothing after them"
NUL = "must not contain %00"
SOCKET = "option host must be the folder of one socket"
SQLITE = "must be sqlite:///FILE, relative to the working directory, or sqlite:////FILE; without options"


@dataclass(frozen=True)
class Bad:
    """What is written, changes of a good tree or a whole file, and the lines that are printed."""

    given: dict[str, Any] | str | bytes
    lines: tuple[str, ...]
    environ: dict[str, str] = field(default_factory=dict)
    secret: str = "Xk9Vw3Jq8Zp5"
    """No four characters of it may be printed."""


def redis(url: str, line: str, secret: str = "Xk9Vw3Jq8Zp5") -> Bad:
    return Bad({"redis__url": url, "secret_key": "k" * 32}, (line,), secret=secret)


def database(url: str, line: str, secret: str = "Xk9Vw3Jq8Zp5") -> Bad:
    return Bad({"database__url": url, "secret_key": "k" * 32}, (line,), secret=secret)


URLS = {
    "a # in the password": redis("redis://:Xk9V#Vw3J@h:6379/0", f"{REDIS_FORMS}; {ENCODE}", "Xk9V#Vw3J"),
    "a # that leaves a port": redis("redis://:57#AbcQ@h:6379", f"{REDIS_FORMS}; {ENCODE}", "57#AbcQ"),
    "a ? in the password": redis("redis://:Xk9V?Vw3J@h:6379/0", f"{REDIS_FORMS}; {ENCODE}", "Xk9V?Vw3J"),
    "an @ in the password": redis("redis://:Xk9V@Vw3J@h:6379/0", f"redis.url: {ENCODE}", "Xk9V@Vw3J"),
    "a / in the password": redis("redis://:Xk9V/Vw3J@h:6379/0", f"{REDIS_FORMS}; {ENCODE}", "Xk9V/Vw3J"),
    "a [ in the password": redis("redis://:Xk9V[Vw3J@h:6379/0", f"{REDIS_FORMS}; {ENCODE}", "Xk9V[Vw3J"),
    "a % in the password": redis("redis://:Xk9V%Vw3J@h:6379/0", f"redis.url: {ENCODE}", "Xk9V%Vw3J"),
    "escapes that are not UTF-8": redis("redis://:Xk9V%ffw3J@h:6379/0", f"redis.url: {ENCODE}", "Xk9V%ffw3J"),
    "a ℀, which stands for a/c": redis("redis://:Xk9V℀w3J@h:6379/0", f"redis.url: {ENCODE}", "Xk9V℀w3J"),
    "a space in the password": redis("redis://:Xk9V w3J@h", f"redis.url: {NO_SPACES}", "Xk9V w3J"),
    "a tab, which redis-py drops": redis("redis://:Xk9V\tw3J@h", f"redis.url: {NO_SPACES}", "Xk9V\tw3J"),
    "sentinels and a ?": redis("redis+sentinel://:Xk9V?Vw3J@h/m/0", f"{REDIS_FORMS}; {ENCODE}", "Xk9V?Vw3J"),
    "a cluster and a ?": redis("redis+cluster://:Xk9V?Vw3J@h", f"{REDIS_FORMS}; {ENCODE}", "Xk9V?Vw3J"),
    "a password where the user stands": redis(
        "redis://Xk9Vw3Jq@h:6379",
        "redis.url: has a user name without a password: a password alone is written redis://:PASSWORD@HOST",
        "Xk9Vw3Jq",
    ),
    "a database by name": redis("redis://h/0?db=abc", "redis.url: option db must be a whole number"),
    "two databases": redis(
        "redis://h/0?db=1", "redis.url: names the database twice, in the path and as option db"
    ),
    "an option twice": redis("redis://h?db=1&db=2", "redis.url: option db is given twice"),
    "an option without a value": redis("redis://h?db=", "redis.url: option db must be a whole number"),
    "an unknown option": redis("redis://h?foo=1", "redis.url: option foo is not known to redis://: leave it out"),
    "no option": redis("redis://h?Xk9Vw3Jq", "redis.url: has an option that is not NAME=VALUE after the ?"),
    "a password as an option": redis(
        "redis://h?password=Xk9Vw3Jq",
        "redis.url: option password is not an option here: put user and password before the host, "
        "USER:PASSWORD@HOST",
    ),
    "TLS without rediss": redis(
        "redis://h?ssl_cert_reqs=none", "redis.url: option ssl_cert_reqs needs rediss://, which is Redis over TLS"
    ),
    "TLS checks by another name": redis(
        "rediss://h?ssl_cert_reqs=CERT_NONE",
        "redis.url: option ssl_cert_reqs must be none or optional or required",
    ),
    "a timeout of one's own": redis(
        "redis://h?socket_timeout=9", "redis.url: option socket_timeout is set by the service itself: leave it out"
    ),
    "a name that Redis refuses": redis(
        "redis://h?client_name=%20", "redis.url: option client_name must be visible ASCII characters, without %"
    ),
    "a socket with a NUL": redis("unix:///a%00b.sock", f"redis.url: {NUL}"),
    "a password with a NUL": redis("redis://:Xk9V%00Vw3J@h", f"redis.url: {NUL}", "Xk9V%00Vw3J"),
    "a fragment": redis("redis://h:6379/0#x", REDIS_FORMS),
    "port 0": redis("redis://h:0/0", REDIS_FORMS),
    "two slashes, which redis-py reads as 12": redis("redis://h/1/2", REDIS_FORMS),
    "a host with an empty label": redis("redis://a..b:6379", REDIS_FORMS),
    "a socket without its slash": redis("unix://run/valkey.sock", REDIS_FORMS),
    "a database in a cluster": redis(
        "redis+cluster://h?db=1", "redis.url: option db does not exist in a cluster: leave it out"
    ),
    "an @ for the database": database("postgresql://u:Xk9V@Vw3J@h/d", f"database.url: {ENCODE}", "Xk9V@Vw3J"),
    "a % for the database": database("mysql://u:Xk9V%Vw3J@h/d", f"database.url: {ENCODE}", "Xk9V%Vw3J"),
    "a / in the user": database("postgresql://u/s:Xk9Vw3Jq@h/d", f"{DATABASE_FORMS}; {ENCODE}", "Xk9Vw3Jq"),
    "another driver": database("postgresql+psycopg2://u:Xk9Vw3Jq@h/d", DATABASE_FORMS, "Xk9Vw3Jq"),
    "JDBC": database("jdbc:postgresql://h/d?user=u", DATABASE_FORMS),
    "JDBC's credentials": database(
        "postgresql://h/d?user=u&password=Xk9Vw3Jq",
        "database.url: option user is not an option here: put user and password before the host, "
        "USER:PASSWORD@HOST",
    ),
    "JDBC's ssl": database(
        "postgresql://h/d?ssl=true",
        "database.url: option ssl must be disable or allow or prefer or require or verify-ca or verify-full",
    ),
    "libpq's certificate": database(
        "postgresql://h/d?sslrootcert=/ca.pem",
        "database.url: option sslrootcert is not known to the driver: set the environment variable PGSSLROOTCERT",
    ),
    "libpq's name": database(
        "postgresql://h/d?application_name=x",
        "database.url: option application_name is not known to the driver asyncpg: leave it out",
    ),
    "a character set for PostgreSQL": database(
        "postgresql://h/d?charset=utf8",
        "database.url: option charset is not needed, PostgreSQL sends UTF-8: leave it out",
    ),
    "half a character set": database("mysql://h/d?charset=utf8", "database.url: option charset must be utf8mb4"),
    "MySQL's ssl-mode": database(
        "mysql://h/d?ssl-mode=REQUIRED",
        "database.url: option ssl-mode is not known to the driver: TLS is ssl_ca=FILE, "
        "with the certificate of the authority",
    ),
    "no name of a database": database(
        "mysql://u:Xk9Vw3Jq@h",
        "database.url: has no name of a database: mysql://USER:PASSWORD@HOST/NAME",
    ),
    "SQLite with two slashes": database("sqlite://scanbind.db", f"database.url: {SQLITE}"),
    "SQLite in memory": database("sqlite:///:memory:", f"database.url: {SQLITE}"),
    "SQLite in memory, encoded": database("sqlite:///%3Amemory%3A", f"database.url: {SQLITE}"),
    "SQLite with a NUL": database("sqlite:///a%00b.db", f"database.url: {SQLITE}"),
    "SQLite with escapes that are not UTF-8": database("sqlite:///a%ffb.db", f"database.url: {SQLITE}"),
    "a user with a NUL": database("postgresql://u%00:Xk9Vw3Jq@h/d", f"database.url: {NUL}", "Xk9Vw3Jq"),
    "several sockets": database("postgresql:///d?host=/a,/b", f"database.url: {SOCKET}"),
    "several sockets, encoded": database("postgresql:///d?host=/a%2C/b", f"database.url: {SOCKET}"),
    "a port that does not exist": database(
        "postgresql:///d?host=/a&port=99999", "database.url: option port must be from 1 to 65535"
    ),
    "a page's user and password": Bad(
        {"server__public_url": "https://u:Xk9Vw3Jq@h"}, (f"server.public_url: {ADDRESS}",), secret="Xk9Vw3Jq"
    ),
    "an address with a broken escape": Bad(
        {"accounts__main__api_base": "https://h/%zz"}, (f"accounts.main.api_base: {ADDRESS}",)
    ),
    "an origin that browsers write otherwise": Bad(
        {"clients__shop__origins": ["http://127.1"]}, (f"clients.shop.origins.0: {ORIGIN}",)
    ),
    "an address where the host stands": Bad({"server__host": "http://h"}, (f"server.host: {LISTEN}",)),
    "a port with the host": Bad({"server__host": "0.0.0.0:80"}, (f"server.host: {LISTEN}",)),
    "brackets around the host": Bad({"server__host": "[::]"}, (f"server.host: {LISTEN}",)),
    **{
        why: Bad({"server__internal": given}, (f"server.internal: {INTERNAL}",))
        for why, given in {
            "an internal port after a colon alone": ":9090",
            "an internal address without its port": "127.0.0.1",
            "an internal port alone": "9090",
            "an internal address of version 6 without brackets": "::1:9090",
            "an internal port that is too high": "127.0.0.1:65536",
            "an internal address with a scheme": "http://127.0.0.1:9090",
            "an internal address that stops short": "127.1:9090",
        }.items()
    },
    "a number as the internal address": Bad(
        {"server__internal": 9090}, ("server.internal: must be a string; quote it",)
    ),
    **{
        why: Bad({"server__host": host, "server__internal": internal}, (f"server.internal: {TWICE}",))
        for why, host, internal in (
            ("one address twice", "127.0.0.1", "127.0.0.1:8080"),
            ("an internal address among all", "0.0.0.0", "127.0.0.1:8080"),
            ("all addresses where one is public", "127.0.0.1", "[::]:8080"),
        )
    },
}

ADD_ONE = "run `scanbind init`, or add one as docs/configuration.md shows"
VALUES = {
    "nothing at all": Bad(
        "",
        (
            f"accounts: is empty, as is apps, so no person can sign in: {ADD_ONE}",
            f"clients: is empty, so no site can use the service: {ADD_ONE}",
        ),
    ),
    "no client": Bad(
        {"clients": {}},
        (f"clients: is empty, so no site can use the service: {ADD_ONE}",),
    ),
    "the original id for the appid": Bad(
        {"accounts__main__appid": "gh_0123456789ab"}, (f"accounts.main.appid: {APPID}",)
    ),
    "a short appid": Bad({"accounts__main__appid": "wx0123"}, (f"accounts.main.appid: {APPID}",)),
    "an appid in capitals": Bad(
        {"accounts__main__appid": "WX0123456789ABCDEF"}, (f"accounts.main.appid: {APPID}",)
    ),
    "one appid twice": Bad(
        {"accounts": {"main": ACCOUNT, "other": ACCOUNT}},
        ("accounts.other.appid: is the appid of accounts.main as well",),
    ),
    "a short secret of a site": Bad(
        {"clients__shop__secret": "Xk9Vw3Jq8Zp5"}, ("clients.shop.secret: must be 16 characters or more",)
    ),
    "a newline after a secret": Bad(
        {"accounts__main__secret": "Xk9Vw3Jq8Zp5\n"}, ("accounts.main.secret: ends in a newline: remove it",)
    ),
    "a full-width space before a token": Bad(
        {"accounts__main__token": "\u3000Xk9Vw3Jq8Zp5"},
        ("accounts.main.token: begins with a full-width space: remove it",),
    ),
    "an unseen sign after a key": Bad(
        {"accounts__main__aes_key": ACCOUNT["aes_key"] + "\u200b"},
        ("accounts.main.aes_key: ends in an invisible U+200B: remove it",),
        secret=ACCOUNT["aes_key"],
    ),
    "a key of nothing in safe mode": Bad(
        {"accounts__main__aes_key": ""}, ("accounts.main.aes_key: is missing: modes safe and compatible need it",)
    ),
    "an empty variable": Bad(
        {},
        ("clients.shop.secret: is missing: set secret or secret_hash (SCANBIND_CLIENTS__SHOP__SECRET)",),
        {"SCANBIND_CLIENTS__SHOP__SECRET": ""},
    ),
    "a mistyped variable": Bad({}, ("prot: unknown key (SCANBIND_PROT)",), {"SCANBIND_PROT": "1"}),
    "a port that is no service link": Bad({}, ("port: unknown key (SCANBIND_PORT)",), {"SCANBIND_PORT": "8080"}),
    "a service link with another value": Bad(
        {}, ("service_host: unknown key (SCANBIND_SERVICE_HOST)",), {"SCANBIND_SERVICE_HOST": "Xk9Vw3Jq8Zp5"}
    ),
    "a variable that is not UTF-8": Bad(
        {}, ("data_dir: must be UTF-8 text (SCANBIND_DATA_DIR)",), {"SCANBIND_DATA_DIR": "/tmp/\udcff"}
    ),
    "a key that is not UTF-8": Bad(
        {}, ("secret_key: must be UTF-8 text (SCANBIND_SECRET_KEY)",), {"SCANBIND_SECRET_KEY": "\udcff" * 40}
    ),
    "half a surrogate pair in JSON": Bad(
        {},
        ("clients.shop.name: must be UTF-8 text (SCANBIND_CLIENTS__SHOP__NAME)",),
        {"SCANBIND_CLIENTS__SHOP__NAME": '{"zh": "\\ud83d"}'},
    ),
    "a colon without a space in JSON": Bad(
        {},
        (f"redis.url…: {UNKNOWN} (SCANBIND_REDIS)",),
        {"SCANBIND_REDIS": '{"url:redis://:Xk9Vw3Jq8Zp5@h": 1}'},
    ),
    "a word for a mapping": Bad({"clients__shop": "Xk9Vw3Jq8Zp5"}, ("clients.shop: must be a mapping",)),
    "a list for a mapping": Bad({"clients": [CLIENT]}, ("clients: must be a mapping",)),
}


def _text(account: str) -> str:
    """A file whose account ends in *account*, on line 6."""
    return f"""\
accounts:
  main:
    appid: wx0123456789abcdef
    token: spamtest
    aes_key: {ACCOUNT["aes_key"]}
    {account}
clients:
  shop: {{name: Shop, secret: a long password of this site, accounts: [main]}}
"""


_QUOTE = "must be a string; quote it"
_NOT_YAML = "FILE: is not YAML"
_HALF = "has an escape for half of a surrogate pair: write the character itself"
_COLON = "has a full-width colon ："
_FULL_WIDTH_COLON = "has a full-width colon ： (line 1): use a plain one and a space"
FILES = {
    "a number": Bad(_text("secret: 12345678901"), (f"accounts.main.secret: {_QUOTE}",), secret="12345678901"),
    "an octal number": Bad(_text("secret: 0123456701"), (f"accounts.main.secret: {_QUOTE}",), secret="0123456701"),
    "a number to the base of 60": Bad(_text("secret: 12:30:45"), (f"accounts.main.secret: {_QUOTE}",)),
    "a date": Bad(_text("secret: 2026-11-29"), (f"accounts.main.secret: {_QUOTE}",), secret="2026-11-29"),
    "a word that is true": Bad(_text("secret: yes"), (f"accounts.main.secret: {_QUOTE}",)),
    "a mode that is false": Bad(
        _text("secret: Xk9Vw3Jq8Zp5\n    mode: off"), ("accounts.main.mode: must be safe, compatible or plain",)
    ),
    "a port in octal": Bad(
        "server: {port: 08080}\n" + _text("secret: Xk9Vw3Jq8Zp5") + "tickets: {login_lifetime: 0600}\n",
        ("tickets.login_lifetime: must be a whole number",),
    ),
    "a newline by |": Bad(
        _text("secret: |\n      Xk9Vw3Jq8Zp5"), ("accounts.main.secret: ends in a newline: remove it",)
    ),
    "a key twice": Bad(
        _text("secret: Xk9Vw3Jq8Zp5\n    secret: Xk9Vw3Jq8Zp5"), ("accounts.main.secret: duplicate key (line 7)",)
    ),
    "a tab": Bad(
        _text("\tsecret: Xk9Vw3Jq8Zp5"),
        ("FILE: is not YAML (line 6, column 5): has a tab: indent with spaces",),
    ),
    "an open quote": Bad(
        _text('secret: "Xk9Vw3Jq8Zp5'),
        ("FILE: is not YAML (line 9, column 1): has a quote or bracket that is not closed",),
    ),
    "an alias": Bad(
        _text("secret: *Xk9Vw3Jq8Zp5"),
        ("FILE: is not YAML (line 6, column 13): uses & or * as anchor or alias: quote the value",),
    ),
    "a secret that begins with @": Bad(
        _text("secret: @Xk9Vw3Jq8Zp5"),
        (f"{_NOT_YAML} (line 6, column 13): has a value that begins with a special character: quote the value",),
    ),
    "a colon within a value": Bad(
        _text("secret: Xk9V: w3Jq8Zp5"),
        ("FILE: is not YAML (line 6, column 17): has a colon where none may stand: quote the value or indent it",),
    ),
    "curly quotes": Bad(
        _text("secret: “Xk9Vw3Jq8Zp5”"),
        ('accounts.main.secret: has full-width or curly quotes (line 6): use plain ones, "..."',),
    ),
    "a full-width colon": Bad(
        "server：\n  port： 9000\n",
        ("FILE: must be a mapping of keys to values; line 1 has a full-width colon ：",),
    ),
    "a full-width colon inside": Bad(
        "server: port：9000\n" + _text("secret: Xk9Vw3Jq8Zp5"),
        (f"server: {_FULL_WIDTH_COLON}", "server: must be a mapping"),
    ),
    "a full-width colon that YAML notices late": Bad(
        _text("secret：Xk9Vw3Jq8Zp5"),
        (f"{_NOT_YAML} (line 7, column 1): quote values with special characters; line 6 {_COLON}",),
    ),
    "a full-width indentation": Bad(
        _text("secret: Xk9Vw3Jq8Zp5") + "server:\n  \u3000port: 9000\n",
        (
            "'server.\\u3000port': begins or ends with an unusual space (line 10): remove it",
            "'server.\\u3000port': unknown key",
        ),
    ),
    "GBK": Bad(
        _text("secret: Xk9Vw3Jq8Zp5 # 密钥").encode("gbk"),
        ("FILE: is GBK, not UTF-8 (line 6): save it as UTF-8",),
    ),
    "no text": Bad(b"a: 1\nb: \xff\xff\xff\xff", ("FILE: is not UTF-8 (line 2): save it as UTF-8",)),
    "UTF-16 without its mark": Bad(
        _text("secret: Xk9Vw3Jq8Zp5").encode("utf-16-le"),
        ("FILE: is not YAML: contains a control character (line 1): save it as UTF-8, not as UTF-16",),
    ),
    "a colon without a space": Bad(
        _text("secret: Xk9Vw3Jq8Zp5") + "redis: {url:redis://:Xk9Vw3Jq8Zp5@h}\n", (f"redis.url…: {UNKNOWN}",)
    ),
    "a full-width colon in braces": Bad(
        _text("secret: Xk9Vw3Jq8Zp5") + "redis: {url：redis://:Xk9Vw3Jq8Zp5@h}\n", (f"redis.url…: {UNKNOWN}",)
    ),
    "an equals sign for a colon": Bad(
        _text("secret: Xk9Vw3Jq8Zp5") + "secret_key=Xk9Vw3Jq8Zp5: x\n", (f"secret_key…: {UNKNOWN}",)
    ),
    "a space for a colon": Bad(
        _text("secret: Xk9Vw3Jq8Zp5") + "encryption: {keys Xk9Vw3Jq8Zp5}\n", (f"encryption.keys…: {UNKNOWN}",)
    ),
    "such a key twice": Bad(
        _text("secret: Xk9Vw3Jq8Zp5") + "encryption: {keys Xk9Vw3Jq: 1, keys Xk9Vw3Jq: 1}\n",
        ("encryption.keys…: duplicate key (line 9)", f"encryption.keys…: {UNKNOWN}"),
    ),
    "an endless key": Bad(_text("secret: Xk9Vw3Jq8Zp5") + "k" * 100 + ": 1\n", (f"{'k' * 80}…: {UNKNOWN}",)),
    "half a surrogate pair": Bad(
        _text('secret: "Xk9Vw3Jq8Zp5\\ud83d"'),
        (f"{_NOT_YAML} (line 6, column 13): {_HALF}",),
    ),
    "half a surrogate pair in a key": Bad(
        _text("secret: Xk9Vw3Jq8Zp5") + '"\\udc00": 1\n', (f"{_NOT_YAML} (line 9, column 1): {_HALF}",)
    ),
    "a tag for a truth that is none": Bad(
        _text('secret: !!bool "Xk9Vw3Jq8Zp5"'), (f"{_NOT_YAML}; quote values with special characters",)
    ),
    "a tag for a number that is none": Bad(
        _text('secret: Xk9Vw3Jq8Zp5\n    max_skew: !!float ""'),
        (f"{_NOT_YAML}; quote values with special characters",),
    ),
    "a control character": Bad(
        _text("secret: Xk9Vw3Jq8Zp5\x07"), ("FILE: is not YAML: contains a control character (line 6)",)
    ),
    "a file that is no configuration": Bad(b"#" * (1 << 20) + b"\n", ("FILE: is larger than 1 MiB",)),
    "a list": Bad("- a\n- b\n", ("FILE: must be a mapping of keys to values",)),
}
