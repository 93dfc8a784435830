-- http-request lua.identify: asks the service who makes this request. Sets txn.user_id and
-- txn.session_id if it knows; otherwise answers the caller.

local ADDRESS = "abns@identify-127.0.0.1:3000"

-- The headers sent to the service, with all their values: it refuses two tokens.
local ASKED_WITH = { "authorization", "accept-language" }

-- The headers of a refusal that the caller gets.
local REFUSED_WITH = { "content-type", "content-language", "vary", "cache-control", "www-authenticate" }

local UNAVAILABLE = {
  status = 503,
  headers = {
    ["content-type"] = { "application/json" },
    ["cache-control"] = { "no-store" },
    ["retry-after"] = { "1" },
  },
  body = '{"code":503,"error":"temporarily_unavailable","msg":"Try again in a second."}',
}

local function pick(headers, names)
  local picked = {}
  for _, name in ipairs(names) do
    picked[name] = headers[name]
  end
  return picked
end

local function first(headers, name)
  local values = headers[name] or {}
  -- HAProxy's lists of headers start at 0.
  return values[0] or values[1]
end

core.register_action("identify", { "http-req" }, function(txn)
  local answer = core.httpclient():get({
    url = "http://auth_service/identify",
    dst = ADDRESS,
    headers = pick(txn.http:req_get_headers(), ASKED_WITH),
    timeout = 2500,
  })
  local headers = answer.headers or {}

  if answer.status == 200 then
    txn:set_var("txn.user_id", first(headers, "x-user-id"))
    txn:set_var("txn.session_id", first(headers, "x-session-id"))
  elseif answer.status == 401 then
    txn:done({ status = 401, headers = pick(headers, REFUSED_WITH), body = answer.body })
  else
    txn:done(UNAVAILABLE)
  end
end)
