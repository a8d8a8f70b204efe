#include "broker/delivery_scripts.hpp"

#include "broker/delivery_rules.hpp"
#include "resp/writer.hpp"

namespace broker {
namespace {

using views = std::vector<std::string_view>;

constexpr std::string_view own = "__sidecar:br:";
constexpr std::string_view reserve = "__sidecar:br:reserved";
constexpr std::string_view paced_tasks = "__sidecar:br:paced_tasks";

// KEYS: token, reserve, list, marks, paced tasks, then hashes. ARGV: message, end, reserved, tag, task. What
// may fail (a list's key of another type) stands first.
constexpr std::string_view place_script = R"(if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
if ARGV[3] ~= '' and redis.call('HEXISTS', KEYS[2], ARGV[3]) == 0 then return 2 end
local taken = false
for i = 6, #KEYS do
  if redis.call('HEXISTS', KEYS[i], ARGV[4]) == 1 then taken = true end
end
if not taken then redis.call(ARGV[2], KEYS[3], ARGV[1]) end
redis.call('SET', KEYS[1], '', 'EX', 3600)
if ARGV[3] ~= '' then redis.call('HDEL', KEYS[2], ARGV[3]) end
if taken then return 2 end
if #KEYS == 5 and ARGV[4] ~= '' then redis.call('HDEL', KEYS[4], ARGV[4]) end
if ARGV[5] ~= '' then redis.call('SADD', KEYS[5], ARGV[5]) end
return 1)";

// KEYS: trash, its index, marks, reserve, result. ARGV: id, list, message, why, reserved, tag, now, expiry in
// milliseconds, queue, result. An entry is a line of JSON and the message. Run twice it writes the same. A
// day is what Celery keeps results.
constexpr std::string_view trash_script = R"(if ARGV[1] ~= '' then
  local what = {kind = 'message', by = 'revoke', why = ARGV[4], key = ARGV[2], queue = ARGV[9], tag = ARGV[6],
    at = tonumber(ARGV[7])}
  redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(what) .. '\n' .. ARGV[3])
  redis.call('ZADD', KEYS[2], ARGV[8], ARGV[1])
end
if ARGV[6] ~= '' then redis.call('HDEL', KEYS[3], ARGV[6]) end
if ARGV[5] ~= '' then redis.call('HDEL', KEYS[4], ARGV[5]) end
if KEYS[5] then
  local before = redis.pcall('GET', KEYS[5])
  local keeps = type(before) == 'table' or (before and (string.byte(before) ~= string.byte(ARGV[10]) or
    string.find(string.sub(before, 1, 200), 'SUCCESS', 1, true)))
  if not keeps then
    redis.call('SETEX', KEYS[5], 86400, ARGV[10])
    redis.call('PUBLISH', KEYS[5], ARGV[10])
  end
end
return 1)";

constexpr std::string_view count_script = R"(local n = redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], 604800)
return n)";

// KEYS: reserve, then lists. ARGV: name, pop. A value of the reserve: the list, a zero byte, the message.
constexpr std::string_view reserve_script = R"(local kept = redis.call('HGET', KEYS[1], ARGV[1])
if kept then
  local cut = string.find(kept, '\0', 1, true)
  return {string.sub(kept, 1, cut - 1), string.sub(kept, cut + 1)}
end
for i = 2, #KEYS do
  local message = redis.call(ARGV[2], KEYS[i])
  if message then
    redis.call('HSET', KEYS[1], ARGV[1], KEYS[i] .. '\0' .. message)
    return {KEYS[i], message}
  end
end
return false)";

// KEYS: reserve, then hashes. ARGV: run id. Names in the reserve are run ids with a number behind.
constexpr std::string_view restore_script = R"lua(local alive = '__sidecar:br:reserver:'
redis.call('SET', alive .. ARGV[1], '', 'EX', 20)
local back, cursor, living = 0, '0', {}
for round = 1, 50 do
  local found = redis.call('HSCAN', KEYS[1], cursor, 'COUNT', 100)
  cursor = found[1]
  for i = 1, #found[2], 2 do
    local name, kept = found[2][i], found[2][i + 1]
    local who = string.match(name, '^(.*):') or ''
    if living[who] == nil then
      living[who] = who == ARGV[1] or redis.call('EXISTS', alive .. who) == 1
    end
    if not living[who] then
      local cut = string.find(kept, '\0', 1, true)
      local message = string.sub(kept, cut + 1)
      local tag = string.match(message, '.*"delivery_tag":%s*"([^"]+)"')
      local taken = false
      for k = 2, #KEYS do
        if tag and redis.call('HEXISTS', KEYS[k], tag) == 1 then taken = true end
      end
      if not taken then
        redis.call('RPUSH', string.sub(kept, 1, cut - 1), message)
        back = back + 1
      end
      redis.call('HDEL', KEYS[1], name)
    end
  end
  if cursor == '0' then break end
end
return back)lua";

// KEYS: the set of tasks. ARGV: task and budget, in turn.
constexpr std::string_view paced_script = R"lua(local budget, left = {}, 0
for i = 1, #ARGV, 2 do budget[ARGV[i]] = tonumber(ARGV[i + 1]) end
for _, task in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local list = '__sidecar:br:paced:' .. task
  local some = redis.call('LRANGE', list, -(budget[task] or 1000), -1)
  if (budget[task] or 1000) < 1 then some = {} end
  for i = 1, #some do
    local cut = string.find(some[i], '\0', 1, true)
    redis.call('RPUSH', string.sub(some[i], 1, cut - 1), string.sub(some[i], cut + 1))
  end
  if #some > 0 then redis.call('LTRIM', list, 0, -#some - 1) end
  local waiting = redis.call('LLEN', list)
  if waiting == 0 then redis.call('SREM', KEYS[1], task) end
  left = left + waiting
end
return left)lua";

std::string bytes_of(const views& words) {
    std::string out;
    resp::append_command(out, words);
    return out;
}

std::string own_key(std::string_view name) {
    return std::string(own).append(name);
}

std::string eval(std::string_view script, const views& keys, const views& arguments) {
    const std::string count = std::to_string(keys.size());
    views words{"EVAL", script, count};
    words.insert(words.end(), keys.begin(), keys.end());
    words.insert(words.end(), arguments.begin(), arguments.end());
    return bytes_of(words);
}

}  // namespace

std::string held_list(std::string_view list) {
    return own_key("held:").append(list);
}

std::string dead_list(std::string_view list) {
    return own_key("dead:").append(list);
}

std::string paced_list(std::string_view task) {
    return own_key("paced:").append(task);
}

std::string place_command(const placing& what) {
    const std::string marks = own_key("marks");
    views keys{what.token, reserve, what.list, marks, paced_tasks};
    keys.insert(keys.end(), what.unless_noted_in.begin(), what.unless_noted_in.end());
    const std::string_view tag = what.unless_noted_in.empty() ? what.forget_mark : what.tag;
    return eval(
        place_script, keys,
        {what.message, what.end == push_end::right ? "RPUSH" : "LPUSH", what.reserved, tag, what.paced_task});
}

std::string trash_command(const trashing& what) {
    const std::string trash = own_key("trash");
    const std::string index = own_key("trash_index");
    const std::string marks = own_key("marks");
    const std::string now = std::to_string(what.now_s);
    const std::string expires_ms = std::to_string(what.expires_s * 1000);
    views keys{trash, index, marks, reserve};
    if (!what.result_key.empty()) keys.push_back(what.result_key);
    return eval(trash_script, keys,
                {what.id, what.list, what.message, what.why, what.reserved, what.tag, now, expires_ms,
                 queue_of_list(what.list), what.result});
}

std::string count_redelivery_command(std::string_view tag) {
    const std::string key = own_key("redeliveries:").append(tag);
    return eval(count_script, {key}, {});
}

std::string reserve_command(std::span<const std::string> lists, push_end end, std::string_view name) {
    views keys{reserve};
    keys.insert(keys.end(), lists.begin(), lists.end());
    return eval(reserve_script, keys, {name, end == push_end::right ? "RPOP" : "LPOP"});
}

std::string release_command(std::span<const std::string> names) {
    views words{"HDEL", reserve};
    words.insert(words.end(), names.begin(), names.end());
    return bytes_of(words);
}

std::string restore_reserved_command(std::string_view run_id, std::span<const std::string> hashes) {
    views keys{reserve};
    keys.insert(keys.end(), hashes.begin(), hashes.end());
    return eval(restore_script, keys, {run_id});
}

std::string release_paced_command(std::span<const std::pair<std::string, std::int64_t>> budgets) {
    std::vector<std::string> words;
    for (const auto& [task, budget] : budgets) {
        words.push_back(task);
        words.push_back(std::to_string(budget));
    }
    return eval(paced_script, {paced_tasks}, {words.begin(), words.end()});
}

}  // namespace broker
