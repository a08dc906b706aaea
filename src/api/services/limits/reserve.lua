-- Count all charges of a request, or none.
--
-- KEYS: the counters: hashes of the `start` of their window, in Unix seconds, and what is `used` of it.
-- ARGV, for each counter: limit, seconds, amount, need, and base: the least that is used, or empty if unknown.
-- Returns the status, the time in microseconds, and for each counter what is used and the window's start.
local time = redis.call('TIME')
local now = tonumber(time[1])
local answer = {1, time[1] * 1000000 + time[2]}
local stored = {}

for i, key in ipairs(KEYS) do
  local limit, seconds, amount, need, base = unpack(ARGV, 5 * i - 4, 5 * i)
  local start = now - now % tonumber(seconds)
  local counter = redis.call('HMGET', key, 'start', 'used')
  stored[i] = tonumber(counter[1]) == start and tonumber(counter[2])
  local used = math.max(stored[i] or -math.huge, tonumber(base) or -math.huge)
  if used == -math.huge then
    return {-1, answer[2]}
  end
  if used + tonumber(need) > tonumber(limit) then
    answer[1] = 0
  end
  answer[2 * i + 1] = used
  answer[2 * i + 2] = start
end

for i, key in ipairs(KEYS) do
  local seconds, amount = ARGV[5 * i - 3], ARGV[5 * i - 2]
  if answer[1] == 1 then
    answer[2 * i + 1] = answer[2 * i + 1] + tonumber(amount)
  end
  if answer[2 * i + 1] ~= stored[i] then
    redis.call('HSET', key, 'start', answer[2 * i + 2], 'used', answer[2 * i + 1])
    redis.call('EXPIREAT', key, answer[2 * i + 2] + tonumber(seconds))
  end
end
return answer
