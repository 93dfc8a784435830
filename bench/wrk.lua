-- What wrk sends, and how it reports: arguments are the method, the path, and a file with one request in each line: the name of
-- a header, its value, and the body, separated by tabs.
local requests, turn = {}, 0

function init(args)
  local method, path, file = args[1], args[2], args[3]
  for line in io.lines(file) do
    local name, value, body = line:match('^([^\t]*)\t([^\t]*)\t(.*)$')
    requests[#requests + 1] = wrk.format(method, path, { [name] = value }, body ~= '' and body or nil)
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
