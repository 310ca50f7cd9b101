-- If the value of KEYS[1] is ARGV[1] ('' means no value), set it to ARGV[2] and publish it on channel ARGV[4]
-- (unless ''). It expires in ARGV[3] milliseconds, or later if the old value would have.
-- Returns false if swapped, otherwise the current value.
local current = redis.call('GET', KEYS[1]) or ''
if current ~= ARGV[1] then
  return current
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', math.max(ARGV[3], redis.call('PTTL', KEYS[1])))
if ARGV[4] ~= '' then
  redis.call('PUBLISH', ARGV[4], ARGV[2])
end
return false
