"""The data commands that random conversations pick from: all with one right answer.

Left out is what depends on a server's random seed (order of large hash tables, random picks), on the clock
(TTL, idle times, ids made by XADD *), or says how Redis stores things.

Words in braces are filled in by `Filler`: {k} a key of the row's kind, {k2} another, {w} a key of any kind,
{v} a value, {s} a short one, {i} a small number, {f} {m} a field, a member, {id} a stream id that grows.
"""

import re

# Kind of key, commands that read, commands that write.
TABLE = (
    (
        "s",
        """GET {k} / STRLEN {k} / MGET {k} {w} none / GETRANGE {k} {i} -2 / SUBSTR {k} 0 3 / GET t{k} / EXISTS {k} {w}
        TYPE {w} / EXPIRETIME {k} / PEXPIRETIME {k} / BITCOUNT {k} / BITCOUNT {k} 0 {i} BIT / GETBIT {k} {i}
        BITPOS {k} 1 / LCS {k} {k2} LEN / BITFIELD_RO {k} GET u8 {i} / OBJECT REFCOUNT none / TOUCH {k} {w}
        PFCOUNT p{k} / PFCOUNT p{k} p{k2}""",
        """SET {k} {v} / SET {k} {i} / SET {k} {s} NX / SET {k} {s} XX GET / SET {k} {v} KEEPTTL / SETNX {k} {s}
        APPEND {k} {v} / INCR {k} / INCRBY {k} {i} / DECR {k} / DECRBY {k} {i} / INCRBYFLOAT {k} 0.5
        GETDEL {k} / GETSET {k} {s} / GETEX {k} PERSIST / GETEX {k} EXAT 4102444800 / SETRANGE {k} {i} {s} / MSET {k} {v} {k2} {s}
        MSETNX {k} {s} {k2} {s} / SETEX t{k} 100000 {s} / PSETEX t{k} 100000000 {s} / SETBIT {k} {i} 1
        BITFIELD {k} SET u8 {i} 200 INCRBY u8 {i} 100 / BITFIELD {k} OVERFLOW FAIL INCRBY i5 0 9
        BITOP AND {k} {k} {k2} / BITOP NOT {k} {k2} / DEL {k} / UNLINK {k} {w} / DEL {w} / PERSIST {k}
        EXPIREAT {k} 4102444800 / PEXPIREAT {k} 4102444800000 NX / EXPIREAT {k} 1 / RENAME {k} {k2}
        RENAMENX {k} {k2} / PFADD p{k} {m} {s} / PFMERGE p{k} p{k2}""",
    ),
    (
        "h",
        """HGET {k} {f} / HMGET {k} {f} n none / HGETALL {k} / HKEYS {k} / HVALS {k} / HLEN {k} / HEXISTS {k} {f}
        HSTRLEN {k} {f}""",
        """HSET {k} {f} {s} / HSET {k} {f} {s} n {i} / HMSET {k} {f} {s} / HSETNX {k} {f} {s} / HDEL {k} {f} n
        HINCRBY {k} n {i} / HINCRBYFLOAT {k} n 0.25 / HINCRBY {k} {f} 1""",
    ),
    (
        "l",
        """LRANGE {k} 0 -1 / LLEN {k} / LINDEX {k} {i} / LPOS {k} y / LPOS {k} y COUNT 0 RANK -1
        LRANGE {k} {i} 3 / SORT_RO {k} ALPHA""",
        """RPUSH {k} {v} / LPUSH {k} {s} y / RPUSHX {k} {s} / LPUSHX {k} y / LPOP {k} / RPOP {k} 2 / LSET {k} 0 {s}
        LINSERT {k} BEFORE y {s} / LREM {k} 1 y / LTRIM {k} 0 3 / LMOVE {k} {k2} LEFT RIGHT / RPOPLPUSH {k} {k2}
        LMPOP 2 {k} {k2} LEFT COUNT 2 / SORT {k} ALPHA DESC LIMIT 0 3 / SORT {k} BY nosort STORE {k2}""",
    ),
    (
        "i",  # sets of integers: kept, and answered, in order
        """SMEMBERS {k} / SCARD {k} / SISMEMBER {k} {i} / SMISMEMBER {k} {i} 1 2 / SINTERCARD 2 {k} {k2} LIMIT 1
        SINTER {k} {k2} / SUNION {k} {k2} / SDIFF {k} {k2}""",
        """SADD {k} {i} / SADD {k} 1 2 3 / SREM {k} {i} / SMOVE {k} {k2} {i} / SINTERSTORE {k} {k} {k2}
        SUNIONSTORE {k} {k} {k2} / SDIFFSTORE {k} {k} {k2} / SORT {k} DESC""",
    ),
    (
        "z",
        """ZSCORE {k} {m} / ZRANGE {k} 0 -1 WITHSCORES / ZRANGE {k} (1 +inf BYSCORE LIMIT 0 2 / ZCARD {k}
        ZRANGE {k} 0 -1 REV / ZREVRANGE {k} 0 1 / ZRANGEBYSCORE {k} -inf 2 / ZREVRANGEBYSCORE {k} 2 0
        ZRANK {k} {m} / ZREVRANK {k} {m} / ZCOUNT {k} 0 2 / ZLEXCOUNT {k} - + / ZRANGEBYLEX {k} - +
        ZREVRANGEBYLEX {k} + [m1 / ZMSCORE {k} {m} none / ZINTER 2 {k} {k2} WITHSCORES / ZUNION 2 {k} {k2}
        ZDIFF 2 {k} {k2} WITHSCORES / ZINTERCARD 2 {k} {k2} / GEOPOS g{k} {m} none / GEODIST g{k} m1 m2 km
        GEOHASH g{k} {m} / GEOSEARCH g{k} FROMLONLAT 15 37 BYRADIUS 500 km ASC / GEORADIUS_RO g{k} 15 37 99 km
        GEORADIUSBYMEMBER_RO g{k} {m} 200 km ASC""",
        """ZADD {k} {i} {m} / ZADD {k} {i}.5 {m} / ZADD {k} NX CH 1 {m} 2 m1 / ZADD {k} GT 3 {m} / ZADD {k} INCR 1 {m}
        ZINCRBY {k} 1 {m} / ZREM {k} {m} / ZPOPMIN {k} / ZPOPMAX {k} 2 / ZMPOP 2 {k} {k2} MIN COUNT 2
        ZRANGESTORE {k} {k2} 0 1 / ZUNIONSTORE {k} 2 {k} {k2} WEIGHTS 1 2 / ZINTERSTORE {k} 2 {k} {k2} AGGREGATE MAX
        ZDIFFSTORE {k} 2 {k} {k2} / ZREMRANGEBYRANK {k} 0 0 / ZREMRANGEBYSCORE {k} -inf (1
        ZREMRANGEBYLEX {k} [m3 [m4 / GEOADD g{k} 13.36 38.11 m1 15.08 37.50 m2 / GEOADD g{k} 14.{i} 37 {m}
        GEOSEARCHSTORE {k} g{k} FROMLONLAT 15 37 BYBOX 400 400 km / GEORADIUS g{k} 15 37 200 km WITHDIST
        GEORADIUSBYMEMBER g{k} {m} 100 km""",
    ),
    (
        "x",
        """XLEN {k} / XRANGE {k} - + / XREVRANGE {k} + - COUNT 2 / XREAD COUNT 2 STREAMS {k} {k2} 0 0 / XPENDING {k} g
        XREAD STREAMS {k} $ / XINFO GROUPS {k}""",
        """XADD {k} {id} f {v} / XADD {k} NOMKSTREAM {id} f {s} / XADD {k} MAXLEN 3 {id} f {s} / XTRIM {k} MAXLEN 2
        XDEL {k} {id} / XGROUP CREATE {k} g 0 MKSTREAM / XREADGROUP GROUP g c COUNT 1 STREAMS {k} > / XSETID {k} {id}
        XACK {k} g {id} / XGROUP SETID {k} g $ / XGROUP CREATECONSUMER {k} g c / XGROUP DELCONSUMER {k} g c
        XGROUP DESTROY {k} g / XCLAIM {k} g c 0 {id} JUSTID / XAUTOCLAIM {k} g c 0 0 COUNT 1 JUSTID""",
    ),
    (
        "e",
        """EVAL "return {KEYS[1],ARGV[1]}" 1 {k} {v} / EVAL_RO "return redis.call('GET',KEYS[1])" 1 {k}
        EVAL "return {1,2,{'three'},false,redis.status_reply('fine')}" 0 / EVAL "return redis.error_reply('BAD it is')" 0
        EVAL "return redis.call('NOSUCH')" 0 / EVAL "return redis.pcall('INCR')" 0 / EVAL "return tostring(3.5)" 0
        EVAL "redis.setresp(3) return redis.call('HGETALL',KEYS[1])" 1 {k} / EVALSHA 0123 1 {k} / SCRIPT EXISTS 0123""",
        """EVAL "return redis.call('INCR',KEYS[1])" 1 {k} / EVAL "return redis.call('SET',KEYS[1],ARGV[1])" 1 {k} {v}
        EVAL "for i=1,3 do redis.call('RPUSH',KEYS[1],ARGV[1]..i) end return redis.call('LRANGE',KEYS[1],0,-1)" 1 l{k} {s}
        EVAL "redis.call('SET',KEYS[1],1) return redis.call('LPUSH',KEYS[1],'x')" 1 {k}""",
    ),
)
WORD = re.compile(r'"([^"]*)"|(\S+)')
BLANK = re.compile(r"\{(k2|k|w|v|s|id|i|f|m)\}")
KINDS = tuple(kind for kind, _, _ in TABLE)


def rows(text):
    """The commands of a cell: lists of words."""
    lines = [one for line in text.splitlines() for one in line.split(" / ")]
    return [[quoted or bare for quoted, bare in WORD.findall(line)] for line in lines if line.strip()]


READS = [(kind, row) for kind, reads, _ in TABLE for row in rows(reads)]
WRITES = [(kind, row) for kind, _, writes in TABLE for row in rows(writes)]


class Filler:
    """Fills blanks. own: the name of the client whose keys are used, nothing for keys that all share."""

    def __init__(self, random):
        self.random = random
        self.serial = 0

    def command(self, rows, own):
        kind, row = self.random.choice(rows)
        key, second, any_key = (self.key(own, which) for which in (kind, kind, self.random.choice(KINDS)))
        if self.random.random() < 0.08:  # most likely of a wrong type
            key = any_key
        self.serial += 1
        blanks = {
            "k": key,
            "k2": second,
            "w": any_key,
            "v": self.value(),
            "s": f"v{self.serial}",
            "i": str(self.serial % 5),
            "f": f"f{self.serial % 3}",
            "m": f"m{self.serial % 4}",
            "id": f"{self.serial}-1",
        }
        return tuple(BLANK.sub(lambda blank: blanks[blank[1]], word) for word in row)

    def key(self, own, kind):
        return f"{kind}{own}{self.random.randint(0, 2)}"

    def value(self):
        self.serial += 1
        return self.random.choice(
            (f"v{self.serial}", str(self.serial), "", "\r\n$3\r\n", "-ERR no", "x" * 70, "x" * 3000)
        )
