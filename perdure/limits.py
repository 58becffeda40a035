"""Every bound of the runtime: its unit in its name, its reason beside it. There are no others."""

from __future__ import annotations

# --- values and messages
MESSAGE_BYTES_MAX = 16 * 1024 * 1024  # one message; larger values belong in artifacts
ROW_BYTES_MAX = 1_024  # of a message whose values are kept beside its bytes until it is handled
VALUE_DEPTH_MAX = 64  # nesting of containers: msgpack's own recursion limit is 511
SEQ_MAX = (1 << 63) - 1  # of records; a seed has as many bits
ADDRESS_BYTES_MAX = 400  # LMDB keys end at 511 bytes, and a key holds a prefix too
NAME_BYTES_MAX = 128  # one segment of an address, a message name, a step name

# --- inboxes
INBOX_SOFT_MAX = 10_000  # past it, those who sent there wait until it drains
INBOX_HARD_MAX = 100_000  # past it, tell() raises InboxFull

# --- memory
GARBAGE_OBJECTS_MIN = 50_000  # new ones between two searches for cycles, while a run lasts

# --- scheduling
INDICES_MAX = 10_000  # remembered at once; costs are few, but a user may compute them

LOOP_LOOK_SECONDS = 0.0005  # between looks at sockets and pipes while the kernel's loop is busy

# --- turns
CONCURRENCY_DEFAULT = 4  # L: turns in flight at once
ATTEMPTS_MAX = 3  # tries at one message before it is a dead letter
TURN_INTENTS_MAX = 100_000  # tells, stops and artifacts of one turn
TURN_MARKS_MAX = 100  # names for one point; each is two rows
ACTOR_MARKS_MAX = 1_000  # names that one actor has given: they are counted when it sets a new one
WAIT_SECONDS_MAX = 100 * 365.25 * 86_400.0  # of a sleep or a timeout: ledger time is int64 ns
SUSPEND_SECONDS_MAX = 10.0  # that a turn which only waits keeps its coroutine or its thread
WAITING_TURNS_MAX = 256  # that do so with a coroutine each; past it the oldest are suspended
WAITING_THREADS_MAX = 32  # likewise with a thread each: half of the pool, so that it always works
INTERRUPTIONS_MAX = 3  # deaths of its process in a row that a message may be running at
CAUTION_RECORDS = 100  # past a lost message, one turn at a time: it comes back near its old place
FLIGHTS_MAX = 512  # turns in flight noted at once; any further ones are not, and kill unnamed
BACKOFF_FIRST_SECONDS = 0.01
BACKOFF_FACTOR = 2.0
BACKOFF_SECONDS_MAX = 30.0
TRACEBACK_BYTES_MAX = 8 * 1024  # of a crash, in its record

# --- steps
STEP_KEY_BYTES_MAX = 480  # a table key of 511 bytes has actor and message in front of it
STEP_ASKED_BYTES_MAX = 4 * 1024  # of a step's arguments in its record; past it, the start of them
STEPS_AT_ONCE_MAX = 100  # of @nonblocking functions in a row, before other turns have theirs
FUNCTIONS_KNOWN_MAX = 1_024  # whose tool, kind or signature is remembered: the last that were used
STEP_RETRIES_MAX = 1_000  # of a tool's own policy; more belongs to attempts, which are seen
CALL_CHARS_MAX = 300  # of a recorded or attempted call, where the two are shown side by side

# --- state
STATE_OPS_MAX = (
    10_000  # operations a tracked container logs in a turn; past it, it is written whole
)
IMAGE_OPS_BYTES_MIN = 1_024  # operations beside a field's base before the base is written anew
STATE_ROW_BYTES_MAX = 4_096  # a larger state is a snapshot and deltas, no row written each group
STATE_READS_MAX = 8  # of rows that another process is writing, before they are called damaged
BLOB_BYTES_MIN = 4_096  # a larger value is a blob; a page of LMDB has as many
BLOBS_KNOWN_MAX = 10_000  # digests of the newest blobs: those are not handed to the store again

# --- supervision: OTP's own defaults
INTENSITY_DEFAULT = 1
PERIOD_SECONDS_DEFAULT = 5.0
SHUTDOWN_SECONDS_DEFAULT = 5.0
SCENARIO_ACTORS_MAX = 1_000_000  # of one scenario's tree, which count = N makes in memory
SPAWN_INTENSITY = 3  # of the implicit supervisor of spawned children
SPAWN_PERIOD_SECONDS = 5.0

# --- groups: one LMDB transaction, one fsync
GROUP_RECORDS_MAX = 4_096  # sealed at this size; beyond it a group saves few rows more
GROUP_BYTES_MAX = 8 * 1024 * 1024
GROUP_AGE_SECONDS_MAX = 0.1  # under load, with nobody waiting: what a crash can cost
GROUP_WAITED_SECONDS = 0.002  # under load, with somebody waiting: others share the commit
COMMIT_HERE_SECONDS_MAX = 0.002  # by commits of late: past it an idle kernel hands them over
GROUP_RECORDS_BEHIND = 8_192  # of the open group while the disk is busy; past it turns wait

# --- memory
ACTORS_LOADED_MAX = 4_096  # idle actors kept in memory before the oldest are unloaded

# --- process
DRAIN_TURNS_SECONDS_MAX = 4.0  # for turns in flight when a run ends
DRAIN_SECONDS_MAX = 5.0  # SIGTERM to exit, whatever the handlers do
WATCHDOG_SECONDS = 1.0  # between two looks at the kernel
KERNEL_STALL_SECONDS_MAX = 30.0  # a handler that holds the kernel thread longer ends the process
POOL_THREADS_MAX = 64  # threads for `def` handlers and blocking steps
BATCH_STALL_SECONDS = 0.005  # a pool thread at one turn longer: the others are taken back
BATCH_TURNS_MAX = 32  # cheap `def` turns handed to one pool thread at once

# --- the door: what other processes ask of a run
POST_BYTES_MAX = 2 * MESSAGE_BYTES_MAX  # of a post's file: a message in JSON is longer than on disk
SPOOL_POSTS_MAX = 10_000  # that wait in the spool; past it a poster is refused
SPOOL_LOOK_SECONDS = 1.0  # between looks at the spool when nobody rings
SPOOL_REMARKS_MAX = 1_000  # files of the spool that the owner has remarked on, and does not again
POSTS_AT_ONCE = 256  # taken from the spool and not durable yet; past it the others wait there
POST_UNFINISHED_SECONDS_MAX = 3_600.0  # since the last write to it; then its poster is dead
POST_WAIT_SECONDS = 5.0  # that a verb waits until the owner has taken its post
POST_LOOK_SECONDS_MAX = 0.1  # between a poster's looks at what became of its post
DOOR_CLIENTS_MAX = 64  # that knock at once; the others fall back on the ledger
DOOR_REQUEST_BYTES_MAX = 4_096
DOOR_ANSWER_BYTES_MAX = 8 * 1024 * 1024
DOOR_CLIENT_SECONDS_MAX = 0.5  # for a client to say what it asks, and to take the answer
DOOR_KERNEL_SECONDS_MAX = 0.3  # for the kernel to answer; past it the doorkeeper looks for itself
DOOR_ANSWER_SECONDS_MAX = 1.0  # that a client waits before it takes the ledger's word alone
POSTS_QUEUED_MAX = 10_000  # from outside, before the kernel has taken them in; past it posters wait
CENSUS_TURNS_MAX = 1_000  # turns in flight that an answer names

# --- ledger
MAP_BYTES_FIRST = 1 << 26  # 64 MiB; grown by doubling, so a small disk is not over-promised
MAP_BYTES_MAX = 1 << 44
DISK_FREE_BYTES_MIN = 256 * 1024  # below it the run drains instead of failing in the middle
DISK_FREE_BYTES_PLENTY = 1 << 28  # that nobody fills within DISK_LOOK_SECONDS
DISK_LOOK_SECONDS = 0.01  # between looks at a disk with plenty of room; else before each commit
FILE_AHEAD_BYTES = 256 * 1024  # of zeros at the end of a ledger, where its next pages go
READ_ROWS_MAX = 1_000  # of one read transaction: a long one pins pages
OPEN_WALK_BYTES_MAX = 1 << 24  # a smaller file is walked page by page when opened: 0.2 s
COPY_FREE_BYTES_MIN = 16 * 1024 * 1024  # that a copy leaves on the disk, where a run may be writing
SEGMENT_RECORDS_MAX = 4_096  # of one file of a run that is shipped
SEGMENT_BYTES_MAX = 8 * 1024 * 1024  # likewise, before it is compressed; one record may be more
KEY_BYTES_MAX = 511  # of a table row: LMDB 0.9 stores no longer key
READERS_MAX = 512  # read transactions at once, of all processes
COMMIT_SWITCH_SECONDS = 0.00005  # threads' turns while a group is written: see ledger/gil.py
DROP_RECORDS_MAX = 4_096  # by one group: while it is written, the run waits
COMPACT_WAIT_SECONDS = 60.0  # that `perdure compact` waits for the owner to take a plan
HOUSEKEEPING_LOOK_SECONDS = 1.0  # between looks whether a run has more history than it keeps
BASES_KEPT_MAX = 200  # marks before the cut that stay usable, the newest: each is a base
BASE_PIECE_BYTES_MIN = 64 * 1024  # a piece of a base ends at the next key that may end one
BASE_PIECE_BYTES_MAX = 1024 * 1024  # or here, whatever the key
READER_LOOKS = 60  # of the watchdog between two looks for readers that do not end: a minute
READER_BEHIND_GROUPS = 1_000  # that a reader may be behind before `perdure show` names it
UPKEEP_GROUPS = 64  # commits between looks for dead readers, which pin pages, and a fresh map

# --- budgets
TOKENS_DEFAULT = 1_000_000

# --- hosts: event loops that Pykka actors live on
HOST_RUNNERS_MAX = (
    1_024  # handlers in flight on one host; past it, ready actors wait for one to end
)
HOST_RUNNERS_KEPT = 16  # idle runner tasks kept for reuse
HOST_BATCH_MESSAGES = 16  # handled for one actor before the next ready one has its turn
HOST_SLICE_BATCHES = 64  # served before the loop's other callbacks have their turn

# --- code
CODE_BYTES_MAX = 4 * 1024 * 1024  # of a code folder's files in the ledger; larger ones are not kept
CODES_KEPT_MAX = 8  # older code in memory, for actors that newer code cannot load
CODES_LISTED_MAX = 100  # reloads and processes that a run's row of code names: the newest
RELOAD_WAIT_SECONDS = 60.0  # that `perdure reload` waits: the owner imports the code meanwhile
RELOAD_ACTORS_MAX = 10_000  # migrated by a reload at once; others when they are next loaded

# --- replay
REPLAY_BUDGETS_MAX = 65_536  # changes of a budget kept: a turn reads the one that it began with
REPLAY_SLACK_SECONDS = 0.02  # a recorded outcome this much after a handler's own timer was first
REPLAY_WAIT_SECONDS_MAX = 5.0  # for what a handler does past its verbs, in a thread or a socket

# --- doctor
DOCTOR_FREE_BYTES_MIN = 256 * 1024 * 1024  # below it, a disk is soon too full for a run
DOCTOR_FSYNC_SECONDS_MAX = 0.05  # a slower disk is what a run waits for
DOCTOR_FSYNCS = 5  # measured; the middle one counts
DOCTOR_POST_SECONDS_MAX = 10.0  # that a live run takes at most to look at its spool

# --- command line
EVENT_LINES_MAX = 20  # of each kind that `perdure run` tells; it counts the rest
EVENTS_WAITING_MAX = 10_000  # to be written: past it they are counted and left out
WHY_RECORDS_MAX = 10_000  # before a record that `perdure why` looks at for its steps: 0.2 s
WHY_CAUSES_KEPT_MAX = 1_000  # records that led to one, and are shown; the first of all is too

STATS_REASONS_MAX = 256  # of crashes that `perdure stats` tells apart: it counts the rest
STATS_REORDERED_MAX = 4_096  # turns that ended, put into the order in which they began
