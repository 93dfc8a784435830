-- What was refused stays refused: should the service know the token a moment after the module could not ask about it, the
-- client must not take that answer for the app's.
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
