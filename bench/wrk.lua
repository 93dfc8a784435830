-- What wrk sends and reports. Arguments: the method, the path, and a file with one request per
-- line. A line holds the body, then the names and values of the headers in turn, separated by tabs.
local requests, turn = {}, 0

function init(args)
  local method, path, file = args[1], args[2], args[3]
  for line in io.lines(file) do
    local body, rest = line:match('^([^\t]*)(.*)$')
    local headers = {}
    for name, value in rest:gmatch('\t([^\t]+)\t([^\t]+)') do headers[name] = value end
    requests[#requests + 1] = wrk.format(method, path, headers, body ~= '' and body or nil)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"duration":%d,"p50":%d,"p99":%d,"wrong":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status + errors.connect + errors.read + errors.write + errors.timeout
  ))
end
