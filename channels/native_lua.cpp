#include "channels/native_lua.hpp"

#include <array>
#include <string_view>

#include "channels/sha1.hpp"

namespace channels {
namespace {

// What all scripts begin with. Arguments 1 to 4 are base, prefix, db and the caller's node; `f` spells a
// field of node_message and `note` a message to another node.
constexpr std::string_view prelude = R"lua(
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local homes, nodes, dead = KEYS[1], KEYS[2], KEYS[3]
local base, prefix, db, me = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local week = 604800000
local claims = '#'  -- of all homes so far: tells what came before a claim from what came after it
local function f(text) return #text .. ':' .. text end
local function note(verb, name, names, ms)
  return f(verb) .. f(db) .. f(prefix) .. f('0') .. f(me) .. f(name) .. f(names) ..
    f('0') .. f(ms) .. f('0') .. f('') .. f('')
end
local function keep(key, ms)
  if call('PTTL', key) < ms then call('PEXPIRE', key, ms) end
end
local function owner_of(channel)
  local at = string.find(channel, '!', 1, true)
  return at and string.sub(channel, 1, at) or channel
end
local function bury(node)
  if call('ZREM', nodes, node) == 0 then return end
  call('ZADD', dead, now, node)
  call('HDEL', homes, ' ' .. node)
  keep(dead, week)
end
local function tell(node, message)
  if call('PUBLISH', '__sidecar:ch:in:' .. node, message) > 0 then return true end
  bury(node)
  return false
end
local function home(owner)
  local node = call('HGET', homes, prefix .. ' ' .. owner)
  return node and call('ZSCORE', nodes, node) and node or ''
end
local function index(name, member, ms)
  local key = base .. name
  local ends = call('ZSCORE', key, member)
  if not ends or tonumber(ends) < now + ms then call('ZADD', key, now + ms, member) end
  keep(key, ms + 60000)
end
local function leave_at(b, p, group, channel)
  if call('ZREM', b .. 'g:' .. group, channel) == 0 then
    call('HDEL', b .. 'p:' .. owner_of(channel), group .. ' ' .. channel)
    return 0
  end
  local owner = owner_of(channel)
  call('HDEL', b .. 'p:' .. owner, group .. ' ' .. channel)
  if call('HINCRBY', b .. 'pg:' .. owner, group, -1) <= 0 then
    call('HDEL', b .. 'pg:' .. owner, group)
    call('HDEL', b .. 'go:' .. group, owner)
  end
  if call('EXISTS', b .. 'g:' .. group) == 0 then
    call('DEL', b .. 'go:' .. group)
    call('ZREM', b .. 'groups', group)
  end
  return 1
end
local function leave(group, channel) return leave_at(base, prefix, group, channel) end
local function trim(group)
  for _, channel in ipairs(call('ZRANGEBYSCORE', base .. 'g:' .. group, '-inf', now, 'LIMIT', 0, 100)) do
    leave(group, channel)
  end
end
local function expired(item) return tonumber(string.match(item, '^%d+')) <= now end
local function spool(owner, item, ms, capacity)
  local key = base .. 'q:' .. owner
  for _ = 1, 1000 do
    local first = call('LINDEX', key, 0)
    if not first or not expired(first) then break end
    call('LPOP', key)
  end
  if call('LLEN', key) >= capacity then return false end
  call('RPUSH', key, (now + ms) .. ' ' .. item)
  keep(key, ms + 1000)
  index('owners', owner, ms)
  return true
end
local function wake(channel)
  for _, node in ipairs(call('ZRANGEBYSCORE', base .. 'w:' .. channel, now, '+inf', 'LIMIT', 0, 1000)) do
    tell(node, note('wake', channel, '', '0'))
  end
end
local function rest(item) return string.match(item, '^%d+ ()') end
local function waiting(items)
  local out = {}
  for _, item in ipairs(items) do
    if not expired(item) then
      out[#out + 1] = tonumber(string.match(item, '^%d+')) - now
      out[#out + 1] = string.sub(item, rest(item))
    end
  end
  return out
end
)lua";

// process, grace_ms
constexpr std::string_view claim = R"lua(
local process, grace = ARGV[5], ARGV[6]
local owner = process .. '!'
local field = prefix .. ' ' .. owner
local was = call('HGET', homes, field)
local count = call('HINCRBY', homes, claims, 1)
if was and was ~= me then
  if call('ZSCORE', nodes, was) then tell(was, note('taken', process, '', tostring(count))) end
  call('ZREM', '__sidecar:ch:np:' .. was, field)
end
call('HSET', homes, field, me)
call('ZADD', nodes, now, me)
for _, key in ipairs({homes, nodes}) do keep(key, week) end
call('ZADD', '__sidecar:ch:np:' .. me, grace, field)
keep('__sidecar:ch:np:' .. me, week)
for _, group in ipairs(call('HKEYS', base .. 'pg:' .. owner)) do
  if call('EXISTS', base .. 'g:' .. group) == 1 then
    call('HSET', base .. 'go:' .. group, owner, me)
    keep(base .. 'go:' .. group, call('PTTL', base .. 'g:' .. group))
  end
end
local memberships = {}
local all = call('HGETALL', base .. 'p:' .. owner)
for i = 1, #all, 2 do
  local left = tonumber(all[i + 1]) - now
  if left > 0 then
    memberships[#memberships + 1] = all[i]
    memberships[#memberships + 1] = left
  end
end
local messages = waiting(call('LRANGE', base .. 'q:' .. owner, 0, -1))
call('DEL', base .. 'q:' .. owner)
return {messages, memberships, count}
)lua";

// process, memberships at most. Answers how many are left; the caller asks again until none is.
constexpr std::string_view release = R"lua(
local owner = ARGV[5] .. '!'
local field = prefix .. ' ' .. owner
local at = call('HGET', homes, field)
if at and at ~= me then return 0 end
if at then call('HDEL', homes, field) end
call('ZREM', '__sidecar:ch:np:' .. me, field)
call('DEL', base .. 'q:' .. owner)
local key = base .. 'p:' .. owner
local dropped = 0
for _, pair in ipairs(call('HRANDFIELD', key, ARGV[6])) do
  leave(string.match(pair, '^(%S+) (%S+)$'))
end
return call('HLEN', key)
)lua";

// channel, expiry_ms, capacity, id, head of the message to its home, head in the spool, node that does not
// have it, payload
constexpr std::string_view send = R"lua(
local channel, ms, capacity, id = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local head, spool_head, gone, payload = ARGV[9], ARGV[10], ARGV[11], ARGV[12]
local id_key = base .. 'id:' .. id
if id ~= '' and not call('SET', id_key, 1, 'NX', 'PX', 300000) then return 'duplicate' end
local owner = owner_of(channel)
if owner ~= channel or string.sub(channel, -1) == '!' then
  local field = prefix .. ' ' .. owner
  local node = call('HGET', homes, field)
  if node and node == gone then
    call('HDEL', homes, field)
    for _, group in ipairs(call('HKEYS', base .. 'pg:' .. owner)) do
      local go = base .. 'go:' .. group
      if call('HEXISTS', go, owner) == 1 then call('HSET', go, owner, '') end
    end
  elseif node and node ~= me and call('ZSCORE', nodes, node) and tell(node, head .. payload) then
    return node
  end
end
if not spool(owner, spool_head .. payload, ms, capacity) then
  if id ~= '' then call('DEL', id_key) end
  return 'full'
end
if owner == channel then wake(channel) end
return 'ok'
)lua";

// channel, count, wait_ms
constexpr std::string_view receive = R"lua(
local key, out = base .. 'q:' .. ARGV[5], {}
for _ = 1, tonumber(ARGV[6]) + 1000 do
  if #out >= tonumber(ARGV[6]) then break end
  local item = call('LPOP', key)
  if not item then break end
  if not expired(item) then out[#out + 1] = item end
end
local wait = tonumber(ARGV[7])
if #out == 0 and wait > 0 then
  call('ZADD', base .. 'w:' .. ARGV[5], now + wait, me)
  keep(base .. 'w:' .. ARGV[5], wait + 1000)
end
return waiting(out)
)lua";

// owner, then (expiry_ms, item) pairs, the last received first
constexpr std::string_view put_back = R"lua(
local key = base .. 'q:' .. ARGV[5]
for i = 6, #ARGV, 2 do
  local ms = tonumber(ARGV[i])
  call('LPUSH', key, (now + ms) .. ' ' .. ARGV[i + 1])
  keep(key, ms + 1000)
  index('owners', ARGV[5], ms)
end
wake(ARGV[5])
return 'ok'
)lua";

// then (group, channel, expiry_ms) triples
constexpr std::string_view join = R"lua(
local added, news = 0, {}
for i = 5, #ARGV, 3 do
  local group, channel, ms = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  local owner = owner_of(channel)
  local g, go = base .. 'g:' .. group, base .. 'go:' .. group
  local p, pg = base .. 'p:' .. owner, base .. 'pg:' .. owner
  if (i - 5) % 90 == 0 then trim(group) end
  local fresh = call('ZADD', g, now + ms, channel)
  call('HSET', p, group .. ' ' .. channel, now + ms)
  if fresh == 1 then
    added = added + 1
    if call('ZCARD', g) == 1 then call('HSET', pg, group, 1) else call('HINCRBY', pg, group, 1) end
  end
  local node = home(owner)
  call('HSET', go, owner, node)
  for _, key in ipairs({g, go, p, pg}) do keep(key, ms + 60000) end
  index('groups', group, ms)
  index('owners', owner, ms + 60000)
  if node ~= '' and node ~= me then
    local key = node .. ' ' .. group .. ' ' .. ARGV[i + 2] .. ' ' .. owner
    local list = news[key]
    if not list then
      news[key] = {node = node, group = group, ms = ARGV[i + 2], names = channel}
    else
      list.names = list.names .. ' ' .. channel
    end
  end
end
for _, n in pairs(news) do tell(n.node, note('join', n.group, n.names, n.ms)) end
return added
)lua";

// then (group, channel) pairs
constexpr std::string_view leave = R"lua(
local removed, news = 0, {}
for i = 5, #ARGV, 2 do
  local group, channel = ARGV[i], ARGV[i + 1]
  removed = removed + leave(group, channel)
  local node = home(owner_of(channel))
  if node ~= '' and node ~= me then
    local key = node .. ' ' .. group .. ' ' .. owner_of(channel)
    local list = news[key]
    if not list then
      news[key] = {node = node, group = group, names = channel}
    else
      list.names = list.names .. ' ' .. channel
    end
  end
end
for _, n in pairs(news) do tell(n.node, note('leave', n.group, n.names, '0')) end
return removed
)lua";

// then channels
constexpr std::string_view leave_all = R"lua(
local removed = 0
for i = 5, #ARGV do
  local channel = ARGV[i]
  local owner = owner_of(channel)
  for _, group in ipairs(call('HKEYS', base .. 'pg:' .. owner)) do
    removed = removed + leave(group, channel)
  end
  local node = home(owner)
  if node ~= '' and node ~= me then tell(node, note('leave_all', channel, '', '0')) end
end
return removed
)lua";

// group, expiry_ms, capacity, id, head of the message to nodes, head in spools, excepted channels between
// spaces, history items, history ttl_ms, epoch if it is new, payload
constexpr std::string_view group_send = R"lua(
local group, ms, capacity, id = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local head, spool_head, except, payload = ARGV[9], ARGV[10], ARGV[11], ARGV[15]
if id ~= '' and not call('SET', base .. 'id:' .. id, 1, 'NX', 'PX', 300000) then return {'duplicate'} end
trim(group)
local go = base .. 'go:' .. group
local owners, told, nodes_told, processes, spooled, dropped = call('HGETALL', go), {}, 0, 0, 0, 0
for i = 1, #owners, 2 do
  local owner, node = owners[i], owners[i + 1]
  if node ~= '' and node ~= me then
    if told[node] == nil then
      told[node] = call('ZSCORE', nodes, node) and tell(node, head .. payload) or false
      if told[node] then nodes_told = nodes_told + 1 end
    end
    if told[node] then
      processes = processes + 1
    else
      call('HSET', go, owner, '')
      node = ''
    end
  end
  local normal = string.sub(owner, -1) ~= '!'
  if node == '' and not (normal and string.find(except, ' ' .. owner .. ' ', 1, true)) then
    local item = spool_head .. payload
    if normal then item = f('c') .. f(owner) .. f('') .. f('') .. f(me) .. f(payload) end
    if spool(owner, item, ms, capacity) then spooled = spooled + 1 else dropped = dropped + 1 end
    if normal then wake(owner) end
  end
end
local members = call('ZCARD', base .. 'g:' .. group)
local offset, epoch = 0, ''
local items = tonumber(ARGV[12])
if items > 0 then
  local ttl = tonumber(ARGV[13])
  local stream, meta = base .. 's:' .. group, base .. 'sm:' .. group
  local run = string.match(call('INFO', 'server'), 'run_id:(%x+)')
  epoch = call('HGET', meta, 'epoch')
  if not epoch or call('HGET', meta, 'run') ~= run then
    epoch = ARGV[14]
    call('DEL', stream, meta)
    call('HSET', meta, 'epoch', epoch, 'run', run)
  end
  offset = call('HINCRBY', meta, 'top', 1)
  call('XADD', stream, 'MAXLEN', items, offset .. '-0', 'm', payload)
  call('PEXPIRE', stream, ttl)
  keep(meta, ttl + 60000)
  index('hists', group, ttl + 60000)
end
local claimed = tonumber(call('HGET', homes, claims) or 0)
return {'ok', nodes_told, processes, spooled, dropped, members, offset, epoch, claimed}
)lua";

// group
constexpr std::string_view count = R"lua(
return call('ZCOUNT', base .. 'g:' .. ARGV[5], '(' .. now, '+inf')
)lua";

// group or pattern, cursor, count
constexpr std::string_view page = R"lua(
local page = call('ZSCAN', base .. scanned, ARGV[6], 'MATCH', pattern, 'COUNT', ARGV[7])
local out = {}
for i = 1, #page[2], 2 do
  if tonumber(page[2][i + 1]) > now then out[#out + 1] = page[2][i] end
end
return {page[1], out}
)lua";
constexpr std::string_view members = "local scanned, pattern = 'g:' .. ARGV[5], '*'";
constexpr std::string_view groups = "local scanned, pattern = 'groups', ARGV[5]";

// group, epoch, offset, limit
constexpr std::string_view history = R"lua(
local group, since, offset, limit = ARGV[5], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local stream, meta = base .. 's:' .. group, base .. 'sm:' .. group
local epoch, top = call('HGET', meta, 'epoch'), tonumber(call('HGET', meta, 'top') or 0)
if not epoch or call('HGET', meta, 'run') ~= string.match(call('INFO', 'server'), 'run_id:(%x+)') then
  return {'', 0, since == '' and 1 or 0, {}}
end
local found = {}
if since == '' then
  local newest = call('XREVRANGE', stream, '+', '-', 'COUNT', limit)
  for i = #newest, 1, -1 do found[#found + 1] = newest[i] end
else
  local missed = top - offset
  if since ~= epoch or missed < 0 or missed > limit then return {epoch, top, 0, {}} end
  if missed > 0 then found = call('XRANGE', stream, (offset + 1) .. '-0', '+', 'COUNT', limit) end
  if #found ~= missed then return {epoch, top, 0, {}} end
end
local items = {}
for _, entry in ipairs(found) do
  items[#items + 1] = tonumber(string.match(entry[1], '^%d+'))
  items[#items + 1] = entry[2][2]
end
return {epoch, top, 1, items}
)lua";

// key, time to remember it
constexpr std::string_view once = R"lua(
return call('SET', base .. 'once:' .. ARGV[5], 1, 'NX', 'PX', ARGV[6]) and 1 or 0
)lua";

// memberships at most. Answers whether the node was still known, then what was swept.
constexpr std::string_view heartbeat = R"lua(
local known = call('HSET', homes, ' ' .. me, 1) == 0
call('ZADD', nodes, now, me)
call('ZREM', dead, me)
for _, key in ipairs({nodes, homes, '__sidecar:ch:np:' .. me}) do keep(key, week) end
for _, node in ipairs(call('ZRANGEBYSCORE', nodes, '-inf', now - 10000, 'LIMIT', 0, 10)) do bury(node) end
local budget, swept = tonumber(ARGV[5]), 0
local buried = call('ZRANGE', dead, 0, 4, 'WITHSCORES')
for i = 1, #buried, 2 do
  local node, since = buried[i], tonumber(buried[i + 1])
  local processes = '__sidecar:ch:np:' .. node
  for _, field in ipairs(call('ZRANGEBYSCORE', processes, '-inf', now - since - 1000, 'LIMIT', 0, 20)) do
    local p, owner = string.match(field, '^(.*) (%S+)$')
    local b = '__sidecar:ch:' .. p .. ':'
    local mine = call('HGET', homes, field) == node
    if mine and budget > 0 then
      local key = b .. 'p:' .. owner
      local pairs_of = call('HRANDFIELD', key, budget)
      budget = budget - #pairs_of
      for _, pair in ipairs(pairs_of) do
        local group, channel = string.match(pair, '^(%S+) (%S+)$')
        leave_at(b, p, group, channel)
      end
      if call('HLEN', key) == 0 then
        call('HDEL', homes, field)
        call('DEL', b .. 'q:' .. owner, b .. 'pg:' .. owner)
        mine = false
        swept = swept + 1
      end
    end
    if not mine then call('ZREM', processes, field) end
  end
  if call('EXISTS', processes) == 0 then call('ZREM', dead, node) end
end
return {known and 1 or 0, swept}
)lua";

// Groups, histories and owners at most. Answers how many are left.
constexpr std::string_view flush = R"lua(
local kinds = {groups = {'g:', 'go:'}, hists = {'s:', 'sm:'}, owners = {'q:', 'p:', 'pg:'}}
local left = 0
for name, keys in pairs(kinds) do
  for _, member in ipairs(call('ZRANGE', base .. name, 0, ARGV[5] - 1)) do
    for _, key in ipairs(keys) do call('UNLINK', base .. key .. member) end
    call('ZREM', base .. name, member)
  end
  left = left + call('ZCARD', base .. name)
end
local live = call('ZRANGE', nodes, 0, -1)
return {left, live}
)lua";

std::array<script_text, script_count> make_texts() {
    const auto text = [](std::string_view body, std::string_view extra = {}) {
        script_text t;
        t.body = std::string(prelude) + std::string(extra) + std::string(body);
        t.sha1 = sha1_hex(t.body);
        return t;
    };
    return {text(claim),      text(release), text(send),          text(receive),
            text(put_back),   text(join),    text(leave),         text(leave_all),
            text(group_send), text(count),   text(page, members), text(page, groups),
            text(history),    text(once),    text(heartbeat),     text(flush)};
}

}  // namespace

const script_text& text_of(script which) {
    static const std::array<script_text, script_count> texts = make_texts();
    return texts.at(static_cast<std::size_t>(which));
}

}  // namespace channels
