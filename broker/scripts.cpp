#include "broker/scripts.hpp"

namespace broker::scripts {

// Near an end LPOS finds the element, which compares without copying: whatever else lies there may be large.
// Deeper it would walk for too long: there windows of growing width around the hint are read, as long as what
// was read is small. The element is replaced by a tombstone that nothing else equals, so that LREM, which
// compares, walks from the nearer end and finds it once.
const std::string_view take = R"lua(
local list, target, trash, index, audit = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local element, hint, depth_max = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local size = redis.call('LLEN', list)
if size == 0 then return {0} end
hint = math.max(1, math.min(hint, size))
local function find()
  local reach = math.min(hint, size - hint + 1) + 2000
  if size <= depth_max then reach = size end
  if reach <= depth_max + 2000 then
    local left = redis.call('LPOS', list, element, 'RANK', hint <= size / 2 and -1 or 1, 'MAXLEN', reach)
    return left and size - left
  end
  if redis.call('LINDEX', list, -hint) == element then return hint end
  local read = 0
  for _, width in ipairs({8, 64, 512}) do
    local near, far = math.max(1, hint - width), math.min(size, hint + width)
    local part = redis.call('LRANGE', list, -far, -near)
    for i = #part, 1, -1 do
      if part[i] == element then return far - i + 1 end
      read = read + #part[i]
    end
    if read > 2000000 then return nil end
  end
  return nil
end
local at = find()
if not at then return {0} end
if math.min(at, size - at + 1) > depth_max then return {2, at} end
redis.call('LSET', list, -at, ARGV[4])
redis.call('LREM', list, at <= size / 2 and -1 or 1, ARGV[4])
if ARGV[5] ~= '' then
  redis.call(ARGV[6] == 'head' and 'RPUSH' or 'LPUSH', target, ARGV[5])
end
if ARGV[7] ~= '' then
  redis.call('HSET', trash, ARGV[7], ARGV[8])
  redis.call('ZADD', index, ARGV[9], ARGV[7])
end
redis.call('XADD', audit, 'MAXLEN', '~', '10000', '*', 'entry', ARGV[10])
return {1, at}
)lua";

const std::string_view mark = R"lua(
local list, trash, index, rules, version, audit = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local element, hint = ARGV[1], tonumber(ARGV[2])
local size = redis.call('LLEN', list)
if size == 0 then return {0} end
local function find()
  if hint > 0 and redis.call('LINDEX', list, -hint) == element then return hint end
  local read = 0
  for _, width in ipairs({8, 64, 512}) do
    local near, far = math.max(1, hint - width), math.min(size, hint + width)
    if near > far then near = math.max(1, far - width) end
    local part = redis.call('LRANGE', list, -far, -near)
    for i = #part, 1, -1 do
      if part[i] == element then return far - i + 1 end
      read = read + #part[i]
    end
    if read > 2000000 then return nil end
  end
  return nil
end
local at = find()
if not at then return {0} end
if ARGV[3] ~= '' then
  redis.call('HSET', trash, ARGV[3], ARGV[4])
  redis.call('ZADD', index, ARGV[5], ARGV[3])
end
redis.call('HSET', rules, ARGV[6], ARGV[7])
redis.call('INCR', version)
redis.call('XADD', audit, 'MAXLEN', '~', '10000', '*', 'entry', ARGV[8])
return {1, at}
)lua";

const std::string_view settle = R"lua(
local value = redis.call('HGET', KEYS[1], ARGV[1])
if not value or value ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[1])
if ARGV[3] ~= '' then
  redis.call(ARGV[4] == 'head' and 'RPUSH' or 'LPUSH', KEYS[3], ARGV[3])
end
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[4], ARGV[5], ARGV[6])
  redis.call('ZADD', KEYS[5], ARGV[7], ARGV[5])
end
redis.call('XADD', KEYS[6], 'MAXLEN', '~', '10000', '*', 'entry', ARGV[8])
return 1
)lua";

const std::string_view purge = R"lua(
local n = tonumber(ARGV[1])
local count = 0
for i = 1, n do count = count + redis.call('LLEN', KEYS[i]) end
if math.abs(count - tonumber(ARGV[2])) > tonumber(ARGV[3]) then return {0, count} end
for i = 1, n do
  if redis.call('EXISTS', KEYS[i]) == 1 then
    if ARGV[4] == 'keep' then
      redis.call('RENAME', KEYS[i], KEYS[n + i])
    else
      redis.call('UNLINK', KEYS[i])
    end
  end
end
if ARGV[4] == 'keep' and count > 0 then
  redis.call('HSET', KEYS[2 * n + 1], ARGV[5], ARGV[6])
  redis.call('ZADD', KEYS[2 * n + 2], ARGV[7], ARGV[5])
end
redis.call('XADD', KEYS[2 * n + 3], 'MAXLEN', '~', '10000', '*', 'entry', ARGV[8])
return {1, count}
)lua";

const std::string_view unpurge = R"lua(
local trash, list, most = KEYS[1], KEYS[2], tonumber(ARGV[1])
if redis.call('EXISTS', trash) == 0 then return 0 end
local newer = redis.call('LLEN', list)
if newer <= most then
  for _ = 1, newer do redis.call('LMOVE', list, trash, 'RIGHT', 'LEFT') end
  redis.call('RENAME', trash, list)
  return 0
end
for _ = 1, most do
  if not redis.call('LMOVE', trash, list, 'LEFT', 'RIGHT') then return 0 end
end
return redis.call('LLEN', trash)
)lua";

const std::string_view untrash = R"lua(
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call(ARGV[4] == 'head' and 'RPUSH' or 'LPUSH', KEYS[3], ARGV[3])
redis.call('XADD', KEYS[4], 'MAXLEN', '~', '10000', '*', 'entry', ARGV[5])
return 1
)lua";

const std::string_view drain = R"lua(
local moved = 0
for _ = 1, tonumber(ARGV[1]) do
  if not redis.call('LMOVE', KEYS[1], KEYS[2], ARGV[2] == 'head' and 'LEFT' or 'RIGHT',
                    ARGV[2] == 'head' and 'RIGHT' or 'LEFT') then break end
  moved = moved + 1
end
if moved > 0 then redis.call('XADD', KEYS[3], 'MAXLEN', '~', '10000', '*', 'entry', ARGV[3]) end
return moved
)lua";

}  // namespace broker::scripts
