"""The table's decision as one Lua script of Redis, and what goes in and comes out of it as plain data.

The script reads Redis's own clock, so machines need not agree on the time. A bucket is a hash: `t` is the moment at
which it is empty, `e` when it was made, and each process that holds something has a field `held serial`. A settlement
has a serial, so one whose answer was lost is sent again and counted once. `e` tells a process that Redis forgot the
bucket (restarted without persistence, or a replica took over): it then says how full the bucket was when it last
asked. Numbers in Lua are doubles: microseconds are used there, exact for any time since 1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SILENT_MS = 30_000
"""A process that said nothing for so long (milliseconds) holds nothing any more."""

SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local me, silent, alive, beat = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1'
redis.call('SET', KEYS[1], '1', 'PX', silent)
local refused, wait, out, plans = -1, 0, {}, {}
for i = 2, #KEYS do
  local base = 5 + (i - 2) * 10
  local function arg(n) return tonumber(ARGV[base + n]) end
  local capacity, charge, hold, enforce = arg(0), arg(1), arg(2), arg(3) == 1
  local serial, release, debt, exact, left, epoch = arg(4), arg(5), arg(6), arg(7), arg(8), arg(9)
  local tat, born, mine, done, others, new = 0, 0, 0, 0, 0, false
  local row = redis.call('HGETALL', KEYS[i])
  for j = 1, #row, 2 do
    local name, value = row[j], row[j + 1]
    if name == 't' then tat = tonumber(value)
    elseif name == 'e' then born = tonumber(value)
    else
      local cut = string.find(value, ' ', 1, true)
      local held = tonumber(string.sub(value, 1, cut - 1))
      if name == me then mine, done = held, tonumber(string.sub(value, cut + 1))
      elseif held > 0 or beat then
        if redis.call('EXISTS', alive .. name) == 1 then others = others + held
        else redis.call('HDEL', KEYS[i], name) end
      end
    end
  end
  if born == 0 then born = now new = true end
  if born ~= epoch and left > 0 then tat = math.max(tat, now + left) new = true end
  if serial > done then
    mine = math.max(0, mine - release)
    if debt ~= 0 then tat = math.max(tat, now) + debt end
    done, new = serial, true
  end
  if exact >= 0 then mine, new = exact, true end
  local room = capacity - math.max(tat - now, 0) - others - mine - charge - hold
  if room < 0 and enforce and (refused < 0 or -room > wait) then refused, wait = i - 2, -room end
  plans[i] = {tat, charge, hold, mine, done, room >= 0, born, new}
end
for i = 2, #KEYS do
  local tat, charge, hold, mine, done, fits, born, new = unpack(plans[i])
  if refused < 0 and fits then
    if charge > 0 then tat = math.max(tat, now) + charge end
    mine = mine + hold
    new = true
  end
  if new then
    redis.call('HSET', KEYS[i], 't', string.format('%.0f', tat), 'e', string.format('%.0f', born))
    if mine > 0 or done > 0 then redis.call('HSET', KEYS[i], me, string.format('%.0f %.0f', mine, done))
    else redis.call('HDEL', KEYS[i], me) end
    redis.call('PEXPIRE', KEYS[i], math.floor(math.max(tat - now, 0) / 1000) + 2 * silent)
  end
  out[#out + 1] = fits and 1 or 0
  out[#out + 1] = math.max(tat - now, 0)
  out[#out + 1] = born
end
table.insert(out, 1, wait)
table.insert(out, 1, refused)
return out
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One bucket of a decision. Amounts are microseconds (calls, for `concurrent`).

    `serial`, `release` and `debt` are a settlement (0: none); `exact`, if not -1, is all that this process holds;
    `left` and `epoch` say how full the bucket was and when it was made, as this process knew it last.
    """

    key: int
    capacity: int
    charge: int = 0
    hold: int = 0
    enforce: bool = True
    serial: int = 0
    release: int = 0
    debt: int = 0
    exact: int = -1
    left: int = 0
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """What the script said: the number of the bucket that refused (-1: none), microseconds to wait, and per bucket
    whether it had room, how full it is now (microseconds) and when it was made.
    """

    refused: int
    wait: int
    fits: Sequence[int]
    left: Sequence[int]
    epochs: Sequence[int]


def arguments(prefix: str, name: str, lines: Sequence[Line], *, beat: bool = False) -> tuple[int, list[str | int]]:
    """How many keys, then keys and arguments of a decision by process `name`."""
    words: list[str | int] = [f"{prefix}alive:{name}", *(f"{prefix}{line.key:x}" for line in lines)]
    keys = len(words)
    words += [name, SILENT_MS, f"{prefix}alive:", int(beat)]
    for line in lines:
        words += (line.capacity, line.charge, line.hold, int(line.enforce), line.serial, line.release)
        words += (line.debt, line.exact, line.left, line.epoch)
    return keys, words


def parse(raw: Sequence[int]) -> Reply:
    """The script's answer."""
    return Reply(raw[0], raw[1], raw[2::3], raw[3::3], raw[4::3])
