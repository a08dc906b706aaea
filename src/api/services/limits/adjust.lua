-- Correct what was counted. KEYS: the counters. ARGV, for each: the start of the window that is meant, and the amount.
for i, key in ipairs(KEYS) do
  if redis.call('HGET', key, 'start') == ARGV[2 * i - 1] then
    redis.call('HINCRBY', key, 'used', ARGV[2 * i])
  end
end
