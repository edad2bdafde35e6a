-- ── the scenario ──────────────────────────────────────────────────────────────────────────────────────────────

--{{scenario}}

-- ── how it is sent ────────────────────────────────────────────────────────────────────────────────────────────

local folder = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local threads = {}

local function contents(name)
  local file = assert(io.open(folder .. name, "rb"))
  local bytes = file:read("*a")
  file:close()
  return bytes
end

-- A body whose length is not declared goes in chunks of at most 64 KiB.
local function chunked(bytes)
  local parts = {}
  for from = 1, #bytes, 65536 do
    local piece = bytes:sub(from, from + 65535)
    parts[#parts + 1] = string.format("%x\r\n%s\r\n", #piece, piece)
  end
  parts[#parts + 1] = "0\r\n\r\n"
  return table.concat(parts)
end

function setup(thread)
  thread:set("number", #threads)
  threads[#threads + 1] = thread
end

-- Each thread has a state of its own: what `done` is to know must be global there. Each begins in another
-- place of the order, and goes through all of it.
function init(args)
  sent, answered, wrong, wrong_status, wrong_count, wrong_answer = 0, 0, 0, 0, 0, 0
  is_tried, place, first_wrong = false, nil, ""
  turn = math.floor(number * #order / thread_count)
  wire = {}
  for at, request in ipairs(requests) do
    local body = request.body and contents(request.body) or ""
    if request.is_chunked then body = chunked(body) end
    wire[at] = request.head:gsub("{host}", function() return wrk.headers["Host"] end) .. body
  end
end

-- wrk asks the first thread once for a request that it does not send.
function request()
  if number == 0 and not is_tried then
    is_tried = true
    return wire[order[turn % #order + 1]]
  end
  place = order[turn % #order + 1]
  turn = turn + 1
  sent = sent + 1
  return wire[place]
end

if think_ms > 0 then
  function delay()
    return think_ms
  end
end

-- ── what makes an answer right ────────────────────────────────────────────────────────────────────────────────

-- What `matched` says, result by result: `1` where it is true.
local function verdicts(body)
  local bits = {}
  for word in body:gmatch('"matched"%s*:%s*(%a+)') do
    bits[#bits + 1] = word == "true" and "1" or word == "false" and "0" or "?"
  end
  return table.concat(bits), #bits
end

local function is_count(body, name, expected)
  return tonumber(body:match('"' .. name .. '"%s*:%s*(%d+)')) == expected
end

local function is_fault(body)
  local inside = body:match("<[%w_.-]*:?Body[^>]*>%s*(<.*)")
  return inside == nil or inside:match("^<[%w_.-]-:?Fault[%s/>]") ~= nil
end

-- Returns which check an answer fails; nothing, if it is right.
local function judge(rule, status, body)
  local is_success = status >= 200 and status < 300
  if rule.kind == "survival" then
    return status >= 500 and "status" or nil
  elseif rule.kind == "status" then
    return status ~= rule.status and "status" or nil
  elseif rule.kind == "success" then
    return not is_success and "status" or nil
  elseif rule.kind == "soap" then
    return not is_success and "status" or is_fault(body) and "answer" or nil
  end
  if status ~= 200 then return "status" end
  local bits, count = verdicts(body)
  if rule.kind == "verdicts" then
    local is_counted = count == #rule.matched and is_count(body, "total_comparisons", count)
    if not (is_counted and is_count(body, "failed_comparisons", 0)) then return "count" end
  end
  return bits ~= rule.matched and "answer" or nil
end

-- One connection a thread: the answer is that to the request that the thread sent last.
function response(status, headers, body)
  answered = answered + 1
  local fault = judge(requests[place].answer, status, body)
  if fault == nil then return end
  wrong = wrong + 1
  _G["wrong_" .. fault] = _G["wrong_" .. fault] + 1
  if first_wrong == "" then
    first_wrong = string.format("%s of request %d: status %d, %s", fault, place, status, body:sub(1, 120))
  end
end

-- ── what it came to ───────────────────────────────────────────────────────────────────────────────────────────

local function total(name)
  local sum = 0
  for _, thread in ipairs(threads) do
    sum = sum + thread:get(name)
  end
  return sum
end

local function say(form, ...)
  io.write(string.format(form, ...), "\n")
end

function done(summary, latency, requests)
  local answers, wrongs = total("answered"), total("wrong")
  local errors = summary.errors
  local unanswered = errors.connect + errors.read + errors.write + errors.timeout
  local measured = {
    errors = (wrongs + unanswered) / math.max(answers + unanswered, 1),
    throughput = (answers - wrongs) * units_of_request / (summary.duration / 1e6),
    p50 = latency:percentile(50) * 1e3,
    p95 = latency:percentile(95) * 1e3,
    p99 = latency:percentile(99) * 1e3,
  }
  say("xmlperf: %d requests sent, %d answered, %d unanswered", total("sent"), answers, unanswered)
  say("xmlperf: wrong status %d, wrong count %d, wrong answer %d", total("wrong_status"), total("wrong_count"), total("wrong_answer"))
  say("xmlperf: %.1f %s/s", measured.throughput, unit_plural)
  for _, thread in ipairs(threads) do
    if thread:get("first_wrong") ~= "" then
      say("xmlperf: the first wrong answer: %s", thread:get("first_wrong"))
      break
    end
  end
  if #threads ~= thread_count then
    say("xmlperf: not the scenario's load: run it with -t%d -c%d", thread_count, thread_count)
  end
  local is_broken = #threads ~= thread_count or wrongs + unanswered > 0 and not allows_errors
  for _, limit in ipairs(limits) do
    local is_kept = measured[limit.quantity] <= limit.value
    if limit.is_least then is_kept = measured[limit.quantity] >= limit.value end
    say("xmlperf: limit %s: %s", is_kept and "kept" or "broken", limit.text)
    is_broken = is_broken or not is_kept
  end
  io.flush()
  if is_broken then os.exit(1) end
end
