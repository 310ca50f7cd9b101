-- If the value of KEYS[1] is ARGV[1] ('' means no value), set it to ARGV[2] for ARGV[3] milliseconds and publish it
-- on channel ARGV[4] (unless ''). Returns false if swapped, otherwise the current value.
local current = redis.call('GET', KEYS[1]) or ''
if current ~= ARGV[1] then
  return current
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if ARGV[4] ~= '' then
  redis.call('PUBLISH', ARGV[4], ARGV[2])
end
return false
