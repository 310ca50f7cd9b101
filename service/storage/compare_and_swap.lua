-- Put ARGV[2] where ARGV[1] stands ('' stands for nothing), for ARGV[3] milliseconds, and tell
-- channel ARGV[4] of it unless that is ''. Returns false when swapped, else what stands there instead.
local held = redis.call('GET', KEYS[1]) or ''
if held ~= ARGV[1] then
  return held
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if ARGV[4] ~= '' then
  redis.call('PUBLISH', ARGV[4], ARGV[2])
end
return false
