"""The step machine's source and the layout of the memory it works on.

Functions in the language of `machine_language`, compiled and cached like any kernel:

- `run(frame, may_ask, _)`: one call of a program, from Python; returns the status. `ask` puts
  requests for help into workers' boxes, `recall` takes back what nobody took up.
- `walk(frame, member, _)`: one member's walk over the steps; member 0 is the caller. `share` is
  its part in one parallel step, `wait` its wait for what others have begun.
- `serve(team, worker, _)`: the life of a worker thread: wait for a frame, help with it, again.

How members share a parallel step: its range is cut into slices, at most one a member, at
multiples of the step's grain. Each slice has a bit in the step's claim word; who sets the bit
runs the slice. A member begins with its own slice, so that it meets the same rows (and its own
cache) in step after step, and then takes what others haven't begun. `DONE` counts what is
complete, in program order; nobody begins a step before all earlier ones are complete. So nobody
waits for a thread that is asleep or was taken off its CPU before it began: the caller alone can
do all of it, and the slices, hence the results, are the same whoever helps.

Serial steps are the caller's; it adds them to `DONE` only when a parallel step follows.

A control step runs other frames (a loop's body, a branch), which want the same workers. So helpers
leave a frame where its next step is one, and the caller asks for help again behind it.
"""

from __future__ import annotations

from graphc.runtime.base.kernel import Kernel

# A frame: one call's memory, in int64 words. The words from DONE on are written by several
# threads, and stand in cache lines of their own.
FRAME = {
    "WALK": 0,  # addresses of the machine's own functions
    "SHARE": 1,
    "WAIT": 2,
    "ASK": 3,
    "RECALL": 4,
    "YIELD": 5,  # sched_yield
    "NAP": 6,  # usleep
    "CLOCK": 7,  # clock_gettime
    "CLOCK_ID": 8,
    "STEPS": 9,  # address of the step table
    "COUNT": 10,  # number of steps
    "ARGS": 11,  # address of the args table
    "PATCHES": 12,  # address of (args index, externals index) pairs
    "PATCH_COUNT": 13,
    "EXTERNALS": 14,  # address of this call's pointers and sizes
    "STATUS": 15,  # address of the status block
    "CLAIMS": 16,  # address of one word a step
    "PROFILE": 17,  # address of one word a step, to which nanoseconds are added; or 0
    "TEAM": 18,  # address of the word that holds the team's address, or 0
    "THREADS": 19,  # most members, the caller included
    "JOINED": 20,  # requests for help put out and not taken back
    "RUN": 21,  # address of the machine's `run`: for steps that run other frames
    "TIME": 22,  # a struct timespec
    "DONE": 24,
    "STOPPED": 25,
    "LEFT": 32,  # helpers that don't look at this frame any more
    "WANTED": 36,  # helpers that a call can use at a time
}
FRAME_WORDS = 40

# One step: a row of int64.
STEP = {"ADDRESS": 0, "OFFSET": 1, "EXTENT": 2, "GRAIN": 3, "FLAGS": 4}
STEP_WORDS = 5

# Bits of a step's flags.
FLAGS = {"PARALLEL": 1, "COMMIT": 2, "EXTENT_IN_ARGS": 4, "CONTROL": 8}

# A team: a header and one box a worker, in int64 words.
TEAM = {
    "WORKERS": 0,
    "LOCK": 1,  # addresses of functions of pthreads and of the C library
    "UNLOCK": 2,
    "SLEEP": 3,
    "SIGNAL": 4,
    "SCHED_YIELD": 5,
    "MAKE_MUTEX": 6,
    "MAKE_CONDITION": 7,
}
TEAM_WORDS = 8
# SERVED: 0, 1 once a thread has come for the box, 2 from when its mutex can be used.
BOX = {"JOB": 0, "ASLEEP": 8, "QUIT": 9, "SERVED": 10, "MUTEX": 16, "CONDITION": 32}
BOX_WORDS = 48

# A claim word has a bit a slice, so this is the most threads that share one call.
MAX_THREADS = 63

# `run` did nothing: it wants the shared functions, or more workers than the team has. Kernels'
# codes are positive.
NEEDS_TEAM = -1

WAITING = {
    "SPINS": 400,  # pauses before a waiting member yields: about 10 us
    "YIELDS": 4000,  # yields before it naps: about 1 ms on an idle CPU
    "NAP_US": 50,
    "IDLE_SPINS": 1000,  # pauses before an idle worker yields: some tens of us
    "IDLE_YIELDS": 30,  # yields before it sleeps
}

_WALK = '''
def walk(frame, member, unused):
    """Do this member's share of every step; the caller (member 0) also does the serial ones."""
    base = address_of(frame)
    steps = pointer(frame[STEPS])
    args = frame[ARGS]
    threads = frame[THREADS]
    done = base + 8 * DONE
    profile = frame[PROFILE] if member == 0 else 0
    # What DONE is once all steps before this one are complete, and how many of the serial steps
    # the caller has run since it last told.
    target = 0
    own = 0
    before = 0
    count = frame[COUNT]
    for step in range(count):
        at = step * STEP_WORDS
        flags = steps[at + FLAGS]
        extent = steps[at + EXTENT]
        if flags & EXTENT_IN_ARGS:
            extent = pointer(args)[extent]
        slices = 1
        if flags & PARALLEL:
            slices = (extent + steps[at + GRAIN] - 1) // steps[at + GRAIN]
            if slices > threads:
                slices = threads
        if slices <= 1 and member != 0:
            if flags & CONTROL and load(done) <= target:
                return
            target += 1
            continue
        if slices > 1 and own != 0:
            atomic_add(done, own)
            own = 0
        if own == 0 and load(done) < target:
            call(frame[WAIT], base, target, 0)
            if load(base + 8 * STOPPED) != 0:
                return
        if profile != 0:
            call_c(frame[CLOCK], frame[CLOCK_ID], base + 8 * TIME)
            now = frame[TIME] * 1000000000 + frame[TIME + 1]
            if step > 0:
                pointer(profile)[step - 1] += now - before
            before = now
        if flags & COMMIT and load(frame[STATUS]) != 0:
            if member == 0:
                store(base + 8 * STOPPED, 1)
            return
        if slices > 1:
            call(frame[SHARE], base, member, step)
            target += slices
            continue
        call(steps[at + ADDRESS], args + 8 * steps[at + OFFSET], 0, extent)
        own += 1
        target += 1
        if flags & CONTROL and frame[JOINED] > 0:
            atomic_add(done, own)
            own = 0
            call(frame[ASK], base, load(frame[TEAM]), frame[WANTED] + load(base + 8 * LEFT))
    if member != 0:
        return
    if load(done) + own < target:
        call(frame[WAIT], base, target - own, 0)
    if profile != 0 and count > 0:
        call_c(frame[CLOCK], frame[CLOCK_ID], base + 8 * TIME)
        now = frame[TIME] * 1000000000 + frame[TIME + 1]
        pointer(profile)[count - 1] += now - before
'''

_SHARE = '''
def share(frame, member, step):
    """Run those slices of one step that nobody else has begun, this member's own first."""
    done = address_of(frame) + 8 * DONE
    steps = pointer(frame[STEPS])
    at = step * STEP_WORDS
    extent = steps[at + EXTENT]
    if steps[at + FLAGS] & EXTENT_IN_ARGS:
        extent = pointer(frame[ARGS])[extent]
    grain = steps[at + GRAIN]
    pieces = (extent + grain - 1) // grain
    slices = pieces if pieces < frame[THREADS] else frame[THREADS]
    claims = frame[CLAIMS] + 8 * step
    for turn in range(slices):
        slice = (member + turn) % slices
        bit = 1 << slice
        if load(claims) & bit != 0 or atomic_or(claims, bit) & bit != 0:
            continue
        lo = slice * pieces // slices * grain
        hi = (slice + 1) * pieces // slices * grain
        if hi > extent:
            hi = extent
        call(steps[at + ADDRESS], frame[ARGS] + 8 * steps[at + OFFSET], lo, hi)
        atomic_add(done, 1)
'''

_WAIT = '''
def wait(frame, target, unused):
    """Wait until DONE reaches `target` or the caller has stopped: spin, then yield, then nap."""
    base = address_of(frame)
    turns = 0
    while load(base + 8 * DONE) < target and load(base + 8 * STOPPED) == 0:
        turns += 1
        if turns < SPINS:
            pause()
        elif turns < SPINS + YIELDS:
            call_c(frame[YIELD], 0, 0)
        else:
            call_c(frame[NAP], NAP_US, 0)
'''

_RUN = '''
def run(frame, may_ask, unused):
    """Patch the args, ask workers for help if a step is worth it, walk, say how it went."""
    base = address_of(frame)
    # Helpers of the last call that came late have nothing to do, but they look.
    while load(base + 8 * LEFT) < frame[JOINED]:
        call_c(frame[YIELD], 0, 0)
    args = pointer(frame[ARGS])
    patches = pointer(frame[PATCHES])
    externals = pointer(frame[EXTERNALS])
    for k in range(frame[PATCH_COUNT]):
        args[patches[2 * k]] = externals[patches[2 * k + 1]]
    steps = pointer(frame[STEPS])
    count = frame[COUNT]
    threads = frame[THREADS]
    wanted = 1
    if threads > 1:
        for step in range(count):
            at = step * STEP_WORDS
            if steps[at + FLAGS] & PARALLEL:
                extent = steps[at + EXTENT]
                if steps[at + FLAGS] & EXTENT_IN_ARGS:
                    extent = args[extent]
                pieces = (extent + steps[at + GRAIN] - 1) // steps[at + GRAIN]
                if pieces > wanted:
                    wanted = pieces
    if wanted > threads:
        wanted = threads
    claims = pointer(frame[CLAIMS])
    frame[DONE] = 0
    frame[STOPPED] = 0
    frame[LEFT] = 0
    frame[JOINED] = 0
    pointer(frame[STATUS])[0] = 0
    if wanted == 1:
        call(frame[WALK], base, 0, 0)
        return pointer(frame[STATUS])[0]
    team = load(frame[TEAM])
    workers = load(team + 8 * WORKERS) if team != 0 else 0
    if may_ask != 0 and (frame[SHARE] == 0 or workers < wanted - 1):
        return NEEDS_TEAM
    for step in range(count):
        claims[step] = 0
    frame[WANTED] = wanted - 1
    call(frame[ASK], base, team, wanted - 1)
    call(frame[WALK], base, 0, 0)
    # A helper that comes late finds everything begun, whatever the next call's sizes are.
    for step in range(count):
        store(frame[CLAIMS] + 8 * step, -1)
    store(base + 8 * STOPPED, 1)
    if frame[JOINED] > 0:
        call(frame[RECALL], base, team, 0)
    return pointer(frame[STATUS])[0]
'''

_ASK = '''
def ask(frame, team, wanted):
    """Put this frame into the boxes of up to `wanted` workers, and wake those that sleep."""
    if team == 0:
        return
    base = address_of(frame)
    functions = pointer(team)
    for worker in range(load(team + 8 * WORKERS)):
        if frame[JOINED] >= wanted:
            return
        box = team + 8 * (TEAM_WORDS + worker * BOX_WORDS)
        if load(box) != 0 or not replace_if(box, 0, base):
            continue
        frame[JOINED] += 1
        if load(box + 8 * ASLEEP) != 0:
            call_c(functions[LOCK], box + 8 * MUTEX, 0)
            call_c(functions[SIGNAL], box + 8 * CONDITION, 0)
            call_c(functions[UNLOCK], box + 8 * MUTEX, 0)
'''

_RECALL = '''
def recall(frame, team, unused):
    """Take back the requests that no worker has taken up."""
    base = address_of(frame)
    for worker in range(load(team + 8 * WORKERS)):
        box = team + 8 * (TEAM_WORDS + worker * BOX_WORDS)
        if load(box) == base and replace_if(box, base, 0):
            frame[JOINED] -= 1
'''

_SERVE = '''
def serve(team, worker, unused):
    """Help with one frame after another; spin a little between them, then sleep; until QUIT."""
    box = address_of(team) + 8 * (TEAM_WORDS + worker * BOX_WORDS)
    mutex = box + 8 * MUTEX
    # Two come where the start of the first was interrupted.
    if exchange(box + 8 * SERVED, 1) != 0:
        return
    call_c(team[MAKE_MUTEX], mutex, 0)
    call_c(team[MAKE_CONDITION], box + 8 * CONDITION, 0)
    store(box + 8 * SERVED, 2)
    idle = 0
    while load(box + 8 * QUIT) == 0:
        job = 0
        if load(box) != 0:
            # The caller may have taken its request back meanwhile: then this is 0.
            job = exchange(box, 0)
        if job != 0:
            call(pointer(job)[WALK], job, worker + 1, 0)
            # The last touch: the caller may end and free the frame from here on.
            atomic_add(job + 8 * LEFT, 1)
            idle = 0
            continue
        idle += 1
        if idle < IDLE_SPINS:
            pause()
            continue
        if idle < IDLE_SPINS + IDLE_YIELDS:
            call_c(team[SCHED_YIELD], 0, 0)
            continue
        exchange(box + 8 * ASLEEP, 1)
        call_c(team[LOCK], mutex, 0)
        while load(box) == 0 and load(box + 8 * QUIT) == 0:
            call_c(team[SLEEP], box + 8 * CONDITION, mutex)
        call_c(team[UNLOCK], mutex, 0)
        exchange(box + 8 * ASLEEP, 0)
        idle = 0
'''


def _constants() -> str:
    values = {
        **FRAME, **STEP, **FLAGS, **TEAM, **BOX, **WAITING, "STEP_WORDS": STEP_WORDS,
        "TEAM_WORDS": TEAM_WORDS, "BOX_WORDS": BOX_WORDS, "NEEDS_TEAM": NEEDS_TEAM,
    }  # fmt: skip
    return "\n".join(f"{name} = {value}" for name, value in values.items()) + "\n"


def _kernels(sources: dict[str, str]) -> list[Kernel]:
    constants = _constants()
    return [
        Kernel(name, constants + source, "machine", returns=name == "run")
        for name, source in sources.items()
    ]


def kernels_alone() -> list[Kernel]:
    """What a frame needs that nobody helps with: `run` and `walk`."""
    return _kernels({"run": _RUN, "walk": _WALK})


def kernels_shared() -> list[Kernel]:
    """What a frame needs besides once a step is worth sharing: compiled only then."""
    sources = {"share": _SHARE, "wait": _WAIT, "ask": _ASK, "recall": _RECALL, "serve": _SERVE}
    return _kernels(sources)
