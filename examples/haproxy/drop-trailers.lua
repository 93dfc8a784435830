-- filter lua.drop-trailers: removes the trailer fields from chunked request bodies, in the form in
-- which HAProxy writes them. Rules see only headers, and an app may read a trailer as a header.

local DropTrailers = {}
DropTrailers.__index = DropTrailers

function DropTrailers:new()
  return setmetatable({ reading = "head", pass = 0 }, self)
end

function DropTrailers:start_analyze(_, channel)
  if not channel:is_resp() then
    filter.register_data_filter(self, channel)
  end
end

-- Whole lines and the data of chunks go on. An incomplete line waits for the rest.
function DropTrailers:tcp_payload(_, channel)
  local at = 0
  while at < channel:input() do
    local passed = math.min(self.pass, channel:input() - at)
    self.pass = self.pass - passed
    at = at + passed
    if at == channel:input() then break end

    local line = channel:line(at)
    if line:sub(-1) ~= "\n" then break end
    if self.reading == "trailers" and line ~= "\r\n" then
      channel:remove(at, #line)
    else
      self:read(line)
      at = at + #line
    end
  end
  return at
end

function DropTrailers:read(line)
  if self.reading == "size" then
    local size = tonumber(line:match("^%x+"), 16)
    -- Includes the line break after the chunk.
    if size > 0 then self.pass = size + 2 else self.reading = "trailers" end
  elseif line ~= "\r\n" then
    local name = line:lower():match("^[^:]+")
    if name == "transfer-encoding" then self.chunked = true end
    if name == "upgrade" then self.upgraded = true end
  else
    -- After an upgrade the data is not HTTP.
    if self.upgraded then self.pass = math.maxinteger end
    self.reading = self.reading == "head" and self.chunked and "size" or "head"
    self.chunked, self.upgraded = nil, nil
  end
end

core.register_filter("drop-trailers", DropTrailers, function(class)
  return class
end)
