-- A refusal stays a refusal. The service may accept the token a moment after the module could not
-- ask about it. The caller must not take that 200 for the app's answer.
function refuse(r)
  if r.status < 400 then
    r.status = 503
    r.err_headers_out["Retry-After"] = "1"
  end
  coroutine.yield()
  while bucket do
    coroutine.yield(bucket)
  end
end
